"""Check a bundle's graph against its tensors (docs/bundle-format.md, Graph)."""

import math
import re
from collections.abc import Callable
from typing import Any

from edgepatho_runtime.bundle.container import Tensor
from edgepatho_runtime.bundle.limits import (
    MAX_CHANNELS,
    MAX_CODEBOOK_VALUES,
    MAX_DILATION,
    MAX_DIVISOR,
    MAX_GOLDEN_SIDE_PX,
    MAX_NODES,
    MAX_SIDE_PX,
    MIN_GOLDEN_SIDE_PX,
)
from edgepatho_runtime.bundle.refusals import refused
from edgepatho_runtime.errors import BundleError

BLOCK = 8  # output channels stored together in a weight tensor

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
CODEBOOK = re.compile(r"codebook(\.[A-Za-z0-9_-]{1,64})?", re.ASCII)
RESERVED = ("codebook", "golden")
TAPS = {"[1, 1]": 1, "[3, 3]": 9}  # by repr, since 1.0 and True equal 1

Node = dict[str, Any]
Shape = tuple[int, ...]  # (height, width, channels), or (channels,) once flattened


class Wanted:
    """What a graph requires: type and shape of each tensor, the codebook of each index tensor."""

    def __init__(self, stored: dict[str, Tensor]) -> None:
        self.stored = stored
        self.forms: dict[str, tuple[str, Shape]] = {}
        self.codebook_of: dict[str, str] = {}


Rule = Callable[
    [Node, list[Shape], Wanted], Shape
]  # returns the shape of a node's result and enters its tensors


def check(graph: dict[str, Any], tensors: dict[str, Tensor]) -> Wanted:
    """Return what `graph` requires, or raise BundleError at the first invalid node.

    Shapes are inferred node by node from that of the golden input.
    """
    golden = _golden(tensors)
    nodes: Any = graph.get("nodes")
    listed = type(nodes) is list and 1 <= len(nodes) <= MAX_NODES
    if sorted(graph) != ["input", "nodes", "output"] or not listed:
        raise refused("InvalidGraph")
    wanted = Wanted(tensors)
    wanted.forms["golden.input"] = ("U8", golden)
    shapes = {_input(graph["input"], golden[2]): golden}
    for node in nodes:
        rule = _checked_head(node, shapes)
        shape = rule(node, [shapes[name] for name in node["inputs"]], wanted)
        if not all(1 <= side <= MAX_SIDE_PX for side in shape[:-1]) or shape[-1] > MAX_CHANNELS:
            raise _bad("InvalidResultShape", node, shape=shape)
        shapes[node["name"]] = shape
    output = graph["output"]
    if type(output) is not str or output not in shapes or output == graph["input"]["name"]:
        raise refused("UnknownOutput", output=output)
    *sides, channels = shapes[output]
    wanted.forms["golden.output"] = ("F32", (*(-(-side // 4) for side in sides), channels))
    return wanted


def _golden(tensors: dict[str, Tensor]) -> Shape:
    """Return the shape of golden.input, [height, width, channels]."""
    golden = tensors.get("golden.input")
    if golden is None:
        raise refused("MissingTensor", name="golden.input")
    sides = range(MIN_GOLDEN_SIDE_PX, MAX_GOLDEN_SIDE_PX + 1, MIN_GOLDEN_SIDE_PX)
    sized = len(golden.shape) == 3 and all(side in sides for side in golden.shape[:2])
    if golden.dtype != "U8" or not sized:
        raise refused("InvalidGoldenInput", dtype=golden.dtype, shape=golden.shape)
    return golden.shape


def _input(value: Any, channels: int) -> str:
    """Return the name of the graph's input, an image of `channels` channels."""
    if type(value) is dict and sorted(value) == ["channels", "divisor", "name"]:
        divisor = value["divisor"]
        counted = type(value["channels"]) is int and value["channels"] == channels
        divided = type(divisor) in (int, float) and 0 < divisor <= MAX_DIVISOR
        if _is_name(value["name"]) and counted and divided:
            return str(value["name"])
    raise refused("InvalidInput", channels=channels)


def _checked_head(node: Any, shapes: dict[str, Shape]) -> Rule:
    """Return the rule of a node after checking its name, operation, fields and inputs."""
    if type(node) is not dict or not _is_name(node.get("name")):
        raise refused("InvalidNodeName")
    name, op = node["name"], node.get("op")
    if name in shapes:
        raise refused("DuplicateNodeName", name=name)
    if type(op) is not str or op not in OPERATIONS:
        raise refused("UnknownOperation", name=name, op=op)
    fields, rule = OPERATIONS[op]
    fields = fields | {"name", "op", "inputs"}
    if node.keys() != fields and not (op in SHAREABLE and node.keys() == fields | {"codebook"}):
        raise _bad("InvalidNodeFields", node, fields=", ".join(sorted(fields)))
    inputs = node["inputs"]
    if type(inputs) is not list or not all(type(one) is str and one in shapes for one in inputs):
        raise _bad("UnknownNodeInput", node, inputs=inputs)
    fewest, most = {"add": (2, 3), "concat": (2, MAX_NODES)}.get(op, (1, 1))
    if not fewest <= len(inputs) <= most:
        raise _bad("InvalidInputCount", node, count=len(inputs), fewest=fewest, most=most)
    return rule


def _conv2d(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    height, width, channels = _map(node, inputs[0])
    if repr(node["stride"]) != "1" or node["padding"] != "same" or repr(node["kernel"]) not in TAPS:
        raise _bad("UnsupportedConvolution", node)
    if not _is_count(node["dilation"], MAX_DILATION):
        raise _bad("InvalidDilation", node, dilation=node["dilation"])
    return height, width, _weights(node, channels, TAPS[repr(node["kernel"])], wanted)


def _dense(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    if len(inputs[0]) != 1:
        raise _bad("ShapeMismatch", node, shapes=inputs)
    return (_weights(node, inputs[0][0], 1, wanted),)


def _weights(node: Node, channels: int, taps: int, wanted: Wanted) -> int:
    """Enter the weights of a conv2d or dense node and return its output channels."""
    name: str = node["name"]
    out: int = node["out_channels"]
    _check_channels(node, node["in_channels"], channels)
    if not _is_count(out, MAX_CHANNELS):
        raise _bad("InvalidChannels", node, channels=out)
    blocks = -(-out // BLOCK)
    if "codebook" in node:
        values = _codebook(node, wanted)
        width, lanes = "U16" if values > 256 else "U8", BLOCK if values > 16 else BLOCK // 2
        wanted.forms[f"{name}.index"] = (width, (blocks, channels, taps, lanes))
        wanted.codebook_of[f"{name}.index"] = node["codebook"]
    else:
        wanted.forms[f"{name}.weight"] = ("F32", (blocks, channels, taps, BLOCK))
    _affine_pair(name, out, wanted)
    return out


def _codebook(node: Node, wanted: Wanted) -> int:
    """Enter the codebook named by a node and return its number of values."""
    name = node["codebook"]
    if type(name) is not str or not CODEBOOK.fullmatch(name):
        raise _bad("InvalidCodebookName", node, codebook=name)
    stored = wanted.stored.get(name)
    values = min(math.prod(stored.shape) if stored else 1, MAX_CODEBOOK_VALUES)
    wanted.forms[name] = ("F32", (values,))
    return values


def _affine(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    _check_channels(node, node["channels"], inputs[0][-1])
    _affine_pair(node["name"], node["channels"], wanted)
    return inputs[0]


def _affine_pair(name: str, channels: int, wanted: Wanted) -> None:
    wanted.forms[f"{name}.scale"] = wanted.forms[f"{name}.shift"] = ("F32", (channels,))


def _leaky_relu(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    if type(node["slope"]) not in (int, float) or not 0 <= node["slope"] <= 1:
        raise _bad("InvalidSlope", node, slope=node["slope"])
    return inputs[0]


def _relu(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    return inputs[0]


def _add(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    if any(shape != inputs[0] for shape in inputs):
        raise _bad("ShapeMismatch", node, shapes=inputs)
    return inputs[0]


def _concat(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    if any(shape[:-1] != inputs[0][:-1] for shape in inputs):
        raise _bad("ShapeMismatch", node, shapes=inputs)
    return (*inputs[0][:-1], sum(shape[-1] for shape in inputs))


def _maxpool2(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    height, width, channels = _map(node, inputs[0])
    return height // 2, width // 2, channels


def _upsample2_nearest(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    height, width, channels = _map(node, inputs[0])
    return 2 * height, 2 * width, channels


def _flatten(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    return (math.prod(_map(node, inputs[0])),)


def _map(node: Node, shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise _bad("ShapeMismatch", node, shapes=[shape])
    return shape[0], shape[1], shape[2]


def _check_channels(node: Node, named: Any, given: int) -> None:
    if type(named) is not int or named != given:
        raise _bad("ChannelMismatch", node, named=named, given=given)


def _bad(refusal: str, node: Node, **facts: Any) -> BundleError:
    return refused(refusal, name=node["name"], op=node["op"], **facts)


def _is_name(value: Any) -> bool:
    return type(value) is str and NAME.fullmatch(value) is not None and value not in RESERVED


def _is_count(value: Any, most: int) -> bool:
    return type(value) is int and 1 <= value <= most


OPERATIONS: dict[str, tuple[set[str], Rule]] = {
    "conv2d": ({"in_channels", "out_channels", "kernel", "dilation", "stride", "padding"}, _conv2d),
    "dense": ({"in_channels", "out_channels"}, _dense),
    "flatten": (set(), _flatten),
    "affine": ({"channels"}, _affine),
    "leaky_relu": ({"slope"}, _leaky_relu),
    "relu": (set(), _relu),
    "add": (set(), _add),
    "concat": (set(), _concat),
    "maxpool2": (set(), _maxpool2),
    "upsample2_nearest": (set(), _upsample2_nearest),
}
SHAREABLE = ("conv2d", "dense")
