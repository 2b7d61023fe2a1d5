"""One-dimensional k-means is optimal where it promises to be, and never worse than its references."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.cluster import KMeans

from edgepatho.quantize import cws, kmeans
from edgepatho.quantize.sorted_weights import sort

small = arrays(np.float32, st.integers(1, 9), elements=st.floats(-100, 100, width=32))
heavy_tailed = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).standard_t(1.1, 9).astype(np.float32)
)


def squared_error(weights: np.ndarray, quantized: np.ndarray) -> float:
    return float(np.sum((weights.astype(np.float64) - quantized) ** 2))


def least_squared_error(weights: np.ndarray, k: int) -> float:
    """Try every partition of the sorted weights into k intervals."""
    ordered = np.sort(weights.astype(np.float64))
    partitions = (np.split(ordered, borders) for borders in combinations(range(1, ordered.size), k - 1))
    return min(sum(float(np.sum((part - part.mean()) ** 2)) for part in parts) for parts in partitions)


@given(small | heavy_tailed, st.integers(1, 9))
def test_cws_is_optimal_on_small_inputs(weights, k):
    found = squared_error(weights, cws.quantize(weights, k).values)
    best = least_squared_error(weights, min(k, weights.size))
    assert found == pytest.approx(best, rel=1e-5, abs=1e-9 * max(1.0, float(np.max(weights**2))))


@pytest.mark.parametrize("k", [2, 7, 40])
def test_exact_is_never_worse_than_scikit_learn(k):
    weights = np.random.default_rng(k).laplace(size=2000).astype(np.float32)
    reference = KMeans(k, n_init=10, random_state=0).fit(weights.reshape(-1, 1).astype(np.float64))
    assert squared_error(weights, cws.quantize(weights, k).values) <= reference.inertia_ * (1 + 1e-6)


@pytest.mark.parametrize("k", [16, 256])
@pytest.mark.parametrize("draw", ["normal", "laplace", "heavy"])
def test_binned_start_comes_close_to_the_optimum(draw, k):
    rng = np.random.default_rng(7)
    weights = {"normal": rng.normal, "laplace": rng.laplace, "heavy": lambda size: rng.standard_t(2, size)}[
        draw
    ](size=6000).astype(np.float32)
    view = sort(weights)
    assert view.values.size > kmeans.EXACT_VALUES
    edges = kmeans.exact_edges(view, k)
    number, total = view.interval(edges)
    optimum = view.squared_error(edges, total / number)
    found = squared_error(weights, cws.quantize(weights, k).values)
    assert optimum * (1 - 1e-6) <= found <= optimum * 1.02


def test_lloyd_from_quantiles_gets_stuck():
    """Why the start matters: with heavy tails, quantiles leave only two levels for the tails."""
    weights = np.random.default_rng(1).standard_t(1.5, 50_000).astype(np.float32)
    view = sort(weights)
    quantiles = np.unique(np.quantile(weights, (np.arange(64) + 0.5) / 64))
    trapped = kmeans.lloyd(view, quantiles.astype(np.float64))
    borders = np.searchsorted(view.values, (trapped[1:] + trapped[:-1]) / 2)
    trapped_error = view.squared_error(np.array([0, *borders, view.values.size]), trapped)
    assert squared_error(weights, cws.quantize(weights, 64).values) < trapped_error / 5


def test_many_levels_on_many_weights():
    weights = np.random.default_rng(3).normal(size=200_000).astype(np.float32)
    found = cws.quantize(weights, 4096)
    assert 4000 <= found.codebook.size <= 4096
    panter_dite = np.pi * np.sqrt(3) / 2 / 4096**2  # minimum distortion of k levels on a normal density
    assert np.mean((weights - found.values) ** 2) < 1.1 * panter_dite


def test_minibatch_matches_the_reference_solver():
    weights = np.random.default_rng(5).standard_t(3, 20_000).astype(np.float32)
    theirs = cws.quantize(weights, 32, solver="minibatch")
    assert theirs.codebook.size <= 32
    assert squared_error(weights, cws.quantize(weights, 32).values) <= squared_error(weights, theirs.values)
