"""The user's MODEL, whatever its kind, as graphs with their thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.classes import CLASSES
from edgepatho.data.density import NETWORK_PX
from edgepatho.errors import InputError
from edgepatho.files import sha256_of

if TYPE_CHECKING:
    from edgepatho.exporters.bundle import Bundle
    from edgepatho.model.graph import Graph

BATCH = 4
SIDE_UNIT_PX = 16  # the network halves a side four times
TILE = (NETWORK_PX, NETWORK_PX, len(CLASSES))  # of images and of heat maps


@dataclass(frozen=True)
class Networks:
    """Networks by name, the scoring settings stored with them if any, and the hash of their file."""

    graphs: dict[str, Graph]
    scoring: dict[str, Any] | None
    sha256: str


def load(path: Path | None) -> Networks:
    """Return the networks of a weights file, a bundle, or a compress folder (original and compressed).

    None stands for the shipped weights. Raises InputError for anything else.
    """
    from edgepatho.exporters import bundle
    from edgepatho.model import graph as graphs
    from edgepatho.model import weights

    if path is not None and path.is_dir():
        if not (path / "compress.json").is_file():
            raise InputError(f"{path} has no compress.json; give a folder that `edgepatho compress` wrote.")
        original, compressed = (read_bundle(path / name) for name in ("baseline.epb", "model.epb"))
        graphs_of = {"original": bundle.network_of(original), "compressed": bundle.network_of(compressed)}
        return Networks(graphs_of, compressed.scoring, compressed.file_sha256)
    if path is not None and path.suffix == ".epb":
        single = read_bundle(path)
        return Networks({path.stem: bundle.network_of(single)}, single.scoring, single.file_sha256)
    model = weights.load_shipped(None) if path is None else weights.load(path, None)
    source = weights.SHIPPED if path is None else path
    return Networks({"original": graphs.from_keras(model)}, None, sha256_of(source))


def read_bundle(path: Path) -> Bundle:
    """Return the bundle in a file; InputError unless its network turns a tile into three heat maps."""
    from edgepatho.exporters import bundle, schema

    content = bundle.read(path)
    try:
        shape = schema.check_graph(content.graph, TILE)
    except InputError as error:
        raise InputError(f"{path} does not take tiles of {TILE[0]} px: {error}") from None
    if shape != TILE:
        raise InputError(
            f"{path} makes {list(shape)} of a tile, expected heat maps {list(TILE)}; give a PathoNet bundle."
        )
    return content


def heat_of_pictures(network: Graph, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
    """Return the output of `network` for each picture uint8 [height, width, 3], as the device computes it.

    Sides that are not multiples of SIDE_UNIT_PX are padded by repeating the edge, and the output is cropped.
    """
    padded = [
        np.pad(each, [*((0, -side % SIDE_UNIT_PX) for side in each.shape[:2]), (0, 0)], "edge")
        for each in pictures
    ]
    maps: dict[int, NDArray[np.float32]] = {}
    for shape in {each.shape for each in padded}:  # the network is traced once for each
        alike = [at for at, each in enumerate(padded) if each.shape == shape]
        maps |= zip(alike, heat(network, np.stack([padded[at] for at in alike])), strict=True)
    return [maps[at][: each.shape[0], : each.shape[1]] for at, each in enumerate(pictures)]


def heat(network: Graph, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the output of `network` for `images` uint8 [n, height, width, 3]."""
    import tensorflow as tf

    from edgepatho.model import graph as graphs

    traced = tf.function(lambda batch: graphs.evaluate(network, batch), autograph=False)
    infer = traced.get_concrete_function(tf.TensorSpec([None, *images.shape[1:]], tf.float32))
    parts = [
        tf.constant(images[at : at + BATCH].astype(np.float32) / 255) for at in range(0, len(images), BATCH)
    ]
    return np.concatenate([np.asarray(infer(part)) for part in parts])
