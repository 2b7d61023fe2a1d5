"""The files that the benchmarks run: PathoNet with shared weights, in every engine's format.

Every engine computes the same function, so all are checked against TensorFlow's output for one image.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from benchmarks import ncnn_model
from benchmarks.contenders import SIDE
from edgepatho.errors import UserError

if TYPE_CHECKING:
    from edgepatho.model.graph import Graph

IMAGE = "image.rgb"


@contextmanager
def built() -> Iterator[Path]:
    """Yield a temporary folder with all model files; the process that builds them ends before any timing."""
    with tempfile.TemporaryDirectory(prefix="edgepatho-models.") as folder:
        command = [sys.executable, "-m", "benchmarks.models", folder]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"the benchmark's models could not be built: {done.stderr.strip()[-600:]}")
        yield Path(folder)


def build(graph: Graph, folder: Path) -> None:
    """Write the weight-shared network of `graph` for every engine, an image, and TensorFlow's output."""
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
    (folder / "fp32.tflite").write_bytes(tflite.baseline(network, SIDE))
    (folder / "rewritten.tflite").write_bytes(tflite.rewritten_baseline(network, SIDE))
    (folder / "int8.tflite").write_bytes(tflite.int8(network, symmetries))
    late = rewrite.upsample_late(network)
    (folder / "rewritten-int8.tflite").write_bytes(tflite.int8(late, symmetries))
    ncnn_model.write(network, folder / "ncnn.param", folder / "ncnn.bin", SIDE, SIDE)

    (folder / IMAGE).write_bytes(image.tobytes())
    heat_maps = graphs.evaluate(network, image[None] / np.float32(255)).numpy()
    (folder / "expected.f32").write_bytes(heat_maps.tobytes())


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(folder: Path) -> None:
    """Write the model files of the shipped weights to FOLDER."""
    from edgepatho.model import graph as graphs
    from edgepatho.model import weights

    build(graphs.from_keras(weights.load_shipped()), folder)


if __name__ == "__main__":
    main()
