"""A bundle holds what was written to it, in the documented form, byte for byte reproducible."""

import hashlib
import json
import lzma
import zlib
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers
from safetensors import safe_open

from edgepatho.errors import InputError
from edgepatho.exporters import blocks, bundle, coding, container, golden
from edgepatho.model import graph as graphs
from edgepatho.model import pathonet
from edgepatho.model.shared import SharedModel

METADATA = {"scoring": bundle.SCORING, "provenance": {"method": "test"}, "accuracy": {"average_f1": 0.5}}


@pytest.fixture(scope="module")
def network():
    """PathoNet with random kernels."""
    return graphs.from_keras(pathonet.build())


@pytest.fixture(scope="module")
def small():
    """Two convolutions with enough weights to code."""
    first = layers.Conv2D(64, 3, padding="same", name="first")
    second = layers.Conv2D(3, 3, padding="same", activation="relu", name="second")
    return graphs.from_keras(keras.Sequential([layers.Input((None, None, 3)), first, second]))


def shared_with(network, levels, per_channel=False):
    """The network on `levels` values, with a scale for each layer or each channel."""
    random = np.random.default_rng(levels)
    codebook = random.normal(size=levels).astype(np.float32)
    indices = {
        name: random.integers(0, levels, kernel.shape, np.uint16) for name, kernel in network.kernels.items()
    }
    size = {name: kernel.shape[3] if per_channel else None for name, kernel in network.kernels.items()}
    scales = {name: np.asarray(random.uniform(0.01, 0.1, size[name]), np.float32) for name in indices}
    bare = replace(network, kernels={})
    return SharedModel(bare, {"codebook": codebook}, indices, dict.fromkeys(indices, "codebook"), scales)


def write(path, source, **options):
    bundle.write(path, source, **(METADATA | options))
    return bundle.read(path)


@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from([1, 3]),
    st.sampled_from([2, 16, 17, 256, 257, 65536]),
)
def test_blocks_round_trip_at_every_width(channels_in, channels_out, side, levels):
    kernel = (
        np.random.default_rng(0)
        .integers(0, levels, (side, side, channels_in, channels_out))
        .astype(np.uint16)
    )
    blocked = blocks.blocked(kernel)
    stored = blocks.packed(blocked, levels)
    form = blocks.stored_form((channels_in, channels_out, side * side), levels)
    assert (container.type_name(stored), stored.shape) == form
    assert np.array_equal(blocks.unpacked(stored, levels), blocked)
    assert np.array_equal(blocks.unblocked(blocked, (side, side), channels_out), kernel)


def test_blocks_are_in_the_documented_order():
    kernel = np.arange(9 * 2 * 10).reshape(3, 3, 2, 10)
    blocked = blocks.blocked(kernel)
    assert blocked.shape == (2, 2, 9, 8)
    assert blocked[1, 0, 5, 1] == kernel[1, 2, 0, 9]  # tap 5 is row 1, column 2; channel 8 + 1
    assert not blocked[1, :, :, 2:].any()
    nibbles = blocks.packed(blocks.blocked(kernel % 16), 16)
    assert nibbles[0, 1, 5, 3] == kernel[1, 2, 1, 6] % 16 + 16 * (kernel[1, 2, 1, 7] % 16)


@pytest.mark.parametrize(("levels", "per_channel"), [(16, False), (256, True), (300, False)])
def test_a_shared_model_comes_back_bit_for_bit(network, levels, per_channel, tmp_path):
    shared = shared_with(network, levels, per_channel)
    content = write(tmp_path / "model.epb", shared)
    back = bundle.network_of(content)
    assert back.as_json() == network.as_json()
    for name, indices in shared.indices.items():
        assert np.array_equal(back.kernels[name], shared.codebooks["codebook"][indices])
        scale, shift = network.affines[name]
        assert np.array_equal(back.affines[name][0], scale * shared.scales[name])
        assert np.array_equal(back.affines[name][1], shift)
    # conv(scale * codebook[index]) is what the Keras model computes
    image = golden.patch()[None].astype(np.float32) / 255
    expected = graphs.evaluate(shared.dense(), image).numpy()
    assert np.allclose(graphs.evaluate(back, image), expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert np.array_equal(content.tensors["golden.input"], golden.patch())
    answer = graphs.evaluate(back, image).numpy()[0, ::4, ::4]
    assert np.array_equal(content.tensors["golden.output"], answer)


def test_an_uncompressed_network_comes_back_bit_for_bit(network, tmp_path):
    content = write(tmp_path / "baseline.epb", SharedModel(network))
    back = bundle.network_of(content)
    assert back.as_json() == network.as_json()
    assert all(np.array_equal(back.kernels[name], kernel) for name, kernel in network.kernels.items())
    assert not any(name.startswith("codebook") for name in content.tensors)


def test_metadata_comes_back(network, tmp_path):
    content = write(tmp_path / "model.epb", shared_with(network, 16))
    assert content.scoring == bundle.SCORING
    assert content.provenance == METADATA["provenance"]
    assert content.accuracy == METADATA["accuracy"]
    assert content.coding == {}
    nodes = {node["name"]: node for node in content.graph["nodes"]}
    assert nodes["b1_1"]["codebook"] == "codebook"
    assert content.graph["output"] == "conv10_relu"


def test_the_safetensors_package_reads_the_same(network, tmp_path):
    content = write(tmp_path / "model.epb", shared_with(network, 300))
    with safe_open(tmp_path / "model.epb", framework="numpy") as file:
        assert file.metadata()["format"] == "edgepatho"
        assert set(file.keys()) == set(content.tensors)
        for name, values in content.tensors.items():
            assert np.array_equal(file.get_tensor(name), values)


def test_the_file_is_as_documented(network, tmp_path):
    write(tmp_path / "model.epb", shared_with(network, 16))
    data = (tmp_path / "model.epb").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert data[8 : 8 + length] == text + b" " * (-len(text) % 8)
    stated = header["__metadata__"]["file_sha256"]
    assert hashlib.sha256(data.replace(stated.encode(), b"0" * 64)).hexdigest() == stated
    order = sorted(
        (entry["data_offsets"][0], entry["dtype"], name)
        for name, entry in header.items()
        if name != "__metadata__"
    )
    assert [(dtype, name) for _, dtype, name in order] == sorted(
        ((dtype, name) for _, dtype, name in order),
        key=lambda pair: (["F32", "U16", "U8"].index(pair[0]), pair[1]),
    )


@pytest.mark.parametrize("coded", [False, True])
def test_equal_models_give_equal_bytes(small, coded, tmp_path):
    shared = shared_with(small, 16)
    for name in ("one.epb", "two.epb"):
        write(tmp_path / name, shared, coded=coded)
    assert (tmp_path / "one.epb").read_bytes() == (tmp_path / "two.epb").read_bytes()


def test_coding_saves_bytes_and_changes_nothing(small, tmp_path):
    shared = shared_with(small, 16)
    for indices in shared.indices.values():
        indices[np.random.default_rng(1).random(indices.shape) < 0.9] = 3
    plain = write(tmp_path / "plain.epb", shared)
    coded = write(tmp_path / "coded.epb", shared, coded=True)
    assert coded.file_bytes < plain.file_bytes
    assert set(plain.tensors) == set(coded.tensors)
    assert all(np.array_equal(plain.tensors[name], values) for name, values in coded.tensors.items())
    assert all(coded.stored_bytes[name] < plain.stored_bytes[name] for name in coded.coding)


@pytest.mark.parametrize(("dtype", "lanes"), [("u1", 4), ("u1", 8), ("<u2", 8), ("<f4", 8)])
def test_coding_places_unused_channels_next_to_each_other(dtype, lanes):
    kernel = np.random.default_rng(3).integers(0, 200, (5, 30, 9, lanes)).astype(dtype)
    kernel[:, np.random.default_rng(4).random(30) < 0.6] = 0
    stored, entries = coding.encode({"k.index": kernel})
    assert entries["k.index"]["order"] == "input-major"
    blockwise = len(zlib.compress(kernel.tobytes(), 9)), len(lzma.compress(kernel.tobytes(), preset=9))
    assert stored["k.index"].size < min(blockwise)
    assert np.array_equal(coding.decode(stored, entries)["k.index"], kernel)


def test_coding_leaves_tensors_that_do_not_shrink():
    noise = np.random.default_rng(2).integers(0, 256, 5000, np.uint8)
    zeros = np.zeros((10, 500), np.uint16)
    stored, entries = coding.encode({"noise": noise, "zeros": zeros})
    assert stored["noise"] is noise
    assert list(entries) == ["zeros"]
    assert entries["zeros"]["shape"] == [10, 500]
    decoded = coding.decode(stored, entries)
    assert decoded["zeros"].dtype == np.uint16
    assert np.array_equal(decoded["zeros"], zeros)


def test_a_failed_write_leaves_the_old_file(network, tmp_path):
    path = tmp_path / "model.epb"
    path.write_bytes(b"old")
    broken = replace(network, affines=network.affines | {"b1_1": (np.full(16, np.nan, np.float32),) * 2})
    with pytest.raises(InputError, match="finite"):
        write(path, SharedModel(broken))
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["model.epb"]


def test_a_name_that_the_format_cannot_hold_is_refused(network, tmp_path):
    nodes = [node | {"name": "my layer"} if node["name"] == "conv10_relu" else node for node in network.nodes]
    with pytest.raises(InputError, match="my layer"):
        write(tmp_path / "model.epb", SharedModel(replace(network, nodes=nodes, output="my layer")))


def test_the_golden_patch_is_frozen():
    digest = hashlib.sha256(golden.patch().tobytes()).hexdigest()
    assert golden.patch().shape == (64, 64, 3)
    assert digest == "dbe53643e65f87f360570e76c2f13e34695066ac424c22785ecdf69e8949774e"


@pytest.mark.parametrize("name", ["v1/per-layer.epb", "v2/complete.epb"])
def test_revised_texts_leave_everything_else_as_stored(tmp_path, name):
    source, target = Path(__file__).parents[2] / "fixtures" / name, tmp_path / "new.epb"
    old = bundle.read(source)
    texts = {"scoring": old.scoring, "provenance": old.provenance, "accuracy": old.accuracy}
    bundle.revise(source, target, **texts)
    assert target.read_bytes() == source.read_bytes()
    texts["scoring"] = old.scoring | {"thresholds": [51, *old.scoring["thresholds"][1:]]}
    bundle.revise(source, target, **texts)
    (before, metadata), (after, revised) = (container.parse(path.read_bytes()) for path in (source, target))
    assert {key for key in metadata if metadata[key] != revised[key]} == {"scoring", "file_sha256"}
    assert {key: each.tobytes() for key, each in after.items()} == {
        key: each.tobytes() for key, each in before.items()
    }
    with pytest.raises(InputError):
        bundle.revise(source, tmp_path / "bad.epb", **(texts | {"scoring": {}}))
    assert not (tmp_path / "bad.epb").exists()
