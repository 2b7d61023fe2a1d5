"""The classical detector that measures how hard tiles are, and its result on the default ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks import classical_detector, contact_sheet, cue_probe, sense_probe, stain_range, tile_statistics
from edgepatho.data.shidc import write_tile
from edgepatho.data.synth.dataset import PATIENTS, SEED, _names
from edgepatho.data.synth.style import patient_style
from edgepatho.data.synth.tile import make_tile
from edgepatho.data.synth.tissue import FULL_PX
from edgepatho.errors import InputError

BROWN, BLUE, PAPER = (130, 85, 55), (110, 100, 165), (235, 231, 204)


def discs(folder, cells):
    """An easy picture: plain discs of 25 px on a plain background."""
    picture = np.full((500, 500, 3), PAPER, np.uint8)
    for x, y, label in cells:
        cv2.circle(picture, (x, y), 25, BROWN if label == 1 else BLUE, -1)
    write_tile(folder / "p1_0100_1", picture, np.array(cells))


def test_the_detector_finds_obvious_cells(tmp_path):
    discs(tmp_path, [(100, 100, 1), (300, 120, 2), (120, 350, 2), (380, 380, 1)])
    assert classical_detector.scores([tmp_path]) == (1, {"immunopositive": 1.0, "immunonegative": 1.0})


def test_misses_and_extra_cells_both_lower_the_score(tmp_path):
    discs(tmp_path, [(100, 100, 1), (300, 120, 2), (120, 350, 2)])
    labels = np.array([(100, 130, 1), (300, 140, 2)])  # 30 px off: a miss and a false one; 20 px off: found
    write_tile(tmp_path / "p1_0100_1", cv2.imread(str(tmp_path / "p1_0100_1.jpg"))[..., ::-1], labels)
    assert classical_detector.scores([tmp_path])[1] == {"immunopositive": 0.0, "immunonegative": 2 / 3}


def test_matching_maximises_the_number_of_pairs():
    found, truth = np.array([[0.0, 0.0], [20.0, 0.0]]), np.array([[10.0, 0.0], [40.0, 0.0]])
    assert classical_detector.matches(found, truth) == 2
    assert classical_detector.matches(found, truth[:1]) == 1


def patients_of_discs(folder, look_alike, aspect):
    """Two patients with 36 labelled blue discs each and as many look-alikes, on noisy ground."""
    rng = np.random.default_rng(0)
    for patient in (1, 2):
        picture = np.full((1200, 600, 3), PAPER, np.uint8)
        places = [(50 + 100 * (n % 6), 50 + 100 * (n // 6)) for n in rng.permutation(72).tolist()]
        for number, place in enumerate(places):
            colour = BLUE if number < 36 else look_alike
            axes = (25, 25) if number < 36 else (25, round(25 / aspect))
            cv2.ellipse(picture, place, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1)
        noisy = np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
        labels = np.array([(x, y, 2) for x, y in places[:36]])
        others = [(x, y, "fibroblast") for x, y in places[36:]]
        write_tile(folder / f"p{patient}_0100_1", noisy, labels, others)
    return cue_probe.tiles_of_patients([folder])


def test_the_cue_probe_sees_colour_and_nothing_else(tmp_path):
    (tmp_path / "hue").mkdir()
    for tiles in patients_of_discs(tmp_path / "hue", (130, 90, 160), aspect=1).values():
        assert cue_probe.auc_of_colour(tiles) == (1.0, 36, 36)
    (tmp_path / "shape").mkdir()
    for tiles in patients_of_discs(tmp_path / "shape", BLUE, aspect=3).values():
        assert cue_probe.auc_of_colour(tiles)[0] < 0.75


def test_the_sense_probe_sees_shape_on_patients_it_did_not_learn_from(tmp_path):
    (tmp_path / "shape").mkdir()
    by_patient = patients_of_discs(tmp_path / "shape", BLUE, aspect=3)
    assert sense_probe.auc_of_texture(by_patient).min() > 0.95
    (tmp_path / "hue").mkdir()
    by_patient = patients_of_discs(tmp_path / "hue", (106, 113, 150), aspect=1)  # as grey as BLUE
    assert sense_probe.auc_of_texture(by_patient).max() < 0.75


def test_brown_look_alikes_and_positives_are_left_out_of_the_probes(tmp_path):
    others = [(5, 6, "fibroblast"), (7, 8, "debris"), (9, 9, "brown stroma")]
    write_tile(
        tmp_path / "p1_0100_1", np.zeros((20, 20, 3), np.uint8), np.array([(1, 2, 1), (3, 4, 2)]), others
    )
    negatives, look_alikes = cue_probe.places(tmp_path / "p1_0100_1.jpg")
    assert negatives.tolist() == [[3, 4]]
    assert look_alikes.tolist() == [[5, 6]]


def test_stain_range_measures_direction_density_and_background(tmp_path):
    """Discs of a known optical density on even ground: their values come back."""
    cells = [(100, 100, 2), (300, 100, 2), (100, 300, 2), (300, 300, 1), (400, 100, 1), (400, 400, 1)]
    discs(tmp_path, cells)
    measured = dict(zip(stain_range.NAMES, stain_range.measures(tmp_path / "p1_0100_1.jpg"), strict=True))
    expected = -np.log10(np.array(BLUE) / PAPER)
    assert measured["optical density of immunonegative nuclei"] == pytest.approx(
        np.linalg.norm(expected), rel=0.03
    )
    for channel, value in zip(("red", "green", "blue"), expected / np.linalg.norm(expected), strict=True):
        name = f"hematoxylin of immunonegative nuclei, {channel}"
        assert measured[name] == pytest.approx(value, abs=0.03)
    assert [measured[f"background, {c}"] for c in ("red", "green", "blue")] == pytest.approx(PAPER, abs=2)


def test_the_contact_sheet_takes_a_tile_of_every_patient_first(tmp_path):
    for patient in range(1, 14):
        for crop in (1, 2):
            (tmp_path / f"p{patient}_0100_{crop}.jpg").touch()
    chosen = [path.stem for path in contact_sheet.choose(tmp_path)]
    assert len(chosen) == 24
    assert sorted(chosen[:13]) == sorted(f"p{patient}_0100_1" for patient in range(1, 14))
    (tmp_path / "p1_0100_1.jpg").unlink()
    (tmp_path / "p1_0100_2.jpg").unlink()
    (tmp_path / "few").mkdir()
    with pytest.raises(InputError, match="too few tiles"):
        contact_sheet.choose(tmp_path / "few")


@pytest.mark.slow
def test_default_tiles_are_hard_and_span_real_ones(tmp_path):
    """One tile of every second patient: the detector stays below .65 and .60, counts and colours fit."""
    for patient in range(1, PATIENTS + 1, 2):
        style = patient_style(SEED, patient, PATIENTS)
        name, field, crop = next(iter(_names(style, 1)))
        write_tile(tmp_path / name, *make_tile(SEED, style, field, crop, FULL_PX))
    count, f1 = classical_detector.scores([tmp_path])
    assert count == PATIENTS // 2
    assert 0.4 < f1["immunopositive"] <= 0.65
    assert 0.2 < f1["immunonegative"] <= 0.60
    measured = tile_statistics.statistics(sorted(tmp_path.glob("*.jpg")))
    median = float(measured["tumour cells a tile, percentiles 5, 50, 95"].split(", ")[1])
    assert (
        27 < median < 160
    )  # half and three times that of real tiles; means of 16 tiles hang on one crowded tile
