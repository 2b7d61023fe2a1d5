"""A network as an ONNX file, written from its graph: what ONNX Runtime, MNN and OpenVINO start from.

The operations are those of the ONNX standard, opset 18, with ONNX's own layout [1, channels, height, width]
for input and output. The input is RGB / 255.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgepatho.errors import InputError
from edgepatho.model.graph import Graph, folded

OPSET, IR_VERSION = 18, 10
UPSAMPLING = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def write(graph: Graph, file: Path, height: int, width: int) -> None:
    """Write the float32 network, batch normalization folded into its kernels, for one image of a fixed size.

    Raises InputError for an operation that PathoNet does not have.
    """
    graph = folded(graph)
    constants: dict[str, NDArray[Any]] = {"twice": np.array([1, 1, 2, 2], np.float32)}
    nodes = [node for one in graph.nodes for node in _nodes(one, graph, constants)]
    last = [node for node in graph.nodes if node["op"] == "conv2d"][-1]
    image, heat_maps = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, channels, height, width])
        for name, channels in (
            (graph.input["name"], graph.input["channels"]),
            (graph.output, last["out_channels"]),
        )
    )
    stored = [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()]
    network = helper.make_graph(nodes, "network", [image], [heat_maps], stored)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(network, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, file)


def _nodes(node: dict[str, Any], graph: Graph, constants: dict[str, NDArray[Any]]) -> list[Any]:
    """Return the ONNX nodes of one operation, and add its weights to `constants`."""
    name, inputs = node["name"], list(node["inputs"])

    def constant(part: str, value: NDArray[Any]) -> str:
        constants[f"{name}.{part}"] = value
        return f"{name}.{part}"

    def one(kind: str, inputs: list[str], output: str = name, **attributes: Any) -> Any:
        return helper.make_node(kind, inputs, [output], name=output, **attributes)

    match node["op"]:
        case "conv2d":
            weights = constant("weight", graph.kernels[name].transpose(3, 2, 0, 1))
            bias = constant("bias", graph.affines[name][1])
            dilation, pad = node["dilation"], node["dilation"] * (node["kernel"][0] // 2)
            return [one("Conv", [*inputs, weights, bias], dilations=[dilation] * 2, pads=[pad] * 4)]
        case "affine":
            scale, shift = (value.reshape(1, -1, 1, 1) for value in graph.affines[name])
            scaled = one("Mul", [*inputs, constant("scale", scale)], f"{name}.scaled")
            return [scaled, one("Add", [f"{name}.scaled", constant("shift", shift)])]
        case "add":  # ONNX adds two at a time
            sums = [name if last == inputs[-1] else f"{name}.{last}" for last in inputs[1:]]
            pairs = zip([inputs[0], *sums], inputs[1:], sums, strict=False)
            return [one("Add", [left, right], result) for left, right, result in pairs]
        case "upsample2_nearest":
            return [one("Resize", [*inputs, "", "twice"], **UPSAMPLING)]
        case "maxpool2":
            return [one("MaxPool", inputs, kernel_shape=[2, 2], strides=[2, 2])]
        case "concat":
            return [one("Concat", inputs, axis=1)]
        case "leaky_relu":
            return [one("LeakyRelu", inputs, alpha=node["slope"])]
        case "relu":
            return [one("Relu", inputs)]
    raise InputError(f"node {name} is a {node['op']}, which the ONNX comparison does not write.")
