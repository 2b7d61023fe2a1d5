"""The rewrite given to the incumbent: the same function, with upsampling as late as it exactly can come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.rewritten import rewrite
from edgepatho.model import graph as graphs
from edgepatho.model import pathonet

CHANNELS = 5


def network(*steps: tuple[str, dict[str, Any]], seed: int = 0) -> graphs.Graph:
    """A graph from steps (op, fields); random weights, every step reads the one before unless it says."""
    rng = np.random.default_rng(seed)
    nodes, kernels, affines, previous = [], {}, {}, "image"
    for number, (op, fields) in enumerate(steps):
        node: dict[str, Any] = {"name": f"n{number}", "op": op, "inputs": [previous], **fields}
        if op == "conv2d":
            shape = (*node["kernel"], CHANNELS, CHANNELS)
            kernels[node["name"]] = rng.normal(size=shape).astype(np.float32)
        if op in ("conv2d", "affine"):
            pair = rng.normal(size=(2, CHANNELS)).astype(np.float32)
            affines[node["name"]] = (pair[0], pair[1])
        nodes.append(node)
        previous = node["name"]
    image = {"name": "image", "channels": CHANNELS, "divisor": 255}
    return graphs.Graph(image, nodes, kernels, affines, previous)


def conv(size: int, dilation: int = 1) -> tuple[str, dict[str, Any]]:
    return "conv2d", {"kernel": [size, size], "dilation": dilation}


UP: tuple[str, dict[str, Any]] = ("upsample2_nearest", {})
LEAKY: tuple[str, dict[str, Any]] = ("leaky_relu", {"slope": 0.3})
AFFINE: tuple[str, dict[str, Any]] = ("affine", {"channels": CHANNELS})


@pytest.mark.parametrize(("height", "width"), [(5, 7), (16, 11), (1, 2)])
@pytest.mark.parametrize(
    "steps",
    [
        (UP, conv(1), LEAKY, AFFINE),
        (UP, conv(3, 2), LEAKY, conv(3, 4), UP, conv(3, 6)),
        (UP, conv(3, 1), LEAKY),
        (UP, conv(3, 3), conv(1)),
        (UP, conv(1), ("add", {"inputs": ["n0", "n1"]}), LEAKY),
        (UP, conv(3), ("add", {"inputs": ["n0", "n1"]}), ("concat", {"inputs": ["n0", "n2"]})),
        (UP, conv(3, 2), conv(3), ("add", {"inputs": ["n2", "n1", "n0"]}), LEAKY),
        (UP, UP, conv(3, 4), conv(1)),
    ],
)
def test_a_rewritten_graph_is_the_same_function_at_any_size(steps, height, width):
    graph = network(*steps)
    image = np.random.default_rng(1).normal(size=(1, height, width, CHANNELS)).astype(np.float32)
    expected = graphs.evaluate(graph, image).numpy()
    found = graphs.evaluate(rewrite(graph), image).numpy()
    assert np.abs(found - expected).max() <= 2e-5 * np.abs(expected).max()


def test_pathonet_keeps_only_plain_3x3_convolutions_behind_an_upsampling():
    graph = rewrite(graphs.from_keras(pathonet.build()))
    upsampled = {node["name"] for node in graph.nodes if node["op"] == "upsample2_nearest"}
    behind = [node for node in graph.nodes if upsampled & set(node["inputs"]) and node["op"] == "conv2d"]
    assert len(behind) == 4
    assert all(node["kernel"] == [3, 3] and node["dilation"] == 1 for node in behind)
    # four modules, each with two 1x1 and two dilated convolutions on the small map
    assert sum(node["op"] == "conv2d" and node["name"].endswith("_low") for node in graph.nodes) == 16
