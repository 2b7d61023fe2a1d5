"""Results appear complete under their name, or the previous ones stay."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgepatho.errors import InputError
from edgepatho.files import folder_aside, write_aside


def make(folder: Path, text: str) -> None:
    """Write a folder as a command does."""
    with folder_aside(folder, "marker.json") as aside:
        (aside / "marker.json").write_text(text)


def fail(folder: Path) -> None:
    with folder_aside(folder, "marker.json") as aside:
        (aside / "marker.json").write_text("half")
        raise RuntimeError("power cut")


def test_an_earlier_result_is_replaced_without_leftovers(tmp_path):
    out = tmp_path / "deep" / "out"
    for text in ("first", "second"):
        make(out, text)
        assert (out / "marker.json").read_text() == text
        assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_failure_keeps_the_earlier_result(tmp_path):
    make(tmp_path / "out", "first")
    with pytest.raises(RuntimeError, match="power cut"):
        fail(tmp_path / "out")
    assert (tmp_path / "out" / "marker.json").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_foreign_folder_a_file_and_a_mount_point_are_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.txt").write_text("five years")
    (tmp_path / "file").write_text("text")
    for name in ("foreign", "file"):
        with pytest.raises(InputError, match=r"holds no marker\.json"):
            make(tmp_path / name, "never")
    assert (tmp_path / "foreign" / "thesis.txt").read_text() == "five years"
    (tmp_path / "volume").mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "volume")
    with pytest.raises(InputError, match="mount point"):
        make(tmp_path / "volume", "never")
    assert {path.name for path in tmp_path.iterdir()} == {"foreign", "file", "volume"}


def test_a_link_to_a_folder_is_followed(tmp_path):
    """Results on another disk are common; failing at the end would cost the whole computation."""
    (tmp_path / "disk").mkdir()
    link = tmp_path / "out"
    link.symlink_to(tmp_path / "disk")
    for text in ("first", "second"):
        make(link, text)
        assert link.is_symlink()
        assert (tmp_path / "disk" / "marker.json").read_text() == text
    assert {path.name for path in tmp_path.iterdir()} == {"disk", "out"}


def test_the_working_folder_can_be_the_result(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(Path(), "here")
    assert (tmp_path / "marker.json").read_text() == "here"


def test_a_file_is_either_complete_or_unchanged(tmp_path):
    path = tmp_path / "record.json"
    with write_aside(path) as aside:
        aside.write_text("first")
    with pytest.raises(IsADirectoryError), write_aside(path) as aside:
        aside.write_bytes(tmp_path.read_bytes())
    assert path.read_text() == "first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["record.json"]


KILLED = """
import os, signal, sys
from pathlib import Path
from edgepatho import files
rename = Path.replace
def killed(path, target):
    rename(path, target)
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1] == "between":
    Path.replace = killed
with files.write_aside(Path("a.json")) as file, files.folder_aside(Path("out"), "marker.json") as folder:
    file.write_text("half")
    (folder / "marker.json").write_text("half")
    print("writing", flush=True)
    if sys.argv[1] != "between":
        sys.stdin.read()
"""


def writer(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"writing\n"
    return process


def test_what_a_killed_writer_left_is_removed_by_the_next_and_a_live_ones_is_not(tmp_path):
    (tmp_path / ".a.json.0000000.part").mkdir()  # not ours: one digit short
    (tmp_path / ".a.json.gz.00000000.part").mkdir()  # another file's
    with writer(tmp_path, "killed") as killed:
        killed.kill()
    left = {path.name for path in tmp_path.iterdir()}
    with writer(tmp_path, "live") as live:
        at_work = {path.name for path in tmp_path.iterdir()}
        assert len(left) == len(at_work) == 4
        assert len(left & at_work) == 2
        with write_aside(tmp_path / "a.json") as aside:
            aside.write_text("next")
        assert at_work | {"a.json"} == {path.name for path in tmp_path.iterdir()}
        live.communicate()
    assert live.returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "out"} | left & at_work
    assert (tmp_path / "a.json").read_text() == "half"


def test_killed_between_its_two_renames_a_writer_loses_nothing(tmp_path):
    make(tmp_path / "out", "first")
    with writer(tmp_path, "between"):
        pass
    assert not (tmp_path / "out").exists()
    with pytest.raises(RuntimeError, match="power cut"):
        fail(tmp_path / "out")
    assert (tmp_path / "out" / "marker.json").read_text() == "first"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_files_are_written_even_if_folders_cannot_be_synced(tmp_path, monkeypatch, number):
    sync = os.fsync

    def refusing(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").is_dir():
            raise OSError(number, os.strerror(number))
        sync(handle)

    monkeypatch.setattr(os, "fsync", refusing)
    make(tmp_path / "results", "new")
    assert (tmp_path / "results" / "marker.json").read_text() == "new"
