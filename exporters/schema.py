"""What a bundle may say: its graph, its scoring, the tensors they call for (docs/bundle-format.md)."""

from __future__ import annotations

import math
import re
from typing import Any

from edgepatho.errors import InputError
from edgepatho.exporters import blocks

MOST_NODES = 1024
MOST_CHANNELS = 65_536
MOST_DILATION = 1024
MOST_SIDE = 4096
MOST_DISTANCE_PX = 64
MOST_CLASSES = 16
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
INPUTS = {"add": (2, 3), "concat": (2, MOST_NODES)}

Shape = tuple[int, ...]  # (height, width, channels), or (channels,) once flattened
Form = tuple[str, Shape]  # type, shape


def tensor_forms(graph: dict[str, Any], levels: dict[str, int]) -> dict[str, Form]:
    """Type and shape of every tensor that a checked `graph` needs, for codebooks of `levels` entries."""
    forms: dict[str, Form] = {}
    for node in graph["nodes"]:
        name = node["name"]
        channels = node.get("out_channels", node.get("channels"))
        if node["op"] in ("conv2d", "dense"):
            codebook = node.get("codebook")
            if codebook is not None:
                forms[codebook] = ("F32", (min(levels.get(codebook, 1), blocks.MOST_LEVELS),))
            taps = math.prod(node.get("kernel", (1, 1)))
            kernel = (node["in_channels"], channels, taps)
            count = None if codebook is None else levels.get(codebook, 1)
            forms[f"{name}.{'weight' if codebook is None else 'index'}"] = blocks.stored_form(kernel, count)
        if channels is not None:
            forms[f"{name}.scale"] = forms[f"{name}.shift"] = ("F32", (channels,))
    return forms


def check_graph(graph: dict[str, Any], image: Shape) -> Shape:
    """The output's shape for an `image` of this shape; InputError at the first node that breaks a rule."""
    _require(set(graph) == {"input", "nodes", "output"}, "graph", f"has the keys {sorted(graph)}")
    source, nodes = graph["input"], graph["nodes"]
    whole = isinstance(source, dict) and set(source) == {"name", "channels", "divisor"}
    _require(whole, "input", f"is {str(source)[:80]}")
    _require(_whole(source["channels"]), "input", f"has {source['channels']!r} channels")
    _require(
        image[-1] == source["channels"], "input", f"does not have the {image[-1]} channels of golden.input"
    )
    divisor = source["divisor"]
    _require(type(divisor) in (int, float) and 0 < divisor <= 1e6, "input", f"has the divisor {divisor!r}")
    _require(
        isinstance(nodes, list) and 1 <= len(nodes) <= MOST_NODES, "graph", "has no list of 1 to 1024 nodes"
    )
    shapes = {_name(source["name"]): image}
    for node in nodes:
        _require(isinstance(node, dict) and "name" in node, "node", f"{str(node)[:80]} has no name")
        name = _name(node["name"])
        _require(name not in shapes, name, "is there twice")
        shape = _result(node, shapes)
        fits = all(1 <= side <= MOST_SIDE for side in shape[:-1]) and shape[-1] <= MOST_CHANNELS
        _require(fits, name, f"makes {shape}")
        shapes[name] = shape
    output = graph["output"]
    known = isinstance(output, str) and output in shapes and output != source["name"]
    _require(known, "output", f"{str(output)[:80]!r} is no node")
    return shapes[output]


def check_scoring(scoring: dict[str, Any], channels: int) -> None:
    """InputError unless `scoring` tells how a heat map of `channels` classes becomes cells."""
    keys = {"classes", "ki67_cutoffs", "min_distance_px", "network_size_px", "thresholds", "til_cutoffs"}
    _require(set(scoring) == keys, "scoring", f"has the keys {sorted(scoring)}")
    classes = scoring["classes"]
    named = isinstance(classes, list) and all(isinstance(one, str) and NAME.fullmatch(one) for one in classes)
    named = named and len(set(classes)) == len(classes) == channels <= MOST_CLASSES
    _require(named, "scoring", f"has the classes {classes!r} for {channels} channels")
    for key, count in (("thresholds", channels), ("ki67_cutoffs", 2), ("til_cutoffs", 2)):
        numbers = scoring[key]
        valid = isinstance(numbers, list) and len(numbers) == count
        valid = valid and all(type(one) in (int, float) and 0 <= one <= 1e6 for one in numbers)
        _require(valid, "scoring", f"has the {key} {numbers!r}")
    for key, most in (("min_distance_px", MOST_DISTANCE_PX), ("network_size_px", MOST_SIDE)):
        _require(
            type(scoring[key]) is int and 1 <= scoring[key] <= most,
            "scoring",
            f"has the {key} {scoring[key]!r}",
        )


def _result(node: dict[str, Any], shapes: dict[str, Shape]) -> Shape:
    name, op = node["name"], str(node.get("op"))
    _require(op in FIELDS, name, f"has the op {op[:64]!r}, which is not in the list")
    fields = FIELDS[op] | {"name", "op", "inputs"}
    optional = {"codebook"} if op in ("conv2d", "dense") else set()
    _require(fields <= set(node) <= fields | optional, name, f"has the fields {sorted(node)}")
    names = node["inputs"]
    listed = isinstance(names, list) and all(isinstance(one, str) and one in shapes for one in names)
    _require(listed, name, f"reads {str(names)[:80]}, which are not all earlier nodes")
    fewest, most = INPUTS.get(op, (1, 1))
    _require(fewest <= len(names) <= most, name, f"reads {len(names)} inputs")
    inputs = [shapes[one] for one in names]
    first = inputs[0]
    if op in ("conv2d", "maxpool2", "upsample2_nearest", "flatten"):
        _require(len(first) == 3, name, "reads a flat vector")
    match op:
        case "conv2d" | "dense":
            _check_weighted(node, first)
            return (*first[:-1], node["out_channels"])
        case "affine":
            _require(_whole(node["channels"]) and node["channels"] == first[-1], name, "has other channels")
        case "leaky_relu":
            slope = node["slope"]
            _require(type(slope) in (int, float) and 0 <= slope <= 1, name, f"has the slope {slope!r}")
        case "add":
            _require(len(set(inputs)) == 1, name, f"adds the shapes {inputs}")
        case "concat":
            _require(len({one[:-1] for one in inputs}) == 1, name, f"joins the shapes {inputs}")
            return (*first[:-1], sum(one[-1] for one in inputs))
        case "maxpool2":
            return (first[0] // 2, first[1] // 2, first[2])
        case "upsample2_nearest":
            return (first[0] * 2, first[1] * 2, first[2])
        case "flatten":
            return (math.prod(first),)
    return first


def _check_weighted(node: dict[str, Any], source: Shape) -> None:
    name = node["name"]
    for field in ("in_channels", "out_channels"):
        _require(_whole(node[field]), name, f"has {field} {node[field]!r}")
    _require(
        node["in_channels"] == source[-1], name, f"reads {source[-1]} channels, not {node['in_channels']}"
    )
    if "codebook" in node:
        codebook = node["codebook"]
        known = isinstance(codebook, str) and CODEBOOK.fullmatch(codebook)
        _require(bool(known), name, f"has the codebook {str(codebook)[:80]!r}")
    if node["op"] == "dense":
        _require(len(source) == 1, name, "is dense and reads an image; flatten comes first")
        return
    kernel = node["kernel"]
    square = kernel in ([1, 1], [3, 3]) and all(type(side) is int for side in kernel)  # True == 1 == 1.0
    _require(square, name, f"has the kernel {kernel!r}")
    valid = _whole(node["dilation"]) and node["dilation"] <= MOST_DILATION
    _require(valid, name, f"has the dilation {node['dilation']!r}")
    plain = type(node["stride"]) is int and node["stride"] == 1 and node["padding"] == "same"
    _require(plain, name, f"has stride {node['stride']!r} and padding {node['padding']!r}")


def _name(name: Any) -> str:
    valid = isinstance(name, str) and NAME.fullmatch(name) and name not in RESERVED
    _require(bool(valid), "node", f"has the name {str(name)[:80]!r}")
    return str(name)


def _whole(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MOST_CHANNELS


def _require(condition: bool, name: str, found: str) -> None:
    if not condition:
        raise InputError(f"{name} {found}; see docs/bundle-format.md for what is expected.")
