"""Sizes of shared weights: by the published formula, in the published disk format, in memory."""

from __future__ import annotations

import lzma
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from edgepatho.model.shared import SharedModel


def published_ratio(shared: SharedModel) -> float:
    """Return the published compression ratio: 32-bit weights over index maps with a codebook in every layer.

    Counted as by Marinò et al.: 8 bits per index up to 256 levels, else 16; the codebook once per layer even
    where it is shared; no biases, no batch normalization.
    """
    before = after = 0
    for layer, index in shared.indices.items():
        levels = shared.codebooks[shared.codebook_of[layer]].size
        before += 32 * index.size
        after += (8 if levels <= 256 else 16) * index.size + 32 * levels
    return before / after


def published_disk_bytes(shared: SharedModel) -> int:
    """Return the bytes of the published disk format: four LZMA streams.

    They hold the index maps as int64 in the kernels' own order, the codebooks, all other arrays but the last,
    and the last bias; as plain arrays instead of pickles, which cost a few bytes more.
    """
    others = list(shared.variables.values()) + list(shared.graph.kernels.values())
    parts: list[list[NDArray[Any]]] = [
        [index.astype(np.int64) for index in shared.indices.values()],
        list(shared.codebooks.values()),
        others[:-1],
        others[-1:],
    ]
    return sum(len(lzma.compress(b"".join(array.tobytes() for array in part))) for part in parts)


def weights_ram_bytes(shared: SharedModel) -> int:
    """Return the bytes of indices, codebooks, scales and shifts as the runtime holds them.

    Indices take 4, 8 or 16 bits depending on the size of their codebook, output channels padded to a multiple
    of 8; skipped layers hold float32 weights.
    """
    total = sum(book.nbytes for book in shared.codebooks.values())
    total += sum(scale.nbytes + shift.nbytes for scale, shift in shared.graph.affines.values())
    for layer, index in shared.indices.items():
        levels = shared.codebooks[shared.codebook_of[layer]].size
        half_bytes = 1 if levels <= 16 else 2 if levels <= 256 else 4
        total += _padded(index.shape) * half_bytes // 2
    return total + sum(4 * _padded(kernel.shape) for kernel in shared.graph.kernels.values())


def _padded(shape: tuple[int, ...]) -> int:
    """Number of weights with the output channels padded to a multiple of 8."""
    return int(np.prod(shape[:-1])) * -(-shape[-1] // 8) * 8
