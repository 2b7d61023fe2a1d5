"""Magnitude pruning: the smallest weights become exactly zero and stay zero."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgepatho.choices import PruneScope, check_choice
from edgepatho.errors import UsageError

Kernels = Mapping[str, NDArray[np.float32]]
Masks = dict[str, NDArray[np.bool_]]


def pruned(kernels: Kernels, percent: float, scope: PruneScope = "layer") -> dict[str, NDArray[np.float32]]:
    """Return `kernels` with zeros where `masks` is true."""
    mask_of = masks(kernels, percent, scope)
    return {name: np.where(mask_of[name], np.float32(0), kernel) for name, kernel in kernels.items()}


def masks(kernels: Kernels, percent: float, scope: PruneScope = "layer") -> Masks:
    """Return a mask of the pruned weights of every kernel: `percent` of each kernel, or of all together.

    The number of weights is rounded down; among equal magnitudes, earlier weights are pruned first.
    Raises UsageError for a percentage outside 0 to 99 or an unknown scope.
    """
    check(percent)
    check_choice("scope", scope, PruneScope)
    if scope == "layer":
        return {name: _smallest(kernel, percent) for name, kernel in kernels.items()}
    everything = np.concatenate([kernel.ravel() for kernel in kernels.values()])
    mask = _smallest(everything, percent)
    ends = np.cumsum([kernel.size for kernel in kernels.values()])
    parts = np.split(mask, ends[:-1])
    return {name: part.reshape(kernels[name].shape) for name, part in zip(kernels, parts, strict=True)}


def check(percent: float) -> None:
    """Raise UsageError for a percentage outside 0 to 99."""
    if not 0 <= percent <= 99:
        raise UsageError(f"--prune {percent:g} is outside 0 to 99; give a percentage in that range.")


def _smallest(weights: NDArray[np.float32], percent: float) -> NDArray[np.bool_]:
    number = int(weights.size * percent / 100)
    mask = np.zeros(weights.size, bool)
    mask[np.argsort(np.abs(weights), axis=None, kind="stable")[:number]] = True
    return mask.reshape(weights.shape)
