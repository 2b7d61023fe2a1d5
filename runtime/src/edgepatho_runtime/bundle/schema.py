"""The network inside a bundle: a check of its graph against its tensors (docs/bundle-format.md, Graph)."""

import math
import re
from collections.abc import Callable
from typing import Any

from edgepatho_runtime.bundle.container import Tensor
from edgepatho_runtime.errors import BundleError

MAX_NODES = 1024
MAX_CHANNELS = 65536
MAX_CODEBOOK = 65536
MAX_SIDE = 4096  # of a map, at the golden input's size
MAX_DILATION = 1024
BLOCK = 8  # output channels that lie together in a weight tensor

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
CODEBOOK = re.compile(r"codebook(\.[A-Za-z0-9_-]{1,64})?", re.ASCII)
RESERVED = ("codebook", "golden")
TAPS = {"[1, 1]": 1, "[3, 3]": 9}  # by repr: 1.0 and True equal 1, but are not it

Node = dict[str, Any]
Shape = tuple[int, ...]  # (height, width, channels), or (channels,) once flattened


class Wanted:
    """What a graph calls for: type and shape of each tensor, the codebook of each index tensor."""

    def __init__(self, stored: dict[str, Tensor]) -> None:
        self.stored = stored
        self.forms: dict[str, tuple[str, Shape]] = {}
        self.codebook_of: dict[str, str] = {}


def check(graph: dict[str, Any], tensors: dict[str, Tensor]) -> Wanted:
    """Return what `graph` calls for, or raise BundleError at the first node that is not as documented.

    Shapes are followed node by node from the golden input's.
    """
    if sorted(graph) != ["input", "nodes", "output"] or type(graph["nodes"]) is not list:
        raise BundleError("The graph must have exactly input, nodes and output.")
    if not 1 <= len(graph["nodes"]) <= MAX_NODES:
        raise BundleError(f"The graph has {len(graph['nodes'])} nodes, expected 1 to {MAX_NODES}.")
    wanted = Wanted(tensors)
    shapes = _input(graph["input"], wanted)
    for node in graph["nodes"]:
        _check_head(node, shapes)
        fields, rule = OPERATIONS[node["op"]]
        given = node.keys() - {"name", "op", "inputs"}
        if given != fields and not (node["op"] in SHAREABLE and given == fields | {"codebook"}):
            raise _bad(node, f"must have the fields {', '.join(sorted(fields)) or 'none'}")
        shape = rule(node, [shapes[name] for name in node["inputs"]], wanted)
        if not all(1 <= side <= MAX_SIDE for side in shape[:-1]) or shape[-1] > MAX_CHANNELS:
            raise _bad(node, f"makes {shape}; sides are 1 to {MAX_SIDE}, channels 1 to {MAX_CHANNELS}")
        shapes[node["name"]] = shape
    output = graph["output"]
    if type(output) is not str or output not in shapes or output == graph["input"]["name"]:
        raise BundleError(f"The graph's output {output!r:.80} is not one of its nodes.")
    *sides, channels = shapes[output]
    wanted.forms["golden.output"] = ("F32", (*(-(-side // 4) for side in sides), channels))
    return wanted


def _input(value: Any, wanted: Wanted) -> dict[str, Shape]:
    golden = wanted.stored.get("golden.input")
    if golden is None or len(golden.shape) != 3:
        raise BundleError("golden.input is missing or not [height, width, channels].")
    if not all(16 <= side <= 256 and side % 16 == 0 for side in golden.shape[:2]):
        raise BundleError(f"golden.input is {golden.shape}; sides are 16 to 256, multiples of 16.")
    if type(value) is not dict or sorted(value) != ["channels", "divisor", "name"]:
        raise BundleError("The graph's input must have exactly name, channels and divisor.")
    name, channels, divisor = value["name"], value["channels"], value["divisor"]
    if not _is_name(name) or type(channels) is not int or channels != golden.shape[2]:
        raise BundleError(
            f"The graph's input has no name or not the {golden.shape[2]} channels of golden.input."
        )
    if type(divisor) not in (int, float) or not 0 < divisor <= 1e6:
        raise BundleError(f"The graph's input is divided by {divisor!r:.40}, expected a positive number.")
    wanted.forms["golden.input"] = ("U8", golden.shape)
    return {name: golden.shape}


def _check_head(node: Any, shapes: dict[str, Shape]) -> None:
    """Raise BundleError unless the name, operation and inputs of `node` are in order."""
    if type(node) is not dict or not _is_name(node.get("name")):
        raise BundleError("A node has no name of 1 to 64 letters, digits, '_' or '-', or a reserved one.")
    if node["name"] in shapes:
        raise BundleError(f"Two nodes, or a node and the input, are called {node['name']}.")
    if type(node.get("op")) is not str or node["op"] not in OPERATIONS:
        raise BundleError(f"Node {node['name']} has the unknown op {node.get('op')!r:.40}.")
    names = node.get("inputs")
    if type(names) is not list or not all(type(name) is str and name in shapes for name in names):
        raise _bad(node, f"reads {names!r:.80}, which are not all the input or earlier nodes")
    fewest, most = {"add": (2, 3), "concat": (2, MAX_NODES)}.get(node["op"], (1, 1))
    if not fewest <= len(names) <= most:
        raise _bad(node, f"reads {len(names)} inputs, expected {fewest} to {most}")


# Each rule returns the shape of a node's result and enters its tensors into `wanted`.


def _conv2d(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    height, width, channels = _map(node, inputs[0])
    if repr(node["stride"]) != "1" or node["padding"] != "same" or repr(node["kernel"]) not in TAPS:
        raise _bad(node, "must have stride 1, padding same and kernel [1,1] or [3,3]")
    if not _is_count(node["dilation"], MAX_DILATION):
        raise _bad(node, f"has dilation {node['dilation']!r:.40}, expected 1 to {MAX_DILATION}")
    return height, width, _weights(node, channels, TAPS[repr(node["kernel"])], wanted)


def _dense(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    if len(inputs[0]) != 1:
        raise _bad(node, "reads a map; flatten must come first")
    return (_weights(node, inputs[0][0], 1, wanted),)


def _weights(node: Node, channels: int, taps: int, wanted: Wanted) -> int:
    """Enter the weights of a conv2d or dense node and return its number of output channels."""
    name, out = node["name"], node["out_channels"]
    _check_channels(node, node["in_channels"], channels)
    if not _is_count(out, MAX_CHANNELS):
        raise _bad(node, f"has {out!r:.40} output channels, expected 1 to {MAX_CHANNELS}")
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
    """Enter the codebook that a node names and return how many values it has."""
    name = node["codebook"]
    if type(name) is not str or not CODEBOOK.fullmatch(name):
        raise _bad(node, f"names {name!r:.80}, which is not a codebook")
    stored = wanted.stored.get(name)
    if stored is None or len(stored.shape) != 1 or stored.shape[0] > MAX_CODEBOOK:
        raise _bad(node, f"needs {name}, which is missing or has not 1 to {MAX_CODEBOOK} values")
    wanted.forms[name] = ("F32", stored.shape)
    return stored.shape[0]


def _affine(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    _check_channels(node, node["channels"], inputs[0][-1])
    _affine_pair(node["name"], node["channels"], wanted)
    return inputs[0]


def _affine_pair(name: str, channels: int, wanted: Wanted) -> None:
    wanted.forms[f"{name}.scale"] = wanted.forms[f"{name}.shift"] = ("F32", (channels,))


def _leaky_relu(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    if type(node["slope"]) not in (int, float) or not 0 <= node["slope"] <= 1:
        raise _bad(node, f"has slope {node['slope']!r:.40}, expected 0 to 1")
    return inputs[0]


def _relu(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    return inputs[0]


def _add(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    if any(shape != inputs[0] for shape in inputs):
        raise _bad(node, f"adds different shapes: {inputs!s:.200}")
    return inputs[0]


def _concat(node: Node, inputs: list[Shape], wanted: Wanted) -> Shape:
    if any(shape[:-1] != inputs[0][:-1] for shape in inputs):
        raise _bad(node, f"joins different sizes: {inputs!s:.200}")
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
        raise _bad(node, "reads a flat vector, expected a map")
    return shape[0], shape[1], shape[2]


def _check_channels(node: Node, named: Any, given: int) -> None:
    if type(named) is not int or named != given:
        raise _bad(node, f"expects {named!r:.40} channels and is given {given}")


def _bad(node: Node, what: str) -> BundleError:
    return BundleError(f"Node {node['name']} ({node['op']}) {what}.")


def _is_name(value: Any) -> bool:
    return type(value) is str and NAME.fullmatch(value) is not None and value not in RESERVED


def _is_count(value: Any, most: int) -> bool:
    return type(value) is int and 1 <= value <= most


OPERATIONS: dict[str, tuple[set[str], Callable[[Node, list[Shape], Wanted], Shape]]] = {
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
