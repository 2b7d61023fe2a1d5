"""The README's picture is drawn from result files and an overlay, and from nothing else."""

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import readme_figure
from edgepatho.errors import InputError


def host_row(engine, precision="fp32", threads=1, **more):
    return {
        "engine": engine,
        "precision": precision,
        "threads": threads,
        "median_ms": 120.0,
        "peak_rss_over_python_bytes": 40 * 2**20,
        "file_bytes": 12 * 2**20,
        "processor": "Example CPU",
        "version": "ignored",
        **more,
    }


@pytest.fixture
def results(tmp_path):
    host = [host_row("edgepatho", file_bytes=3 * 2**20, median_ms=90.0), host_row("litert", "int8")]
    host += [host_row("litert", threads=2), host_row("edgepatho", "fp16")]
    arm = [
        {"engine": "edgepatho", "precision": "fp32", "cpu": "a72", "mcycles": 800.5},
        {"engine": "edgepatho", "precision": "fp32", "cpu": "a53", "mcycles": None},
        {"engine": "litert", "precision": "fp32", "cpu": "a72", "mcycles": 1200.0},
    ]
    (tmp_path / "host.json").write_text(json.dumps(host))
    (tmp_path / "arm.json").write_text(json.dumps(arm))
    return tmp_path


def test_the_picture_shows_overlay_and_bars(results):
    overlay = results / "tile-compressed.png"
    Image.fromarray(np.full((64, 64, 3), (200, 30, 90), np.uint8)).save(overlay)
    groups = readme_figure.panels(readme_figure.read(results / "host.json", results / "arm.json"))
    assert [[bar[2] for bar in group.bars] for group in groups] == [
        [3.0, 12.0],
        [40.0, 40.0],
        [90.0, 120.0],
        [800.5, 1200.0],
    ]
    output = results / "images" / "overview.png"
    readme_figure.draw(groups, overlay, output)
    with Image.open(output) as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    for colour in ((200, 30, 90), (0, 114, 178), (139, 135, 147)):
        assert (pixels == colour).all(axis=1).sum() > 2000


def test_a_damaged_result_is_named(results):
    (results / "arm.json").write_text('[{"engine": "edgepatho", "precision": "fp32"}]')
    with pytest.raises(InputError, match=r"the field cpu is missing in arm\[0\]"):
        readme_figure.read(results / "host.json", results / "arm.json")
