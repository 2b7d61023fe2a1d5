"""The device measures pictures as the host does, on which the envelope was fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepatho.data.synth.style import patient_style
from edgepatho.data.synth.tile import make_tile
from edgepatho.envelope import colour, statistics
from edgepatho_runtime import _vision, image

TOLERANCE = 1e-6  # relative; the device keeps densities around cells in single precision
KNOWN = np.random.default_rng(5).random(colour.TABLE) < 0.5


def of_host(picture: np.ndarray, cells: np.ndarray) -> dict[str, Any]:
    seen = colour.colour(picture)
    unseen = {"unseen_colours": statistics.unseen_colours(seen, KNOWN)}
    return statistics.of_picture(picture, seen) | statistics.of_cells(seen, cells) | unseen


def of_device(picture: np.ndarray, cells: np.ndarray) -> dict[str, Any]:
    height, width, _ = picture.shape
    return _vision.measure(
        picture.tobytes(),
        height,
        width,
        np.packbits(KNOWN).tobytes(),
        [(float(x), float(y)) for x, y in cells],
    )


def check(picture: np.ndarray, cells: np.ndarray) -> dict[str, Any]:
    host, device = of_host(picture, cells), of_device(picture, cells)
    assert set(host) == set(device)
    for name, expected in host.items():
        if expected is None:
            assert device[name] is None, name
        else:
            assert device[name] == pytest.approx(expected, rel=TOLERANCE, abs=1e-12), name
    return device


@settings(max_examples=60)
@given(st.tuples(st.integers(1, 40), st.integers(1, 40)), st.integers(0, 2**32 - 1), st.integers(0, 8))
def test_any_picture(size: tuple[int, int], seed: int, cells: int) -> None:
    generator = np.random.default_rng(seed)
    low, high = sorted(generator.integers(0, 256, 2).tolist())
    picture = generator.integers(low, high + 1, (*size, 3)).astype(np.uint8)
    check(picture, generator.random((cells, 2)) * [size[1] - 1, size[0] - 1])


@pytest.mark.parametrize("patient", [1, 2])
def test_a_synthetic_tile(patient: int) -> None:
    tile = make_tile(7, patient_style(7, patient, 4), 100, 1, 512)
    full = image.Image(512, 512, np.ascontiguousarray(tile.image).tobytes())
    picture = np.frombuffer(image.resize(full, 107, 107).rgb, np.uint8).reshape(107, 107, 3)
    found = check(picture, np.random.default_rng(patient).random((30, 2)) * 106)
    assert found["hematoxylin"] is not None
    assert found["unseen_colours"] > 0


@pytest.mark.parametrize("level", [0, 1, 255])
def test_a_plain_picture(level: int) -> None:
    check(np.full((9, 7, 3), level, np.uint8), np.zeros((0, 2)))


def test_doubtful_heat() -> None:
    heat = (np.random.default_rng(3).random((30, 20, 3)) * 80).astype(np.float32)
    thresholds = [60.0, 55.0, 40.0]
    assert _vision.doubtful_heat(heat, 600, thresholds) == statistics.doubtful_heat(heat, thresholds)
    assert _vision.doubtful_heat(np.zeros((4, 3), np.float32), 4, thresholds) is None


def test_buffers_of_the_wrong_size_are_refused() -> None:
    table = bytes(colour.HUE_STEPS**2 * len(colour.STRENGTHS) // 8)
    with pytest.raises(ValueError, match="rgb holds 11 bytes, expected 12"):
        _vision.measure(bytes(11), 2, 2, table, [])
    with pytest.raises(ValueError, match="colours holds 3 bytes"):
        _vision.measure(bytes(12), 2, 2, b"abc", [])
    with pytest.raises(ValueError, match="cell 0 is outside"):
        _vision.measure(bytes(12), 2, 2, table, [(2.0, 0.0)])
    with pytest.raises(ValueError, match="cell 0 is outside"):
        _vision.measure(bytes(12), 2, 2, table, [(float("nan"), 0.0)])
    with pytest.raises(ValueError, match="heat holds"):
        _vision.doubtful_heat(bytes(8), 1, [1.0, 2.0, 3.0])
