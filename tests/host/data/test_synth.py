"""Synthetic tiles: the SHIDC layout, the same bytes from the same arguments, patients kept apart."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from edgepatho.cli import main
from edgepatho.data import labels, shidc, source
from edgepatho.data.synth import generate
from edgepatho.data.synth.dataset import PATIENTS, SEED, TILES, _test_patients
from edgepatho.data.synth.style import patient_style
from edgepatho.errors import InputError, UsageError

SETTINGS_REFUSED = [
    {"patients": 1},
    {"patients": 10**12},
    {"tiles": 0},
    {"tiles": 37},
    {"size": 63},
    {"size": 10**6},
    {"seed": -1},
]


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def cells(path: Path, size: int) -> np.ndarray:
    """The labels of a tile, none of which needed adapting."""
    adapted: Counter[str] = Counter()
    found = labels.read(path, size, size, adapted)
    assert not adapted.total()
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("synth") / "tiles"
    generate(target, patients=4, tiles=2, size=320, seed=5)
    return target


def test_tiles_are_in_the_shidc_layout(folder):
    found = source.find(folder)
    assert found.folders == shidc.PARTS
    for tile in found.train + found.test:
        with Image.open(tile.image) as image:
            assert image.size == (320, 320)
            assert image.mode == "RGB"
        assert set(cells(tile.labels, 320)[:, 2]) <= {1, 2, 3}


def test_no_patient_is_in_both_splits(folder):
    found = source.find(folder)
    train, test = ({tile.patient for tile in part} for part in (found.train, found.test))
    assert train
    assert test
    assert not train & test


def test_the_manifest_counts_what_the_label_files_hold(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["synthetic"] is True
    assert len(manifest["images"]) == 8
    for image in manifest["images"]:
        path = folder / image["split"] / f"{image['name']}.jpg"
        found = cells(path.with_suffix(".json"), 320)
        for name, label in shidc.LABELS.items():
            assert image[name] == (found[:, 2] == label).sum()
    assert sum(image["immunonegative"] for image in manifest["images"]) > 0


def test_the_same_arguments_give_the_same_bytes_whatever_the_processes(folder, tmp_path):
    generate(tmp_path / "again", patients=4, tiles=2, size=320, seed=5, jobs=2)
    assert digest(tmp_path / "again") == digest(folder)


def test_another_seed_gives_other_tiles(folder, tmp_path):
    generate(tmp_path / "other", patients=4, tiles=2, size=320, seed=6)
    assert digest(tmp_path / "other") != digest(folder)


def test_nuclei_are_where_the_labels_are(tmp_path):
    """Tissue at labelled points is darker than the tile's median: points and picture belong together."""
    generate(tmp_path / "tiles", patients=2, tiles=2, size=768, seed=9)
    darker = []
    found = source.find(tmp_path / "tiles")
    for tile in found.train + found.test:
        grey = np.asarray(Image.open(tile.image).convert("L"), float)
        for x, y, _ in cells(tile.labels, 768).astype(int):
            darker.append(grey[max(0, y - 4) : y + 5, max(0, x - 4) : x + 5].mean() < np.median(grey))
    assert len(darker) > 30
    assert np.mean(darker) > 0.9


def test_a_foreign_folder_is_not_touched(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    with pytest.raises(InputError, match=r"holds no manifest\.json"):
        generate(tmp_path / "mine", patients=2, tiles=1, size=64)
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep me"


@pytest.mark.parametrize("content", ['{"files": []}', "[]", "nonsense"])
def test_a_manifest_of_something_else_protects_its_folder(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match="not that of a synthetic set"):
        generate(tmp_path, patients=2, tiles=1, size=64)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_an_earlier_set_is_replaced(tmp_path):
    first = generate(tmp_path / "t", patients=2, tiles=1, size=64, seed=1)
    second = generate(tmp_path / "t", patients=2, tiles=1, size=64, seed=2)
    assert first["images"] != second["images"]
    assert json.loads((tmp_path / "t" / "manifest.json").read_text()) == second
    assert len(list((tmp_path / "t").rglob("*.jpg"))) == 2


@pytest.mark.parametrize("wrong", SETTINGS_REFUSED)
def test_invalid_settings_are_refused(tmp_path, wrong):
    with pytest.raises(UsageError, match="give 2 to 1000 patients"):
        generate(tmp_path / "none", **wrong)
    assert not (tmp_path / "none").exists()


def test_the_default_set_is_large_enough_for_a_figure():
    styles = [patient_style(SEED, patient, PATIENTS) for patient in range(1, PATIENTS + 1)]
    test = _test_patients(styles, SEED)
    assert len(test) >= 8
    assert len(test) * TILES >= 96
    indices = np.array([[style.ki67_index, style.patient in test] for style in styles])
    held_out, others = (indices[indices[:, 1] == part, 0] for part in (1, 0))
    assert abs(np.median(held_out) - np.median(others)) < 0.1
    assert held_out.min() < 0.16 < 0.30 < held_out.max()  # the clinical cut-offs lie inside


def test_ctrl_c_ends_all_processes_and_leaves_nothing(tmp_path):
    arguments = ["synth", str(tmp_path / "t"), "--patients", "1000", "--size", "64"]
    process = subprocess.Popen(
        [sys.executable, "-m", "edgepatho", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    hangs = time.monotonic() + 600  # no promise of speed
    while not list(tmp_path.rglob("*.jpg")):
        assert process.poll() is None
        assert time.monotonic() < hangs
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.communicate(timeout=600) == ("", "Interrupted.\n")
    assert process.returncode == 130
    assert not list(tmp_path.iterdir())


def test_the_command_prints_what_it_made(tmp_path):
    arguments = [
        "synth",
        str(tmp_path / "t"),
        "--patients",
        "2",
        "--tiles",
        "1",
        "--size",
        "128",
        "--jobs",
        "1",
    ]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert "2 synthetic tiles of 2 patients" in result.stdout
