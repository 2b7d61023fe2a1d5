"""The bundle reader: what it gives, and everything that it must refuse with one sentence."""

from __future__ import annotations

import contextlib
import json
import lzma
import struct
import time
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


def refused(data: bytes) -> str:
    with pytest.raises(BundleError) as caught:
        reader.parse(data)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 600
    return sentence


def test_a_good_bundle_gives_its_tensors_and_objects(tmp_path: Path) -> None:
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
        refused(data[:length])


def test_every_flipped_bit_is_refused() -> None:
    data = tiny().build()
    for bit in range(8 * len(data)):
        bent = bytearray(data)
        bent[bit // 8] ^= 1 << bit % 8
        refused(bytes(bent))


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
    assert accepted > 3000  # most values may be any: pixels, most float bits


# -- the container, one defect each --------------------------------------------------------------------


def header_of(text: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text)) + text + payload


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        bytes(8),
        struct.pack("<Q", 1 << 63) + b"{}",
        b"\xff" * 8 + b"{}",
        struct.pack("<Q", 3) + b"{}",
        header_of(b"[]"),
        header_of(b"null"),
        header_of(b'"x"'),
        header_of(b"7"),
        header_of(b"{}"),
        header_of(b"\xff\xfe{}"),
        header_of(b'{"a":NaN}'),
        header_of(b'{"a":1e999}'),
        header_of(b'{"a":-Infinity}'),
        header_of(b"[" * 100_000),
        header_of(b'{"a":' * 100_000),
        header_of(b'{"a":' + b"9" * 5000 + b"}"),
        header_of(b'{"a":1,"a":1}'),
        header_of(b'{"__metadata__":{}}'),
        header_of(b'{"__metadata__":[]}'),
        header_of(b" " * ((1 << 20) + 1)),
    ],
    ids=lambda data: repr(data[:24]),
)
def test_bad_outer_forms_are_refused(data: bytes) -> None:
    refused(data)


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
    "fields",
    [
        {"dtype": "F64"},
        {"dtype": ["U8"]},
        {"dtype": None},
        {"shape": [1, 3, 1]},
        {"shape": [12, 0]},
        {"shape": [1, 3, 1, 4.0]},
        {"shape": [True, 3, 1, 4]},
        {"shape": [-1, -12]},
        {"shape": [1, 1, 3, 1, 4]},
        {"shape": []},
        {"shape": 12},
        {"shape": [1 << 31, 1 << 31, 1 << 31]},
        {"data_offsets": [END - 12]},
        {"data_offsets": [END - 12, END, END]},
        {"data_offsets": [END - 12, float(END)]},
        {"data_offsets": [END - 12, True]},
        {"data_offsets": [END, END - 12]},
        {"data_offsets": [END - 13, END - 1]},
        {"data_offsets": [END - 11, END + 1]},
        {"data_offsets": [-12, 0]},
        {"data_offsets": [0, 12]},
        {"data_offsets": [END - 12, END - 1]},
        {"data_offsets": [END - 12, 10**15]},
        {"data_offsets": None},
        {"extra": 1},
    ],
    ids=str,
)
def test_bad_tensor_entries_are_refused(fields: dict[str, Any]) -> None:
    refused(bent(entry(**fields)))


@pytest.mark.parametrize("name", ["../mix.index", "mix\x00", "", "a" * 100_000, "mix.in.dex", "ключ"])
def test_bad_tensor_names_are_refused(name: str) -> None:
    recipe = tiny()
    recipe.entries[name] = {"dtype": "U8", "shape": [1], "data_offsets": [END, END + 1]}
    recipe.tail = b"\0"
    refused(recipe.build())


def test_a_lone_surrogate_as_a_name_or_digest_is_refused() -> None:
    data = tiny().build()
    end = 8 + int.from_bytes(data[:8], "little")
    text, payload = data[8:end], data[end:]
    refused(sealed(text.replace(b'"mix.index":', b'"\\ud800xx":'), payload))
    digest = text[text.find(b'"file_sha256":"') + 15 :][:64]
    refused(header_of(text.replace(digest, b"\\ud800" + b"0" * 58), payload))


def test_a_trailing_byte_is_refused() -> None:
    recipe = tiny()
    recipe.tail = b"\0"
    assert "belong to none" in refused(recipe.build())


def test_tensors_out_of_order_are_refused() -> None:
    recipe = tiny()
    first, second = recipe.tensors["mix.scale"], recipe.tensors["mix.shift"]
    begin = len(recipe.tensors["codebook"][2]) + len(recipe.tensors["golden.output"][2])
    recipe.entries["mix.shift"] = {"dtype": "F32", "shape": [3], "data_offsets": [begin, begin + 12]}
    recipe.entries["mix.scale"] = {"dtype": "F32", "shape": [3], "data_offsets": [begin + 12, begin + 24]}
    assert len(first[2]) == len(second[2]) == 12
    assert "out of order" in refused(recipe.build())


@pytest.mark.parametrize(
    "change",
    [
        {"format": "safetensors"},
        {"version": "0"},
        {"version": "2"},
        {"version": 1},
        {"more": "x"},
        {"graph": "[]"},
        {"graph": '{"a":1,"a":2}'},
        {"graph": "{"},
        {"scoring": {}},
        {"provenance": "null"},
        {"file_sha256": "0" * 63},
        {"file_sha256": "A" * 64},
        {"file_sha256": "1" * 64},
    ],
    ids=str,
)
def test_bad_metadata_is_refused(change: dict[str, Any]) -> None:
    refused(bent(lambda recipe: recipe.metadata.update(change)))


def test_another_version_says_what_to_do() -> None:
    assert "version '2'" in refused(bent(lambda recipe: recipe.metadata.update(version="2")))


def test_a_second_digest_is_refused() -> None:
    recipe = tiny()
    recipe.entries["file_sha256"] = "0" * 64
    refused(recipe.build())


def test_thousands_of_tensors_are_refused_at_once() -> None:
    recipe = tiny()
    recipe.entries.update(
        {f"t{i}": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]} for i in range(12_000)}
    )
    data = recipe.build()
    assert len(data) < 1 << 20
    start = time.perf_counter()
    refused(data)
    assert time.perf_counter() - start < 1


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
    "unknown op": node("heat", op="softmax"),
    "op is a list": node("heat", op=["relu"]),
    "op that lacks its fields": node("heat", op="maxpool3"),
    "unknown input": node("heat", inputs=["nothing"]),
    "input from later": node("mix", inputs=["heat"]),
    "input of itself": node("mix", inputs=["mix"]),
    "no inputs": node("heat", inputs=[]),
    "two inputs of one": node("heat", inputs=["tune", "mix"]),
    "inputs is a string": node("heat", inputs="tune"),
    "extra field": node("heat", slope=0.3),
    "missing field": node("mix", dilation=...),
    "wrong channels": node("mix", in_channels=4),
    "channels as float": node("mix", in_channels=3.0),
    "channels as bool": node("mix", out_channels=True),
    "no channels": node("mix", out_channels=0),
    "huge channels": node("mix", out_channels=10**15),
    "kernel 2x2": node("mix", kernel=[2, 2]),
    "kernel 3x1": node("mix", kernel=[3, 1]),
    "kernel of floats": node("mix", kernel=[1.0, 1.0]),
    "kernel of bools": node("mix", kernel=[True, True]),
    "stride 2": node("mix", stride=2),
    "stride True": node("mix", stride=True),
    "padding valid": node("mix", padding="valid"),
    "dilation 0": node("mix", dilation=0),
    "dilation huge": node("mix", dilation=10**9),
    "no codebook of that name": node("mix", codebook="codebook.other"),
    "codebook is a node's tensor": node("mix", codebook="mix.scale"),
    "codebook is a number": node("mix", codebook=1),
    "weights instead of indices": node("mix", codebook=...),
    "affine channels": node("tune", channels=4),
    "slope as text": node("heat", op="leaky_relu", slope="0.3"),
    "slope above 1": node("heat", op="leaky_relu", slope=1.5),
    "dense on a map": node("heat", op="dense", in_channels=3, out_channels=3),
    "concat of one": node("heat", op="concat", inputs=["tune"]),
    "add of different shapes": lambda recipe: recipe.graph.update(
        nodes=[
            *recipe.graph["nodes"][:2],
            {"name": "small", "op": "maxpool2", "inputs": ["tune"]},
            {"name": "heat", "op": "add", "inputs": ["tune", "small"]},
        ]
    ),
    "concat of different sizes": lambda recipe: recipe.graph.update(
        nodes=[
            *recipe.graph["nodes"][:2],
            {"name": "large", "op": "upsample2_nearest", "inputs": ["tune"]},
            {"name": "heat", "op": "concat", "inputs": ["tune", "large"]},
        ]
    ),
    "pooled to nothing": lambda recipe: recipe.graph.update(
        nodes=[
            *recipe.graph["nodes"][:2],
            *(
                {"name": f"p{i}", "op": "maxpool2", "inputs": [f"p{i - 1}" if i else "tune"]}
                for i in range(5)
            ),
            {"name": "heat", "op": "relu", "inputs": ["p4"]},
        ]
    ),
    "enlarged without end": lambda recipe: recipe.graph.update(
        nodes=[
            *recipe.graph["nodes"][:2],
            *(
                {"name": f"u{i}", "op": "upsample2_nearest", "inputs": [f"u{i - 1}" if i else "tune"]}
                for i in range(1000)
            ),
            {"name": "heat", "op": "relu", "inputs": ["u999"]},
        ]
    ),
    "doubled without end": lambda recipe: recipe.graph.update(
        nodes=[
            *recipe.graph["nodes"][:2],
            *(
                {"name": f"c{i}", "op": "concat", "inputs": [f"c{i - 1}" if i else "tune"] * 2}
                for i in range(1000)
            ),
            {"name": "heat", "op": "relu", "inputs": ["c999"]},
        ]
    ),
    "flat vector pooled": lambda recipe: recipe.graph.update(
        nodes=[
            *recipe.graph["nodes"][:2],
            {"name": "flat", "op": "flatten", "inputs": ["tune"]},
            {"name": "heat", "op": "maxpool2", "inputs": ["flat"]},
        ]
    ),
    "output is the input": top(output="image"),
    "output is nothing": top(output="lost"),
    "output is a number": top(output=1),
    "no nodes": top(nodes=[]),
    "nodes is an object": top(nodes={}),
    "a node is a string": top(nodes=["relu"]),
    "too many nodes": top(nodes=[{"name": f"n{i}", "op": "relu", "inputs": ["image"]} for i in range(1025)]),
    "extra key": top(more=1),
    "input renamed by a number": top(input={"name": 1, "channels": 3, "divisor": 255}),
    "input of four channels": top(input={"name": "image", "channels": 4, "divisor": 255}),
    "input divided by 0": top(input={"name": "image", "channels": 3, "divisor": 0}),
    "input is a list": top(input=[]),
    "two nodes of one name": node("tune", name="mix"),
    "node called like the input": node("tune", name="image"),
    "reserved name": node("tune", name="golden"),
    "name with a dot": node("tune", name="a.b"),
    "name with a newline": node("tune", name="tune\n"),
}


@pytest.mark.parametrize("change", BAD_GRAPHS.values(), ids=BAD_GRAPHS.keys())
def test_bad_graphs_are_refused(change: Callable[[Recipe], None]) -> None:
    refused(bent(change))


# -- tensors -------------------------------------------------------------------------------------------


def tensor(name: str, dtype: str, shape: list[int], data: bytes) -> Callable[[Recipe], None]:
    return lambda recipe: recipe.tensors.update({name: (dtype, shape, data)})


NAN, INFINITE = float("nan"), float("inf")

BAD_TENSORS = {
    "NaN in the codebook": tensor("codebook", "F32", [3], floats(0, NAN, 1)),
    "infinite in the codebook": tensor("codebook", "F32", [3], floats(0, INFINITE, 1)),
    "minus infinite scale": tensor("mix.scale", "F32", [3], floats(1, -INFINITE, 1)),
    "NaN with a small payload": tensor("mix.shift", "F32", [3], b"\1\0\x80\x7f" + floats(0, 0)),
    "NaN as the golden answer": tensor("golden.output", "F32", [4, 4, 3], floats(NAN, *[0] * 47)),
    "empty codebook": tensor("codebook", "F32", [0], b""),
    "codebook of two dimensions": tensor("codebook", "F32", [1, 3], floats(0, 1, 2)),
    "codebook of bytes": tensor("codebook", "U8", [3], b"012"),
    "index beyond the codebook": tensor("mix.index", "U8", [1, 3, 1, 4], bytes([0x03] + [0] * 11)),
    "index beyond it, high nibble": tensor("mix.index", "U8", [1, 3, 1, 4], bytes([0x30] + [0] * 11)),
    "index beyond it, in padding": tensor("mix.index", "U8", [1, 3, 1, 4], bytes([0] * 11 + [0x30])),
    "indices not packed": tensor("mix.index", "U8", [1, 3, 1, 8], bytes(24)),
    "indices too wide": tensor("mix.index", "U16", [1, 3, 1, 4], bytes(24)),
    "17 values need whole bytes": tensor("codebook", "F32", [17], floats(*range(17))),
    "257 values need U16": tensor("codebook", "F32", [257], floats(*range(257))),
    "65,537 values": tensor("codebook", "F32", [65537], bytes(4 * 65537)),
    "scale of another length": tensor("mix.scale", "F32", [4], floats(1, 1, 1, 1)),
    "a tensor too many": tensor("other.scale", "F32", [1], floats(1)),
    "a tensor too few": lambda recipe: recipe.tensors.pop("tune.shift"),
    "no golden input": lambda recipe: recipe.tensors.pop("golden.input"),
    "no golden output": lambda recipe: recipe.tensors.pop("golden.output"),
    "golden input of one channel": tensor("golden.input", "U8", [16, 48, 1], bytes(768)),
    "golden input of 15 rows": tensor("golden.input", "U8", [15, 16, 3], bytes(720)),
    "golden output of another size": tensor("golden.output", "F32", [4, 5, 3], bytes(240)),
}


@pytest.mark.parametrize("change", BAD_TENSORS.values(), ids=BAD_TENSORS.keys())
def test_bad_tensors_are_refused(change: Callable[[Recipe], None]) -> None:
    refused(bent(change))


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
        assert "beyond" in refused(recipe_with(values).build())


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ["a", "b"]},
        {"classes": ["a", "a", "b"]},
        {"classes": ["a", "b", "../c"]},
        {"classes": "abc"},
        {"thresholds": [60, 55]},
        {"thresholds": [60, 55, -1]},
        {"thresholds": [60, 55, "40"]},
        {"thresholds": [60, 55, True]},
        {"min_distance_px": 0},
        {"min_distance_px": 5.0},
        {"min_distance_px": 10**9},
        {"network_size_px": 0},
        {"ki67_cutoffs": [0.1]},
        {"til_cutoffs": None},
        {"more": 1},
    ],
    ids=str,
)
def test_bad_scoring_is_refused(change: dict[str, Any]) -> None:
    refused(bent(lambda recipe: recipe.scoring.update(change)))


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
    "unknown codec": coded("zstd", stream=b"abc"),
    "codec is a list": coded("zlib", codec=["zlib"]),
    "wrong codec": coded("zlib", codec="lzma"),
    "wrong codec, the other way": coded("lzma", codec="zlib"),
    "too few bytes": coded("zlib", stream=zlib.compress(bytes(767))),
    "too many bytes": coded("zlib", stream=zlib.compress(bytes(769))),
    "cut stream": coded("zlib", stream=zlib.compress(bytes(768))[:-1]),
    "cut lzma stream": coded("lzma", stream=lzma.compress(bytes(768), format=lzma.FORMAT_ALONE)[:-3]),
    "bytes behind the stream": coded("zlib", stream=zlib.compress(bytes(768)) + b"x"),
    "bytes behind the lzma stream": coded(
        "lzma", stream=lzma.compress(bytes(768), lzma.FORMAT_ALONE) + b"xxxxx"
    ),
    "no stream": coded("zlib", stream=b"no stream at all"),
    "xz container": coded("lzma", stream=lzma.compress(bytes(768))),
    "huge dictionary": coded(
        "lzma",
        stream=lzma.compress(
            bytes(768), lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 256 << 20}]
        ),
    ),
    "wrong size": coded("zlib", bytes=767),
    "size as float": coded("zlib", bytes=768.0),
    "size as bool": coded("zlib", bytes=True),
    "impossible shape": coded("zlib", shape=[1 << 31, 1 << 31], bytes=1 << 62),
    "more than is allowed": coded("zlib", shape=[65 << 20], bytes=65 << 20),
    "bomb": coded("zlib", stream=BOMB),
    "bomb that says so": coded("zlib", stream=BOMB, shape=[1 << 30], bytes=1 << 30),
    "unknown type": coded("zlib", dtype="I8"),
    "missing field": lambda recipe: recipe.coding.update({"golden.input": {"codec": "zlib"}}),
    "not an object": lambda recipe: recipe.coding.update({"golden.input": "zlib"}),
    "no such tensor": lambda recipe: recipe.coding.update({"lost": {}}),
    "not stored as bytes": lambda recipe: recipe.coding.update(
        {"codebook": {"bytes": 12, "codec": "zlib", "dtype": "F32", "shape": [3]}}
    ),
}


@pytest.mark.parametrize("change", BAD_CODINGS.values(), ids=BAD_CODINGS.keys())
def test_bad_codings_are_refused(change: Callable[[Recipe], None]) -> None:
    start = time.perf_counter()
    refused(bent(change))
    assert time.perf_counter() - start < 2  # a bomb is not decoded


# -- files ---------------------------------------------------------------------------------------------


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bad.epb"
    path.write_bytes(b"not a bundle at all")
    with pytest.raises(BundleError, match=r"bad\.epb: "):
        reader.read(path)


def test_a_folder_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no file"):
        reader.read(tmp_path)
    path = tmp_path / "huge.epb"
    with path.open("wb") as file:
        file.truncate(reader.MAX_FILE_BYTES + 1)
    with pytest.raises(BundleError, match="more than"):
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
    refused(header_of(json.dumps(header).encode(), payload))


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
