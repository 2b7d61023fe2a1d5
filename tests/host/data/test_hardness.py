"""The classical detector that measures how hard tiles are, and its result on the default ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks import classical_detector, tile_statistics
from edgepatho.data.shidc import write_tile
from edgepatho.data.synth.dataset import PATIENTS, SEED, _names
from edgepatho.data.synth.style import patient_style
from edgepatho.data.synth.tile import make_tile
from edgepatho.data.synth.tissue import FULL_PX

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


@pytest.mark.slow
def test_default_tiles_are_as_hard_as_real_ones(tmp_path):
    """One tile of every second patient: the detector stays below .65 and .60, counts and colours match."""
    for patient in range(1, PATIENTS + 1, 2):
        style = patient_style(SEED, patient, PATIENTS)
        name, field, crop = next(iter(_names(style, 1)))
        write_tile(tmp_path / name, *make_tile(SEED, style, field, crop, FULL_PX))
    count, f1 = classical_detector.scores([tmp_path])
    assert count == PATIENTS // 2
    assert 0.4 < f1["immunopositive"] <= 0.65
    assert 0.3 < f1["immunonegative"] <= 0.60
    measured = tile_statistics.statistics(sorted(tmp_path.glob("*.jpg")))
    for name, tolerance in (("background, RGB", 8), ("mean colour, RGB", 15)):
        ours, real = (np.array(table[name].split(", "), float) for table in (measured, tile_statistics.REAL))
        np.testing.assert_allclose(ours, real, atol=tolerance)
    assert 10 < float(measured["immunopositive a tile, mean and sd"].split(", ")[0]) < 35
    assert 25 < float(measured["immunonegative a tile, mean and sd"].split(", ")[0]) < 75
