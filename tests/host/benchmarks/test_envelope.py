"""The sets of `make envelope`, and how its table says that a share is not what is wanted."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from benchmarks import distorted_pictures, envelope
from edgepatho.envelope import colour, statistics
from edgepatho.exporters.parts import check_parts

PAPER, BLUE, BROWN = (230, 228, 225), (150, 140, 190), (120, 80, 50)


@pytest.fixture
def tile():
    """Blue and brown discs on paper, and their centres with labels."""
    picture = np.full((128, 128, 3), PAPER, np.uint8)
    y, x = np.mgrid[:128, :128]
    cells = [(20 + 22 * (n % 5), 20 + 22 * (n // 5), 1 + n % 2) for n in range(25)]
    for column, row, label in cells:
        picture[np.hypot(x - column, y - row) <= 6] = BROWN if label == 1 else BLUE
    return picture, np.array(cells, float)


@pytest.mark.parametrize("name", distorted_pictures.SETS)
def test_a_set_changes_the_picture_and_is_reproducible(tile, name):
    distort = distorted_pictures.SETS[name]
    first, second = (distort(*tile, 0.5, np.random.default_rng(1)) for _ in range(2))
    assert first.shape == tile[0].shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert np.abs(first.astype(int) - tile[0]).mean() > 2


def test_a_membrane_stain_is_brown_around_nuclei(tile):
    picture, cells = tile
    stained = distorted_pictures.membrane(picture, cells, 0.5, np.random.default_rng(1))
    rims = [
        statistics.of_cells(colour.colour(each), cells[:, :2])["brown_rim"] for each in (picture, stained)
    ]
    assert rims[0] < 0.2 < 0.6 < rims[1]


def test_the_old_tiles_envelope_is_valid():
    check_parts({"envelope": json.loads(envelope.OLD.read_text())})


@pytest.mark.parametrize(
    ("name", "alarms", "missed"),
    [("laboratory A", 1, False), ("laboratory A", 2, True), ("grey", 24, False), ("grey", 23, True)],
)
def test_the_table_marks_what_is_not_as_wanted(name, alarms, missed):
    assert ("MISSED" in str(envelope.Row(name, 24, alarms, Counter()))) == missed
