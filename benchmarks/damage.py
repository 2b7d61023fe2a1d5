"""Synthetic pictures in the formats that are read, and the kinds of damage."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

Damage = Callable[[bytes, np.random.Generator], bytes]
SECTOR_BYTES = 512
FORMATS: dict[str, dict[str, Any]] = {
    "PNG": {"format": "PNG"},
    "JPEG": {"format": "JPEG", "quality": 92},
    "JPEG, progressive": {"format": "JPEG", "quality": 92, "progressive": True},
    "TIFF": {"format": "TIFF"},
    "TIFF, LZW": {"format": "TIFF", "compression": "tiff_lzw"},
    "TIFF, deflate": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
    "TIFF, JPEG": {"format": "TIFF", "compression": "jpeg"},
    "PPM": {"format": "PPM"},
}


def field(height: int, width: int, seed: int = 4) -> Image.Image:
    """Return a synthetic field: pale textured background, brown and blue nuclei."""
    random = np.random.default_rng(seed)
    ground = ndimage.gaussian_filter(random.normal(0, 40, (height, width)), 2) + random.normal(
        0, 3, (height, width)
    )
    picture = np.array([222.0, 208.0, 214.0]) + ground[..., None]
    rows, columns = np.mgrid[:height, :width]
    for nucleus in range(height * width // 900):
        y, x = random.integers(0, height), random.integers(0, width)
        inside = (rows - y) ** 2 + (columns - x) ** 2 <= 36
        picture[inside] += np.array([-100, -130, -150] if nucleus % 2 else [-120, -90, -30])
    return Image.fromarray(picture.clip(1, 254).astype(np.uint8))


def encoded(picture: Image.Image, **options: Any) -> bytes:
    """Return a picture as a file of one of FORMATS."""
    file = io.BytesIO()
    picture.save(file, **options)
    return file.getvalue()


def zeroed_sector(data: bytes, random: np.random.Generator) -> bytes:
    """Return `data` with one whole 512-byte sector zeroed, never the first."""
    start = SECTOR_BYTES * int(random.integers(1, len(data) // SECTOR_BYTES))
    return data[:start] + bytes(SECTOR_BYTES) + data[start + SECTOR_BYTES :]


def flipped_bit(data: bytes, random: np.random.Generator) -> bytes:
    """Return `data` with one bit flipped after the first sector."""
    bent = bytearray(data)
    bent[int(random.integers(SECTOR_BYTES, len(data)))] ^= 1 << int(random.integers(8))
    return bytes(bent)


def cut_tail(data: bytes, random: np.random.Generator) -> bytes:
    """Return `data` truncated anywhere after the first sector."""
    return data[: int(random.integers(SECTOR_BYTES, len(data) - 2))]


def zero_tail(data: bytes, random: np.random.Generator) -> bytes:
    """Return `data` with zeros at the end, like a preallocated file that is still being written."""
    kept = int(random.integers(SECTOR_BYTES, max(SECTOR_BYTES + 1, len(data) - 8192)))
    return data[:kept] + bytes(len(data) - kept)


FAULTS: dict[str, Damage] = {
    "512-byte sector zeroed": zeroed_sector,
    "one bit flipped": flipped_bit,
    "tail cut": cut_tail,
    "tail zeroed": zero_tail,
}
