"""The peers' conversions and loaders, with the peers that are installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import needs
import numpy as np
import pytest

from benchmarks.peers import calibration, ncnn
from edgepatho.model import graph as graphs
from edgepatho.model.graph import Graph
from edgepatho_runtime.bench import peers

SIDE = 16
CONVERTED = {
    "onnxruntime": ("fp32.onnx", "fp16.onnx", "int8-unsigned.onnx", "int8-signed.onnx"),
    "mnn": ("fp32.mnn", "fp16.mnn", "int8.mnn"),
    "openvino": ("fp32.xml", "int8.xml"),
    "ncnn": ("ncnn.param",),
}
NEEDED = {"onnxruntime": ["onnx"], "mnn": ["onnx"], "openvino": ["onnx", "nncf"], "ncnn": []}


def network() -> Graph:
    """Every operation of PathoNet once, with random weights."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    image = layers.Input((SIDE, SIDE, 3), name="image")
    y = layers.LeakyReLU(negative_slope=0.3)(layers.Conv2D(8, 3, padding="same")(image))
    small = layers.Conv2D(4, 3, padding="same", dilation_rate=2)(layers.MaxPooling2D(2)(y))
    twice = layers.Concatenate()([small, small])
    total = layers.Add()([layers.Conv2D(8, 1)(small), twice, layers.Conv2D(8, 1)(twice)])
    small = layers.LeakyReLU(negative_slope=0.3)(layers.BatchNormalization()(total))
    y = layers.Concatenate()([y, layers.UpSampling2D(2)(small)])
    return graphs.from_keras(keras.Model(image, layers.Conv2D(3, 1, activation="relu")(y)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `benchmarks.models` leaves it to the converters, with the picture and Keras' answer."""
    folder = tmp_path_factory.mktemp("models")
    tiles = np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE, 3), np.uint8)
    np.save(folder / calibration.FILE, tiles)
    np.save(folder / "expected.npy", graphs.evaluate(network(), tiles[:1] / np.float32(255)).numpy()[0])
    ncnn.write(network(), folder / "ncnn.param", folder / "ncnn.bin", SIDE, SIDE)
    if importlib.util.find_spec("onnx"):
        from benchmarks.peers import onnx

        onnx.write(network(), folder / "fp32.onnx", SIDE, SIDE)
    return folder


RUN = """
import sys
from edgepatho_runtime.bench import peers
engine, file, image, side = sys.argv[1:]
loaded = peers.PEERS[engine].load(peers.imported(engine), file, (int(side), int(side), 3), 1, "fp32")
with open(image, "rb") as picture: loaded.give(picture.read())
loaded.infer()
loaded.infer()
with open(file + ".f32", "wb") as output: output.write(loaded.heat_maps())
"""


@pytest.mark.parametrize("engine", CONVERTED)
def test_a_converted_network_computes_what_keras_computes(engine: str, folder: Path):
    for package in (peers.PEERS[engine].module, *NEEDED[engine]):
        if importlib.util.find_spec(package) is None:
            pytest.skip(needs.BENCH_GROUP)
    (folder / "image.rgb").write_bytes(np.load(folder / calibration.FILE)[0].tobytes())
    expected = np.load(folder / "expected.npy")
    if engine != "ncnn":
        run(["-m", f"benchmarks.peers.{engine}", str(folder)])
    for name in CONVERTED[engine]:
        run(["-c", RUN, engine, str(folder / name), str(folder / "image.rgb"), str(SIDE)])
        answer = np.fromfile(folder / f"{name}.f32", np.float32).reshape(expected.shape)
        if "int8" in name:  # coarse: on processors without 8-bit dot products, some products saturate
            assert np.corrcoef(answer.ravel(), expected.ravel())[0, 1] > 0.8, name
        else:
            tolerance = 1e-2 if "fp16" in name else 1e-4
            assert np.max(np.abs(answer - expected)) <= tolerance * np.max(expected), name


def run(arguments: list[str]) -> None:
    """Run Python in a process that a peer's crash cannot take this one down with."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_peer_that_is_not_installed_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(peers.PEERS, "mnn", peers.PEERS["mnn"]._replace(module="no_such_module"))
    with pytest.raises(peers.PeerError, match="MNN is not installed here, or incompletely: No module named"):
        peers.imported("mnn")


def test_importing_a_peer_leaves_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(peers.PEERS, "mnn", peers.PEERS["mnn"]._replace(module="json"))
    for value in ("false", None):
        monkeypatch.delenv("CI", raising=False) if value is None else monkeypatch.setenv("CI", value)
        peers.imported("mnn")
        assert os.environ.get("CI") == value


def test_a_file_for_another_size_is_one_sentence(folder: Path):
    pytest.importorskip("onnxruntime", reason=needs.BENCH_GROUP)
    pytest.importorskip("onnx", reason=needs.BENCH_GROUP)
    module = peers.imported("onnxruntime")
    with pytest.raises(peers.PeerError, match=r"input is \(1, 3, 16, 16\), expected pixels \(1, 3, 32, 32\)"):
        peers.PEERS["onnxruntime"].load(module, str(folder / "fp32.onnx"), (32, 32, 3), 1, "fp32")
