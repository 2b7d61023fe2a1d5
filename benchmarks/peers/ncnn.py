"""A network's param and bin files for ncnn, written from its graph.

The format is described in ncnn's developer guide. Like ncnn's own optimizer, this fuses scale and activation
into each convolution and merges nothing else.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.errors import InputError
from edgepatho.model.graph import Graph, folded

MAGIC = 7767517
FLOAT32_TAG = np.zeros(1, np.uint32)  # before the weights of a convolution: plain float32


def write(graph: Graph, param: Path, weights: Path, height: int, width: int) -> None:
    """Write `param` (text) and `weights` (float32); blobs are named after nodes, the input is `image`.

    Raises InputError for an operation that PathoNet does not have.
    """
    graph = folded(graph)
    layers: list[str] = []
    blobs: list[NDArray[Any]] = []
    nodes, merged = _with_fused_activations(graph)
    readers = Counter(merged[name] for node in nodes for name in node["inputs"])
    taken: Counter[str] = Counter()

    def add(kind: str, name: str, inputs: list[str], outputs: list[str], options: str = "") -> None:
        layers.append(f"{kind} {name} {len(inputs)} {len(outputs)} {' '.join([*inputs, *outputs])} {options}")

    def produce(kind: str, name: str, inputs: list[str], options: str = "") -> None:
        """Add a layer and, if several read its result, the Split that ncnn requires."""
        sources = []
        for value in inputs:
            source = merged[value]
            sources.append(f"{source}/{taken[source]}" if readers[source] > 1 else source)
            taken[source] += 1
        add(kind, name, sources, [name], options)
        if readers[name] > 1:
            add("Split", f"{name}/split", [name], [f"{name}/{copy}" for copy in range(readers[name])])

    produce("Input", graph.input["name"], [], f"0={width} 1={height} 2={graph.input['channels']}")
    for node in nodes:
        kind, options = _layer(node)
        if node["op"] == "conv2d":
            kernel = graph.kernels[node["name"]].transpose(3, 2, 0, 1)
            blobs += [FLOAT32_TAG, np.ascontiguousarray(kernel), graph.affines[node["name"]][1]]
        elif node["op"] == "affine":
            blobs += [*graph.affines[node["name"]]]
        produce(kind, node["name"], node["inputs"], options)
    count = sum(int(layer.split()[3]) for layer in layers)
    param.write_text("\n".join([str(MAGIC), f"{len(layers)} {count}", *layers]) + "\n")
    weights.write_bytes(b"".join(blob.tobytes() for blob in blobs))


def _with_fused_activations(graph: Graph) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the nodes without activations that follow a convolution, and the new source of each value."""
    readers = Counter(name for node in graph.nodes for name in node["inputs"])
    convolutions = {node["name"]: node for node in graph.nodes if node["op"] == "conv2d"}
    nodes: list[dict[str, Any]] = []
    merged = {graph.input["name"]: graph.input["name"]}
    for node in graph.nodes:
        source = node["inputs"][0]
        if node["op"] in ("leaky_relu", "relu") and source in convolutions and readers[source] == 1:
            nodes[nodes.index(convolutions[source])] = convolutions[source] | {"activation": node}
            merged[node["name"]] = source
        else:
            nodes.append(node)
            merged[node["name"]] = node["name"]
    return nodes, merged


def _layer(node: dict[str, Any]) -> tuple[str, str]:
    """Return ncnn's name of an operation and its options, `number=value`."""
    match node["op"]:
        case "conv2d":
            size, dilation, channels = node["kernel"][0], node["dilation"], node["out_channels"]
            options = (
                f"0={channels} 1={size} 2={dilation} 3=1 4={dilation * (size // 2)} 5=1 "
                f"6={channels * node['in_channels'] * size * size}"
            )
            if activation := node.get("activation"):
                slope = activation.get("slope")
                options += " 9=1" if slope is None else f" 9=2 -23310=1,{slope}"
            return "Convolution", options
        case "affine":
            return "Scale", f"0={node['channels']} 1=1"
        case "leaky_relu":
            return "ReLU", f"0={node['slope']}"
        case "relu":
            return "ReLU", ""
        case "add":
            return "Eltwise", "0=1"
        case "concat":
            return "Concat", "0=0"
        case "maxpool2":
            return "Pooling", "0=0 1=2 2=2 5=1"
        case "upsample2_nearest":
            return "Interp", "0=1 1=2.0 2=2.0"
    raise InputError(f"node {node['name']} is a {node['op']}, which the ncnn comparison does not write.")
