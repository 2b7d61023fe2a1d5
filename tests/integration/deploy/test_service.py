"""The folder-watching service: it scores what appears, and its unit leaves it few rights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
import yaml
from loopback_device import HOST, LoopbackDevice, is_whole

MOST_EXPOSURE = 2.0  # of 10, by systemd-analyze
SCORE = """#!/bin/sh
# score PICTURE --bundle BUNDLE -o FOLDER
[ "$1" = selftest ] && exit
grep -q full "$2" && exit 1
grep -q huge "$2" && kill -KILL $$
grep -q fleeting "$2" && rm "$2" && exit
grep -q picture "$2" || exit 3
mkdir -p "$6"
echo counts > "$6/result.csv"
"""
STAT = """#!/bin/sh
case $3 in *gone.png) rm "$3" ;; esac
exec {stat} "$@"
"""


def device_file(name: str) -> str:
    return (resources.files("edgepatho.device_scripts") / name).read_text()


HANGS_S = 600  # ends a test that would wait for ever; no promise of speed


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + HANGS_S
    while not condition():
        assert time.monotonic() < end, f"nothing happened for {HANGS_S} s"
        time.sleep(0.05)


def test_a_picture_is_scored_and_moved_and_a_bad_one_put_aside(tmp_path: Path):
    programs = tmp_path / "release" / "bin"
    programs.mkdir(parents=True)
    scripts = {
        "edgepatho-run": SCORE,
        "edgepatho-watch": device_file("edgepatho-watch"),
        "stat": STAT.format(stat=shutil.which("stat")),
    }
    for name, text in scripts.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    inbox, results = tmp_path / "in box", tmp_path / "results"
    inbox.mkdir()
    (inbox / "a tile.png").write_text("picture")
    (inbox / "bad.png").write_text("text")
    (inbox / "a huge one.png").write_text("a huge picture")
    (inbox / "gone.png").write_text("picture")
    (inbox / "going.png").write_text("a fleeting picture")
    (inbox / ".hidden.png").write_text("picture")
    for file in inbox.iterdir():
        os.utime(file, (0, 0))
    growing = inbox / "growing.png"
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    watch = subprocess.Popen([programs / "edgepatho-watch", inbox, results], env=environment)
    try:
        wait_for((results / "failed" / "bad.png").exists)
        wait_for((results / "failed" / "a huge one.png").exists)
        wait_for((results / "a tile.png" / "a tile.png").exists)
        assert (results / "a tile.png" / "result.csv").exists()
        growing.write_text("picture")
        wait_for((results / "growing.png" / "growing.png").exists)
        growing.write_text("another picture of that name")
        wait_for((results / "growing.png.2" / "growing.png").exists)
        assert (results / "growing.png" / "growing.png").read_text() == "picture"
        assert [file.name for file in inbox.iterdir()] == [".hidden.png"]
        assert watch.poll() is None
        (inbox / "later.png").write_text("the disk is full")
        assert watch.wait(timeout=HANGS_S) == 1
        assert (inbox / "later.png").exists()
    finally:
        watch.terminate()
        watch.wait()


@pytest.mark.needs("systemd-analyze")
def test_systemd_finds_the_unit_sound_and_little_exposed(tmp_path: Path):
    unit = tmp_path / "edgepatho-watch@.service"
    unit.write_text(device_file("edgepatho-watch@.service"))
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", unit]
    done = subprocess.run(command, capture_output=True, text=True)
    exposure = float(done.stdout.partition("Overall exposure level for ")[2].split(": ")[1].split()[0])
    assert exposure < MOST_EXPOSURE


def test_the_ansible_role_runs_deploy_and_nothing_of_its_own():
    tasks = yaml.safe_load(
        (resources.files("edgepatho.device_scripts") / "ansible/tasks/main.yml").read_text()
    )
    defaults = yaml.safe_load(
        (resources.files("edgepatho.device_scripts") / "ansible/defaults/main.yml").read_text()
    )
    assert "'edgepatho', 'deploy', '--json'" in tasks[0]["ansible.builtin.command"]["argv"]
    text = str(tasks)
    assert all(name in text for name in defaults)


def test_ansible_deploys_once_and_check_mode_not_at_all(
    device: LoopbackDevice, compress_folder: Path, wheel: Path, tmp_path: Path
):
    role = {
        "role": str(resources.files("edgepatho.device_scripts") / "ansible"),
        "edgepatho_folder": str(compress_folder),
        "edgepatho_options": ["--wheel", str(wheel), "--no-images"],
    }
    play = tmp_path / "play.yml"
    play.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "roles": [role]}]))  # JSON is YAML
    tools = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}

    def changed(*options: str) -> bool:
        command = [tools / "ansible-playbook", "-i", f"{HOST},", *options, play]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stdout
        return "changed=1" in done.stdout

    assert changed("--check")
    assert device.current() == ""
    assert changed()
    assert is_whole(device.store / "releases" / device.current())
    assert not changed("--check")
    assert not changed()
