"""The golden input and output, with which a device checks that it computes the same as the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.exporters.limits import MAX_GOLDEN_SIDE_PX, MIN_GOLDEN_SIDE_PX
from edgepatho.exporters.refusals import refused

if TYPE_CHECKING:
    from edgepatho.model.graph import Graph

SIDE_PX = 64
STRIDE_PX = 4  # the output keeps every fourth pixel
SIDES_PX = range(MIN_GOLDEN_SIDE_PX, MAX_GOLDEN_SIDE_PX + 1, MIN_GOLDEN_SIDE_PX)
# row, column, radius, colour of synthetic nuclei: brown stained, blue unstained, small and dark a lymphocyte
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


def patch() -> NDArray[Any]:
    """A synthetic uint8 image [64, 64, 3] of eight nuclei; in integers, so identical on every machine."""
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
    image = np.empty((SIDE_PX, SIDE_PX, 3), np.int64)
    image[:] = np.array(BACKGROUND) - ((rows * 3 + columns * 5) // 16 % 4)[..., None]
    for row, column, radius, colour in NUCLEI:
        inside = radius**2 - (rows - row) ** 2 - (columns - column) ** 2  # 0 at the rim
        weight = np.clip(2 * inside, 0, 16)[..., None]
        image = (image * (16 - weight) + np.array(colour) * weight) // 16
    return image.astype(np.uint8)


def answer(network: Graph, image: NDArray[Any]) -> NDArray[Any]:
    """The network's float32 output for one uint8 image: every fourth pixel, or all of a flat vector."""
    from edgepatho.model import graph

    scaled = image.astype(np.float32) / np.float32(network.input["divisor"])
    output = graph.evaluate(network, scaled[None]).numpy()[0]
    return np.ascontiguousarray(output[::STRIDE_PX, ::STRIDE_PX] if output.ndim == 3 else output)


def check_image(image: NDArray[Any]) -> None:
    """Refuse an image that cannot be the golden input of any network."""
    valid = image.dtype == np.uint8 and image.ndim == 3 and all(side in SIDES_PX for side in image.shape[:2])
    if not valid:
        raise refused("InvalidGoldenInput", dtype=image.dtype, shape=list(image.shape))


def answer_shape(output: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of `golden.output` for a network whose output has the shape `output`."""
    return (*(-(-side // STRIDE_PX) for side in output[:-1]), output[-1])
