"""The files that the benchmarks run: PathoNet with shared weights, in every engine's format.

Every engine computes the same function, so all are checked against TensorFlow's output for one image.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from benchmarks.contenders import FACTS, SIDE
from benchmarks.peers import calibration, ncnn
from edgepatho.errors import UserError

if TYPE_CHECKING:
    from edgepatho.model.graph import Graph

IMAGE = "image.rgb"
CONVERTERS = ("onnxruntime", "mnn", "openvino")


@contextmanager
def built() -> Iterator[Path]:
    """Yield a temporary folder with all model files; the process that builds them ends before any timing."""
    with tempfile.TemporaryDirectory(prefix="edgepatho-models.") as folder:
        command = [sys.executable, "-m", "benchmarks.models", folder]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"the benchmark's models could not be built: {done.stderr.strip()[-600:]}")
        yield Path(folder)


def build(graph: Graph, parameters: int, folder: Path) -> None:
    """Write the weight-shared network of `graph` for every engine, an image, and TensorFlow's output.

    `parameters` are those of the Keras model. A peer whose files cannot be made is left out, with a sentence
    in the file of facts; raises what the converters of our own and of TFLite raise.
    """
    from edgepatho.exporters import bundle, golden, rewrite, tflite
    from edgepatho.model import graph as graphs
    from edgepatho.model.shared import SharedModel
    from edgepatho.quantize.quantizer import Quantizer, share

    shared = share(graph, Quantizer())
    network = shared.dense()
    about = {"scoring": bundle.SCORING, "provenance": {"method": "cws"}, "accuracy": {}}
    bundle.write(folder / "model.epb", shared, **about)
    bundle.write(folder / "baseline.epb", SharedModel(network), **about)

    image = np.tile(golden.patch(), (SIDE // golden.SIDE_PX, SIDE // golden.SIDE_PX, 1))
    symmetries = np.stack([np.rot90(view, turn) for view in (image, image[::-1]) for turn in range(4)])
    late = rewrite.upsample_late(network)
    (folder / "fp32.tflite").write_bytes(tflite.baseline(network, SIDE))
    (folder / "rewritten.tflite").write_bytes(tflite.rewritten_baseline(network, SIDE))
    (folder / "int8.tflite").write_bytes(tflite.int8(network, symmetries))
    (folder / "rewritten-int8.tflite").write_bytes(tflite.int8(late, symmetries))
    ncnn.write(network, folder / "ncnn.param", folder / "ncnn.bin", SIDE, SIDE)
    if importlib.util.find_spec("onnx"):
        from benchmarks.peers import onnx

        onnx.write(network, folder / "fp32.onnx", SIDE, SIDE)

    (folder / IMAGE).write_bytes(image.tobytes())
    np.save(folder / calibration.FILE, symmetries)
    heat_maps = graphs.evaluate(network, image[None] / np.float32(255)).numpy()
    (folder / "expected.f32").write_bytes(heat_maps.tobytes())
    facts = {
        "model": "full",
        "parameters": parameters,
        "multiply_adds": {
            "drawn": multiply_adds(network, SIDE, SIDE),
            "rewritten": multiply_adds(late, SIDE, SIDE),
        },
        "failures": _converted_by_peers(folder),
    }
    (folder / FACTS).write_text(json.dumps(facts))


def multiply_adds(graph: Graph, height: int, width: int) -> int:
    """Return the direct products of all convolutions for one image, padding included."""
    pixels = {graph.input["name"]: height * width}
    total = 0
    for node in graph.nodes:
        before = pixels[node["inputs"][0]]
        after = {"maxpool2": before // 4, "upsample2_nearest": before * 4}.get(node["op"], before)
        pixels[node["name"]] = after
        if node["name"] in graph.kernels:
            total += after * graph.kernels[node["name"]].size
    return total


def _converted_by_peers(folder: Path) -> dict[str, str]:
    """Run the peers' own converters, each in a process that may crash; return why those failed that did."""
    failures = {}
    for peer in CONVERTERS:
        command = [sys.executable, "-m", f"benchmarks.peers.{peer}", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            failures[peer] = last[:300]
    return failures


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(folder: Path) -> None:
    """Write the model files of the shipped weights to FOLDER."""
    from edgepatho.model import graph as graphs
    from edgepatho.model import weights

    model = weights.load_shipped()
    build(graphs.from_keras(model), model.count_params(), folder)


if __name__ == "__main__":
    main()
