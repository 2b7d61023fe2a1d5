"""The graph an expert would hand to TFLite: upsampling moved behind the layers it commutes with.

Nearest upsampling copies pixels, so whatever treats each pixel alone (1x1 convolution, scale, activation)
may run before it, and a 3x3 convolution of even dilation does the same on the small map with half the
dilation, borders included. This gives the incumbent our rewrite, to tell its gain from the kernels'.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edgepatho.model.graph import Graph

POINTWISE = ("affine", "leaky_relu", "relu")


def rewrite(graph: Graph) -> Graph:
    """Return a graph of the same function whose upsampling comes as late as it exactly can.

    The sums of an add may be taken in another order: equal but for rounding.
    """
    nodes: list[dict[str, Any]] = []
    small: dict[str, str] = {}  # value -> the value it is the upsampling of
    emitted: set[str] = set()

    def emit(**node: Any) -> None:
        nodes.append(node)
        emitted.add(node["name"])

    def full(name: str) -> str:
        """The value itself, upsampled here if that has not been done yet."""
        if name in small and name not in emitted:
            emit(name=name, op="upsample2_nearest", inputs=[small[name]])
        return name

    for node in graph.nodes:
        name, inputs = node["name"], node["inputs"]
        if node["op"] == "upsample2_nearest":
            small[name] = full(inputs[0])
        elif inputs[0] in small and _commutes(node):
            low = _low(name)
            emit(**{**node, "name": low, "inputs": [small[inputs[0]]], **_halved(node)})
            small[name] = low
        elif node["op"] == "add" and sum(value in small for value in inputs) > 1:
            late = [value for value in inputs if value in small]
            early = [value for value in inputs if value not in small]
            low = _low(name)
            emit(name=low, op="add", inputs=[small[value] for value in late])
            if early:
                emit(name=f"{low}_up", op="upsample2_nearest", inputs=[low])
                emit(name=name, op="add", inputs=[*early, f"{low}_up"])
            else:
                small[name] = low
        else:
            emit(**{**node, "inputs": [full(value) for value in inputs]})
    full(graph.output)
    return replace(
        graph,
        nodes=nodes,
        kernels=_renamed(graph.kernels, emitted),
        affines=_renamed(graph.affines, emitted),
    )


def _commutes(node: dict[str, Any]) -> bool:
    if node["op"] == "conv2d":
        return node["kernel"] == [1, 1] or node["dilation"] % 2 == 0
    return node["op"] in POINTWISE


def _halved(node: dict[str, Any]) -> dict[str, int]:
    even = node["op"] == "conv2d" and node["kernel"] != [1, 1]
    return {"dilation": node["dilation"] // 2} if even else {}


def _low(name: str) -> str:
    return f"{name}_low"


def _renamed(arrays: dict[str, Any], emitted: set[str]) -> dict[str, Any]:
    return {_low(name) if _low(name) in emitted else name: value for name, value in arrays.items()}
