"""Pruning removes exactly the given percentage of smallest magnitudes, per layer or over all layers."""

import numpy as np
import pytest

from edgepatho.errors import UserError
from edgepatho.quantize import prune

rng = np.random.default_rng(0)
KERNELS = {
    "wide": rng.normal(size=(3, 3, 8, 16)).astype(np.float32),
    "faint": (0.01 * rng.normal(size=(1, 1, 16, 8))).astype(np.float32),
}


@pytest.mark.parametrize("percent", [0, 30, 50, 99])
def test_each_layer_is_pruned_by_its_percentage(percent):
    for name, mask in prune.masks(KERNELS, percent).items():
        assert mask.shape == KERNELS[name].shape
        assert np.count_nonzero(mask) == int(mask.size * percent / 100)
        if percent:
            assert np.abs(KERNELS[name][mask]).max() <= np.abs(KERNELS[name][~mask]).min()


def test_global_pruning_spares_the_layers_with_large_weights():
    masks = prune.masks(KERNELS, 12, "global")
    everything = np.concatenate([kernel.ravel() for kernel in KERNELS.values()])
    taken = np.concatenate([mask.ravel() for mask in masks.values()])
    assert np.count_nonzero(taken) == int(everything.size * 0.12)
    assert np.abs(everything[taken]).max() <= np.abs(everything[~taken]).min()
    assert masks["faint"].mean() > 0.9 > 0.1 > masks["wide"].mean()


def test_equal_weights_are_not_all_pruned():
    masks = prune.masks({"flat": np.full(200, 0.5, np.float32)}, 99)
    assert np.count_nonzero(masks["flat"]) == 198


@pytest.mark.parametrize("percent", [100, -1, 99.5])
def test_a_percentage_outside_0_to_99_is_refused(percent):
    with pytest.raises(UserError, match="outside 0 to 99"):
        prune.masks(KERNELS, percent)
