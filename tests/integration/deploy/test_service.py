"""The folder-watching service scores what appears, and its unit grants it few rights."""

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
from conftest import needs_root
from loopback_device import HOST, LoopbackDevice, is_whole

MAX_EXPOSURE = 2.0  # of 10, by systemd-analyze
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
# Each round of the watch stops here until `Watch.next_round` releases it.
SLEEP = """#!/bin/sh
echo "$1" >>"{folder}/rounds"
until rm "{folder}/go" 2>/dev/null; do /usr/bin/sleep 0.02; done
"""
STAT = """#!/bin/sh
case $3 in *gone.png) rm "$3" ;; esac
exec {stat} "$@"
"""


def device_file(name: str) -> str:
    return (resources.files("edgepatho.device_scripts") / name).read_text()


TIMEOUT_S = 600  # ends a hanging test; not a speed requirement


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < end, f"nothing happened for {TIMEOUT_S} s"
        time.sleep(0.05)


class Watch:
    """A release's watch in a folder; each of its rounds lasts as long as the test needs."""

    def __init__(self, folder: Path, **programs: str):
        self.folder, self.inbox, self.results = folder, folder / "in box", folder / "results"
        self.inbox.mkdir()
        self._programs = folder / "release" / "bin"
        self._programs.mkdir(parents=True)
        self._rounds = 1
        watch = {"edgepatho-run": SCORE, "edgepatho-watch": device_file("edgepatho-watch")}
        for name, text in {"sleep": SLEEP.format(folder=folder), **watch, **programs}.items():
            (self._programs / name).write_text(text)
            (self._programs / name).chmod(0o755)

    def start(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "PATH": f"{self._programs}:{os.environ['PATH']}"}
        command = [self._programs / "edgepatho-watch", self.inbox, self.results]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    def slept(self) -> list[str]:
        """Return how long each round waited, in seconds."""
        rounds = self.folder / "rounds"
        return rounds.read_text().split() if rounds.exists() else []

    def next_round(self) -> None:
        """Let the next round begin and wait for its end."""
        wait_for(lambda: len(self.slept()) >= self._rounds)
        self._rounds += 1
        (self.folder / "go").touch()
        wait_for(lambda: len(self.slept()) >= self._rounds)


def test_a_picture_is_scored_once_unchanged_for_a_round_of_10_s(tmp_path: Path):
    watch = Watch(tmp_path)
    slow, ahead, folder = (watch.inbox / name for name in ("slow.png", "ahead.png", "a folder"))
    process = watch.start()
    try:
        wait_for(lambda: bool(watch.slept()))
        slow.write_text("the first half of a pic")
        ahead.write_text("a picture of tomorrow")
        tomorrow = time.time() + 86400
        os.utime(ahead, (tomorrow, tomorrow))
        folder.mkdir()
        watch.next_round()
        assert ahead.exists()
        with slow.open("a") as upload:
            upload.write("ture")
        watch.next_round()
        assert slow.exists()
        assert (watch.results / "ahead.png" / "ahead.png").exists()
        os.utime(slow, (0, 0))  # written again without growing
        watch.next_round()
        assert slow.exists()
        watch.next_round()
        assert (watch.results / "slow.png" / "slow.png").exists()
    finally:
        process.terminate()
        (tmp_path / "go").touch()  # releases the sleep that is still running
        said = process.communicate()[1]
    assert set(watch.slept()) == {"10"}
    assert said.count("a folder") == 1
    assert folder.is_dir()


@needs_root
def test_an_inbox_that_cannot_be_emptied_ends_the_watch_permanently(tmp_path: Path):
    watch = Watch(tmp_path)
    (watch.inbox / "tile.png").write_text("picture")
    subprocess.run(["mount", "--bind", watch.inbox, watch.inbox], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", watch.inbox], check=True)
        process = watch.start()
        (said,) = process.communicate(timeout=600)[1].splitlines()
    finally:
        subprocess.run(["umount", watch.inbox], check=True)
    assert f"cannot write to {watch.inbox}" in said
    assert f"RestartPreventExitStatus={process.returncode}\n" in device_file("edgepatho-watch@.service")


def test_a_picture_that_cannot_be_moved_ends_the_watch_permanently(tmp_path: Path):
    """As in a folder with the sticky bit; otherwise it would be scored again and again."""
    watch = Watch(tmp_path, mv="#!/bin/sh\nexit 1\n", sleep="#!/bin/sh\n")
    (watch.inbox / "tile.png").write_text("picture")
    process = watch.start()
    (said,) = process.communicate(timeout=600)[1].splitlines()
    assert f"cannot move {watch.inbox / 'tile.png'} to {watch.results / 'tile.png' / 'tile.png'}" in said
    assert f"RestartPreventExitStatus={process.returncode}\n" in device_file("edgepatho-watch@.service")


def test_pictures_are_scored_and_moved_and_bad_ones_set_aside(tmp_path: Path):
    quick = {"stat": STAT.format(stat=shutil.which("stat")), "sleep": "#!/bin/sh\nexec /usr/bin/sleep 0.2\n"}
    service = Watch(tmp_path, **quick)
    inbox, results = service.inbox, service.results
    (inbox / "a tile.png").write_text("picture")
    (inbox / "bad.png").write_text("text")
    (inbox / "a huge one.png").write_text("a huge picture")
    (inbox / "gone.png").write_text("picture")
    (inbox / "going.png").write_text("a fleeting picture")
    (inbox / ".hidden.png").write_text("picture")
    for file in inbox.iterdir():
        os.utime(file, (0, 0))
    growing = inbox / "growing.png"
    watch = service.start()
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
        assert watch.wait(timeout=TIMEOUT_S) == 1
        assert (inbox / "later.png").exists()
    finally:
        watch.terminate()
        watch.communicate()


@pytest.mark.needs("systemd-analyze")
def test_systemd_verifies_the_unit_and_reports_low_exposure(tmp_path: Path):
    unit = tmp_path / "edgepatho-watch@.service"
    unit.write_text(device_file("edgepatho-watch@.service"))
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", unit]
    done = subprocess.run(command, capture_output=True, text=True)
    exposure = float(done.stdout.partition("Overall exposure level for ")[2].split(": ")[1].split()[0])
    assert exposure < MAX_EXPOSURE


def test_the_ansible_role_runs_only_deploy():
    tasks = yaml.safe_load(
        (resources.files("edgepatho.device_scripts") / "ansible/tasks/main.yml").read_text()
    )
    defaults = yaml.safe_load(
        (resources.files("edgepatho.device_scripts") / "ansible/defaults/main.yml").read_text()
    )
    assert "'edgepatho', 'deploy', '--json'" in tasks[0]["ansible.builtin.command"]["argv"]
    text = str(tasks)
    assert all(name in text for name in defaults)


def test_ansible_deploys_once_and_never_in_check_mode(
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
