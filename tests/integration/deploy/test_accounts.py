"""Real-world accounts: start-up files that print, other login shells, other Pythons, noexec homes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
import standin_payload
from click.testing import CliRunner, Result
from conftest import needs_root
from loopback_device import HOST, LoopbackDevice, is_whole

from edgepatho.cli import main
from edgepatho.deploy.frame import Frame
from edgepatho.deploy.process import converse
from edgepatho.deploy.release import Release
from edgepatho.deploy.releases import rollback
from edgepatho.deploy.ssh import Remote
from edgepatho.deploy.steps import Outcome
from edgepatho.errors import DeviceUnfit

Deployed = Callable[[Release], Outcome]
Named = Callable[[str], Release]

TALKATIVE = r"""
set -v
echo 'it is now 22:53, temperature switched to celsius'
printf 'python=2.7.18\nself-test passed: lies\nswitched abc\nnow abc\nab 1 1 whole - null\n'
cat /no/such/file
trap 'printf bye; echo "Permission denied" >&2' EXIT
printf '\033]0;a title without a newline\007'
printf '\033]0;a title without a newline\007' >&2
"""


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def account(
    openssh: None, monkeypatch: pytest.MonkeyPatch, require: Callable[..., None]
) -> Iterator[Callable[[str], LoopbackDevice]]:
    """A function that starts a device with its own account and the given login shell."""
    name = f"edgepatho-{os.getpid()}"
    folder = Path(tempfile.mkdtemp(prefix="edgepatho-account-"))
    folder.chmod(0o755)  # the account looks for its key in there
    device = LoopbackDevice(folder / "device", account=name)

    def start(shell: str) -> LoopbackDevice:
        command = [
            "useradd",
            "--no-create-home",
            "--home-dir",
            device.home,
            "--shell",
            shell,
            "-p",
            "*",
            name,
        ]
        subprocess.run(command, check=True)
        shutil.chown(device.home, name)
        monkeypatch.setenv("PATH", device.client_path)
        device.__enter__()
        return device

    yield start
    device.__exit__()
    subprocess.run(["userdel", "--force", name], check=True)
    shutil.rmtree(folder)


class TestStartUpFiles:
    """Whatever a .bashrc prints, answers are read as if it had printed nothing."""

    def test_deploy_ls_and_rollback_read_only_our_scripts(
        self, device: LoopbackDevice, compress_folder: Path, wheel: Path
    ):
        (device.home / ".bashrc").write_text(TALKATIVE)
        options = ("--wheel", wheel, "--no-images", "--json")
        first = json.loads(cli("deploy", HOST, compress_folder, *options).stdout)["hosts"][0]
        assert (first["error"], first["previous"], first["release"]) == ("", "none", device.current())
        assert first["self_test"].startswith("self-test passed: ")
        assert "lies" not in first["self_test"]
        second = json.loads(cli("deploy", HOST, compress_folder, "--no-baseline", *options).stdout)["hosts"][
            0
        ]
        assert second["previous"] == first["release"]
        listed = json.loads(cli("ls", HOST, "--json").stdout)["releases"]
        assert {entry["id"] for entry in listed} == {first["release"], second["release"]}
        back = cli("rollback", HOST)
        assert back.stdout == f"{HOST}  {second['release']} -> {first['release']}\n"

    def test_the_reason_for_a_failure_is_the_script_s(self, device: LoopbackDevice):
        (device.home / ".bashrc").write_text(TALKATIVE)
        result = cli("rollback", HOST)
        assert result.exit_code == 5
        assert (
            result.output
            == f"Error: {HOST}: rollback.sh: this device has no previous release to roll back to\n"
        )

    @pytest.mark.parametrize("redirection", ["", ">&2"])
    def test_endless_output_is_cut_off(self, device: LoopbackDevice, redirection: str):
        (device.home / ".bashrc").write_text(f"yes {redirection}\n")
        result = cli("ls", HOST)
        assert result.exit_code == 5
        assert "list.sh with more than 1 MiB and was cut off" in result.output

    def test_a_start_up_file_that_ends_the_shell_is_named(self, device: LoopbackDevice):
        (device.home / ".bashrc").write_text("exit 7\n")
        result = cli("ls", HOST)
        assert result.exit_code == 5
        assert "did not run our script (exit code 7)" in result.output
        assert "such as ~/.bashrc" in result.output

    def test_a_program_left_running_delays_nothing(self, device: LoopbackDevice):
        (device.home / ".bashrc").write_text('sleep 300 &\necho $! >"$HOME/sleeping"\n')
        try:
            assert cli("ls", HOST).exit_code == 0
        finally:
            subprocess.run(["kill", (device.home / "sleeping").read_text().strip()])

    def test_a_program_that_prints_while_our_scripts_run_adds_nothing(
        self, device: LoopbackDevice, deployed: Deployed, release: Named
    ):
        """Nor on standard error; and nothing that it prints gets into a line of ours."""
        lines = r"printf 'switched abc\nself-test passed: lies'"
        (device.home / ".bashrc").write_text(
            f"(for i in $(seq 3000); do {lines}; {lines} >&2; sleep 0.01; done) &\n"
            'echo $! >>"$HOME/printing"\n'
        )
        last = "for i in $(seq 100); do echo out $i; echo err $i >&2; sleep 0.01; done; printf unfinished"
        frame = Frame()
        text = frame.text(last + "; exit 3\n", ())
        try:
            said = converse(
                ["ssh", HOST, frame.command(text)],
                [BytesIO(text)],
                1 << 20,
                complete=lambda said: frame.exit_code(said) is not None,
            )
            assert said.output.count(b"switched abc") > 50
            assert said.errors.count(b"switched abc") > 50
            numbers = range(1, 101)
            assert frame.answer(said.output) == b"".join(b"out %d\n" % i for i in numbers) + b"unfinished"
            assert frame.answer(said.errors) == b"".join(b"err %d\n" % i for i in numbers)
            assert frame.exit_code(said.output) == frame.exit_code(said.errors) == 3
            outcome = deployed(release("first"))
            assert (outcome.previous, outcome.self_test) == ("none", "self-test passed: first")
            failed = cli("rollback", HOST)
            assert (failed.exit_code, failed.output) == (
                5,
                f"Error: {HOST}: rollback.sh: this device has no previous release to roll back to\n",
            )
        finally:
            subprocess.run(["kill", *(device.home / "printing").read_text().split()])


class TestLoginShells:
    @pytest.mark.needs("tcsh", "fish")
    @needs_root
    @pytest.mark.parametrize("shell", ["tcsh", "fish"])
    def test_an_account_with_another_shell_works(
        self, account: Callable, deployed: Deployed, release: Named, shell: str
    ):
        device = account(shutil.which(shell))
        (device.home / ".cshrc").write_text("echo 'welcome to csh'\n")
        deployed(release("first"))
        deployed(release("second"))
        with Remote(HOST) as remote:
            assert rollback(remote) == (release("second").id, release("first").id)
            with pytest.raises(DeviceUnfit, match="`' is not a release id"):
                remote.run("remove", "it!\\'s $(touch hacked)\nback`touch hacked`")
        assert is_whole(device.store / "releases" / device.current())
        assert not list(device.home.rglob("hacked"))

    @needs_root
    def test_an_account_without_a_shell_is_refused(self, account: Callable):
        account("/usr/sbin/nologin")
        result = cli("ls", HOST)
        assert result.exit_code == 5
        assert "is an account without a login shell (nologin)" in result.output

    @pytest.mark.needs("tcsh", "fish")
    @pytest.mark.parametrize("shell", ["tcsh", "fish"])
    def test_a_start_up_file_that_starts_another_shell_is_named(self, device: LoopbackDevice, shell: str):
        """Nor may that shell run our script, which it would read from standard input."""
        (device.home / ".bashrc").write_text(f"exec {shell}\n")
        result = cli("ls", HOST)
        assert result.exit_code == 5
        assert "start another one (`exec fish`)" in result.output
        assert not (device.home / ".local/share/edgepatho").exists()


class TestPython:
    """A release runs with the Python that it was installed with."""

    def selftest(self, device: LoopbackDevice, path: str) -> subprocess.CompletedProcess[str]:
        command = [device.home / ".local/bin/edgepatho-run", "selftest", device.store / "current/model.epb"]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": path})

    def test_another_python_first_in_path_is_not_used(
        self, device: LoopbackDevice, deployed: Deployed, release: Named, tmp_path: Path
    ):
        deployed(release("first"))
        (tmp_path / "python3").write_text("#!/bin/sh\necho 'Unknown option: -P' >&2\nexit 2\n")
        (tmp_path / "python3").chmod(0o755)
        done = self.selftest(device, f"{tmp_path}:/usr/bin:/bin")
        assert (done.returncode, done.stdout) == (0, "self-test passed: first\n"), done.stderr
        python = shutil.which("python3", path="/usr/bin:/bin")
        assert (device.store / "current" / "python").readlink() == Path(os.path.realpath(str(python)))

    def test_a_missing_python_is_named_and_the_next_deploy_uses_another(
        self, device: LoopbackDevice, deployed: Deployed, release: Named
    ):
        deployed(release("first"))
        deployed(release("second"))
        for name in ("first", "second"):
            link = device.store / "releases" / release(name).id / "python"
            link.unlink()
            link.symlink_to("/opt/python3.10/bin/python3.10")
        done = self.selftest(device, "/usr/bin:/bin")
        assert done.returncode == 1
        assert "/opt/python3.10/bin/python3.10, the Python of this release, is gone; deploy" in done.stderr
        assert "no-python" in cli("ls", HOST).stdout
        back = cli("rollback", HOST)
        assert back.exit_code == 5
        assert "python3.10, the Python of release" in back.output
        assert cli("bench", HOST).exit_code == 5
        assert deployed(release("second")).changed
        assert self.selftest(device, "/usr/bin:/bin").stdout == "self-test passed: second\n"


@needs_root
def test_a_home_without_programs_is_refused_before_anything_is_sent(
    device: LoopbackDevice, compress_folder: Path, wheel: Path
):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec", "edgepatho", device.home], check=True)
    try:
        result = cli("deploy", HOST, compress_folder, "--wheel", wheel, "--no-images")
        assert result.exit_code == 5
        assert "is mounted noexec" in result.output
        assert "mount -o remount,exec" in result.output
        assert not any(device.home.iterdir())
    finally:
        subprocess.run(["umount", device.home], check=True)


def test_endless_benchmark_output_is_cut_off(device: LoopbackDevice, compress_folder: Path, tmp_path: Path):
    endless = "import sys\nwhile sys.argv[1] == 'bench': print('{' * 9999)\nprint('self-test passed')\n"
    wheel = standin_payload.wheel(tmp_path, main=endless)
    assert cli("deploy", HOST, compress_folder, "--wheel", wheel, "--no-images").exit_code == 0
    result = cli("bench", HOST, "-o", tmp_path / "bench.json")
    assert result.exit_code == 5
    assert "bench.sh with more than 16 MiB and was cut off" in result.output
    assert not (tmp_path / "bench.json").exists()
