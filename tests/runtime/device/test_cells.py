"""Cells on the device are bit-identical to those of SciPy and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

from edgepatho_runtime import _vision

Cells = list[tuple[float, float]]


def reference(heat: np.ndarray, threshold: float, min_distance: int) -> Cells:
    """The published steps by SciPy and scikit-image, with the mean of each region as its centre."""
    mask = (heat >= np.float32(threshold)) & (heat > 0)
    if not mask.any():
        return []
    distance = ndimage.distance_transform_edt(mask)
    peaks = peak_local_max(
        distance, min_distance=min_distance, exclude_border=False, labels=mask.astype(np.int32)
    )
    seeds = np.zeros(mask.shape, bool)
    seeds[tuple(peaks.T)] = True
    markers, count = ndimage.label(seeds, structure=np.ones((3, 3)))
    regions = watershed(-distance, markers, mask=mask)
    centres = []
    for label in range(1, count + 1):
        rows, columns = np.nonzero(regions == label)
        centres.append((float(columns.mean()), float(rows.mean())))
    return centres


def cells_of(heat: np.ndarray, threshold: float, min_distance: int) -> Cells:
    values = np.ascontiguousarray(heat, np.float32)
    return _vision.find_cells(values, *values.shape, 1, 0, threshold, min_distance)


def check(heat: np.ndarray, threshold: float = 60, min_distance: int = 5) -> int:
    heat = heat.astype(np.float32)
    expected = reference(heat, threshold, min_distance)
    assert cells_of(heat, threshold, min_distance) == expected
    return len(expected)


def discs(generator: np.random.Generator, side: int, count: int) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side]
    heat = np.zeros((side, side))
    for row, column, radius in generator.integers([0, 0, 1], [side, side, 12], (count, 3)):
        heat[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = 255
    return heat


shapes = st.tuples(st.integers(1, 48), st.integers(1, 48))
distances = st.sampled_from([1, 2, 3, 5, 5, 5, 8])


@settings(max_examples=200, deadline=None)
@given(shapes, distances, st.floats(0.02, 1), st.integers(0, 2**32 - 1))
def test_noise(shape: tuple[int, int], min_distance: int, share: float, seed: int) -> None:
    check((np.random.default_rng(seed).random(shape) < share) * 100.0, min_distance=min_distance)


@settings(max_examples=200, deadline=None)
@given(shapes, distances, st.floats(0.5, 4), st.floats(0, 0.95), st.integers(0, 2**32 - 1))
def test_smooth_maps(
    shape: tuple[int, int], min_distance: int, sigma: float, quantile: float, seed: int
) -> None:
    heat = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), sigma) * 255
    check(heat, float(np.quantile(heat, quantile)), min_distance)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40), distances, st.integers(0, 2**32 - 1))
def test_touching_discs(count: int, min_distance: int, seed: int) -> None:
    check(discs(np.random.default_rng(seed), 72, count), min_distance=min_distance)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 6), distances)
def test_equal_tiles_tie_everywhere(side: int, gap: int, repeats: int, min_distance: int) -> None:
    """Many peaks of one height, whose order depends only on the queue's structure."""
    tile = np.zeros((side + gap, side + gap))
    tile[:side, :side] = 255
    tile[side // 2, :] = 255  # bridges, so that regions meet
    check(np.tile(tile, (repeats, repeats)), min_distance=min_distance)


rows, columns = np.mgrid[:60, :60]


@pytest.mark.parametrize(
    ("heat", "cells"),
    [
        (np.zeros((8, 8)), 0),
        (np.full((20, 30), 255.0), 1),  # no background at all
        (np.full((1, 1), 255.0), 0),  # as scikit-image has it: no pixel above the lowest
        (np.full((1, 9), 255.0), 1),
        (np.where((rows == 3) & (columns == 7), 0.0, 255.0), None),  # one background pixel
        (np.where((rows == 3) & (columns == 7), 255.0, 0.0), 1),  # one cell pixel
        ((rows % 2) * 255.0, None),
        ((rows // 3 + columns // 3) % 2 * 255.0, None),
        (((rows - 30) ** 2 + (columns - 30) ** 2 < 900) * 255.0, None),
        ((rows > columns) * 255.0, None),
        ((rows == 0) * 255.0, None),
        (np.full((20, 20), -5.0), 0),
    ],
)
def test_plateaus_borders_and_degenerate_maps(heat: np.ndarray, cells: int | None) -> None:
    count = check(heat)
    assert cells is None or count == cells


def test_many_cells_on_a_whole_tile() -> None:
    """At least 500 cells at the size that the network gives."""
    generator = np.random.default_rng(7)
    count = sum(check(discs(generator, 256, 150)) for _ in range(6))
    assert count >= 500


def test_zero_and_not_a_number_never_belong_to_a_cell() -> None:
    heat = np.zeros((9, 9), np.float32)
    assert cells_of(heat, 0.0, 5) == []
    heat[:] = np.nan
    assert cells_of(heat, 0.0, 5) == []


def test_a_channel_is_read_by_its_stride() -> None:
    generator = np.random.default_rng(3)
    heat = np.stack([discs(generator, 64, 9) for _ in range(3)], axis=2).astype(np.float32)
    for channel in range(3):
        cells = _vision.find_cells(heat, 64, 64, 3, channel, 60, 5)
        assert cells == reference(heat[..., channel], 60, 5)
