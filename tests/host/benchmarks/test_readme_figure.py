"""The README's picture is drawn only from a compress folder, and is a small file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import readme_figure
from edgepatho.errors import InputError
from edgepatho.report.record import read_compress

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
import report_examples as examples


@pytest.fixture
def folder(tmp_path):
    return examples.write_folder(tmp_path / "compressed")


def test_sizes_agreement_and_counts_come_from_the_record(folder):
    assert readme_figure.captions(read_compress(folder), "p9_0001_1") == [
        "original, 13.00 MB\n12 immunopositive, 30 immunonegative, 2 til",
        "compressed, 3.25 MB, agreement 0.972\n11 immunopositive, 31 immunonegative, 2 til",
    ]


def test_both_networks_are_shown_in_a_small_file(folder, tmp_path):
    output = tmp_path / "images" / "overview.png"
    colours = {"original": (200, 30, 90), "compressed": (20, 120, 60)}
    for model, colour in colours.items():
        tile = np.full((512, 512, 3), colour, np.uint8)
        Image.fromarray(tile).save(folder / "overlays" / f"p9_0001_1-{model}.png")
    readme_figure.draw(folder, output)
    with Image.open(output) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    left, right = np.array_split(pixels, 2, axis=1)
    for half, colour in ((left, colours["original"]), (right, colours["compressed"])):
        assert (abs(half - colour).max(axis=2) < 8).mean() > 0.5
    assert output.stat().st_size < 200_000


def test_the_picture_in_the_readme_is_small_and_shown():
    root = Path(__file__).parents[3]
    assert (root / readme_figure.OUTPUT).stat().st_size < 200_000
    assert f"]({readme_figure.OUTPUT})" in (root / "README.md").read_text(encoding="utf-8")


def test_a_folder_without_overlays_is_named(tmp_path):
    record = examples.compress_record()
    del record["overlays"]
    with pytest.raises(InputError, match="records no overlays"):
        readme_figure.draw(examples.write_folder(tmp_path / "bare", record), tmp_path / "o.png")


def test_a_folder_that_is_not_a_compression_is_named(tmp_path):
    (tmp_path / "compress.json").write_text(json.dumps({}))
    with pytest.raises(InputError):
        readme_figure.draw(tmp_path, tmp_path / "o.png")
    assert not (tmp_path / "o.png").exists()
