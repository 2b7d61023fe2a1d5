"""Batches: a crash costs one picture, finished work is kept, and what was left out is reported."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bundle_recipe import identity
from PIL import Image

from edgepatho_runtime import cli, device, files, python
from edgepatho_runtime.bundle import reader
from edgepatho_runtime.errors import ImageError
from edgepatho_runtime.scoring import batch, decoder, folders, score

SavePicture = Callable[..., Path]
RUN = [sys.executable, "-P", "-m", "edgepatho_runtime"]


def run(images: Path, bundle: Path, results: Path, *more: str) -> int:
    return cli.main(["score", str(images), "--bundle", str(bundle), "-o", str(results), *more])


def record(results: Path) -> dict[str, Any]:
    scores: dict[str, Any] = json.loads((results / "scores.json").read_text())
    return scores


# -- the decoding process ------------------------------------------------------------------------------

DYING = """
import os
import edgepatho_runtime.image as image
sound = image.read
def read(path, *limits):
    if path.endswith("b.png"):
        os.kill(os.getpid(), NUMBER)
    return sound(path, *limits)
image.read = read
"""
DEATHS = {
    "killed": (signal.SIGKILL, "for lack of memory"),
    "crashed": (signal.SIGSEGV, "signal 11"),
}


@pytest.mark.parametrize("how", DEATHS)
def test_a_decoder_that_dies_costs_only_its_picture(
    tmp_path: Path,
    bundle_file: Path,
    save_picture: SavePicture,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    number, words = DEATHS[how]
    for name in "abc":
        save_picture(f"fields/{name}.png")
    dies = DYING.replace("NUMBER", str(int(number)))
    monkeypatch.setattr(decoder, "CODE", dies + decoder.CODE)
    results = tmp_path / "results"
    assert run(tmp_path / "fields", bundle_file, results) == 3
    scores = record(results)
    assert [entry["error"] is None for entry in scores["images"]] == [True, False, True]
    assert scores["complete"] is True
    assert words in capsys.readouterr().err


def test_a_picture_too_large_for_memory_says_which_size_would_fit(
    tmp_path: Path, bundle_file: Path, save_picture: SavePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = "import edgepatho_runtime.device as d; d.free_bytes = lambda: 17 << 20\n"
    monkeypatch.setattr(decoder, "CODE", small + decoder.CODE)
    Image.new("RGB", (3000, 2000), "white").save(tmp_path / "large.png")
    with batch.Batch(
        score.Scorer(reader.parse(identity().build()), 1), None, anonymize=False, max_pixels=10**8
    ) as work:
        assert "would fit" in work.score(tmp_path / "large.png")["error"]
        assert work.score(save_picture())["error"] is None


def test_the_decoder_loads_no_network_and_the_scorer_no_picture_library(
    tmp_path: Path, bundle_file: Path
) -> None:
    Image.new("RGB", (300, 200), "white").save(tmp_path / "a.jpg")
    code = (
        "import sys\nfrom edgepatho_runtime.cli import main\n"
        f"assert main(['score', {str(tmp_path / 'a.jpg')!r}, '--bundle', {str(bundle_file)!r}]) == 0\n"
        "sys.exit(sorted({'PIL', 'numpy', 'simplejpeg'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    code = "import sys, edgepatho_runtime.scoring.decoding\nprint('edgepatho_runtime._core' in sys.modules)"
    done = subprocess.run(
        python.command(code), env=python.environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_the_memory_of_a_control_group_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = tmp_path / "sys/fs/cgroup/user.slice/watch.service"
    group.mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemAvailable:    4000000 kB\n")
    (tmp_path / "proc/self/cgroup").write_text("0::/user.slice/watch.service\n")
    monkeypatch.setattr(device, "ROOT", tmp_path)
    assert device.free_bytes() == 4_000_000 * 1024
    (group / "memory.max").write_text("max\n")
    (group.parent / "memory.max").write_text("500000000\n")
    (group.parent / "memory.current").write_text("300000000\n")
    (group.parent / "memory.stat").write_text("anon 1\ninactive_file 100000000\n")
    assert device.free_bytes() == 300_000_000


# -- finished work is kept -----------------------------------------------------------------------------


def test_a_killed_batch_resumes(
    tmp_path: Path, bundle_file: Path, save_picture: SavePicture, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        save_picture(f"fields/{number:02}.png", size=250)
    results = tmp_path / "results"
    command = [*RUN, "score", str(tmp_path / "fields"), "--bundle", str(bundle_file), "-o", str(results)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("00.png")
        process.kill()
    done = {path: path.stat().st_mtime_ns for path in results.glob("*.score.json")}
    assert 1 <= len(done) < 30
    assert run(tmp_path / "fields", bundle_file, results) == 0
    assert f"{len(done)} of 30 pictures were already scored" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert len(record(results)["images"]) == 30


def test_reused_results_equal_scored_ones(
    tmp_path: Path, bundle_file: Path, save_picture: SavePicture, capsys: pytest.CaptureFixture[str]
) -> None:
    save_picture("fields/a.png")
    save_picture("fields/b.png")
    results, printed = tmp_path / "results", []
    for _ in range(2):
        assert run(tmp_path / "fields", bundle_file, results) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


@pytest.mark.parametrize(
    "change", ["picture", "bundle", "scale", "thresholds", "file gone", "record damaged"]
)
def test_results_are_reused_only_for_the_same_picture_bundle_and_settings(
    tmp_path: Path,
    bundle_file: Path,
    save_picture: SavePicture,
    change: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, results, more = save_picture("fields/a.png"), tmp_path / "results", []
    assert run(path, bundle_file, results) == 0
    if change == "picture":
        save_picture("fields/a.png", {0: [(40, 40)]})
    elif change == "bundle":
        recipe = identity()
        recipe.scoring["thresholds"] = [61, 55, 40]
        bundle_file.write_bytes(recipe.build())
    elif change == "scale":
        more = ["--scale", "0.9"]
    elif change == "thresholds":
        more = ["--thresholds", "61,55,40"]
    elif change == "file gone":
        (results / "a.png.geojson").unlink()
    else:
        (results / "a.png.score.json").write_text("{}")
    capsys.readouterr()
    assert run(path, bundle_file, results, *more) == 0
    assert "already scored" not in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_folders_is_no_obstacle(
    tmp_path: Path,
    bundle_file: Path,
    save_picture: SavePicture,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """vboxsf and some network file systems fail an fsync of a folder like this."""
    sync = os.fsync

    def refusing(handle: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{handle}"):  # noqa: PTH112
            raise OSError(number, os.strerror(number))
        sync(handle)

    monkeypatch.setattr(files.os, "fsync", refusing)
    for name in "ab":
        save_picture(f"fields/{name}.png")
    assert run(tmp_path / "fields", bundle_file, tmp_path / "results") == 0
    assert len(record(tmp_path / "results")["images"]) == 2


# -- folders -------------------------------------------------------------------------------------------


def test_what_a_folder_holds_besides_its_pictures_is_reported_once(tmp_path: Path) -> None:
    for name in ("a.png", "._a.png", ".DS_Store", "b.bmp", "c.webp", "d.svs", "e.heic", "notes.txt", "f.TIF"):
        (tmp_path / name).touch()
    for name in ("more", "results", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "more/x.png").touch()
    (tmp_path / "results/x.png.overlay.png").touch()
    (tmp_path / ".hidden/y.png").touch()
    pictures = folders.expand([tmp_path])
    assert [path.name for path in pictures.paths] == ["a.png", "f.TIF"]
    (note,) = pictures.notes
    assert "4 of unsupported formats (b.bmp, c.webp, d.svs, …)" in note
    assert "1 in sub-folders (more)" in note
    (hidden,) = folders.expand([tmp_path], anonymize=True).notes
    assert hidden.startswith("Folder 1: left out 4 of unsupported formats; ")
    assert not any(name in hidden for name in (str(tmp_path), "b.bmp", "more"))


def test_names_and_files_that_are_odd_cost_only_their_own_result(
    tmp_path: Path, bundle_file: Path, save_picture: SavePicture
) -> None:
    """Above all, a pipe in the folder does not stop the batch until somebody writes to it."""
    for name in ("a.png", "new\nline.png", "z.png"):
        save_picture(f"fields/{name}")
    fields = tmp_path / "fields"
    (fields / "folder.png").mkdir()
    (fields / "loop.png").symlink_to("loop.png")
    os.mkfifo(fields / "pipe.png")
    command = [*RUN, "score", str(fields), "--bundle", str(bundle_file), "-o", str(tmp_path / "results")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 3
    pictures = [line for line in done.stdout.splitlines() if ".png: " in line]
    assert [line.partition(":")[0] for line in pictures] == ["a.png", "new?line.png", "z.png"]
    assert done.stderr.splitlines() == [
        f"Error: {fields}/loop.png cannot be read: Too many levels of symbolic links.",
        f"Error: {fields}/pipe.png cannot be read: it is a pipe, socket or device, not a file.",
    ]
    errors = {entry["image"]: entry["error"] is None for entry in record(tmp_path / "results")["images"]}
    assert errors == {
        **dict.fromkeys(("a.png", "new\nline.png", "z.png"), True),
        **dict.fromkeys(("loop.png", "pipe.png"), False),
    }


def test_a_folder_of_folders_says_where_the_pictures_are(tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    (tmp_path / "case/x.jpg").touch()
    with pytest.raises(ImageError, match=r"contains no pictures, but 1 in sub-folders \(case\); name these"):
        folders.expand([tmp_path])


# -- what was assumed ----------------------------------------------------------------------------------


def test_a_small_pictures_scale_is_a_note_in_every_output(
    tmp_path: Path, bundle_file: Path, save_picture: SavePicture, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    assert run(save_picture(), bundle_file, results) == 0
    texts = [capsys.readouterr().out, *(path.read_text("latin-1") for path in results.iterdir())]
    assert len(texts) == 6
    assert all("SCALE ASSUMED" in text and "--scale 0.208" in text for text in texts)
    assert run(save_picture(), bundle_file, results, "--scale", "1") == 0
    assert "ASSUMED" not in capsys.readouterr().out + (results / "scores.json").read_text()
