"""The host's reader refuses anything that is not a bundle in one sentence (single defects: tests/attacks)."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepatho.errors import InputError
from edgepatho.exporters import bundle
from edgepatho.model.graph import Graph
from edgepatho.model.shared import SharedModel

sys.path.insert(0, str(Path(__file__).parents[2] / "attacks"))
import bad_bundles


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> bytes:
    """The smallest possible bundle: one 1x1 convolution from 3 to 3 channels."""
    convolution = {"name": "c", "op": "conv2d", "inputs": ["image"], "in_channels": 3, "out_channels": 3}
    convolution |= {"kernel": [1, 1], "dilation": 1, "stride": 1, "padding": "same"}
    graph = Graph(
        input={"name": "image", "channels": 3, "divisor": 255},
        nodes=[convolution],
        kernels={"c": np.ones((1, 1, 3, 3), np.float32)},
        affines={"c": (np.ones(3, np.float32), np.zeros(3, np.float32))},
        output="c",
    )
    path = tmp_path_factory.mktemp("tiny") / "tiny.epb"
    image = np.zeros((16, 16, 3), np.uint8)
    about = {"scoring": bundle.SCORING, "provenance": {}, "accuracy": {}}
    bundle.write(path, SharedModel(graph), **about, golden_input=image)
    return path.read_bytes()


def test_a_file_truncated_anywhere_is_refused(tiny):
    bundle.parse(tiny)
    for length in range(len(tiny)):
        with pytest.raises(InputError):
            bundle.parse(tiny[:length])


def test_every_flipped_bit_is_refused(tiny):
    for place in range(len(tiny)):
        data = bytearray(tiny)
        data[place] ^= 1 << (place % 8)
        with pytest.raises(InputError):
            bundle.parse(bytes(data))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.epb cannot be read"):
        bundle.read(tmp_path / "nowhere.epb")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
ENTRIES = st.fixed_dictionaries(
    {"data_offsets": JSON, "dtype": st.sampled_from(["U8", "F32"]) | JSON, "shape": JSON}
)


@settings(max_examples=120, deadline=None)
@given(st.dictionaries(st.text(max_size=12), JSON | ENTRIES, max_size=4), st.binary(max_size=64))
def test_no_header_causes_any_other_error(header, payload):
    parts = bad_bundles.Parts("nibbles")
    with pytest.raises(InputError):
        bundle.parse(bad_bundles.file_of({"__metadata__": parts.header()["__metadata__"]} | header, payload))


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(bad_bundles.TEXTS), JSON)
def test_no_metadata_causes_any_other_error(key, value):
    parts = bad_bundles.Parts("coded")
    parts.texts[key] = value
    data = bad_bundles.file_of(parts.header(), parts.payload())
    if key in ("accuracy", "provenance") and isinstance(value, dict):
        return
    with pytest.raises(InputError):
        bundle.parse(data)
