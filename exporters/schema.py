"""The graph of a bundle and the tensors it requires (docs/bundle-format.md, Graph and Tensors)."""

from __future__ import annotations

import math
import re
from typing import Any

from edgepatho.exporters import blocks
from edgepatho.exporters.limits import (
    MAX_CHANNELS,
    MAX_CODEBOOK_VALUES,
    MAX_DILATION,
    MAX_DIVISOR,
    MAX_NODES,
    MAX_SIDE_PX,
)
from edgepatho.exporters.refusals import refused

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
CODEBOOK = re.compile(r"codebook(\.[A-Za-z0-9_-]{1,64})?")
RESERVED = {"codebook", "golden"}  # "<node>.scale" must not look like another tensor
FIELDS: dict[str, set[str]] = {
    "conv2d": {"in_channels", "out_channels", "kernel", "dilation", "stride", "padding"},
    "dense": {"in_channels", "out_channels"},
    "affine": {"channels"},
    "leaky_relu": {"slope"},
    "flatten": set(),
    "relu": set(),
    "add": set(),
    "concat": set(),
    "maxpool2": set(),
    "upsample2_nearest": set(),
}
INPUTS = {"add": (2, 3), "concat": (2, MAX_NODES)}

Shape = tuple[int, ...]  # (height, width, channels), or (channels,) once flattened
Form = tuple[str, Shape]  # type, shape


def tensor_forms(graph: dict[str, Any], levels: dict[str, int]) -> dict[str, Form]:
    """Type and shape of every tensor that a checked `graph` requires, for codebooks of `levels` entries."""
    forms: dict[str, Form] = {}
    for node in graph["nodes"]:
        name = node["name"]
        channels = node.get("out_channels", node.get("channels"))
        if node["op"] in ("conv2d", "dense"):
            codebook = node.get("codebook")
            if codebook is not None:
                forms[codebook] = ("F32", (min(levels.get(codebook, 1), MAX_CODEBOOK_VALUES),))
            taps = math.prod(node.get("kernel", (1, 1)))
            kernel = (node["in_channels"], channels, taps)
            count = None if codebook is None else levels.get(codebook, 1)
            forms[f"{name}.{'weight' if codebook is None else 'index'}"] = blocks.stored_form(kernel, count)
        if channels is not None:
            forms[f"{name}.scale"] = forms[f"{name}.shift"] = ("F32", (channels,))
    return forms


def check_graph(graph: dict[str, Any], image: Shape) -> Shape:
    """The output's shape for an `image` of this shape; BundleError at the first node that breaks a rule."""
    nodes = graph.get("nodes")
    listed = isinstance(nodes, list) and 1 <= len(nodes) <= MAX_NODES
    if set(graph) != {"input", "nodes", "output"} or not listed:
        raise refused("InvalidGraph", keys=sorted(graph))
    source, output = graph["input"], graph["output"]
    _check_input(source, image[-1])
    shapes = {source["name"]: image}
    for node in graph["nodes"]:
        name = _checked_name(node)
        if name in shapes:
            raise refused("DuplicateNodeName", name=name)
        shape = _result(node, shapes)
        if not all(1 <= side <= MAX_SIDE_PX for side in shape[:-1]) or shape[-1] > MAX_CHANNELS:
            raise refused("InvalidResultShape", name=name, shape=shape)
        shapes[name] = shape
    if not isinstance(output, str) or output not in shapes or output == source["name"]:
        raise refused("UnknownOutput", output=output)
    return shapes[output]


def _check_input(source: Any, channels: int) -> None:
    if isinstance(source, dict) and set(source) == {"name", "channels", "divisor"}:
        divisor = source["divisor"]
        counted = type(source["channels"]) is int and source["channels"] == channels
        divided = type(divisor) in (int, float) and 0 < divisor <= MAX_DIVISOR
        if _is_name(source["name"]) and counted and divided:
            return
    raise refused("InvalidInput", input=source, channels=channels)


def _checked_name(node: Any) -> str:
    name = node.get("name") if isinstance(node, dict) else None
    if not _is_name(name):
        raise refused("InvalidNodeName", name=name)
    return str(name)


def _result(node: dict[str, Any], shapes: dict[str, Shape]) -> Shape:
    name, op = node["name"], node.get("op")
    if not isinstance(op, str) or op not in FIELDS:
        raise refused("UnknownOperation", name=name, op=op)
    fields = FIELDS[op] | {"name", "op", "inputs"}
    optional = {"codebook"} if op in ("conv2d", "dense") else set()
    if not fields <= set(node) <= fields | optional:
        raise refused("InvalidNodeFields", name=name, fields=sorted(node), expected=sorted(fields))
    names = node["inputs"]
    if not isinstance(names, list) or not all(isinstance(one, str) and one in shapes for one in names):
        raise refused("UnknownNodeInput", name=name, inputs=names)
    fewest, most = INPUTS.get(op, (1, 1))
    if not fewest <= len(names) <= most:
        raise refused("InvalidInputCount", name=name, count=len(names), fewest=fewest, most=most)
    inputs = [shapes[one] for one in names]
    if not _fit(op, inputs):
        raise refused("ShapeMismatch", name=name, op=op, shapes=inputs)
    first = inputs[0]
    match op:
        case "conv2d" | "dense":
            _check_weighted(node, first[-1])
            return (*first[:-1], node["out_channels"])
        case "affine":
            _check_channels(node, "channels", first[-1])
        case "leaky_relu":
            slope = node["slope"]
            if type(slope) not in (int, float) or not 0 <= slope <= 1:
                raise refused("InvalidSlope", name=name, slope=slope)
        case "concat":
            return (*first[:-1], sum(one[-1] for one in inputs))
        case "maxpool2":
            return (first[0] // 2, first[1] // 2, first[2])
        case "upsample2_nearest":
            return (first[0] * 2, first[1] * 2, first[2])
        case "flatten":
            return (math.prod(first),)
    return first


def _fit(op: str, inputs: list[Shape]) -> bool:
    """Whether an operation can read inputs of these shapes, apart from their channels."""
    match op:
        case "conv2d" | "maxpool2" | "upsample2_nearest" | "flatten":
            return len(inputs[0]) == 3
        case "dense":
            return len(inputs[0]) == 1
        case "add":
            return len(set(inputs)) == 1
        case "concat":
            return len({one[:-1] for one in inputs}) == 1
    return True


def _check_weighted(node: dict[str, Any], channels: int) -> None:
    name = node["name"]
    if node["op"] == "conv2d":
        kernel, stride, padding = node["kernel"], node["stride"], node["padding"]
        square = kernel in ([1, 1], [3, 3]) and all(type(side) is int for side in kernel)  # True == 1 == 1.0
        if not square or type(stride) is not int or stride != 1 or padding != "same":
            raise refused("UnsupportedConvolution", name=name, kernel=kernel, stride=stride, padding=padding)
        if not _is_count(node["dilation"], MAX_DILATION):
            raise refused("InvalidDilation", name=name, dilation=node["dilation"])
    _check_channels(node, "in_channels", channels)
    if not _is_count(node["out_channels"], MAX_CHANNELS):
        raise refused("InvalidChannels", name=name, channels=node["out_channels"])
    codebook = node.get("codebook", "codebook")
    if not isinstance(codebook, str) or not CODEBOOK.fullmatch(codebook):
        raise refused("InvalidCodebookName", name=name, codebook=codebook)


def _check_channels(node: dict[str, Any], field: str, given: int) -> None:
    if type(node[field]) is not int or node[field] != given:
        raise refused("ChannelMismatch", name=node["name"], given=given, named=node[field])


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and NAME.fullmatch(name) is not None and name not in RESERVED


def _is_count(value: Any, most: int) -> bool:
    return type(value) is int and 1 <= value <= most
