"""The frozen bundles of every version stay readable, and today's writer still writes the same bytes."""

import hashlib
import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from edgepatho.exporters import bundle
from edgepatho.model import graph

FIXTURES = Path(__file__).parents[2] / "fixtures"
FILES = {path.stem: path for path in sorted(FIXTURES.glob("v*/*.epb"))}
NAMES = sorted(FILES)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("make_fixtures", FIXTURES / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    folder = tmp_path_factory.mktemp("made")
    make.main(folder)
    return folder


def about(name):
    return json.loads((FILES[name].parent / "about.json").read_text())[name]


def test_the_set_is_complete():
    kinds = {
        "v1": {
            "shared-256",
            "nibbles",
            "wide",
            "per-layer",
            "skipped",
            "plain",
            "coded",
            "input-major",
            "dense",
        },
        "v2": {"complete", "scale"},
    }
    for version, names in kinds.items():
        assert set(json.loads((FIXTURES / version / "about.json").read_text())) == names
        assert {name for name in NAMES if FILES[name].parent.name == version} == names


@pytest.mark.parametrize("name", NAMES)
def test_frozen_content_is_read_as_written(name):
    content, expected = bundle.read(FILES[name]), about(name)
    assert content.file_sha256 == expected["file_sha256"]
    assert content.parts == expected.get("parts", {})
    assert {tensor: entry["codec"] for tensor, entry in content.coding.items()} == expected["coded"]
    assert set(content.tensors) == set(expected["tensors"])
    for tensor, values in content.tensors.items():
        assert list(values.shape) == expected["tensors"][tensor]["shape"]
        assert hashlib.sha256(values.tobytes()).hexdigest() == expected["tensors"][tensor]["sha256"]


@pytest.mark.parametrize("name", NAMES)
def test_the_documented_reader_reads_the_same(name):
    document = (FIXTURES.parents[1] / "docs" / "bundle-format.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", document, re.DOTALL)
    scope = {}
    exec(program, scope)
    kernels = bundle.network_of(bundle.read(FILES[name])).kernels
    found = scope["kernels"](FILES[name])
    assert set(found) == set(kernels)
    assert all(np.array_equal(found[layer], kernel) for layer, kernel in kernels.items())


@pytest.mark.parametrize("name", NAMES)
def test_a_frozen_network_gives_its_expected_output(name):
    content = bundle.read(FILES[name])
    network = bundle.network_of(content)
    picture = np.load(FILES[name].parent / "picture.npy")
    expected = np.load(FILES[name].with_name(f"{name}.output.npy"))
    if expected.ndim == 1:
        picture = picture[:16, :16]
    for image, wanted, step in (
        (picture, expected, 1),
        (content.tensors["golden.input"], content.tensors["golden.output"], 4),
    ):
        output = graph.evaluate(network, image[None].astype(np.float32) / 255).numpy()[0]
        if output.ndim == 3:
            output = output[::step, ::step]
        assert output.shape == wanted.shape
        assert np.abs(output - wanted).max() <= 1e-5 * np.abs(wanted).max()
        assert wanted.max() > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_the_writer_still_writes_the_same_bytes(made, name):
    if name in ("coded", "input-major"):  # another zlib may write other streams; their content is compared
        content = bundle.read(made / FILES[name].relative_to(FIXTURES))
        frozen = bundle.read(FILES[name])
        assert all(np.array_equal(content.tensors[key], frozen.tensors[key]) for key in frozen.tensors)
    else:
        assert (made / FILES[name].relative_to(FIXTURES)).read_bytes() == (FILES[name]).read_bytes()
    output = made / FILES[name].relative_to(FIXTURES).with_name(f"{name}.output.npy")
    assert output.read_bytes() == (FIXTURES / output.relative_to(made)).read_bytes()


def test_between_them_the_fixtures_use_every_operation_width_and_codec():
    contents = [bundle.read(FILES[name]) for name in NAMES]
    ops = {node["op"] for content in contents for node in content.graph["nodes"]}
    assert ops == {
        "conv2d",
        "dense",
        "flatten",
        "affine",
        "leaky_relu",
        "relu",
        "add",
        "concat",
        "maxpool2",
        "upsample2_nearest",
    }
    widths = {
        (values.dtype.name, values.shape[-1])
        for content in contents
        for tensor, values in content.tensors.items()
        if tensor.endswith(".index")
    }
    assert widths == {("uint8", 4), ("uint8", 8), ("uint16", 8)}
    assert any("order" in entry for content in contents for entry in content.coding.values())
    assert {codec for name in NAMES for codec in about(name)["coded"].values()} == {"zlib", "lzma"}
