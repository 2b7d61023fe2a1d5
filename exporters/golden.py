"""The picture and the answer by which a device checks that it computes what the host computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgepatho.errors import InputError

if TYPE_CHECKING:
    from edgepatho.exporters.schema import Value
    from edgepatho.model.graph import Graph

SIDE_PX = 64
STRIDE_PX = 4  # of the answer: every fourth pixel
SIDES_PX = range(16, 257, 16)
# row, column, radius, colour of synthetic nuclei: brown is stained, blue is not, small and dark a lymphocyte
NUCLEI = (
    (10, 12, 6, (128, 84, 58)),
    (14, 44, 7, (112, 124, 168)),
    (31, 27, 7, (146, 98, 66)),
    (36, 54, 6, (104, 118, 160)),
    (52, 11, 7, (120, 130, 172)),
    (50, 38, 6, (118, 74, 52)),
    (24, 8, 3, (62, 58, 96)),
    (58, 56, 3, (58, 56, 92)),
)
BACKGROUND = (226, 214, 220)


def patch() -> np.ndarray:
    """A synthetic uint8 image [64, 64, 3] of eight nuclei, in integers: the same bytes on every machine."""
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
    image = np.empty((SIDE_PX, SIDE_PX, 3), np.int64)
    image[:] = np.array(BACKGROUND) - ((rows * 3 + columns * 5) // 16 % 4)[..., None]
    for row, column, radius, colour in NUCLEI:
        inside = radius**2 - (rows - row) ** 2 - (columns - column) ** 2  # 0 at the rim
        weight = np.clip(inside, 0, 16)[..., None]
        image = (image * (16 - weight) + np.array(colour) * weight) // 16
    return image.astype(np.uint8)


def answer(network: Graph, image: np.ndarray) -> np.ndarray:
    """The network's float32 output for one uint8 image: every fourth pixel, or the whole of a flat vector."""
    from edgepatho.model import graph

    if (
        image.ndim != 3
        or image.dtype != np.uint8
        or image.shape[0] not in SIDES_PX
        or image.shape[1] not in SIDES_PX
    ):
        raise InputError(
            f"the golden input is {image.dtype} {image.shape}; expected uint8, sides 16 to 256 by 16."
        )
    scaled = image.astype(np.float32) / np.float32(network.input["divisor"])
    output = graph.evaluate(network, scaled[None]).numpy()[0]
    return np.ascontiguousarray(output[::STRIDE_PX, ::STRIDE_PX] if output.ndim == 3 else output)


def check(tensors: dict[str, np.ndarray], output: Value, image: Value) -> None:
    """Refuse a golden pair that does not fit the network, whose `output` and `image` the schema has found."""
    given, answer = tensors["golden.input"], tensors["golden.output"]
    height, width = given.shape[:2] if given.ndim == 3 else (0, 0)
    fits = height in SIDES_PX and width in SIDES_PX and given.shape[2] == image.channels
    if given.dtype != np.uint8 or not fits:
        raise InputError(
            f"golden.input is {given.dtype} {list(given.shape)}, expected uint8 with sides 16 to 256 by 16."
        )
    if output.halvings is None:
        expected: tuple[int, ...] = (output.channels or answer.size,)
    else:
        zoom = 2.0**-output.halvings
        expected = (*(-(-int(side * zoom) // STRIDE_PX) for side in (height, width)), output.channels or 0)
    if answer.dtype != np.float32 or answer.shape != expected:
        raise InputError(
            f"golden.output is {answer.dtype} {list(answer.shape)}, expected float32 {list(expected)}."
        )
