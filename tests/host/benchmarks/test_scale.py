"""The networks and points of the scale benchmark."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import models
from benchmarks.scale import networks, plot
from benchmarks.scale.__main__ import as_table, points
from edgepatho.model import graph as graphs
from edgepatho.model import pathonet
from edgepatho.model.graph import Graph


@pytest.fixture(scope="module")
def network() -> Graph:
    return graphs.from_keras(pathonet.build())


def test_the_multiply_adds_are_the_published_ones(network: Graph):
    assert models.multiply_adds(network, 256, 256) == 5_239_209_984
    assert models.multiply_adds(network, 512, 128) == 5_239_209_984


@pytest.mark.parametrize("width", [Fraction(1, 4), Fraction(2)])
def test_a_width_multiplies_every_channel_but_those_of_image_and_heat_maps(network: Graph, width: Fraction):
    wide = networks.widened(network, width)
    for name, kernel in network.kernels.items():
        first, last = name == "b1_1", name == "conv10"
        inputs, outputs = kernel.shape[2] * (1 if first else width), kernel.shape[3] * (1 if last else width)
        assert wide.kernels[name].shape == (*kernel.shape[:2], inputs, outputs)
    image = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    heat_maps = graphs.evaluate(wide, image).numpy()
    assert heat_maps.shape == (1, 32, 32, 3)
    assert 0.01 < heat_maps.std() < 100


def test_every_point_is_measured_once():
    assert len(set(points())) == len(points()) == 9


def test_the_table_and_the_plot_show_both_engines(tmp_path: Path):
    def row(engine: str, side: int, width: float, multiply_adds: int) -> dict[str, object]:
        figures = {
            "median_ms": 40.0,
            "peak_rss_over_python_bytes": 14_000_000,
            "multiply_adds": multiply_adds,
        }
        return {"engine": engine, "side_px": side, "width": width, **figures}

    shapes = [(128, 1, 1_000_000_000), (256, 1, 4_000_000_000), (256, 2, 16_000_000_000)]
    rows = [row(engine, *shape) for engine in ("edgepatho", "litert") for shape in shapes]
    assert as_table(rows).splitlines()[3].split() == [
        *("edgepatho", "256", "1", "4.00", "40.0", "14.0", "10.0", "214"),
    ]
    plot.draw(rows, tmp_path / "scale.png")
    with Image.open(tmp_path / "scale.png") as picture:
        assert picture.size == (800, 600)
