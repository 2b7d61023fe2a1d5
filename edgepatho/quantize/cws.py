"""CWS: clustered weight sharing, one-dimensional k-means of the weights.

Han, Mao and Dally, "Deep Compression", ICLR 2016; Marinò, Ghidoli, Frasca and Malchiodi, "Compression
strategies and space-conscious representations for deep neural networks", ICPR 2020.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgepatho.choices import Solver, check_choice
from edgepatho.quantize import kmeans
from edgepatho.quantize.quantized import Quantized, nearest
from edgepatho.quantize.sorted_weights import Floats, sort


def quantize(
    weights: NDArray[np.float32], k: int, *, keep_zero: bool = False, solver: Solver = "exact"
) -> Quantized:
    """Return `weights` [n] on at most `k` cluster means, each weight on its nearest.

    `keep_zero` reserves one level for zero, for weights that pruning has set to zero; the other levels cover
    the rest. `solver="minibatch"` is scikit-learn's MiniBatchKMeans as Marinò et al. ran it.
    """
    check_choice("solver", solver, Solver)
    kept = weights[weights != 0] if keep_zero else weights
    if kept.size == 0:
        return nearest(weights, [0.0])
    if solver == "minibatch":
        centres = _minibatch(kept, k - keep_zero)
        return nearest(weights, np.append(centres, 0.0) if keep_zero else centres)
    view = sort(kept)
    levels = kmeans.levels(view, k - keep_zero)
    if keep_zero:
        levels = kmeans.lloyd(view, np.unique(np.append(levels, 0.0)), pinned=0.0)
    return nearest(weights, levels)


def _minibatch(weights: NDArray[np.float32], k: int) -> Floats:
    from sklearn.cluster import MiniBatchKMeans

    solver = MiniBatchKMeans(
        min(k, np.unique(weights).size), batch_size=100_000, init_size=3 * k, random_state=42, n_init=3
    )
    centres: Floats = solver.fit(weights.reshape(-1, 1)).cluster_centers_[:, 0].astype(np.float64)
    return centres
