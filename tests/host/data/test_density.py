"""Density maps: right by default, and bit for bit the published ones on request."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgepatho.data.density import density_map, seed_density_map

points = st.lists(st.tuples(st.floats(0, 31), st.floats(0, 31), st.integers(1, 3)), min_size=1, max_size=8)


@given(points)
def test_every_pixel_is_the_strongest_gaussian_over_it(cells):
    """The definition, pixel by pixel."""
    maps = density_map(np.array(cells, float), 32)
    rows, columns = np.mgrid[0:32, 0:32]
    for channel in range(3):
        expected = np.zeros((32, 32))
        for x, y, label in cells:
            if label == channel + 1:
                inside = (abs(rows - y) <= 4) & (abs(columns - x) <= 4)
                value = 255 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8)
                expected = np.maximum(expected, np.where(inside, value, 0))
        np.testing.assert_array_equal(maps[..., channel], expected.astype(np.uint8))


@pytest.mark.parametrize("place", [(0, 0), (255, 255), (0, 255), (128, 3), (254, 1)])
def test_the_peak_is_at_the_cell_even_at_the_border(place):
    maps = density_map(np.array([[*place, 1]], float))
    assert maps[place[1], place[0], 0] == 255 == maps.max()


def test_neighbours_do_not_cut_each_other():
    maps = density_map(np.array([[100, 100, 1], [103, 100, 1]], float))
    assert maps[100, 100, 0] == maps[100, 103, 0] == 255


def test_the_published_window_is_reproduced():
    maps = seed_density_map(np.array([[100, 60, 2]]), 256)
    assert maps[60, 96:105, 1].tolist() == [34, 82, 154, 225, 255, 225, 154, 82, 34]
    assert maps[56, 96, 1] == 4
    assert maps.sum() == 6079


@pytest.mark.parametrize(
    ("row", "peak"), [(0, 2), (1, 3), (2, 3), (3, 4), (251, 251), (252, 251), (254, 252), (256, 253)]
)
def test_the_published_peaks_move_inwards_at_the_border(row, peak):
    maps = seed_density_map(np.array([[128, row, 1]]), 256)
    assert int(maps[:, 128, 0].argmax()) == peak
    assert maps[255].sum() == 0


def test_the_published_windows_overwrite_each_other():
    maps = seed_density_map(np.array([[100, 100, 1], [104, 100, 1]]), 256)
    assert maps[100, 100, 0] == 34


def test_the_published_coordinates_are_cut_not_rounded():
    maps = seed_density_map(np.array([[613, 1227, 3]]), 1228)
    assert int(maps[..., 2].sum(0).argmax()) == 127
