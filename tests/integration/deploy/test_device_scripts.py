"""The device scripts as files: valid sh, and harmless if the connection breaks while they are sent."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
import standin_payload
from loopback_device import HOST, LoopbackDevice, is_whole

from edgepatho.deploy.ssh import device_script

NAMES = ("activate", "bench", "install", "list", "probe", "prune", "receive", "remove", "rollback")


def test_every_script_is_tested():
    scripts = {
        path.name
        for path in resources.files("edgepatho.device_scripts").iterdir()
        if path.name.endswith(".sh")
    }
    assert scripts == {f"{name}.sh" for name in (*NAMES, "store")}


@pytest.mark.needs("shellcheck")
@pytest.mark.parametrize("name", NAMES)
def test_shellcheck_reports_nothing(name: str):
    command = ["shellcheck", "--shell=sh", "-"]
    done = subprocess.run(command, input=device_script(name), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_a_partially_received_script_does_nothing(name: str, tmp_path: Path):
    """sh runs a script as it reads it, so nothing may happen before the last line."""
    script = device_script(name)
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    last_line = len(script.rstrip().rpartition("\n")[0])
    for end in [*range(0, last_line, 97), last_line]:
        command = ["sh", "-s", "--", "0123456789ab", "model.epb=00"]
        subprocess.run(command, input=script[:end].encode(), env=environment, capture_output=True)
        assert not any(tmp_path.iterdir()), f"{name}.sh did something after {end} characters"


def test_the_documented_manual_release_works(device: LoopbackDevice, tmp_path: Path):
    scripts = tmp_path / "device_scripts"
    shutil.copytree(str(resources.files("edgepatho.device_scripts")), scripts)
    standin_payload.wheel(scripts)
    standin_payload.compress_folder(scripts / "compressed", "by hand")
    section = (scripts / "README.md").read_text().partition("## A release by hand")[2].partition("\n## ")[0]
    typed = "".join(line[4:] for line in section.splitlines(keepends=True) if line.startswith("    "))
    typed = typed.replace("pi@pi5.local", HOST)
    done = subprocess.run(["sh", "-eu"], input=typed, cwd=scripts, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "switched none"
    assert is_whole(device.store / "releases" / device.current())
    for name, said in {"list": f"{device.current()} ", "rollback": "", "prune": ""}.items():
        command = f"cat store.sh {name}.sh | ssh {HOST} sh -s --"
        done = subprocess.run(["sh", "-c", command], cwd=scripts, capture_output=True, text=True)
        assert done.stdout.startswith(said), done.stderr
    assert is_whole(device.store / "releases" / device.current())


def test_the_launcher_works_through_links_and_ignores_the_working_folder(tmp_path: Path):
    release = tmp_path / "a release"
    (release / "bin").mkdir(parents=True)
    (release / "lib" / "edgepatho_runtime").mkdir(parents=True)
    (release / "lib" / "edgepatho_runtime" / "__main__.py").write_text(
        "import sys, json; print(sys.argv[1:])"
    )
    launcher = release / "bin" / "edgepatho-run"
    launcher.write_bytes((resources.files("edgepatho.device_scripts") / "edgepatho-run").read_bytes())
    launcher.chmod(0o755)
    (release / "python").symlink_to(sys.executable)
    (tmp_path / "run").symlink_to(launcher)
    hostile = tmp_path / "images"
    hostile.mkdir()
    (hostile / "json.py").write_text("raise SystemExit('shadowed')")
    done = subprocess.run([tmp_path / "run", "a b", "*"], cwd=hostile, capture_output=True, text=True)
    assert done.stdout == "['a b', '*']\n", done.stderr
    assert not list(release.rglob("__pycache__"))
