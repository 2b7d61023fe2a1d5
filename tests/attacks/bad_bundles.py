"""Bundles with exactly one defect each, and the refusal that each must get from every reader.

`CASES` maps each defect to its refusal in docs/bundle-format.md and a function that makes such a file. Each
starts from a frozen good bundle, changes one thing and, unless that is the checksum, recomputes the checksum:
nothing is refused for its checksum alone. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

FROZEN = {path.stem: path for path in (Path(__file__).parents[1] / "fixtures").glob("v*/*.epb")}
CHECKSUM = b'"file_sha256":"'
CHECKSUM_DIGITS = re.compile(CHECKSUM + rb"([0-9a-f]{64})")
NO_CHECKSUM = "0" * 64
TEXTS = ("accuracy", "coding", "cutoffs", "envelope", "graph", "image", "provenance", "scoring")
ITEM_BYTES = {"F32": 4, "U16": 2, "U8": 1}

Json = dict[str, Any]
Change = Callable[[Any], Any]


class Parts:
    """A bundle taken apart: `texts` are its metadata objects, `tensors` [dtype, shape, bytes] by name."""

    def __init__(self, name: str) -> None:
        data = FROZEN[name].read_bytes()
        length = int.from_bytes(data[:8], "little")
        header, payload = json.loads(data[8 : 8 + length]), data[8 + length :]
        self.metadata: Json = header.pop("__metadata__")
        self.texts: Json = {key: json.loads(self.metadata[key]) for key in TEXTS if key in self.metadata}
        self.tensors: dict[str, list[Any]] = {}
        for tensor, entry in header.items():
            begin, end = entry["data_offsets"]
            self.tensors[tensor] = [entry["dtype"], entry["shape"], payload[begin:end]]

    def header(self) -> Json:
        texts = {key: compact(value) for key, value in self.texts.items()}
        header: Json = {"__metadata__": self.metadata | texts | {"file_sha256": NO_CHECKSUM}}
        end = 0
        for tensor in self.order():
            dtype, shape, data = self.tensors[tensor]
            header[tensor] = {"data_offsets": [end, end + len(data)], "dtype": dtype, "shape": shape}
            end += len(data)
        return header

    def order(self) -> list[str]:
        types = list(ITEM_BYTES)
        return sorted(self.tensors, key=lambda tensor: (types.index(self.tensors[tensor][0]), tensor))

    def payload(self) -> bytes:
        return b"".join(self.tensors[tensor][2] for tensor in self.order())


def compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def file_of(header: Json | str | bytes, payload: bytes, length: int | None = None) -> bytes:
    """The signed file of a header (a dict, or verbatim text) and a payload."""
    text = compact(header) if isinstance(header, dict) else header
    raw = text.encode() if isinstance(text, str) else text
    raw += b" " * (-len(raw) % 8)
    size = len(raw) if length is None else length
    return signed(struct.pack("<Q", size) + raw + payload)


def signed(data: bytes) -> bytes:
    place = data.find(CHECKSUM)
    if place < 0:
        return data
    begin = place + len(CHECKSUM)
    blank = data[:begin] + NO_CHECKSUM.encode() + data[begin + 64 :]
    return data[:begin] + hashlib.sha256(blank).hexdigest().encode() + data[begin + 64 :]


def good(name: str) -> bytes:
    """A frozen bundle, taken apart and put together again."""
    parts = Parts(name)
    return file_of(parts.header(), parts.payload())


def with_parts(change: Change, name: str = "nibbles") -> Callable[[], bytes]:
    """Change the parts before the header is made."""

    def build() -> bytes:
        parts = Parts(name)
        change(parts)
        return file_of(parts.header(), parts.payload())

    return build


def with_header(change: Change, name: str = "nibbles") -> Callable[[], bytes]:
    """Change the header after it is made."""

    def build() -> bytes:
        parts = Parts(name)
        header = parts.header()
        change(header)
        return file_of(header, parts.payload())

    return build


def with_text(change: Callable[[str], str | bytes]) -> Callable[[], bytes]:
    """Change the header's JSON text."""

    def build() -> bytes:
        parts = Parts("nibbles")
        return file_of(change(compact(parts.header())), parts.payload())

    return build


def with_json(key: str, change: Change, name: str = "nibbles") -> Callable[[], bytes]:
    """Change one metadata object."""
    return with_parts(lambda parts: change(parts.texts[key]), name)


def with_node(node: str, change: Change, name: str = "nibbles") -> Callable[[], bytes]:
    """Change one node of the graph."""
    return with_json("graph", lambda graph: change(find(graph, node)), name)


def with_entry(change: Change, tensor: str = "e1.index") -> Callable[[], bytes]:
    """Change one tensor's entry in the header."""
    return with_header(lambda header: change(header[tensor]))


def with_coding(change: Change, tensor: str = "d1.index") -> Callable[[], bytes]:
    """Change the entry of a coded tensor."""
    return with_json("coding", lambda entries: change(entries[tensor]), "coded")


def with_stream(stream: Callable[[bytes], bytes], tensor: str, codec: str = "") -> Callable[[], bytes]:
    """Replace the stream of a coded tensor by one made from it."""

    def change(parts: Parts) -> None:
        parts.tensors[tensor][2] = stream(parts.tensors[tensor][2])
        parts.tensors[tensor][1] = [len(parts.tensors[tensor][2])]
        if codec:
            parts.texts["coding"][tensor]["codec"] = codec

    return with_parts(change, "coded")


def with_metadata(name: str = "nibbles", **values: Any) -> Callable[[], bytes]:
    """Replace metadata texts verbatim; None removes one."""

    def change(header: Json) -> None:
        for key, value in values.items():
            if value is None:
                del header["__metadata__"][key]
            else:
                header["__metadata__"][key] = value

    return with_header(change, name)


def with_part(key: str, change: Change) -> Callable[[], bytes]:
    """Change one of version 2's optional objects."""
    return with_json(key, change, "complete")


def with_range(ends: Any, name: str = "density") -> Callable[[], bytes]:
    """Replace the range of one statistic of the envelope."""
    return with_part("envelope", lambda envelope: put(name, ends)(envelope["ranges"]))


def with_bytes(tensor: str, change: Callable[[bytearray], Any]) -> Callable[[], bytes]:
    """Change the bytes of one tensor."""

    def bend(parts: Parts) -> None:
        data = bytearray(parts.tensors[tensor][2])
        change(data)
        parts.tensors[tensor][2] = bytes(data)

    return with_parts(bend)


def find(graph: Json, name: str) -> Json:
    return next(node for node in graph["nodes"] if node["name"] == name)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (parent, key) inside a JSON value."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def put(key: str, value: Any) -> Change:
    return lambda target: target.__setitem__(key, value)


def drop(key: str) -> Change:
    return lambda target: target.__delitem__(key)


def rename_tensor(new: str) -> Change:
    return lambda header: header.__setitem__(new, header.pop("heat.shift"))


def add_tensor(name: str, dtype: str, shape: list[int]) -> Change:
    def change(parts: Parts) -> None:
        size = ITEM_BYTES[dtype]
        for side in shape:
            size *= side
        parts.tensors[name] = [dtype, shape, bytes(size)]

    return change


def resize_codebook(levels: int) -> Change:
    return lambda parts: parts.tensors.update(codebook=["F32", [levels], bytes(4 * levels)])


def swap_places(header: Json) -> None:
    """Two neighbours of equal size change their order in the file."""
    first, second = header["d1.scale"], header["d1.shift"]
    first["data_offsets"], second["data_offsets"] = second["data_offsets"], first["data_offsets"]


def float_at_start(value: float) -> Callable[[bytearray], None]:
    return lambda data: struct.pack_into("<f", data, 0, value)


def many_tensors() -> bytes:
    """As many empty entries as a header of 1 MiB can list."""
    parts = Parts("nibbles")
    header = parts.header()
    entry = compact({"data_offsets": [0, 0], "dtype": "U8", "shape": [1]})
    more = ",".join(f'"t{number}":{entry}' for number in range(16_000))
    return file_of(f"{compact(header)[:-1]},{more}}}", parts.payload())


def lzma_alone(data: bytes, dictionary_bytes: int = 1 << 16) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": dictionary_bytes}]
    return lzma.compress(data, lzma.FORMAT_ALONE, filters=filters)


def inflated(stream: bytes) -> bytes:
    return zlib.decompress(stream)


def claim_dictionary(stream: bytes) -> bytes:
    """An .lzma stream whose header asks the decoder for a dictionary of 1 GiB."""
    alone = lzma_alone(inflated(stream))
    return alone[:1] + struct.pack("<I", 1 << 30) + alone[5:]


def huge_decoded(parts: Parts) -> None:
    """A small stream that decodes to 65 MiB, as its entry states."""
    stream = zlib.compress(bytes(65 << 20), 9)
    parts.tensors["d1.index"] = ["U8", [len(stream)], stream]
    entry = parts.texts["coding"]["d1.index"]
    entry.update(bytes=65 << 20, shape=[65, 1024, 1024], dtype="U8")


def odd_lanes(entry: dict[str, Any]) -> None:
    """A shape of as many bytes whose last axis holds no eight channels."""
    *outer, lanes = entry["shape"]
    entry.update(order="input-major", shape=[*outer[:-1], outer[-1] * lanes, 1])


def widen_index(parts: Parts) -> None:
    _, shape, data = parts.tensors["e1.index"]
    parts.tensors["e1.index"] = ["U16", shape, data + data]


def pool_to_nothing(graph: Json) -> None:
    """Five times the half of 16 pixels."""
    names = ["image", *(f"half{times}" for times in range(5))]
    graph["nodes"] += [
        {"name": name, "op": "maxpool2", "inputs": [before]} for before, name in pairwise(names)
    ]


def lzma_with_dictionary(dictionary_bytes: int) -> Callable[[], bytes]:
    """A good stream whose decoder needs a dictionary of that size."""
    return with_stream(lambda stream: lzma_alone(inflated(stream), dictionary_bytes), "d1.index", "lzma")


def raw(data: bytes) -> Callable[[], bytes]:
    return lambda: data


GOOD = ("nibbles", "coded", "dense", "complete")

FILE_CASES = {
    "64 MiB and a byte": ("FileTooLarge", lambda: bytes((64 << 20) + 1)),
    "empty file": ("FileTooShort", raw(b"")),
    "7 bytes": ("FileTooShort", raw(b"1234567")),
    "header of length 0": ("InvalidJson", raw(bytes(8))),
    "header length 2^63": ("HeaderTooLarge", raw(struct.pack("<Q", 1 << 63) + b"{}")),
    "header length 2^64-1": ("HeaderTooLarge", raw(struct.pack("<Q", (1 << 64) - 1) + b"{}")),
    "header one byte longer than the file": (
        "HeaderBeyondFile",
        lambda: struct.pack("<Q", len(good("nibbles")) - 7) + good("nibbles")[8:],
    ),
    "header above 1 MiB": ("HeaderTooLarge", with_text(lambda text: text + " " * (1 << 20))),
    "byte after the last tensor": ("TrailingBytes", lambda: signed(good("nibbles") + b"\0")),
    "last byte missing": ("MisplacedTensor", lambda: signed(good("nibbles")[:-1])),
    "a png": ("HeaderTooLarge", raw(b"\x89PNG\r\n\x1a\n" + bytes(100))),
    "a zip": ("HeaderTooLarge", raw(b"PK\x03\x04" + bytes(100))),
    "text": ("HeaderTooLarge", raw(b"these are not the bytes of a bundle, but there are enough of them")),
}

HEADER_CASES = {
    "header is a list": ("NotAnObject", lambda: file_of("[]", b"")),
    "header is null": ("NotAnObject", lambda: file_of("null", b"")),
    "header is a string": ("NotAnObject", lambda: file_of('"x"', b"")),
    "header is not UTF-8": (
        "InvalidUtf8",
        with_text(lambda text: text.replace("heat.scale", "heat.scal\xff").encode("latin-1")),
    ),
    "header is truncated": ("InvalidJson", with_text(lambda text: text[:-1])),
    "header has text after its object": ("InvalidJson", with_text(lambda text: text + "{}")),
    "header is NaN": ("InvalidJson", lambda: file_of("NaN", b"")),
    "header nests 100,000 deep": ("InvalidJson", lambda: file_of("[" * 100_000, b"")),
    "header has a number of 5,000 digits": (
        "InvalidJson",
        with_text(lambda text: text.replace("[0,", f"[{'9' * 5000},", 1)),
    ),
    "header has a key twice": ("InvalidJson", with_text(lambda text: f'{{"d1.scale":{{}},{text[1:]}')),
    "16,000 entries": ("TooManyTensors", many_tensors),
    "type not known": ("UnknownType", with_entry(put("dtype", "BF16"))),
    "type is a list": ("UnknownType", with_entry(put("dtype", ["U8"]))),
    "type missing": ("InvalidTensorEntry", with_entry(drop("dtype"))),
    "shape missing": ("InvalidTensorEntry", with_entry(drop("shape"))),
    "offsets missing": ("InvalidTensorEntry", with_entry(drop("data_offsets"))),
    "entry has another key": ("InvalidTensorEntry", with_entry(put("order", "C"))),
    "entry is a list": ("InvalidTensorEntry", with_header(put("e1.index", [0, 4]))),
    "offset negative": (
        "InvalidOffsets",
        with_entry(lambda entry: put("data_offsets", [-1, entry["data_offsets"][1]])(entry)),
    ),
    "offset is a float": (
        "InvalidOffsets",
        with_entry(lambda entry: put("data_offsets", [float(n) for n in entry["data_offsets"]])(entry)),
    ),
    "offset is true": (
        "InvalidOffsets",
        with_entry(lambda entry: put("data_offsets", [True, entry["data_offsets"][1]])(entry)),
    ),
    "offset is infinite": ("InvalidJson", with_entry(put("data_offsets", [0, float("inf")]))),
    "offsets swapped": ("MisplacedTensor", with_entry(lambda entry: entry["data_offsets"].reverse())),
    "three offsets": ("InvalidOffsets", with_entry(lambda entry: entry["data_offsets"].append(0))),
    "tensors overlap": (
        "MisplacedTensor",
        with_header(lambda h: h["d1.shift"].update(data_offsets=list(h["d1.scale"]["data_offsets"]))),
    ),
    "tensors swapped": ("UnorderedTensor", with_header(swap_places)),
    "a hole between tensors": (
        "MisplacedTensor",
        with_header(
            lambda h: h["heat.index"].update(data_offsets=[n + 1 for n in h["heat.index"]["data_offsets"]])
        ),
    ),
    "tensor beyond the file": (
        "MisplacedTensor",
        with_entry(lambda e: e.update(data_offsets=[e["data_offsets"][0], 1 << 40])),
    ),
    "shape of 2^31 three times": (
        "MisplacedTensor",
        with_entry(put("shape", [1 << 31, 1 << 31, 1 << 31, 4])),
    ),
    "shape of 5 dimensions": ("InvalidShape", with_entry(lambda entry: entry["shape"].append(1))),
    "shape of no dimension": ("InvalidShape", with_entry(put("shape", []))),
    "shape with 0": ("InvalidShape", with_entry(lambda entry: entry["shape"].__setitem__(0, 0))),
    "shape with -1": ("InvalidShape", with_entry(lambda entry: entry["shape"].__setitem__(0, -1))),
    "shape with true": ("InvalidShape", with_header(lambda h: h["p1.index"]["shape"].__setitem__(2, True))),
    "shape with a float": ("InvalidShape", with_entry(lambda entry: entry["shape"].__setitem__(3, 4.0))),
    "tensor without bytes": ("InvalidShape", with_parts(add_tensor("none.shift", "F32", [0]))),
    "tensor name with NUL": ("InvalidTensorName", with_header(rename_tensor("heat\0.shift"))),
    "tensor name leads out of the folder": ("InvalidTensorName", with_header(rename_tensor("../heat.shift"))),
    "tensor name of 100,000 letters": ("InvalidTensorName", with_header(rename_tensor("h" * 100_000))),
    "tensor name empty": ("InvalidTensorName", with_header(rename_tensor(""))),
}

METADATA_CASES = {
    "no metadata": ("InvalidMetadata", with_header(drop("__metadata__"))),
    "metadata is a list": ("InvalidMetadata", with_header(put("__metadata__", []))),
    "metadata value is a number": ("InvalidMetadata", with_metadata(version=1)),
    "metadata has another key": ("InvalidMetadata", with_metadata(author="me")),
    "metadata without graph": ("InvalidMetadata", with_metadata(graph=None)),
    "metadata without checksum": ("InvalidMetadata", with_metadata(file_sha256=None)),
    "format of another": ("UnknownFormat", with_metadata(format="pt")),
    "version 0": ("UnknownVersion", with_metadata(version="0")),
    "version 3": ("UnknownVersion", with_metadata(version="3")),
    "version 2 without an object of its own": ("InvalidMetadata", with_metadata(version="2")),
    "version 2 with an unknown object": ("InvalidMetadata", with_metadata("complete", staging="{}")),
    "version 2 without scoring": ("InvalidMetadata", with_metadata("complete", scoring=None)),
    "version 1 with an object of version 2": ("InvalidMetadata", with_metadata("complete", version="1")),
    "version 1.0": ("UnknownVersion", with_metadata(version="1.0")),
    "checksum of 64 other letters": (
        "InvalidChecksum",
        lambda: CHECKSUM_DIGITS.sub(CHECKSUM + b"g" * 64, good("nibbles")),
    ),
    "checksum in capitals": (
        "InvalidChecksum",
        lambda: CHECKSUM_DIGITS.sub(lambda match: CHECKSUM + match[1].upper(), good("nibbles")),
    ),
    "checksum of zeros": (
        "ChecksumMismatch",
        lambda: CHECKSUM_DIGITS.sub(CHECKSUM + b"0" * 64, good("nibbles")),
    ),
    "checksum of another file": (
        "ChecksumMismatch",
        lambda: good("nibbles")[:-1] + bytes([good("nibbles")[-1] ^ 1]),
    ),
    "graph is not JSON": ("InvalidJson", with_metadata(graph="{")),
    "graph is a list": ("NotAnObject", with_metadata(graph="[]")),
    "graph has a key twice": (
        "InvalidJson",
        with_metadata(graph='{"nodes":[],"nodes":[],"input":{},"output":""}'),
    ),
    "accuracy is null": ("NotAnObject", with_metadata(accuracy="null")),
    "accuracy holds NaN": ("InvalidJson", with_metadata(accuracy='{"f1":NaN}')),
    "provenance holds 1e999": ("InvalidJson", with_metadata(provenance='{"seed":1e999}')),
    "provenance holds an integer of 17 characters": (
        "InvalidJson",
        with_metadata(provenance='{"seed":-1000000000000000}'),
    ),
    "provenance holds a lone surrogate": ("InvalidJson", with_metadata(provenance='{"method":"\\ud800"}')),
    "provenance nests 100,000 deep": ("InvalidJson", with_metadata(provenance='{"a":' + "[" * 100_000)),
}

GRAPH_CASES = {
    "graph without output": ("InvalidGraph", with_json("graph", drop("output"))),
    "graph has another key": ("InvalidGraph", with_json("graph", put("name", "x"))),
    "graph has no nodes": ("InvalidGraph", with_json("graph", put("nodes", []))),
    "nodes is an object": ("InvalidGraph", with_json("graph", put("nodes", {}))),
    "1,025 nodes": (
        "InvalidGraph",
        with_json(
            "graph",
            lambda graph: graph["nodes"].extend(
                {"name": f"more{n}", "op": "relu", "inputs": ["image"]}
                for n in range(1025 - len(graph["nodes"]))
            ),
        ),
    ),
    "node is a string": ("InvalidNodeName", with_json("graph", lambda graph: graph["nodes"].append("relu"))),
    "node without name": ("InvalidNodeName", with_node("heat_relu", drop("name"))),
    "node without op": ("UnknownOperation", with_node("sum_lr", drop("op"))),
    "op not in the list": ("UnknownOperation", with_node("sum_lr", put("op", "softmax"))),
    "op is a list": ("UnknownOperation", with_node("sum_lr", put("op", ["relu"]))),
    "node without inputs": ("InvalidNodeFields", with_node("sum_lr", drop("inputs"))),
    "node has another field": ("InvalidNodeFields", with_node("sum_lr", put("alpha", 0.3))),
    "node lacks a field": ("InvalidNodeFields", with_node("sum_lr", drop("slope"))),
    "node reads nothing that is there": ("UnknownNodeInput", with_node("sum_lr", put("inputs", ["nowhere"]))),
    "node reads itself": ("UnknownNodeInput", with_node("sum_lr", put("inputs", ["sum_lr"]))),
    "node reads a later node": (
        "UnknownNodeInput",
        with_json("graph", lambda graph: graph["nodes"].reverse()),
    ),
    "node reads a number": ("UnknownNodeInput", with_node("sum_lr", put("inputs", [0]))),
    "inputs is a string": ("UnknownNodeInput", with_node("sum_lr", put("inputs", "sum_bn"))),
    "relu of two": ("InvalidInputCount", with_node("heat_relu", put("inputs", ["heat", "heat"]))),
    "add of one": ("InvalidInputCount", with_node("both", put("inputs", ["d1"]))),
    "add of four": ("InvalidInputCount", with_node("both", put("inputs", ["d1"] * 4))),
    "add of unequal shapes": ("ShapeMismatch", with_node("both", put("inputs", ["d1", "up"]))),
    "concat of one": ("InvalidInputCount", with_node("twice", put("inputs", ["pool"]))),
    "concat of unequal sizes": ("ShapeMismatch", with_node("twice", put("inputs", ["pool", "c1_lr"]))),
    "name twice": ("DuplicateNodeName", with_node("sum_lr", put("name", "sum"))),
    "name of the input": ("DuplicateNodeName", with_node("sum_lr", put("name", "image"))),
    "name with a slash": ("InvalidNodeName", with_node("heat_relu", put("name", "../heat"))),
    "name reserved": ("InvalidNodeName", with_node("heat_relu", put("name", "golden"))),
    "name of 65 letters": ("InvalidNodeName", with_node("heat_relu", put("name", "h" * 65))),
    "name ends with a line feed": ("InvalidNodeName", with_node("heat_relu", put("name", "heat_relu\n"))),
    "pooled to nothing": ("InvalidResultShape", with_json("graph", pool_to_nothing)),
    "output not there": ("UnknownOutput", with_json("graph", put("output", "softmax"))),
    "output is the input": ("UnknownOutput", with_json("graph", put("output", "image"))),
    "output is a number": ("UnknownOutput", with_json("graph", put("output", 3))),
    "input of 4 channels": (
        "InvalidInput",
        with_json("graph", lambda graph: graph["input"].update(channels=4)),
    ),
    "input channels true": (
        "InvalidInput",
        with_json("graph", lambda graph: graph["input"].update(channels=True)),
    ),
    "divisor 0": ("InvalidInput", with_json("graph", lambda graph: graph["input"].update(divisor=0))),
    "divisor a string": (
        "InvalidInput",
        with_json("graph", lambda graph: graph["input"].update(divisor="255")),
    ),
    "input has another field": (
        "InvalidInput",
        with_json("graph", lambda graph: graph["input"].update(mean=0)),
    ),
    "in_channels wrong": ("ChannelMismatch", with_node("e1", put("in_channels", 11))),
    "out_channels 0": ("InvalidChannels", with_node("heat", put("out_channels", 0))),
    "out_channels 2^40": ("InvalidChannels", with_node("heat", put("out_channels", 1 << 40))),
    "out_channels a float": ("InvalidChannels", with_node("heat", put("out_channels", 3.0))),
    "kernel 5x5": ("UnsupportedConvolution", with_node("e1", put("kernel", [5, 5]))),
    "kernel 3x1": ("UnsupportedConvolution", with_node("e1", put("kernel", [3, 1]))),
    "kernel of true": ("UnsupportedConvolution", with_node("p1", put("kernel", [True, True]))),
    "kernel of floats": ("UnsupportedConvolution", with_node("p1", put("kernel", [1.0, 1.0]))),
    "kernel a number": ("UnsupportedConvolution", with_node("e1", put("kernel", 3))),
    "dilation 0": ("InvalidDilation", with_node("e1", put("dilation", 0))),
    "dilation 2^31": ("InvalidDilation", with_node("e1", put("dilation", 1 << 31))),
    "dilation a pair": ("InvalidDilation", with_node("e1", put("dilation", [1, 1]))),
    "stride 2": ("UnsupportedConvolution", with_node("e1", put("stride", 2))),
    "stride true": ("UnsupportedConvolution", with_node("e1", put("stride", True))),
    "padding valid": ("UnsupportedConvolution", with_node("e1", put("padding", "valid"))),
    "slope a string": ("InvalidSlope", with_node("sum_lr", put("slope", "0.3"))),
    "slope true": ("InvalidSlope", with_node("sum_lr", put("slope", True))),
    "slope below 0": ("InvalidSlope", with_node("sum_lr", put("slope", -0.1))),
    "slope above 1": ("InvalidSlope", with_node("sum_lr", put("slope", 1.5))),
    "affine of other channels": ("ChannelMismatch", with_node("sum_bn", put("channels", 19))),
    "codebook not there": ("MissingTensor", with_node("e1", put("codebook", "codebook.e1"))),
    "codebook is another tensor": ("InvalidCodebookName", with_node("e1", put("codebook", "d1.scale"))),
    "codebook is a number": ("InvalidCodebookName", with_node("e1", put("codebook", 0))),
    "dense on an image": (
        "ShapeMismatch",
        with_node("d1", lambda node: node.update(inputs=["pool"], in_channels=5), "dense"),
    ),
    "maxpool2 of a flat vector": (
        "ShapeMismatch",
        with_json(
            "graph",
            lambda g: g["nodes"].append({"name": "late", "op": "maxpool2", "inputs": ["flat"]}),
            "dense",
        ),
    ),
    "flatten before other channels": (
        "ChannelMismatch",
        with_node("d1", put("in_channels", 319), "dense"),
    ),
}

TENSOR_CASES = {
    "index missing": ("MissingTensor", with_parts(lambda parts: parts.tensors.pop("e1.index"))),
    "scale missing": ("MissingTensor", with_parts(lambda parts: parts.tensors.pop("e1.scale"))),
    "codebook missing": ("MissingTensor", with_parts(lambda parts: parts.tensors.pop("codebook"))),
    "golden input missing": ("MissingTensor", with_parts(lambda parts: parts.tensors.pop("golden.input"))),
    "golden output missing": ("MissingTensor", with_parts(lambda parts: parts.tensors.pop("golden.output"))),
    "tensor of no node": ("ForeignTensor", with_parts(add_tensor("heat.extra", "U8", [4]))),
    "codebook of no node": ("ForeignTensor", with_parts(add_tensor("codebook.spare", "F32", [4]))),
    "weight beside index": ("ForeignTensor", with_parts(add_tensor("e1.weight", "F32", [3, 10, 9, 8]))),
    "codebook of 257 for bytes": ("TensorMismatch", with_parts(resize_codebook(257))),
    "codebook of 17 for nibbles": ("TensorMismatch", with_parts(resize_codebook(17))),
    "codebook of 65,537": ("TensorMismatch", with_parts(resize_codebook(65_537))),
    "codebook of two dimensions": (
        "TensorMismatch",
        with_header(lambda header: header["codebook"].update(shape=[4, 4])),
    ),
    "index as wide as another k": ("TensorMismatch", with_parts(widen_index)),
    "index of another shape": (
        "TensorMismatch",
        with_header(lambda header: header["e1.index"]["shape"].reverse()),
    ),
    "index beyond its codebook, low nibble": ("IndexOutOfRange", with_parts(resize_codebook(5))),
    "index beyond its codebook, byte": (
        "IndexOutOfRange",
        with_parts(
            lambda parts: parts.tensors["e4.index"].__setitem__(
                2, b"\xff" * len(parts.tensors["e4.index"][2])
            ),
            "per-layer",
        ),
    ),
    "index beyond its codebook, two bytes": (
        "IndexOutOfRange",
        with_parts(
            lambda parts: parts.tensors["e1.index"].__setitem__(
                2, b"\x2c\x01" * (len(parts.tensors["e1.index"][2]) // 2)
            ),
            "wide",
        ),
    ),
    "codebook holds NaN": ("ValueOutOfRange", with_bytes("codebook", float_at_start(float("nan")))),
    "codebook holds infinity": ("ValueOutOfRange", with_bytes("codebook", float_at_start(float("inf")))),
    "scale holds minus infinity": ("ValueOutOfRange", with_bytes("e1.scale", float_at_start(float("-inf")))),
    "shift holds 2^127": ("ValueOutOfRange", with_bytes("e1.shift", float_at_start(2.0**127))),
    "golden output holds NaN": ("ValueOutOfRange", with_bytes("golden.output", float_at_start(float("nan")))),
    "golden output of another shape": (
        "TensorMismatch",
        with_header(lambda header: header["golden.output"].update(shape=[16, 3])),
    ),
    "golden input of 8 x 32": (
        "InvalidGoldenInput",
        with_header(lambda header: header["golden.input"].update(shape=[8, 32, 3])),
    ),
    "golden input flat": (
        "InvalidGoldenInput",
        with_header(lambda header: header["golden.input"].update(shape=[768])),
    ),
}

SCORING_CASES = {
    "scoring without thresholds": ("InvalidScoring", with_json("scoring", drop("thresholds"))),
    "scoring has another key": ("InvalidScoring", with_json("scoring", put("radius_px", 3))),
    "two classes for three channels": (
        "InvalidClasses",
        with_json("scoring", lambda scoring: scoring["classes"].pop()),
    ),
    "a class twice": (
        "InvalidClasses",
        with_json("scoring", put("classes", ["til", "til", "immunopositive"])),
    ),
    "a class with markup": (
        "InvalidClasses",
        with_json("scoring", put("classes", ["<b>", "immunonegative", "til"])),
    ),
    "four thresholds": (
        "InvalidScoringNumbers",
        with_json("scoring", lambda scoring: scoring["thresholds"].append(1)),
    ),
    "a negative threshold": ("InvalidScoringNumbers", with_json("scoring", put("thresholds", [-1, 55, 40]))),
    "a threshold that is true": (
        "InvalidScoringNumbers",
        with_json("scoring", put("thresholds", [True, 55, 40])),
    ),
    "a threshold in quotes": (
        "InvalidScoringNumbers",
        with_json("scoring", put("thresholds", ["60", 55, 40])),
    ),
    "three cut-offs": ("InvalidScoringNumbers", with_json("scoring", put("ki67_cutoffs", [0.1, 0.2, 0.3]))),
    "distance 0": ("InvalidScoringNumbers", with_json("scoring", put("min_distance_px", 0))),
    "distance 10^9": ("InvalidScoringNumbers", with_json("scoring", put("min_distance_px", 10**9))),
    "distance a float": ("InvalidScoringNumbers", with_json("scoring", put("min_distance_px", 5.5))),
    "network size 0": ("InvalidScoringNumbers", with_json("scoring", put("network_size_px", 0))),
}

CODING_CASES = {
    "codec not known": ("UnknownCodec", with_coding(put("codec", "zstd"))),
    "codec is a list": ("UnknownCodec", with_coding(put("codec", ["zlib"]))),
    "coded type not known": ("UnknownType", with_coding(put("dtype", "I8"))),
    "coded type is a list": ("UnknownType", with_coding(put("dtype", ["U8"]))),
    "coded tensor not there": (
        "UnknownCodedTensor",
        with_json("coding", lambda c: c.update(nowhere=c["d1.index"]), "coded"),
    ),
    "coded tensor that is not U8": (
        "UnknownCodedTensor",
        with_json("coding", lambda c: c.update(codebook=c["d1.index"]), "coded"),
    ),
    "coding entry lacks its size": ("InvalidCodingEntry", with_coding(drop("bytes"))),
    "coding entry has another key": ("InvalidCodingEntry", with_coding(put("level", 9))),
    "order not known": ("InvalidOrder", with_coding(put("order", "output-major"))),
    "order is true": ("InvalidOrder", with_coding(put("order", True))),
    "order of a picture": (
        "InvalidOrder",
        with_json("coding", lambda c: c["golden.input"].update(order="input-major"), "coded"),
    ),
    "order of lanes that are no lanes": ("InvalidOrder", with_coding(odd_lanes)),
    "coding entry is a string": ("InvalidCodingEntry", with_json("coding", put("d1.index", "zlib"), "coded")),
    "coded size true": ("CodedSizeMismatch", with_coding(put("bytes", True))),
    "coded size one more than the shape": (
        "CodedSizeMismatch",
        with_coding(lambda entry: entry.update(bytes=entry["bytes"] + 1)),
    ),
    "coded shape of 2^40": ("CodedSizeMismatch", with_coding(put("shape", [1 << 40]))),
    "coded shape with 0": ("InvalidShape", with_coding(lambda entry: entry["shape"].__setitem__(0, 0))),
    "stream of another codec": ("DictionaryTooLarge", with_coding(put("codec", "lzma"))),
    "stream cut": ("DamagedStream", with_stream(lambda stream: stream[:-1], "d1.index")),
    "stream with a byte after it": ("DamagedStream", with_stream(lambda stream: stream + b"\0", "d1.index")),
    "stream followed by another": ("DamagedStream", with_stream(lambda stream: stream + stream, "d1.index")),
    "stream damaged": (
        "DamagedStream",
        with_stream(lambda stream: stream[:20] + bytes([stream[20] ^ 255]) + stream[21:], "d1.index"),
    ),
    "stream empty of data": ("DamagedStream", with_stream(lambda _: zlib.compress(b""), "d1.index")),
    "stream one byte short": (
        "DamagedStream",
        with_stream(lambda stream: zlib.compress(inflated(stream)[:-1]), "d1.index"),
    ),
    "stream one byte long": (
        "DamagedStream",
        with_stream(lambda stream: zlib.compress(inflated(stream) + b"\0"), "d1.index"),
    ),
    "stream of 64 MiB where a few kB are announced": (
        "DamagedStream",
        with_stream(lambda _: zlib.compress(bytes(64 << 20), 9), "d1.index"),
    ),
    "lzma stream of 16 MiB": (
        "DamagedStream",
        with_stream(lambda _: lzma_alone(bytes(16 << 20)), "d1.index", "lzma"),
    ),
    "lzma stream cut": ("DamagedStream", with_stream(lambda stream: stream[:-1], "e1.index")),
    "lzma stream with a byte after it": (
        "DamagedStream",
        with_stream(lambda stream: stream + b"\0", "e1.index"),
    ),
    "lzma dictionary of 12 MiB": ("DictionaryTooLarge", lzma_with_dictionary(12 << 20)),
    "lzma stream that wants 1 GiB": ("DictionaryTooLarge", with_stream(claim_dictionary, "d1.index", "lzma")),
    "xz where .lzma is announced": (
        "DictionaryTooLarge",
        with_stream(lambda s: lzma.compress(inflated(s)), "d1.index", "lzma"),
    ),
    "65 MiB decoded": ("DecodedTooLarge", with_parts(huge_decoded, "coded")),
}

PART_CASES = {
    "envelope is a list": ("NotAnObject", with_metadata("complete", envelope="[]")),
    "envelope cut": ("InvalidJson", with_metadata("complete", envelope='{"colours":[')),
    "image holds NaN": ("InvalidJson", with_metadata("complete", image='{"micrometres_per_pixel":NaN}')),
    "version 2 cut": ("MisplacedTensor", lambda: signed(good("complete")[:-1])),
    "version 2 with a flipped bit": (
        "ChecksumMismatch",
        lambda: good("complete")[:-1] + bytes([good("complete")[-1] ^ 1]),
    ),
    "cut-offs without a source": ("InvalidCutoffs", with_part("cutoffs", drop("source"))),
    "cut-offs with another key": ("InvalidCutoffs", with_part("cutoffs", put("middle", {}))),
    "cut-offs without a name": ("InvalidCutoffs", with_part("cutoffs", put("name", ""))),
    "cut-offs with a line feed": ("InvalidCutoffs", with_part("cutoffs", put("scope", "a\nb"))),
    "low with two operators": (
        "InvalidCutoffs",
        with_part("cutoffs", put("low", {"below": 0.1, "at_most": 0.1})),
    ),
    "low with high's operator": ("InvalidCutoffs", with_part("cutoffs", put("low", {"above": 0.1}))),
    "low a number": ("InvalidCutoffs", with_part("cutoffs", put("low", 0.1))),
    "low in per cent": ("InvalidCutoffs", with_part("cutoffs", put("low", {"below": 16}))),
    "low true": ("InvalidCutoffs", with_part("cutoffs", put("low", {"below": True}))),
    "low above high": ("InvalidCutoffs", with_part("cutoffs", put("low", {"below": 0.31}))),
    "envelope without ranges": ("InvalidEnvelope", with_part("envelope", drop("ranges"))),
    "envelope with another key": ("InvalidEnvelope", with_part("envelope", put("weights", {}))),
    "no range": ("InvalidEnvelope", with_part("envelope", put("ranges", {}))),
    "ranges a list": ("InvalidEnvelope", with_part("envelope", put("ranges", [[0, 1]]))),
    "range of an unknown statistic": ("InvalidEnvelope", with_range([0, 1], "mood")),
    "range of three": ("InvalidEnvelope", with_range([0, 1, 2])),
    "range upside down": ("InvalidEnvelope", with_range([2, 1])),
    "range without ends": ("InvalidEnvelope", with_range([None, None])),
    "range below 0": ("InvalidEnvelope", with_range([-1, None])),
    "range of true": ("InvalidEnvelope", with_range([None, True])),
    "range of a text": ("InvalidEnvelope", with_range([None, "1"])),
    "range of 1e9": ("InvalidEnvelope", with_range([None, 1e9])),
    "four levels of colours": (
        "InvalidEnvelope",
        with_part("envelope", lambda envelope: envelope["colours"].pop()),
    ),
    "colours too short": ("InvalidEnvelope", with_part("envelope", put("colours", ["0" * 255] * 5))),
    "colours in capitals": ("InvalidEnvelope", with_part("envelope", put("colours", ["A" * 256] * 5))),
    "colours as numbers": ("InvalidEnvelope", with_part("envelope", put("colours", [0] * 5))),
    "a third stain": (
        "InvalidEnvelope",
        with_part("envelope", lambda envelope: put("eosin", [[0, 0, 0], [1, 1, 1]])(envelope["stains"])),
    ),
    "a stain of two channels": (
        "InvalidEnvelope",
        with_part("envelope", lambda envelope: put("dab", [[0, 0], [1, 1]])(envelope["stains"])),
    ),
    "a stain above 1": (
        "InvalidEnvelope",
        with_part("envelope", lambda envelope: put("dab", [[0, 0, 0], [1, 1, 2]])(envelope["stains"])),
    ),
    "trained on 201 letters": ("InvalidEnvelope", with_part("envelope", put("trained_on", "x" * 201))),
    "trained on a number": ("InvalidEnvelope", with_part("envelope", put("trained_on", 12))),
    "image without normalisation": ("InvalidImage", with_part("image", drop("normalisation"))),
    "image with another key": ("InvalidImage", with_part("image", put("stain", "DAB"))),
    "image with an unknown normalisation": (
        "InvalidImage",
        with_part("image", put("normalisation", "macenko")),
    ),
    "pixels of 0 micrometres": ("InvalidImage", with_part("image", put("micrometres_per_pixel", 0))),
    "pixels of 2 mm": ("InvalidImage", with_part("image", put("micrometres_per_pixel", 2000))),
    "pixels of true": ("InvalidImage", with_part("image", put("micrometres_per_pixel", True))),
    "pixels in quotes": ("InvalidImage", with_part("image", put("micrometres_per_pixel", "1.2"))),
}

CASES: dict[str, tuple[str, Callable[[], bytes]]] = (
    FILE_CASES
    | HEADER_CASES
    | METADATA_CASES
    | GRAPH_CASES
    | TENSOR_CASES
    | SCORING_CASES
    | CODING_CASES
    | PART_CASES
)
