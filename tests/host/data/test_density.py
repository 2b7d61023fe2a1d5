"""Density maps: correct by default, bit-identical to the published ones on request."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepatho.data.density import density_map, published_density_map

points = st.lists(st.tuples(st.floats(0, 31), st.floats(0, 31), st.integers(1, 3)), min_size=1, max_size=8)


@given(points)
def test_every_pixel_is_the_maximum_of_its_gaussians(cells):
    """Checks the definition pixel by pixel."""
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


def test_neighbours_do_not_overwrite_each_other():
    maps = density_map(np.array([[100, 100, 1], [103, 100, 1]], float))
    assert maps[100, 100, 0] == maps[100, 103, 0] == 255


def test_the_published_window_is_reproduced():
    maps = published_density_map(np.array([[100, 60, 2]]), 256, 256)
    assert maps[60, 96:105, 1].tolist() == [34, 82, 154, 225, 255, 225, 154, 82, 34]
    assert maps[56, 96, 1] == 4
    assert maps.sum() == 6079


@pytest.mark.parametrize(
    ("row", "peak"), [(0, 2), (1, 3), (2, 3), (3, 4), (251, 251), (252, 251), (254, 252), (256, 253)]
)
def test_the_published_peaks_move_inwards_at_the_border(row, peak):
    maps = published_density_map(np.array([[128, row, 1]]), 256, 256)
    assert int(maps[:, 128, 0].argmax()) == peak
    assert maps[255].sum() == 0


def test_the_published_windows_overwrite_each_other():
    maps = published_density_map(np.array([[100, 100, 1], [104, 100, 1]]), 256, 256)
    assert maps[100, 100, 0] == 34


def test_the_published_coordinates_are_truncated_not_rounded():
    maps = published_density_map(np.array([[613, 1227, 3]]), 1228, 1228)
    assert int(maps[..., 2].sum(0).argmax()) == 127


def test_the_published_maps_scale_each_axis_separately():
    maps = published_density_map(np.array([[600, 100, 1]]), 1200, 400)
    assert maps[64, 128, 0] == 255


def published(cells, width, height):
    """The published rules as a table: the pixel of the 9 x 9 Gaussian that each map pixel gets.

    Along an axis the window covers centre - 4 to centre + 4, clipped to 0 and 254; it gets as many of the
    nine weights as it has pixels, taken from the middle (one more before the middle than after).
    """
    weights = {
        (i, j): int(255 * np.exp(-2 * ((i / 4) ** 2 + (j / 4) ** 2)))
        for i in range(-4, 5)
        for j in range(-4, 5)
    }
    maps = np.zeros((256, 256, 3), np.uint8)
    for x, y, label in cells:
        pairs = []
        for coordinate, extent in ((y, height), (x, width)):
            centre = int(coordinate * (256 / extent))
            pixels = [p for p in range(centre - 4, centre + 5) if 0 <= p <= 254]
            pairs.append(list(zip(pixels, range(-(len(pixels) // 2), 5), strict=False)))
        for row, i in pairs[0]:
            for column, j in pairs[1]:
                maps[row, column, label - 1] = weights[i, j]
    return maps


edges = st.one_of(st.integers(0, 60), st.integers(1170, 1228), st.integers(0, 1228))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(edges, edges, st.integers(1, 3)), min_size=1, max_size=6))
def test_the_published_maps_follow_the_published_rules(cells):
    maps = published_density_map(np.array(cells), 1228, 1228)
    np.testing.assert_array_equal(maps, published(cells, 1228, 1228))
