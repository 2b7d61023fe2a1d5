"""The layout of kernels in a bundle: eight output channels at a time (docs/bundle-format.md)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LANES = 8
NIBBLE_LEVELS = 16  # codebooks up to this size take half a byte per index
BYTE_LEVELS = 256


def blocked(kernel: NDArray[Any]) -> NDArray[Any]:
    """[kh, kw, in, out] -> [ceil(out / 8), in, kh * kw, 8], output channels padded with 0."""
    height, width, channels_in, channels_out = kernel.shape
    blocks = -(-channels_out // LANES)
    padded = np.zeros((height * width, channels_in, blocks * LANES), kernel.dtype)
    padded[..., :channels_out] = kernel.reshape(height * width, channels_in, channels_out)
    split = padded.reshape(height * width, channels_in, blocks, LANES)
    return np.ascontiguousarray(split.transpose(2, 1, 0, 3))


def unblocked(blocks: NDArray[Any], size: tuple[int, int], channels_out: int) -> NDArray[Any]:
    """The inverse of `blocked`, for kernels of `size` (height, width)."""
    count, channels_in, taps, lanes = blocks.shape
    joined = blocks.transpose(2, 1, 0, 3).reshape(taps, channels_in, count * lanes)
    return np.ascontiguousarray(joined[..., :channels_out].reshape(*size, channels_in, channels_out))


def packed(indices: NDArray[Any], levels: int) -> NDArray[Any]:
    """Blocked indices [..., 8] in the width that a codebook of `levels` needs; nibbles give [..., 4]."""
    if levels > BYTE_LEVELS:
        return indices.astype(np.uint16)
    narrow = indices.astype(np.uint8)
    if levels > NIBBLE_LEVELS:
        return narrow
    return narrow[..., 0::2] | (narrow[..., 1::2] << 4)


def unpacked(stored: NDArray[Any], levels: int) -> NDArray[Any]:
    """The inverse of `packed`: uint16 indices [..., 8]."""
    if levels > NIBBLE_LEVELS:
        return stored.astype(np.uint16)
    nibbles: NDArray[Any] = np.stack([stored & 15, stored >> 4], axis=-1)
    return nibbles.reshape(*stored.shape[:-1], LANES).astype(np.uint16)


def stored_form(shape: tuple[int, int, int], levels: int | None) -> tuple[str, tuple[int, ...]]:
    """Type and shape of a stored (in, out, taps) kernel: index with a codebook of `levels`, else weight."""
    channels_in, channels_out, taps = shape
    blocks = (-(-channels_out // LANES), channels_in, taps)
    if levels is None:
        return "F32", (*blocks, LANES)
    if levels > BYTE_LEVELS:
        return "U16", (*blocks, LANES)
    return "U8", (*blocks, LANES if levels > NIBBLE_LEVELS else LANES // 2)
