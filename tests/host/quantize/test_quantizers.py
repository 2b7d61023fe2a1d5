"""The guarantees of all quantizers, and those specific to each."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgepatho.entropy import entropy_bits
from edgepatho.errors import InputError, UserError
from edgepatho.quantize import cws, ecsq, pws, uq
from edgepatho.quantize.quantized import distortion
from edgepatho.quantize.sorted_weights import SortedWeights, sort

QUANTIZERS = {"cws": cws.quantize, "pws": pws.quantize, "uq": uq.quantize, "ecsq": ecsq.quantize}
KEEPING_ZERO = {
    "cws": lambda w, k: cws.quantize(w, k, keep_zero=True),
    "pws": lambda w, k: pws.quantize(w, k, keep_zero=True),
    "uq": uq.quantize,
    "ecsq": lambda w, k: ecsq.quantize(w, k, keep_zero=True),
}
numbers = arrays(np.float32, st.integers(1, 60), elements=st.floats(-8, 8, width=16))
every_method = pytest.mark.parametrize("method", QUANTIZERS)


@every_method
@example(weights=np.array([2, 0, 1], np.float32), k=2)  # as many weights per level, at any multiplier
@given(weights=numbers, k=st.integers(2, 40))
def test_the_codebook_is_ascending_and_has_at_most_k_levels(method, weights, k):
    found = QUANTIZERS[method](weights, k)
    assert 1 <= found.codebook.size <= k
    assert (np.diff(found.codebook) > 0).all()
    assert found.codebook.dtype == np.float32
    assert found.index.dtype == np.uint16
    assert found.index.shape == weights.shape
    assert found.index.max() < found.codebook.size


@every_method
@given(weights=numbers, k=st.integers(2, 40), share=st.floats(0.1, 1))
def test_pruned_zeros_stay_exactly_zero(method, weights, k, share):
    pruned = weights.copy()
    pruned[: int(np.ceil(share * weights.size))] = 0
    found = KEEPING_ZERO[method](pruned, k)
    assert found.codebook.size <= k
    assert (found.values[pruned == 0] == 0).all()


@every_method
def test_equal_inputs_give_equal_outputs(method):
    weights = np.random.default_rng(2).normal(size=10_000).astype(np.float32)
    first, second = (QUANTIZERS[method](weights.copy(), 64) for _ in range(2))
    assert np.array_equal(first.codebook, second.codebook)
    assert np.array_equal(first.index, second.index)


@every_method
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_weights_are_refused(method, bad):
    with pytest.raises(InputError, match="NaN or infinite"):
        QUANTIZERS[method](np.array([0.5, bad, 1], np.float32), 2)


@every_method
def test_all_zero_weights_become_one_level(method):
    found = QUANTIZERS[method](np.zeros(50, np.float32), 16)
    assert found.codebook.tolist() == [0]
    assert not found.index.any()


@every_method
def test_as_many_heavy_tailed_weights_as_in_pathonet_take_few_passes(method, monkeypatch):
    """Time and memory in machine-independent units: cell edges looked up, bytes held at once.

    Either would be hundreds per weight if it grew with weights times levels.
    """
    weights = 0.01 * np.random.default_rng(0).standard_t(3, 3_220_296).astype(np.float16).astype(np.float32)
    asked, ask = [], SortedWeights.interval
    monkeypatch.setattr(SortedWeights, "interval", lambda view, at: asked.append(at.size) or ask(view, at))
    tracemalloc.start()
    found = QUANTIZERS[method](weights, 256)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(asked) < 4 * weights.size
    assert peak_bytes < 12 * weights.nbytes
    assert distortion(weights, found.values) < {"cws": 2e-4, "uq": 7e-3, "ecsq": 7e-3, "pws": 3}[method]


@pytest.mark.parametrize("method", ["cws", "uq"])
@given(weights=numbers, k=st.integers(2, 40))
def test_every_weight_gets_a_nearest_level(method, weights, k):
    found = QUANTIZERS[method](weights, k)
    distances = np.abs(weights[:, None].astype(np.float64) - found.codebook.astype(np.float64))
    chosen = np.abs(weights.astype(np.float64) - found.values)
    np.testing.assert_allclose(chosen, distances.min(axis=1), rtol=1e-5, atol=1e-6)


@given(weights=numbers)
def test_enough_levels_are_lossless(weights):
    assert np.array_equal(cws.quantize(weights, 64).values, weights)


class TestUniform:
    @given(weights=numbers, k=st.integers(2, 40))
    def test_levels_are_multiples_of_one_step_including_zero(self, weights, k):
        assume(weights.any())
        codebook = uq.quantize(weights, k).codebook
        step = uq.smallest_step(sort(weights), k)
        assert 0 in codebook
        assert np.array_equal(
            codebook, (np.rint(codebook.astype(np.float64) / step) * step).astype(np.float32)
        )

    @pytest.mark.parametrize("k", [16, 256])
    def test_a_fine_search_finds_no_much_smaller_step_that_fits(self, k):
        weights = np.random.default_rng(0).standard_t(3, 5000).astype(np.float32)
        step = uq.smallest_step(sort(weights), k)
        smaller = np.linspace(0.5, 0.99, 2000) * step
        used = [np.union1d(np.rint(weights / each), [0]).size for each in smaller]
        assert min(used) > k


class TestProbabilistic:
    def test_rounding_is_unbiased(self):
        weights = np.random.default_rng(0).normal(size=500).astype(np.float32)
        codebook = pws.quantize(weights, 9).codebook
        above = np.clip(np.searchsorted(codebook, weights), 1, 8)
        variance = (weights - codebook[above - 1]) * (codebook[above] - weights)
        draws = np.array([pws.quantize(weights, 9, seed=seed).values for seed in range(400)])
        inner = variance > 1e-3
        z = (draws.mean(axis=0) - weights)[inner] / np.sqrt(variance[inner] / len(draws))
        assert np.count_nonzero(inner) > 450
        assert np.abs(z).max() < 5
        assert z.std() == pytest.approx(1, abs=0.15)

    @given(weights=numbers, k=st.integers(2, 40), seed=st.integers(0, 99))
    def test_a_weight_is_rounded_to_one_of_its_two_neighbours(self, weights, k, seed):
        found = pws.quantize(weights, k, seed=seed)
        between = (found.codebook > np.minimum(weights, found.values)[:, None]) & (
            found.codebook < np.maximum(weights, found.values)[:, None]
        )
        assert not between.any()

    def test_levels_are_quantiles(self):
        weights = np.random.default_rng(0).normal(size=1001).astype(np.float32)
        expected = np.quantile(weights, np.linspace(0, 1, 5)).astype(np.float32)
        assert np.array_equal(pws.quantize(weights, 5).codebook, expected)

    def test_the_seed_determines_the_result_and_the_global_generator_is_untouched(self):
        weights = np.random.default_rng(0).normal(size=100).astype(np.float32)
        np.random.seed(1)
        before = np.random.get_state()[1].copy()
        first, second = pws.quantize(weights, 4, seed=1), pws.quantize(weights, 4, seed=2)
        assert not np.array_equal(first.index, second.index)
        assert np.array_equal(np.random.get_state()[1], before)


class TestEntropyConstrained:
    weights = 0.03 * np.random.default_rng(0).standard_t(3, 50_000).astype(np.float32)

    @pytest.mark.parametrize("bits", [0.3, 1, 2.5, 5])
    def test_the_rate_is_met_from_below(self, bits):
        rate = entropy_bits(ecsq.quantize(self.weights, bits=bits).index)
        assert bits - 0.02 <= rate <= bits

    @pytest.mark.parametrize("multiplier", [1e-6, 1e-4, 1e-3])
    def test_every_weight_has_its_cheapest_level(self, multiplier):
        view = sort(self.weights)
        cells = ecsq.settle(view, np.linspace(-0.5, 0.5, 101), multiplier)
        cell = np.repeat(np.arange(cells.levels.size), np.diff(cells.edges))
        counts, _ = view.interval(cells.edges)
        cost = (view.values[:, None] - cells.levels) ** 2 - multiplier * np.log2(counts / view.total)
        chosen = cost[np.arange(cell.size), cell]
        assert np.mean(chosen - cost.min(axis=1)) < 1e-4 * np.mean(chosen)

    @pytest.mark.parametrize("bits", [1, 2.5])
    def test_ecsq_beats_uniform_quantization_at_equal_rate(self, bits):
        ours = ecsq.quantize(self.weights, bits=bits)
        for step in np.geomspace(0.005, 1, 200):
            rounded = np.rint(self.weights / step)
            index = np.unique(rounded, return_inverse=True)[1].astype(np.uint16)
            if entropy_bits(index) <= bits:
                break
        assert distortion(self.weights, ours.values) < distortion(
            self.weights, (rounded * step).astype(np.float32)
        )

    def test_levels_can_be_requested_instead(self):
        for k in (4, 16, 100):
            used = ecsq.quantize(self.weights, k).levels_used
            assert 0.5 * k <= used <= k

    def test_zero_is_always_a_level(self):
        assert 0 in ecsq.quantize(self.weights + 5, 8).codebook

    def test_a_rate_that_cannot_be_met_is_refused(self):
        with pytest.raises(UserError, match=r"rate of 7 bits .* cannot be met: 16 levels need at most"):
            ecsq.quantize(self.weights, 16, bits=7)
