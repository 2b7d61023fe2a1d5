"""Every rewrite preserves the network's function, on random graphs and at odd sizes, and has its effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy_network
import pytest
from random_network import Builder, random_network

from edgepatho_runtime.plan import rewrite

PASSES: dict[str, Callable[[list[Any], str], list[Any]]] = {
    "pair_sums": lambda nodes, output: rewrite.pair_sums(nodes),
    "postpone_upsampling": lambda nodes, output: rewrite.postpone_upsampling(nodes),
    "absorb_upsampling": lambda nodes, output: rewrite.absorb_upsampling(nodes),
    "repeat_head": lambda nodes, output: rewrite.repeat_head(nodes),
    "reachable": rewrite.reachable,
    "rewritten": rewrite.rewritten,
}


def meaning(b: Builder, nodes: list[Any], image: np.ndarray) -> np.ndarray:
    """The float64 output of rewritten nodes: the two additions of rewrite.py undone, node by node."""
    plain: list[Any] = []
    kernels, affines = dict(b.kernels), dict(b.affines)
    again = {"image.again": "image"}
    for node in nodes:
        if node["op"] == "image":
            continue
        node = dict(node, inputs=[again.get(name, name) for name in node["inputs"]])
        original = node.pop("weights", node["name"])
        for arrays in (kernels, affines):
            if original in arrays:
                arrays[node["name"]] = arrays[original]
        if node.pop("enlarged", False):
            enlarged = f"{node['name']} enlarged"
            plain.append({"name": enlarged, "op": "upsample2_nearest", "inputs": node["inputs"]})
            node["inputs"] = [enlarged]
        plain.append(node)
    return numpy_network.output(dict(b.graph(), nodes=plain), kernels, affines, image)


@pytest.mark.parametrize("name", PASSES)
@pytest.mark.parametrize("size", [(16, 16), (9, 13)])
def test_random_networks_compute_the_same(name, size):
    changed = 0
    for seed in range(40):
        b = random_network(seed, size)
        nodes = PASSES[name](b.nodes, b.nodes[-1]["name"])
        changed += nodes != b.nodes
        image = b.image()
        expected = b.expected(image)
        np.testing.assert_allclose(
            meaning(b, nodes, image), expected, rtol=0, atol=1e-9 * np.abs(expected).max()
        )
    assert changed >= 3, f"{name} changed almost nothing"


def ops(nodes: list[Any]) -> list[str]:
    return [node["op"] for node in nodes]


def test_pointwise_and_even_dilations_go_before_the_enlargement():
    b = Builder(0)
    b.conv(b.activation(b.conv(b.conv(b.up(b.conv("image", 8)), 8, 1), 8, 3, 4)), 8, 3, 2)
    nodes = rewrite.rewritten(b.nodes, b.nodes[-1]["name"])
    assert ops(nodes)[-1] == "upsample2_nearest"
    assert "upsample2_nearest" not in ops(nodes)[:-1]
    assert [node["dilation"] for node in nodes if node["op"] == "conv2d"] == [1, 1, 2, 1]


@pytest.mark.parametrize("dilation", [3, 5, 7])
def test_odd_dilations_above_1_are_left_alone(dilation):
    b = Builder(0)
    b.conv(b.up(b.conv("image", 8)), 8, 3, dilation)
    assert rewrite.rewritten(b.nodes, b.nodes[-1]["name"]) == b.nodes


def test_dilation_1_reads_what_was_enlarged():
    b = Builder(0)
    b.conv(b.up(b.conv("image", 8)), 8)
    first, second = rewrite.rewritten(b.nodes, b.nodes[-1]["name"])
    assert second["enlarged"]
    assert second["inputs"] == [first["name"]]


def test_enlarged_terms_are_added_among_themselves():
    b = Builder(0)
    full, low = b.conv("image", 8), b.conv(b.pool(b.conv("image", 8)), 8)
    b.plus(b.up(low), full, b.up(b.conv(low, 8, 1)))
    nodes = rewrite.postpone_upsampling(rewrite.pair_sums(b.nodes))
    sums = [node for node in nodes if node["op"] == "add"]
    assert [len(node["inputs"]) for node in sums] == [2, 2]
    assert sums[0]["name"].endswith(".small")


def test_the_first_block_is_repeated_for_its_late_reader_only():
    b = Builder(0)
    head = b.activation(b.conv(b.activation(b.conv("image", 8)), 8))
    b.conv(b.concat(head, b.up(b.conv(b.pool(head), 8))), 3, 1)
    names = [node["name"] for node in rewrite.repeat_head(b.nodes)]
    assert [name for name in names if name.endswith(".again")] == [
        "image.again",
        *(f"n{i}.again" for i in range(4)),
    ]
    b = Builder(0)
    b.conv(b.pool(b.conv("image", 8)), 3)
    assert rewrite.repeat_head(b.nodes) == b.nodes
