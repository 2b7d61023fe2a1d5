"""One-to-one matching against brute force; the published matching against its own loop."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgepatho.evaluate import published_protocol
from edgepatho.evaluate.match import Counts, one_to_one

points = st.integers(0, 6).flatmap(
    lambda n: arrays(np.float64, (n, 2), elements=st.integers(0, 80).map(lambda n: n / 4))
)


def most_pairs(found: np.ndarray, labelled: np.ndarray, radius: float) -> int:
    """Try every assignment of the smaller set to the larger."""
    fewer, more = sorted((found, labelled), key=len)
    close = np.linalg.norm(fewer[:, None] - more[None], axis=-1) <= radius
    chosen = permutations(range(len(more)), len(fewer))
    return max(sum(bool(close[i, j]) for i, j in enumerate(columns)) for columns in chosen)


@given(points, points)
def test_no_assignment_pairs_more_cells(found, labelled):
    counts = one_to_one(found, labelled)
    assert counts.tp == most_pairs(found, labelled, 6)
    assert (counts.found, counts.labelled) == (len(found), len(labelled))


def test_two_labels_cannot_share_a_cell():
    found, labelled = np.array([[5.0, 5]]), np.array([[4.0, 5], [6, 5]])
    assert one_to_one(found, labelled) == Counts(tp=1, fp=0, fn=1)


def test_the_radius_is_inclusive():
    origin, six_away = np.zeros((1, 2)), np.array([[6.0, 0]])
    assert one_to_one(origin, six_away).tp == 1
    assert one_to_one(origin, six_away * (1 + 1e-9)).tp == 0


def test_figures_of_counts():
    counts = Counts(tp=6, fp=2, fn=4) + Counts(tp=2, fp=0, fn=0)
    assert counts.precision == pytest.approx(8 / 10)
    assert counts.recall == pytest.approx(8 / 12)
    assert counts.f1 == pytest.approx(2 * 0.8 * (2 / 3) / (0.8 + 2 / 3))
    assert Counts().f1 == 1
    assert Counts(fp=3).f1 == 0
    assert Counts(fn=3).f1 == 0


def published_metric(found: np.ndarray, labelled: np.ndarray) -> Counts:
    """evaluation.metric as published: a row of 20s means that no cell is near."""
    if len(labelled) == 0:
        return Counts(0, len(found), 0)
    rows = [[20.0] * len(labelled)]
    rows += [[float(np.hypot(*(label - cell))) for label in labelled] for cell in found]
    nearest = np.argmin(np.array(rows), axis=0)
    tp = len(set(nearest[nearest > 0]))
    return Counts(tp, len(found) - tp, len(labelled) - tp)


@given(points, points)
def test_the_published_protocol_counts_as_published(found, labelled):
    assert published_protocol.nearest(3 * found, 3 * labelled) == published_metric(3 * found, 3 * labelled)


def test_the_published_protocol_leaves_out_tiles_without_cells():
    nothing, something = np.zeros((0, 2)), np.ones((1, 2))
    assert published_protocol.tile([nothing] * 3, [something] * 3) is None
    assert published_protocol.tile([something, nothing, nothing], [something] * 3) == [
        Counts(1, 0, 0),
        Counts(0, 0, 1),
        Counts(0, 0, 1),
    ]
