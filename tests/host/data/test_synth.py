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
from edgepatho.data.prepare import prepare
from edgepatho.data.synth import generate, generate_laboratory
from edgepatho.data.synth.dataset import PATIENTS, SEED, TILES, _test_patients
from edgepatho.data.synth.laboratories import LABORATORIES, laboratory_style
from edgepatho.data.synth.stain import DOMAIN, HELD_OUT, between, degrees_between, held_out, stain, unit
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


def test_look_alikes_lie_beside_the_labels_and_are_not_labelled(folder):
    """The places of unlabelled nuclei are inside the tile; `prepare` does not take them for labels."""
    kinds = Counter()
    for path in folder.rglob("*.look-alikes.json"):
        assert path.with_name(path.name.replace(".look-alikes.json", ".jpg")).is_file()
        for place in json.loads(path.read_text()):
            assert set(place) == {"x", "y", "kind"}
            assert 0 <= place["x"] < 320
            assert 0 <= place["y"] < 320
            kinds[place["kind"]] += 1
    assert kinds["fibroblast"] > 0


def test_prepare_counts_labels_only(folder, tmp_path):
    about = prepare(folder, tmp_path / "prepared", split_by="image")
    assert sum(about["pictures"].values()) == 8
    points = [
        record["points"]
        for name in ("train", "validation", "test")
        for record in json.loads((tmp_path / "prepared" / f"{name}.json").read_text())
    ]
    labelled = sum(len(json.loads(path.read_text())) for path in folder.rglob("p*_*_?.json"))
    labelled += sum(len(json.loads(path.read_text())) for path in folder.rglob("p*_*_??.json"))
    assert sum(map(len, points)) == labelled > 0


def test_a_direction_between_two_lies_on_their_circle_and_a_tilt_off_it():
    """Values by hand: the middle of red and green, and the quarter turn past the end."""
    red, green = unit(1, 0, 0), unit(0, 1, 0)
    np.testing.assert_allclose(between(red, green, 0.5), [0.5**0.5, 0.5**0.5, 0], atol=1e-12)
    np.testing.assert_allclose(between(red, green, 2.0), [-1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(between(red, green, 0.0, 90.0), [0, 0, 1], atol=1e-12)
    assert degrees_between(red, between(red, green, 0.0, 7.0)) == pytest.approx(7)


def test_no_patient_of_a_training_set_has_a_held_out_stain():
    styles = [patient_style(seed, patient, 60) for seed in range(10) for patient in range(1, 61)]
    assert not any(held_out(style.stain) for style in styles)
    # the hole is a joint one: either direction alone occurs
    for hematoxylin, dab in HELD_OUT.values():
        assert any(degrees_between(style.stain.hematoxylin, hematoxylin) < 3 for style in styles)
        assert any(degrees_between(style.stain.dab, dab) < 3 for style in styles)


def test_laboratories_are_what_training_never_sees():
    styles = {name: [laboratory_style(name, patient) for patient in range(1, 9)] for name in LABORATORIES}
    assert all(held_out(style.stain) for name in "AB" for style in styles[name])
    trained = [patient_style(SEED, patient, PATIENTS) for patient in range(1, PATIENTS + 1)]
    for part in ("architecture", "texture"):
        assert not {getattr(s, part) for s in trained} & {getattr(s, part) for n in "CD" for s in styles[n]}
    usual = {name: reach.at(0.5) for name, reach in DOMAIN.items()}
    for name, hue, vector in (("E", "hematoxylin_hue", "hematoxylin"), ("F", "dab_hue", "dab")):
        start, end = (getattr(stain(usual | {hue: DOMAIN[hue].at(share)}, 0.5), vector) for share in (0, 1))
        for style in styles[name]:
            beyond = degrees_between(start, getattr(style.stain, vector)) / degrees_between(start, end)
            assert 1.05 < beyond < 1.5


def test_a_laboratory_has_24_tiles_of_its_own(tmp_path):
    manifest = generate_laboratory(tmp_path / "lab", "D", size=64)
    assert manifest["laboratory"] == "D"
    assert len(manifest["images"]) == 24
    found = source.find(tmp_path / "lab")
    assert found.test is None
    assert len({tile.patient for tile in found.train}) == 8
    generate_laboratory(tmp_path / "again", "D", size=64, jobs=2)
    assert digest(tmp_path / "again") == digest(tmp_path / "lab")


def test_a_laboratory_leaves_no_choice(tmp_path):
    result = CliRunner().invoke(main, ["synth", str(tmp_path / "t"), "--laboratory", "A", "--seed", "3"])
    assert result.exit_code == 2
    assert "leave these options out" in result.stderr
    with pytest.raises(UsageError, match="no laboratory 'G'; give one of A, B, C, D, E, F"):
        generate_laboratory(tmp_path / "t", "G")


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
