"""The bundle reader: what it returns, and what it must refuse and why, as the host's reader does."""

from __future__ import annotations

import contextlib
import json
import lzma
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bundle_recipe import SCORING, Recipe, floats, sealed, tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepatho_runtime.bundle import coding, container, reader
from edgepatho_runtime.errors import BundleError

sys.path.insert(0, str(Path(__file__).parents[2] / "attacks"))
from readers import refused  # asks this reader and the host's


def test_a_good_bundle_has_its_tensors_and_objects(tmp_path: Path) -> None:
    path = tmp_path / "tiny.epb"
    path.write_bytes(tiny().build())
    read = reader.read(path)
    assert read.file_bytes == path.stat().st_size
    assert read.graph["output"] == "heat"
    assert read.scoring == SCORING
    assert read.tensors["codebook"].data.cast("f").tolist() == [0.0, 0.5, -0.5]
    assert read.tensors["mix.index"].shape == (1, 3, 1, 4)
    assert read.provenance == {"research_use_only": True}


def test_tensors_are_views_of_one_buffer() -> None:
    data = tiny().build()
    assert all(tensor.data.obj is data for tensor in reader.parse(data).tensors.values())


def test_every_prefix_is_refused() -> None:
    data = tiny().build()
    for length in range(len(data)):
        with pytest.raises(BundleError):
            reader.parse(data[:length])


def test_every_flipped_bit_is_refused() -> None:
    data = tiny().build()
    for bit in range(8 * len(data)):
        bent = bytearray(data)
        bent[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BundleError):
            reader.parse(bytes(bent))


def test_flipped_bits_under_a_right_digest_raise_nothing_else() -> None:
    data = tiny().build()
    at = data.find(b'"file_sha256":"') + 15
    clean = data[:at] + b"0" * 64 + data[at + 64 :]
    accepted = 0
    for bit in range(8 * len(data)):
        bent = bytearray(clean)
        bent[bit // 8] ^= 1 << bit % 8
        length = int.from_bytes(bent[:8], "little")
        try:
            reader.parse(sealed(bytes(bent[8 : 8 + length]), bytes(bent[8 + length :])))
            accepted += 1
        except BundleError:
            pass
    assert accepted > 3000  # most values are free: pixels, most float bits


# -- the container, one defect each --------------------------------------------------------------------


def header_of(text: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text)) + text + payload


@pytest.mark.parametrize(
    ("refusal", "data"),
    [
        ("FileTooShort", b""),
        ("FileTooShort", b"1234567"),
        ("InvalidJson", bytes(8)),
        ("HeaderTooLarge", struct.pack("<Q", 1 << 63) + b"{}"),
        ("HeaderTooLarge", b"\xff" * 8 + b"{}"),
        ("HeaderBeyondFile", struct.pack("<Q", 3) + b"{}"),
        ("NotAnObject", header_of(b"[]")),
        ("NotAnObject", header_of(b"null")),
        ("NotAnObject", header_of(b'"x"')),
        ("NotAnObject", header_of(b"7")),
        ("InvalidMetadata", header_of(b"{}")),
        ("InvalidUtf8", header_of(b"\xff\xfe{}")),
        ("InvalidJson", header_of(b'{"a":NaN}')),
        ("InvalidJson", header_of(b'{"a":1e999}')),
        ("InvalidJson", header_of(b'{"a":-Infinity}')),
        ("InvalidJson", header_of(b"[" * 100_000)),
        ("InvalidJson", header_of(b'{"a":' * 100_000)),
        ("InvalidJson", header_of(b'{"a":' + b"9" * 5000 + b"}")),
        ("InvalidJson", header_of(b'{"a":1,"a":1}')),
        ("UnknownFormat", header_of(b'{"__metadata__":{}}')),
        ("InvalidMetadata", header_of(b'{"__metadata__":[]}')),
        ("HeaderTooLarge", header_of(b" " * ((1 << 20) + 1))),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_bad_containers_are_refused(refusal: str, data: bytes) -> None:
    assert refused(data) == refusal


def bent(change: Callable[[Recipe], None]) -> bytes:
    recipe = tiny()
    change(recipe)
    return recipe.build()


def entry(**fields: Any) -> Callable[[Recipe], None]:
    """Replace fields of the header's entry of mix.index, the last tensor."""

    def change(recipe: Recipe) -> None:
        good = json.loads(recipe.build()[8:].split(b'"mix.index":')[1].split(b"}")[0] + b"}")
        recipe.entries["mix.index"] = good | fields

    return change


END = 12 + 4 * 12 + 192 + 768 + 12  # of the tiny payload


def test_the_tiny_payload_ends_where_the_entries_below_assume() -> None:
    recipe = tiny()
    assert sum(len(data) for _, _, data in recipe.tensors.values()) == END


@pytest.mark.parametrize(
    ("refusal", "fields"),
    [
        ("UnknownType", {"dtype": "F64"}),
        ("UnknownType", {"dtype": ["U8"]}),
        ("UnknownType", {"dtype": None}),
        ("MisplacedTensor", {"shape": [1, 3, 1]}),
        ("InvalidShape", {"shape": [12, 0]}),
        ("InvalidShape", {"shape": [1, 3, 1, 4.0]}),
        ("InvalidShape", {"shape": [True, 3, 1, 4]}),
        ("InvalidShape", {"shape": [-1, -12]}),
        ("InvalidShape", {"shape": [1, 1, 3, 1, 4]}),
        ("InvalidShape", {"shape": []}),
        ("InvalidShape", {"shape": 12}),
        ("MisplacedTensor", {"shape": [1 << 31, 1 << 31, 1 << 31]}),
        ("InvalidOffsets", {"data_offsets": [END - 12]}),
        ("InvalidOffsets", {"data_offsets": [END - 12, END, END]}),
        ("InvalidOffsets", {"data_offsets": [END - 12, float(END)]}),
        ("InvalidOffsets", {"data_offsets": [END - 12, True]}),
        ("MisplacedTensor", {"data_offsets": [END, END - 12]}),
        ("MisplacedTensor", {"data_offsets": [END - 13, END - 1]}),
        ("MisplacedTensor", {"data_offsets": [END - 11, END + 1]}),
        ("InvalidOffsets", {"data_offsets": [-12, 0]}),
        ("MisplacedTensor", {"data_offsets": [0, 12]}),
        ("MisplacedTensor", {"data_offsets": [END - 12, END - 1]}),
        ("MisplacedTensor", {"data_offsets": [END - 12, 10**15]}),
        ("InvalidOffsets", {"data_offsets": None}),
        ("InvalidTensorEntry", {"extra": 1}),
    ],
    ids=str,
)
def test_bad_tensor_entries_are_refused(refusal: str, fields: dict[str, Any]) -> None:
    assert refused(bent(entry(**fields))) == refusal


@pytest.mark.parametrize("name", ["../mix.index", "mix\x00", "", "a" * 100_000, "mix.in.dex", "ключ"])
def test_bad_tensor_names_are_refused(name: str) -> None:
    recipe = tiny()
    recipe.entries[name] = {"dtype": "U8", "shape": [1], "data_offsets": [END, END + 1]}
    recipe.tail = b"\0"
    assert refused(recipe.build()) == "InvalidTensorName"


def test_a_lone_surrogate_as_a_name_or_digest_is_refused() -> None:
    data = tiny().build()
    end = 8 + int.from_bytes(data[:8], "little")
    text, payload = data[8:end], data[end:]
    assert refused(sealed(text.replace(b'"mix.index":', b'"\\ud800xx":'), payload)) == "InvalidJson"
    digest = text[text.find(b'"file_sha256":"') + 15 :][:64]
    assert refused(header_of(text.replace(digest, b"\\ud800" + b"0" * 58), payload)) == "InvalidJson"


def test_a_trailing_byte_is_refused() -> None:
    recipe = tiny()
    recipe.tail = b"\0"
    assert refused(recipe.build()) == "TrailingBytes"


def test_tensors_out_of_order_are_refused() -> None:
    recipe = tiny()
    first, second = recipe.tensors["mix.scale"], recipe.tensors["mix.shift"]
    begin = len(recipe.tensors["codebook"][2]) + len(recipe.tensors["golden.output"][2])
    recipe.entries["mix.shift"] = {"dtype": "F32", "shape": [3], "data_offsets": [begin, begin + 12]}
    recipe.entries["mix.scale"] = {"dtype": "F32", "shape": [3], "data_offsets": [begin + 12, begin + 24]}
    assert len(first[2]) == len(second[2]) == 12
    assert refused(recipe.build()) == "UnorderedTensor"


@pytest.mark.parametrize(
    ("refusal", "change"),
    [
        ("UnknownFormat", {"format": "safetensors"}),
        ("UnknownVersion", {"version": "0"}),
        ("UnknownVersion", {"version": "3"}),
        ("InvalidMetadata", {"version": "2"}),
        ("InvalidMetadata", {"version": 1}),
        ("InvalidMetadata", {"more": "x"}),
        ("NotAnObject", {"graph": "[]"}),
        ("InvalidJson", {"graph": '{"a":1,"a":2}'}),
        ("InvalidJson", {"graph": "{"}),
        ("InvalidMetadata", {"scoring": {}}),
        ("NotAnObject", {"provenance": "null"}),
        ("InvalidChecksum", {"file_sha256": "0" * 63}),
        ("InvalidChecksum", {"file_sha256": "A" * 64}),
        ("ChecksumMismatch", {"file_sha256": "1" * 64}),
    ],
    ids=str,
)
def test_bad_metadata_is_refused(refusal: str, change: dict[str, Any]) -> None:
    assert refused(bent(lambda recipe: recipe.metadata.update(change))) == refusal


def test_a_second_digest_is_refused() -> None:
    recipe = tiny()
    recipe.entries["file_sha256"] = "0" * 64
    assert refused(recipe.build()) == "InvalidChecksum"


def test_thousands_of_tensors_are_refused_before_any_is_checked() -> None:
    recipe = tiny()
    recipe.entries.update({f"t{i}": "no entry" for i in range(12_000)})
    data = recipe.build()
    assert len(data) < 1 << 20
    assert refused(data) == "TooManyTensors"


# -- the graph -----------------------------------------------------------------------------------------


def node(name: str, /, **fields: Any) -> Callable[[Recipe], None]:
    def change(recipe: Recipe) -> None:
        target = next(node for node in recipe.graph["nodes"] if node["name"] == name)
        for key, value in fields.items():
            if value is ...:
                del target[key]
            else:
                target[key] = value

    return change


def top(**fields: Any) -> Callable[[Recipe], None]:
    return lambda recipe: recipe.graph.update(fields)


BAD_GRAPHS = {
    "unknown op": ("UnknownOperation", node("heat", op="softmax")),
    "op is a list": ("UnknownOperation", node("heat", op=["relu"])),
    "op that lacks its fields": ("UnknownOperation", node("heat", op="maxpool3")),
    "unknown input": ("UnknownNodeInput", node("heat", inputs=["nothing"])),
    "input from later": ("UnknownNodeInput", node("mix", inputs=["heat"])),
    "input of itself": ("UnknownNodeInput", node("mix", inputs=["mix"])),
    "no inputs": ("InvalidInputCount", node("heat", inputs=[])),
    "two inputs of one": ("InvalidInputCount", node("heat", inputs=["tune", "mix"])),
    "inputs is a string": ("UnknownNodeInput", node("heat", inputs="tune")),
    "extra field": ("InvalidNodeFields", node("heat", slope=0.3)),
    "missing field": ("InvalidNodeFields", node("mix", dilation=...)),
    "wrong channels": ("ChannelMismatch", node("mix", in_channels=4)),
    "channels as float": ("ChannelMismatch", node("mix", in_channels=3.0)),
    "channels as bool": ("InvalidChannels", node("mix", out_channels=True)),
    "no channels": ("InvalidChannels", node("mix", out_channels=0)),
    "huge channels": ("InvalidChannels", node("mix", out_channels=10**15)),
    "kernel 2x2": ("UnsupportedConvolution", node("mix", kernel=[2, 2])),
    "kernel 3x1": ("UnsupportedConvolution", node("mix", kernel=[3, 1])),
    "kernel of floats": ("UnsupportedConvolution", node("mix", kernel=[1.0, 1.0])),
    "kernel of bools": ("UnsupportedConvolution", node("mix", kernel=[True, True])),
    "stride 2": ("UnsupportedConvolution", node("mix", stride=2)),
    "stride True": ("UnsupportedConvolution", node("mix", stride=True)),
    "padding valid": ("UnsupportedConvolution", node("mix", padding="valid")),
    "dilation 0": ("InvalidDilation", node("mix", dilation=0)),
    "dilation huge": ("InvalidDilation", node("mix", dilation=10**9)),
    "no codebook of that name": ("ForeignTensor", node("mix", codebook="codebook.other")),
    "codebook is a node's tensor": ("InvalidCodebookName", node("mix", codebook="mix.scale")),
    "codebook is a number": ("InvalidCodebookName", node("mix", codebook=1)),
    "weights instead of indices": ("ForeignTensor", node("mix", codebook=...)),
    "affine channels": ("ChannelMismatch", node("tune", channels=4)),
    "slope as text": ("InvalidSlope", node("heat", op="leaky_relu", slope="0.3")),
    "slope above 1": ("InvalidSlope", node("heat", op="leaky_relu", slope=1.5)),
    "dense on a map": ("ShapeMismatch", node("heat", op="dense", in_channels=3, out_channels=3)),
    "concat of one": ("InvalidInputCount", node("heat", op="concat", inputs=["tune"])),
    "add of different shapes": (
        "ShapeMismatch",
        lambda recipe: recipe.graph.update(
            nodes=[
                *recipe.graph["nodes"][:2],
                {"name": "small", "op": "maxpool2", "inputs": ["tune"]},
                {"name": "heat", "op": "add", "inputs": ["tune", "small"]},
            ]
        ),
    ),
    "concat of different sizes": (
        "ShapeMismatch",
        lambda recipe: recipe.graph.update(
            nodes=[
                *recipe.graph["nodes"][:2],
                {"name": "large", "op": "upsample2_nearest", "inputs": ["tune"]},
                {"name": "heat", "op": "concat", "inputs": ["tune", "large"]},
            ]
        ),
    ),
    "pooled to nothing": (
        "InvalidResultShape",
        lambda recipe: recipe.graph.update(
            nodes=[
                *recipe.graph["nodes"][:2],
                *(
                    {"name": f"p{i}", "op": "maxpool2", "inputs": [f"p{i - 1}" if i else "tune"]}
                    for i in range(5)
                ),
                {"name": "heat", "op": "relu", "inputs": ["p4"]},
            ]
        ),
    ),
    "enlarged without end": (
        "InvalidResultShape",
        lambda recipe: recipe.graph.update(
            nodes=[
                *recipe.graph["nodes"][:2],
                *(
                    {"name": f"u{i}", "op": "upsample2_nearest", "inputs": [f"u{i - 1}" if i else "tune"]}
                    for i in range(1000)
                ),
                {"name": "heat", "op": "relu", "inputs": ["u999"]},
            ]
        ),
    ),
    "doubled without end": (
        "InvalidResultShape",
        lambda recipe: recipe.graph.update(
            nodes=[
                *recipe.graph["nodes"][:2],
                *(
                    {"name": f"c{i}", "op": "concat", "inputs": [f"c{i - 1}" if i else "tune"] * 2}
                    for i in range(1000)
                ),
                {"name": "heat", "op": "relu", "inputs": ["c999"]},
            ]
        ),
    ),
    "flat vector pooled": (
        "ShapeMismatch",
        lambda recipe: recipe.graph.update(
            nodes=[
                *recipe.graph["nodes"][:2],
                {"name": "flat", "op": "flatten", "inputs": ["tune"]},
                {"name": "heat", "op": "maxpool2", "inputs": ["flat"]},
            ]
        ),
    ),
    "output is the input": ("UnknownOutput", top(output="image")),
    "output is nothing": ("UnknownOutput", top(output="lost")),
    "output is a number": ("UnknownOutput", top(output=1)),
    "no nodes": ("InvalidGraph", top(nodes=[])),
    "nodes is an object": ("InvalidGraph", top(nodes={})),
    "a node is a string": ("InvalidNodeName", top(nodes=["relu"])),
    "too many nodes": (
        "InvalidGraph",
        top(nodes=[{"name": f"n{i}", "op": "relu", "inputs": ["image"]} for i in range(1025)]),
    ),
    "extra key": ("InvalidGraph", top(more=1)),
    "input renamed by a number": ("InvalidInput", top(input={"name": 1, "channels": 3, "divisor": 255})),
    "input of four channels": ("InvalidInput", top(input={"name": "image", "channels": 4, "divisor": 255})),
    "input divided by 0": ("InvalidInput", top(input={"name": "image", "channels": 3, "divisor": 0})),
    "input is a list": ("InvalidInput", top(input=[])),
    "two nodes of one name": ("DuplicateNodeName", node("tune", name="mix")),
    "node named like the input": ("DuplicateNodeName", node("tune", name="image")),
    "reserved name": ("InvalidNodeName", node("tune", name="golden")),
    "name with a dot": ("InvalidNodeName", node("tune", name="a.b")),
    "name with a newline": ("InvalidNodeName", node("tune", name="tune\n")),
}


@pytest.mark.parametrize(("refusal", "change"), BAD_GRAPHS.values(), ids=BAD_GRAPHS.keys())
def test_bad_graphs_are_refused(refusal: str, change: Callable[[Recipe], None]) -> None:
    assert refused(bent(change)) == refusal


# -- tensors -------------------------------------------------------------------------------------------


def tensor(name: str, dtype: str, shape: list[int], data: bytes) -> Callable[[Recipe], None]:
    return lambda recipe: recipe.tensors.update({name: (dtype, shape, data)})


NAN, INFINITE = float("nan"), float("inf")

BAD_TENSORS = {
    "NaN in the codebook": ("ValueOutOfRange", tensor("codebook", "F32", [3], floats(0, NAN, 1))),
    "infinite in the codebook": ("ValueOutOfRange", tensor("codebook", "F32", [3], floats(0, INFINITE, 1))),
    "minus infinite scale": ("ValueOutOfRange", tensor("mix.scale", "F32", [3], floats(1, -INFINITE, 1))),
    "NaN with a small payload": (
        "ValueOutOfRange",
        tensor("mix.shift", "F32", [3], b"\1\0\x80\x7f" + floats(0, 0)),
    ),
    "NaN in the golden output": (
        "ValueOutOfRange",
        tensor("golden.output", "F32", [4, 4, 3], floats(NAN, *[0] * 47)),
    ),
    "empty codebook": ("InvalidShape", tensor("codebook", "F32", [0], b"")),
    "codebook of two dimensions": ("TensorMismatch", tensor("codebook", "F32", [1, 3], floats(0, 1, 2))),
    "codebook of bytes": ("TensorMismatch", tensor("codebook", "U8", [3], b"012")),
    "index beyond the codebook": (
        "IndexOutOfRange",
        tensor("mix.index", "U8", [1, 3, 1, 4], bytes([0x03] + [0] * 11)),
    ),
    "index beyond it, high nibble": (
        "IndexOutOfRange",
        tensor("mix.index", "U8", [1, 3, 1, 4], bytes([0x30] + [0] * 11)),
    ),
    "index beyond it, in padding": (
        "IndexOutOfRange",
        tensor("mix.index", "U8", [1, 3, 1, 4], bytes([0] * 11 + [0x30])),
    ),
    "indices not packed": ("TensorMismatch", tensor("mix.index", "U8", [1, 3, 1, 8], bytes(24))),
    "indices too wide": ("TensorMismatch", tensor("mix.index", "U16", [1, 3, 1, 4], bytes(24))),
    "17 values need whole bytes": ("TensorMismatch", tensor("codebook", "F32", [17], floats(*range(17)))),
    "257 values need U16": ("TensorMismatch", tensor("codebook", "F32", [257], floats(*range(257)))),
    "65,537 values": ("TensorMismatch", tensor("codebook", "F32", [65537], bytes(4 * 65537))),
    "scale of another length": ("TensorMismatch", tensor("mix.scale", "F32", [4], floats(1, 1, 1, 1))),
    "a tensor too many": ("ForeignTensor", tensor("other.scale", "F32", [1], floats(1))),
    "a tensor too few": ("MissingTensor", lambda recipe: recipe.tensors.pop("tune.shift")),
    "no golden input": ("MissingTensor", lambda recipe: recipe.tensors.pop("golden.input")),
    "no golden output": ("MissingTensor", lambda recipe: recipe.tensors.pop("golden.output")),
    "golden input of one channel": ("InvalidInput", tensor("golden.input", "U8", [16, 48, 1], bytes(768))),
    "golden input of 15 rows": ("InvalidGoldenInput", tensor("golden.input", "U8", [15, 16, 3], bytes(720))),
    "golden output of another size": (
        "TensorMismatch",
        tensor("golden.output", "F32", [4, 5, 3], bytes(240)),
    ),
}


@pytest.mark.parametrize(("refusal", "change"), BAD_TENSORS.values(), ids=BAD_TENSORS.keys())
def test_bad_tensors_are_refused(refusal: str, change: Callable[[Recipe], None]) -> None:
    assert refused(bent(change)) == refusal


@pytest.mark.parametrize("values", [1, 2, 15, 16, 17, 200, 255, 256, 257, 65536])
def test_the_last_index_is_taken_and_the_next_refused(values: int) -> None:
    def recipe_with(index: int) -> Recipe:
        recipe = tiny()
        recipe.tensors["codebook"] = ("F32", [values], bytes(4 * values))
        if values > 256:
            recipe.tensors["mix.index"] = ("U16", [1, 3, 1, 8], struct.pack("<24H", *[0] * 23, index))
        elif values > 16:
            recipe.tensors["mix.index"] = ("U8", [1, 3, 1, 8], bytes([*[0] * 23, index]))
        else:
            recipe.tensors["mix.index"] = ("U8", [1, 3, 1, 4], bytes([*[0] * 11, index << 4]))
        return recipe

    reader.parse(recipe_with(values - 1).build())
    if values not in (16, 256, 65536):  # these fill their type
        assert refused(recipe_with(values).build()) == "IndexOutOfRange"


@pytest.mark.parametrize(
    ("refusal", "change"),
    [
        ("InvalidClasses", {"classes": ["a", "b"]}),
        ("InvalidClasses", {"classes": ["a", "a", "b"]}),
        ("InvalidClasses", {"classes": ["a", "b", "../c"]}),
        ("InvalidClasses", {"classes": "abc"}),
        ("InvalidScoringNumbers", {"thresholds": [60, 55]}),
        ("InvalidScoringNumbers", {"thresholds": [60, 55, -1]}),
        ("InvalidScoringNumbers", {"thresholds": [60, 55, "40"]}),
        ("InvalidScoringNumbers", {"thresholds": [60, 55, True]}),
        ("InvalidScoringNumbers", {"min_distance_px": 0}),
        ("InvalidScoringNumbers", {"min_distance_px": 5.0}),
        ("InvalidScoringNumbers", {"min_distance_px": 10**9}),
        ("InvalidScoringNumbers", {"network_size_px": 0}),
        ("InvalidScoringNumbers", {"ki67_cutoffs": [0.1]}),
        ("InvalidScoringNumbers", {"til_cutoffs": None}),
        ("InvalidScoring", {"more": 1}),
    ],
    ids=str,
)
def test_bad_scoring_is_refused(refusal: str, change: dict[str, Any]) -> None:
    assert refused(bent(lambda recipe: recipe.scoring.update(change))) == refusal


# -- coding --------------------------------------------------------------------------------------------


def coded(codec: str, name: str = "golden.input", /, **fields: Any) -> Callable[[Recipe], None]:
    """Store a tensor compressed; `fields` override its coding entry, `stream` its bytes."""

    def change(recipe: Recipe) -> None:
        dtype, shape, data = recipe.tensors[name]
        pack = (
            zlib.compress if codec == "zlib" else lambda plain: lzma.compress(plain, format=lzma.FORMAT_ALONE)
        )
        stream = fields.pop("stream", None) or pack(data)
        recipe.coding[name] = {"bytes": len(data), "codec": codec, "dtype": dtype, "shape": shape} | fields
        recipe.tensors[name] = ("U8", [len(stream)], stream)

    return change


@pytest.mark.parametrize("codec", ["zlib", "lzma"])
@pytest.mark.parametrize("name", ["golden.input", "golden.output", "mix.index"])
def test_coded_tensors_come_back_decoded(codec: str, name: str) -> None:
    plain, packed = tiny(), tiny()
    coded(codec, name)(packed)
    expected, read = reader.parse(plain.build()), reader.parse(packed.build())
    assert bytes(read.tensors[name].data) == bytes(expected.tensors[name].data)
    assert read.tensors[name].shape == expected.tensors[name].shape
    assert read.stored_bytes[name] == len(packed.tensors[name][2])


@pytest.mark.parametrize(
    ("dtype", "lanes"), [("U8", 4), ("U8", 8), ("U16", 8), ("F32", 8)], ids=["4 bits", "8", "16", "32"]
)
def test_input_major_streams_come_back_with_their_blocks_first(dtype: str, lanes: int) -> None:
    blocks, inputs, taps, width = 3, 5, 9, lanes * container.ITEM_BYTES[dtype]
    group = {
        (b, i, t): bytes((b * 83 + i * 19 + t * 7 + lane) % 251 for lane in range(width))
        for b in range(blocks)
        for i in range(inputs)
        for t in range(taps)
    }
    data = b"".join(group[b, i, t] for i in range(inputs) for t in range(taps) for b in range(blocks))
    stream, shape = zlib.compress(data), [blocks, inputs, taps, lanes]
    tensors = {"k.index": container.Tensor("U8", (len(stream),), memoryview(stream))}
    entry = {"bytes": len(data), "codec": "zlib", "dtype": dtype, "shape": shape, "order": "input-major"}
    coding.decode(tensors, {"k.index": entry})
    assert tensors["k.index"].shape == tuple(shape)
    assert bytes(tensors["k.index"].data) == b"".join(group.values())


BOMB = zlib.compress(bytes(1 << 26), 9)
BAD_CODINGS = {
    "unknown codec": ("UnknownCodec", coded("zstd", stream=b"abc")),
    "codec is a list": ("UnknownCodec", coded("zlib", codec=["zlib"])),
    "wrong codec": ("DictionaryTooLarge", coded("zlib", codec="lzma")),
    "wrong codec, the other way": ("DamagedStream", coded("lzma", codec="zlib")),
    "too few bytes": ("DamagedStream", coded("zlib", stream=zlib.compress(bytes(767)))),
    "too many bytes": ("DamagedStream", coded("zlib", stream=zlib.compress(bytes(769)))),
    "cut stream": ("DamagedStream", coded("zlib", stream=zlib.compress(bytes(768))[:-1])),
    "cut lzma stream": (
        "DamagedStream",
        coded("lzma", stream=lzma.compress(bytes(768), format=lzma.FORMAT_ALONE)[:-3]),
    ),
    "bytes after the stream": ("DamagedStream", coded("zlib", stream=zlib.compress(bytes(768)) + b"x")),
    "bytes after the lzma stream": (
        "DamagedStream",
        coded("lzma", stream=lzma.compress(bytes(768), lzma.FORMAT_ALONE) + b"xxxxx"),
    ),
    "no stream": ("DamagedStream", coded("zlib", stream=b"no stream at all")),
    "xz container": ("DictionaryTooLarge", coded("lzma", stream=lzma.compress(bytes(768)))),
    "huge dictionary": (
        "DictionaryTooLarge",
        coded(
            "lzma",
            stream=lzma.compress(
                bytes(768), lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 256 << 20}]
            ),
        ),
    ),
    "wrong size": ("CodedSizeMismatch", coded("zlib", bytes=767)),
    "size as float": ("CodedSizeMismatch", coded("zlib", bytes=768.0)),
    "size as bool": ("CodedSizeMismatch", coded("zlib", bytes=True)),
    "impossible shape": ("InvalidJson", coded("zlib", shape=[1 << 31, 1 << 31], bytes=1 << 62)),
    "more than is allowed": ("DecodedTooLarge", coded("zlib", shape=[65 << 20], bytes=65 << 20)),
    "bomb": ("DamagedStream", coded("zlib", stream=BOMB)),
    "declared bomb": ("DecodedTooLarge", coded("zlib", stream=BOMB, shape=[1 << 30], bytes=1 << 30)),
    "unknown type": ("UnknownType", coded("zlib", dtype="I8")),
    "missing field": (
        "UnknownCodedTensor",
        lambda recipe: recipe.coding.update({"golden.input": {"codec": "zlib"}}),
    ),
    "not an object": ("UnknownCodedTensor", lambda recipe: recipe.coding.update({"golden.input": "zlib"})),
    "no such tensor": ("UnknownCodedTensor", lambda recipe: recipe.coding.update({"lost": {}})),
    "not stored as bytes": (
        "UnknownCodedTensor",
        lambda recipe: recipe.coding.update(
            {"codebook": {"bytes": 12, "codec": "zlib", "dtype": "F32", "shape": [3]}}
        ),
    ),
}


@pytest.mark.parametrize(("refusal", "change"), BAD_CODINGS.values(), ids=BAD_CODINGS.keys())
def test_bad_codings_are_refused(refusal: str, change: Callable[[Recipe], None]) -> None:
    assert refused(bent(change)) == refusal


# -- files ---------------------------------------------------------------------------------------------


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bad.epb"
    path.write_bytes(b"not a bundle at all")
    with pytest.raises(BundleError, match=r"bad\.epb: "):
        reader.read(path)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        reader.read(tmp_path / "none.epb")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["__metadata__", "mix.index", "x"]), json_values, max_size=3),
    st.binary(max_size=64),
)
def test_arbitrary_headers_raise_nothing_else(header: dict[str, Any], payload: bytes) -> None:
    with pytest.raises(BundleError):
        reader.parse(header_of(json.dumps(header).encode(), payload))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["graph", "coding", "scoring"]), st.sampled_from(range(60)), json_values)
def test_arbitrary_values_inside_raise_nothing_else(section: str, place: int, value: Any) -> None:
    """Put any JSON value at any place of the metadata objects."""
    recipe = tiny()
    coded("zlib")(recipe)
    root = getattr(recipe, section)
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], (dict, list)):
                walk(node[key])

    walk(root)
    parent, key = places[place % len(places)]
    parent[key] = value
    try:
        data = recipe.build()
    except UnicodeEncodeError:  # a lone surrogate cannot be written as UTF-8
        return
    with contextlib.suppress(BundleError):
        reader.parse(data)
