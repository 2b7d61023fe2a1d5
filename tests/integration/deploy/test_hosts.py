"""All kinds of hosts: unknown, changed, refused, odd, unsuitable, several at once."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import standin_payload
from click.testing import CliRunner, Result
from conftest import FIXTURES, needs_root
from loopback_device import HOST, LoopbackDevice, is_whole

from edgepatho.cli import main
from edgepatho.deploy import fleet
from edgepatho.deploy.job import Result as DeployResult
from edgepatho.deploy.probe import Device, check_fit, probe
from edgepatho.deploy.release import Release
from edgepatho.deploy.ssh import Remote
from edgepatho.deploy.steps import Outcome
from edgepatho.errors import DeviceUnfit, DeviceUnreachable, UsageError

Deployed = Callable[[Release], Outcome]
Named = Callable[[str], Release]

TOOLS = (
    "awk basename bash cat chmod cp cut date df dirname du find flock getconf grep head ln mkdir mv nproc "
    "readlink rm sed sh sha256sum sort stat sync tail timeout tr uname"
)


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def device_with(
    openssh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[dict[str, str]], LoopbackDevice]]:
    """A function that starts a device whose only programs are TOOLS, and those given as shell scripts."""
    started: list[LoopbackDevice] = []

    def start(programs: dict[str, str]) -> LoopbackDevice:
        tools = tmp_path / "tools"
        tools.mkdir()
        for name in TOOLS.split():
            (tools / name).symlink_to(str(shutil.which(name)))
        for name, text in programs.items():
            (tools / name).unlink(missing_ok=True)
            (tools / name).write_text(f"#!/bin/sh\n{text}\n")
            (tools / name).chmod(0o755)
        device = LoopbackDevice(tmp_path / "bare", device_path=str(tools))
        started.append(device.__enter__())
        monkeypatch.setenv("PATH", device.client_path)
        return device

    yield start
    for device in started:
        device.__exit__()


class TestKeys:
    """Host keys are never accepted silently, and every refusal says what to do."""

    def test_an_unknown_host_key_is_refused(self, device: LoopbackDevice):
        known = device.folder / "known_hosts"
        text = known.read_text()
        known.write_text("")
        try:
            with (
                Remote(HOST) as remote,
                pytest.raises(DeviceUnreachable, match=r"not known yet.*ssh-keygen -lf"),
            ):
                probe(remote)
            assert known.read_text() == ""
        finally:
            known.write_text(text)

    def test_an_accept_everything_configuration_is_overridden(self, device: LoopbackDevice):
        known, config = device.folder / "known_hosts", device.folder / "ssh_config"
        text = known.read_text()
        known.write_text("")
        config.write_text("StrictHostKeyChecking no\n" + config.read_text())
        try:
            with Remote(HOST) as remote, pytest.raises(DeviceUnreachable, match="not known yet"):
                probe(remote)
            assert known.read_text() == ""
        finally:
            known.write_text(text)

    @pytest.mark.parametrize("alias", [True, False])
    def test_a_changed_host_key_is_refused_with_the_command_to_forget_it(
        self, device: LoopbackDevice, alias: bool
    ):
        """As after reflashing the card; a port and an alias change the name to forget."""
        known, config = device.folder / "known_hosts", device.folder / "ssh_config"
        text, options = known.read_text(), config.read_text()
        name = HOST if alias else f"[{device.address}]:{device.port}"
        known.write_text(f"{name} {(device.folder / 'client_key.pub').read_text()}")
        if not alias:
            config.write_text(options.replace(f"    HostKeyAlias {HOST}\n", "    LogLevel QUIET\n"))
        try:
            with (
                Remote(f"{device.user}@{HOST}") as remote,
                pytest.raises(
                    DeviceUnreachable, match=r"is not the one in .*known_hosts.*was reinstalled"
                ) as said,
            ):
                probe(remote)
            forget = str(said.value).rpartition("then run `")[2].removesuffix("`.")
            assert subprocess.run(["sh", "-c", forget], capture_output=True).returncode == 0
            assert known.read_text() == ""
        finally:
            known.write_text(text)
            config.write_text(options)

    def test_a_key_that_others_may_read_is_named(self, device: LoopbackDevice):
        key = device.folder / "client_key"
        key.chmod(0o644)
        try:
            with Remote(HOST) as remote, pytest.raises(DeviceUnreachable) as said:
                probe(remote)
            assert "which others can read (mode 644)" in str(said.value)
            assert f"run `chmod 600 {key}`" in str(said.value)
        finally:
            key.chmod(0o600)

    def test_a_key_with_a_passphrase_is_named_unless_an_agent_holds_it(
        self, device: LoopbackDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        key, authorized = device.folder / "client_key", device.folder / "authorized_keys"
        change = ["ssh-keygen", "-q", "-p", "-f", str(key)]
        agent = subprocess.Popen(
            ["ssh-agent", "-D", "-a", tmp_path / "agent"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while not (tmp_path / "agent").exists():
                assert agent.poll() is None
                time.sleep(0.01)
            monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
            subprocess.run(["ssh-add", "-q", key], check=True)
            subprocess.run([*change, "-P", "", "-N", "a passphrase"], check=True)
            with Remote(HOST) as remote:
                probe(remote)
            authorized.rename(tmp_path / "authorized_keys")
            with Remote(HOST) as remote, pytest.raises(DeviceUnreachable, match="none of your keys"):
                probe(remote)
            subprocess.run(["ssh-add", "-q", "-D"], check=True)
            with Remote(HOST) as remote, pytest.raises(DeviceUnreachable, match=f"run `ssh-add {key}`"):
                probe(remote)
        finally:
            agent.kill()
            agent.wait()
            shutil.copy(tmp_path / "authorized_keys", authorized)
            subprocess.run([*change, "-P", "a passphrase", "-N", ""], check=True)

    def test_too_many_keys_are_named(self, device: LoopbackDevice, tmp_path: Path):
        config = device.folder / "ssh_config"
        options = config.read_text()
        for number in range(6):  # a server's default limit of attempts
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / str(number)], check=True
            )
        wrong = "".join(f"    IdentityFile {tmp_path / str(number)}\n" for number in range(6))
        config.write_text(options.replace("    IdentityFile", f"{wrong}    IdentityFile", 1))
        try:
            with Remote(HOST) as remote, pytest.raises(DeviceUnreachable, match="IdentitiesOnly yes"):
                probe(remote)
        finally:
            config.write_text(options)

    def test_a_refused_key_explains_how_to_install_one(self, device: LoopbackDevice):
        authorized = device.folder / "authorized_keys"
        text = authorized.read_text()
        authorized.write_text("")
        try:
            with Remote(HOST) as remote, pytest.raises(DeviceUnreachable, match=f"ssh-copy-id {HOST}"):
                probe(remote)
        finally:
            authorized.write_text(text)


class TestNames:
    @pytest.mark.parametrize("host", ["-oProxyCommand=touch hacked", "-", ""])
    def test_a_host_that_looks_like_an_ssh_option_is_refused(self, host: str):
        with pytest.raises(UsageError, match="cannot be empty or begin with a dash"):
            Remote(host)

    def test_on_the_command_line_too(self, compress_folder: Path):
        result = cli("deploy", "--", "-oProxyCommand=x", compress_folder)
        assert result.exit_code == 2
        assert "begin with a dash" in result.output

    def test_a_user_name_with_a_space_arrives_in_one_piece(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        ssh = tmp_path / "ssh"
        ssh.write_text('#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done > "$0.words"\nexit 255\n')
        ssh.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        with Remote("lab user@pi5.local") as remote, pytest.raises(DeviceUnreachable):
            remote.run("probe")
        words = (tmp_path / "ssh.words").read_text().splitlines()
        assert words[-3:-1] == ["--", "lab user@pi5.local"]

    def test_remote_arguments_are_quoted(self, device: LoopbackDevice):
        with Remote(HOST) as remote, pytest.raises(DeviceUnfit, match="is not a release id"):
            remote.run("remove", "$(touch hacked); touch hacked")
        assert not list(device.home.rglob("hacked"))

    def test_a_killed_ssh_is_reported_as_a_broken_connection(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        (tmp_path / "ssh").write_text("#!/bin/sh\nkill -9 $$\n")
        (tmp_path / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        with Remote("pi5.local") as remote, pytest.raises(DeviceUnreachable, match="the connection broke"):
            remote.run("probe")

    @pytest.mark.usefixtures("openssh")
    def test_ipv6(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compress_folder: Path, wheel: Path):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
        with LoopbackDevice(tmp_path / "device", address="::1") as device:
            monkeypatch.setenv("PATH", device.client_path)
            outcome = cli("deploy", f"{device.user}@::1", compress_folder, "--wheel", wheel, "--no-images")
            assert outcome.exit_code == 0, outcome.output
            assert is_whole(device.store / "releases" / device.current())


class TestOddDevices:
    """Devices that are unusual but suitable."""

    def test_output_of_the_login_shell_is_ignored(
        self, device: LoopbackDevice, deployed: Deployed, release: Named
    ):
        (device.home / ".bashrc").write_text("echo 'python=2.7.18'; echo hello; echo welcome >&2\n")
        assert deployed(release("first")).changed
        assert device.current() == release("first").id

    @pytest.mark.parametrize("mask", ["077", "000", "777"])
    def test_an_odd_umask_gives_the_same_release(
        self, device: LoopbackDevice, deployed: Deployed, release: Named, mask: str
    ):
        (device.home / ".bashrc").write_text(f"umask {mask}\n")
        deployed(release("first"))
        assert is_whole(device.store / "releases" / release("first").id)
        modes = {oct(path.stat().st_mode & 0o777) for path in device.store.rglob("*.epb")}
        assert modes == {"0o644"}

    def test_a_clock_in_1970_is_a_warning(self, device_with: Callable, deployed: Deployed, release: Named):
        python = f'exec {shutil.which("python3", path="/usr/bin:/bin")} "$@"'
        device = device_with({"date": "echo 86400", "python3": python})
        assert deployed(release("first")).changed
        with Remote(HOST) as remote:
            assert "its clock is not set" in " ".join(probe(remote).warnings())
        assert device.current() == release("first").id

    def test_implausible_answers_are_not_trusted(self, device_with: Callable):
        device_with(
            {
                "python3": "printf 'python=3.99999999\\npython_bits=64\\npython_name=cpython\\n'",
                "uname": "printf 'aarch64\\033[31m'",
                "getconf": "echo glibc 2.99999999",
                "nproc": "printf '%05000d' 9",
            }
        )
        with Remote(HOST) as remote:
            found = probe(remote)
        assert found.python == ()
        assert found.glibc == ()
        assert found.number("cores") == 0
        assert found.machine == r"aarch64\x1b[31m"


class TestUnfitDevices:
    """One sentence with the remedy, exit code 5, and nothing on the device."""

    def refused(self, device: LoopbackDevice, folder: Path, words: str) -> None:
        result = cli("deploy", HOST, folder)
        assert result.exit_code == 5, result.output
        assert words in result.output
        assert not (device.home / ".local").exists()

    def test_no_python(self, device_with: Callable, compress_folder: Path):
        self.refused(device_with({}), compress_folder, "has no python3; on Raspberry Pi OS")

    def test_32_bit_userland_under_a_64_bit_kernel(self, device_with: Callable, compress_folder: Path):
        python = "printf 'python=3.11.2\\npython_bits=32\\npython_name=cpython\\n'"
        self.refused(device_with({"python3": python}), compress_folder, "runs a 32-bit system")

    def test_an_old_python(self, device_with: Callable, compress_folder: Path):
        python = "printf 'python=3.9.2\\npython_bits=64\\npython_name=cpython\\n'"
        self.refused(device_with({"python3": python}), compress_folder, "has Python 3.9.2")

    @needs_root
    def test_a_read_only_home(self, device: LoopbackDevice, compress_folder: Path):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "edgepatho", device.home], check=True)
        try:
            self.refused(device, compress_folder, "cannot write to")
        finally:
            subprocess.run(["umount", device.home], check=True)

    def test_another_c_library(self):
        facts = {"python": "3.12.1", "python_bits": "64", "python_name": "cpython", "glibc": ""}
        with pytest.raises(DeviceUnfit, match="a C library other than glibc"):
            check_fit(Device(facts), "alpine")

    def test_missing_tools_are_named(self):
        facts = {"python": "3.12.1", "python_bits": "64", "python_name": "cpython", "glibc": "2.36"}
        with pytest.raises(DeviceUnfit, match="lacks flock, timeout"):
            check_fit(Device(facts, missing_tools=("flock", "timeout")), "tiny")


class TestCommands:
    """The commands as they are typed."""

    def test_deploy_ls_rollback_rm(self, device: LoopbackDevice, compress_folder: Path, wheel: Path):
        options = ("--wheel", wheel, "--no-images")
        first = json.loads(cli("deploy", HOST, compress_folder, *options, "--json").stdout)["hosts"][0]
        assert (first["changed"], first["exit_code"], first["release"]) == (True, 0, device.current())
        assert first["bytes_sent"] > 19_000
        again = cli("deploy", HOST, compress_folder, *options)
        assert again.exit_code == 0
        assert "nothing changed" in again.output

        second = json.loads(cli("deploy", HOST, compress_folder, *options, "--no-baseline", "--json").stdout)[
            "hosts"
        ][0]
        assert second["previous"] == first["release"]
        assert second["bytes_there_before"] > 0
        assert not (device.store / "current" / "baseline.epb").exists()

        listed = json.loads(cli("ls", HOST, "--json").stdout)["releases"]
        assert {entry["id"]: entry["mark"] for entry in listed} == {
            first["release"]: "previous",
            second["release"]: "current",
        }
        back = json.loads(cli("rollback", HOST, "--json").stdout)
        assert back == {"host": HOST, "release": first["release"], "previous": second["release"]}
        assert cli("rm", HOST, second["release"]).exit_code == 5

    def test_dry_run_prints_every_step_and_changes_nothing(
        self, device: LoopbackDevice, compress_folder: Path, wheel: Path
    ):
        result = cli("deploy", HOST, compress_folder, "--wheel", wheel, "--no-images", "--dry-run")
        assert result.exit_code == 0
        for word in ("model.epb", "baseline.epb", "install.sh", "activate.sh", "prune.sh"):
            assert word in result.output
        assert not any(device.home.iterdir())

    def test_one_failing_device_does_not_stop_the_others(
        self, device: LoopbackDevice, compress_folder: Path, wheel: Path, tmp_path: Path
    ):
        inventory = tmp_path / "lab.toml"
        inventory.write_text(f'hosts = ["{HOST}", "pi@no-such-host.invalid"]\n')
        options = ("--inventory", inventory, "--wheel", wheel, "--no-images", "--json")
        result = cli("deploy", f"{HOST}2", compress_folder, *options)
        codes = {host["host"]: host["exit_code"] for host in json.loads(result.stdout)["hosts"]}
        assert codes == {f"{HOST}2": 0, HOST: 0, "pi@no-such-host.invalid": 4}
        assert result.exit_code == 4
        assert device.current()

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("hosts = []", "does not hold a list of hosts"),
            ("hosts = 'pi'", "does not hold a list of hosts"),
            ("hosts = ['pi']\nport = 22", "holds 'port'"),
            ("hosts = [", "cannot be read as TOML"),
        ],
    )
    def test_a_wrong_inventory_is_one_sentence(
        self, compress_folder: Path, tmp_path: Path, text: str, sentence: str
    ):
        inventory = tmp_path / "lab.toml"
        inventory.write_text(text)
        result = cli("deploy", "--inventory", inventory, compress_folder)
        assert result.exit_code == 3
        assert sentence in result.output

    def test_a_host_named_twice_is_deployed_to_once(
        self, device: LoopbackDevice, compress_folder: Path, wheel: Path, tmp_path: Path
    ):
        inventory = tmp_path / "lab.toml"
        inventory.write_text(f'hosts = ["{HOST}", "{HOST}"]\n')
        options = ("--inventory", inventory, "--wheel", wheel, "--no-images", "--json")
        result = cli("deploy", HOST, compress_folder, *options)
        assert [host["host"] for host in json.loads(result.stdout)["hosts"]] == [HOST]

    def test_json_reports_how_far_a_failed_deploy_got(self, device: LoopbackDevice, tmp_path: Path):
        folder = tmp_path / "compressed"
        folder.mkdir()
        shutil.copy(FIXTURES / "coded.epb", folder / "model.epb")
        wheel = standin_payload.wheel(tmp_path, main="raise SystemExit('no such instruction')")
        options = ("--wheel", wheel, "--no-images", "--no-baseline", "--json")
        (host,) = json.loads(cli("deploy", HOST, folder, *options).stdout)["hosts"]
        assert (host["exit_code"], host["changed"]) == (6, False)
        assert "self-test" in host["error"]
        assert "no such instruction" in host["error"]
        assert host["bytes_sent"] > 0
        assert host["facts"]["python_bits"] == "64"
        assert {"check", "upload model.epb"} <= host["seconds"].keys()

    def test_a_terminal_shows_a_live_table(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
    ):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")

        def work(result: DeployResult, on_step: Callable[[str], None]) -> None:
            on_step(f"upload to {result.host}")
            if result.host == "pi4":
                raise DeviceUnfit("pi4 has no python3")

        results = list(fleet.run_all(["pi5", "pi4"], work))
        shown = capsys.readouterr().err
        assert all(text in shown for text in ("last step", "upload to pi5", "upload to pi4"))
        assert [result.exit_code for result in results] == [0, 5]

    def test_no_host_and_no_folder(self, compress_folder: Path, tmp_path: Path, device: LoopbackDevice):
        assert cli("deploy", compress_folder).exit_code == 2
        result = cli("deploy", HOST, tmp_path / "nothing", "--no-images")
        assert result.exit_code == 3
        assert "holds no model.epb" in result.output
