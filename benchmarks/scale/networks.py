"""A network of any width at any image size, as files for both engines.

python -m benchmarks.scale.networks FOLDER SIDE_PX WIDTH
"""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from benchmarks import models
from benchmarks.contenders import FACTS

if TYPE_CHECKING:
    from edgepatho.model.graph import Graph

SEED = 0


def widened(graph: Graph, width: Fraction) -> Graph:
    """Return the network with `width` times as many channels everywhere between image and heat maps.

    The weights are random: normal, with the variance that keeps that of the activations (He et al., 2015).
    """
    generator = np.random.default_rng(SEED)
    kernels, affines, nodes = {}, {}, []
    last = [node["name"] for node in graph.nodes if node["op"] == "conv2d"][-1]
    for node in graph.nodes:
        name, scale = node["name"], 1.0
        if node["op"] == "conv2d":
            inputs = 1 if node["inputs"] == [graph.input["name"]] else width
            channels = int(node["out_channels"] * (1 if name == last else width))
            shape = (*node["kernel"], int(node["in_channels"] * inputs), channels)
            deviation = np.sqrt(2 / np.prod(shape[:3]))
            kernels[name] = (deviation * generator.standard_normal(shape)).astype(np.float32)
            node = node | {"in_channels": shape[2], "out_channels": channels}
        elif node["op"] == "affine":
            channels, scale = int(node["channels"] * width), 1 / np.sqrt(3)  # it follows a sum of three maps
            node = node | {"channels": channels}
        if name in graph.affines:
            affines[name] = (np.full(channels, scale, np.float32), np.zeros(channels, np.float32))
        nodes.append(node)
    return replace(graph, nodes=nodes, kernels=kernels, affines=affines)


def build(graph: Graph, side_px: int, folder: Path) -> None:
    """Write model.epb (256 shared values), fp32.tflite, an image of the size, and the network's facts."""
    from edgepatho.exporters import bundle, golden, rewrite, tflite
    from edgepatho.model.shared import SharedModel
    from edgepatho.quantize.quantizer import Quantizer, share

    shared: SharedModel = share(graph, Quantizer())
    network = shared.dense()
    about = {"scoring": bundle.SCORING, "provenance": {"method": "cws"}, "accuracy": {}}
    bundle.write(folder / "model.epb", shared, **about)
    (folder / "fp32.tflite").write_bytes(tflite.baseline(network, side_px))
    repeats = side_px // golden.SIDE_PX
    (folder / models.IMAGE).write_bytes(np.tile(golden.patch(), (repeats, repeats, 1)).tobytes())
    late = rewrite.upsample_late(network)
    facts = {
        "model": "full",
        "parameters": sum(kernel.size for kernel in network.kernels.values())
        + sum(scale.size + shift.size for scale, shift in network.affines.values()),
        "multiply_adds": {
            "drawn": models.multiply_adds(network, side_px, side_px),
            "rewritten": models.multiply_adds(late, side_px, side_px),
        },
    }
    (folder / FACTS).write_text(json.dumps(facts))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("side_px", type=int)
@click.argument("width", type=Fraction)
def main(folder: Path, side_px: int, width: Fraction) -> None:
    """Write PathoNet at WIDTH times its channels, for images of SIDE_PX pixels, to FOLDER."""
    from edgepatho.model import graph as graphs
    from edgepatho.model import weights

    graph = graphs.from_keras(weights.load_shipped())
    build(graph if width == 1 else widened(graph, width), side_px, folder)


if __name__ == "__main__":
    main()
