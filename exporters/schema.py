"""What a bundle's graph may say, and which tensors it calls for (docs/bundle-format.md)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from edgepatho.errors import InputError
from edgepatho.exporters import blocks

MOST_NODES = 1024
MOST_CHANNELS = 65_536
MOST_DILATION = 1024
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
INPUTS = {"add": range(2, 4), "concat": range(2, 65)}

Form = tuple[str, tuple[int, ...]]  # type, shape


@dataclass(frozen=True)
class Value:
    """What passes between nodes: channels (None: known only with the image) and halvings (None: flat)."""

    channels: int | None
    halvings: int | None


def tensor_forms(graph: dict[str, Any], levels: dict[str, int]) -> dict[str, Form]:
    """Type and shape of every tensor that a checked `graph` needs, for codebooks of `levels` entries."""
    forms: dict[str, Form] = {}
    for node in graph["nodes"]:
        name = node["name"]
        channels = node.get("out_channels", node.get("channels"))
        if node["op"] in ("conv2d", "dense"):
            codebook = node.get("codebook")
            if codebook is not None:
                forms[codebook] = ("F32", (levels.get(codebook, 1),))
            taps = math.prod(node.get("kernel", (1, 1)))
            kernel = (node["in_channels"], channels, taps)
            count = None if codebook is None else levels.get(codebook, 1)
            forms[f"{name}.{'weight' if codebook is None else 'index'}"] = blocks.stored_form(kernel, count)
        if channels is not None:
            forms[f"{name}.scale"] = forms[f"{name}.shift"] = ("F32", (channels,))
    return forms


def check_graph(graph: dict[str, Any]) -> dict[str, Value]:
    """What every name of the graph stands for; InputError that names the first node that breaks a rule."""
    _require(set(graph) == {"input", "nodes", "output"}, "graph", f"has the keys {sorted(graph)}")
    source, nodes = graph["input"], graph["nodes"]
    _require(
        isinstance(source, dict) and set(source) == {"name", "channels", "divisor"}, "input", f"is {source!r}"
    )
    _require(_whole(source["channels"], MOST_CHANNELS), "input", f"has {source['channels']!r} channels")
    divisor = source["divisor"]
    _require(type(divisor) in (int, float) and divisor > 0, "input", f"has the divisor {divisor!r}")
    _require(
        isinstance(nodes, list) and 1 <= len(nodes) <= MOST_NODES, "graph", "has no list of 1 to 1024 nodes"
    )
    values = {_name(source["name"]): Value(source["channels"], 0)}
    for node in nodes:
        _require(isinstance(node, dict) and "name" in node, "node", f"{str(node)[:80]} has no name")
        name = _name(node["name"])
        _require(name not in values, name, "is there twice")
        values[name] = _result(node, values)
    _require(isinstance(graph["output"], str) and graph["output"] in values, "output", "names no node")
    _require(graph["output"] != source["name"], "output", "is the input itself")
    return values


def _result(node: dict[str, Any], values: dict[str, Value]) -> Value:
    name, op = node["name"], str(node.get("op"))
    _require(op in FIELDS, name, f"has the op {op[:64]!r}, which is not in the list")
    fields = FIELDS[op] | {"name", "op", "inputs"}
    optional = {"codebook"} if op in ("conv2d", "dense") else set()
    _require(fields <= set(node) <= fields | optional, name, f"has the fields {sorted(node)}")
    names = node["inputs"]
    listed = isinstance(names, list) and all(isinstance(one, str) for one in names)
    _require(listed and len(names) in INPUTS.get(op, (1,)), name, f"has the inputs {names!r}")
    for one in names:
        _require(one in values, name, f"reads {one[:64]!r}, which is no earlier node")
    inputs = [values[one] for one in names]
    first = inputs[0]
    flat = first.halvings is None
    if op in ("conv2d", "maxpool2", "upsample2_nearest", "flatten"):
        _require(not flat, name, "reads a flat vector")
    match op:
        case "conv2d" | "dense":
            _check_weighted(node, first)
            return Value(node["out_channels"], first.halvings)
        case "affine":
            _require(_whole(node["channels"], MOST_CHANNELS), name, f"has {node['channels']!r} channels")
            _require(first.channels in (None, node["channels"]), name, "has other channels than its input")
            return Value(node["channels"], first.halvings)
        case "leaky_relu":
            _require(type(node["slope"]) in (int, float), name, f"has the slope {node['slope']!r}")
            return first
        case "add":
            _require(all(one == first for one in inputs), name, "adds values of unequal shape")
            return first
        case "concat":
            _require(len({one.halvings for one in inputs}) == 1, name, "joins values of unequal size")
            channels = [one.channels for one in inputs]
            return Value(None if None in channels else sum(c for c in channels if c), first.halvings)
        case "maxpool2":
            return Value(first.channels, (first.halvings or 0) + 1)
        case "upsample2_nearest":
            return Value(first.channels, (first.halvings or 0) - 1)
        case "flatten":
            return Value(None, None)
    return first


def _check_weighted(node: dict[str, Any], source: Value) -> None:
    name = node["name"]
    for field in ("in_channels", "out_channels"):
        _require(_whole(node[field], MOST_CHANNELS), name, f"has {field} {node[field]!r}")
    _require(source.channels in (None, node["in_channels"]), name, "has other in_channels than its input")
    if "codebook" in node:
        codebook = node["codebook"]
        known = isinstance(codebook, str) and CODEBOOK.fullmatch(codebook)
        _require(bool(known), name, f"has the codebook {codebook!r}")
    if node["op"] == "dense":
        _require(source.halvings is None, name, "is dense and reads an image; flatten comes first")
        return
    kernel = node["kernel"]
    square = kernel in ([1, 1], [3, 3]) and all(type(side) is int for side in kernel)  # True == 1 == 1.0
    _require(square, name, f"has the kernel {kernel!r}")
    _require(_whole(node["dilation"], MOST_DILATION), name, f"has the dilation {node['dilation']!r}")
    plain = type(node["stride"]) is int and node["stride"] == 1 and node["padding"] == "same"
    _require(plain, name, f"has stride {node['stride']!r} and padding {node['padding']!r}")


def _name(name: Any) -> str:
    valid = isinstance(name, str) and NAME.fullmatch(name) and name not in RESERVED
    _require(bool(valid), "node", f"has the name {str(name)[:80]!r}")
    return str(name)


def _whole(value: Any, most: int) -> bool:
    return type(value) is int and 1 <= value <= most


def _require(condition: bool, name: str, found: str) -> None:
    if not condition:
        raise InputError(f"graph: {name} {found}; see docs/bundle-format.md for what is expected.")
