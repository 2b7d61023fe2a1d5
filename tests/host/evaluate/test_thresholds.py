"""Thresholds: the middle of the flat part of F1, which a small change of the maps hardly moves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepatho.evaluate import thresholds
from edgepatho.evaluate.match import Counts
from edgepatho.evaluate.thresholds import LEVELS, Chosen


def curve(*f1, labelled=1000):
    """Counts with this F1 at LEVELS on one tile: as many cells found as labelled."""
    tp = [round(each * labelled) for each in f1]
    return [[Counts(each, labelled - each, labelled - each) for each in tp]]


def tiles(seed, dim=1.0, number=4, size=96):
    """Maps of one class and their labels: cells of heat 60 to 250, clutter of 10 to 90."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    grid = np.stack(np.meshgrid(np.arange(8, size, 16), np.arange(8, size, 16)), axis=-1).reshape(-1, 2)
    maps, labelled = [], []
    for _ in range(number):
        places = rng.permutation(grid)
        heights = np.concatenate([rng.uniform(60, 250, 14), rng.uniform(10, 90, 14)])
        heat = np.zeros((size, size), np.float32)
        for (cx, cy), height in zip(places[:28], heights, strict=True):
            heat = np.maximum(heat, height * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 18))
        maps.append((dim * heat).astype(np.float32))
        labelled.append(places[:14].astype(float))
    return maps, labelled


def chosen(maps, labelled):
    pairs = zip(maps, labelled, strict=True)
    return thresholds.choose([thresholds.counts(*pair) for pair in pairs], 60)


def test_the_middle_of_a_flat_optimum_is_chosen():
    flat = [0.5, 0.5, 0.5, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.5, 0.5, 0.5, 0.5]  # from 20 to 80
    assert thresholds.choose(curve(*flat), 60) == Chosen(50, (20, 80))
    flat[3] = 0.902  # a slightly better one at the edge, where the best threshold would jump to
    assert thresholds.choose(curve(*flat), 60).threshold == pytest.approx(50, abs=2)


def test_another_optimum_beyond_a_valley_does_not_count():
    two = [0.5, 0.5, 0.5, 0.5, 0.9, 0.9, 0.9, 0.5, 0.5, 0.5, 0.5, 0.899, 0.899, 0.5]
    assert thresholds.choose(curve(*two), 60) == Chosen(40, (30, 50))


def test_few_labels_widen_the_range_to_what_one_cell_is_worth():
    slope = [0.8, 0.8, 0.8, 0.8, 0.85, 0.9, 0.85, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8]
    narrow = thresholds.choose(curve(*slope), 60)
    wide = thresholds.choose(curve(*slope, labelled=20), 60)
    assert narrow == Chosen(40, (39, 41))
    assert wide == Chosen(40, (31, 49))


def test_a_class_with_few_labels_or_never_found_keeps_the_default():
    best_at_30 = [0.1, 0.1, 0.1, 0.1, 1.0, *[0.1] * 9]
    assert thresholds.choose(curve(*best_at_30, labelled=4), 55) == Chosen(55)
    assert thresholds.choose(curve(*best_at_30, labelled=5), 55).threshold == 30
    assert thresholds.choose(curve(*[0.0] * 14), 55) == Chosen(55)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 60), min_size=14, max_size=14), st.data())
def test_the_chosen_threshold_is_nearly_the_best(tp, data):
    labelled = data.draw(st.integers(60, 90))
    counts = [[Counts(each, 60 - each, labelled - each) for each in tp]]
    choice = thresholds.choose(counts, 60)
    if choice.range is not None:
        low, high = choice.range
        assert LEVELS[0] <= low <= choice.threshold <= high <= LEVELS[-1]
        f1 = [each.f1 for each in counts[0]]
        at = np.interp(choice.threshold, LEVELS, f1)
        assert at >= max(f1) - max(thresholds.TOLERANCE, 1 / labelled)


@pytest.mark.parametrize("seed", range(2))
def test_a_small_change_of_the_maps_moves_the_threshold_little(seed):
    """Maps 1 % brighter or darker, with noise of half a unit: a unit or two, not tens."""
    maps, labelled = tiles(seed)
    choice = chosen(maps, labelled)
    assert 40 < choice.threshold < 120
    rng = np.random.default_rng(seed)
    for factor in (0.99, 1.01):
        changed = [np.float32(factor) * each + rng.normal(0, 0.5, each.shape) * (each > 4) for each in maps]
        assert abs(chosen(changed, labelled).threshold - choice.threshold) <= 5


def test_dimmer_maps_have_a_lower_threshold():
    bright, dim = (chosen(*tiles(7, factor)).threshold for factor in (1.0, 0.4))
    assert dim == pytest.approx(0.4 * bright, abs=5)


def test_every_class_is_chosen_on_its_own():
    maps, labelled = tiles(3, number=3)
    heat = [np.stack([each, 0.5 * each, each], axis=-1) for each in maps]
    labels = [[cells, cells, cells[:1]] for cells in labelled]
    first, second, third = thresholds.choose_all(heat, labels)
    assert first == chosen(maps, labelled)
    assert second.threshold < first.threshold
    assert third == Chosen(40)  # three labels
