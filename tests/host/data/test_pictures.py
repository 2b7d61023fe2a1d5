"""Pictures as the network sees them: the device's scale rule, tiles without overlap, formats."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import picture_matrix
from benchmarks.damage import FAULTS, FORMATS, encoded, field
from edgepatho.data import pictures
from edgepatho.errors import InputError
from edgepatho_runtime import image as device_image
from edgepatho_runtime.errors import ImageError

DOCUMENT = Path(__file__).parents[3] / "docs" / "device-cli.md"
EXAMPLE = re.compile(r"\| (\d+) x (\d+) \| (\d+) x (\d+) \|")


def test_the_scale_rule_matches_score():
    """Host and device share one document, which a test on each side reads."""
    examples = EXAMPLE.findall(DOCUMENT.read_text())
    assert len(examples) >= 8
    for height, width, expected_height, expected_width in (map(int, example) for example in examples):
        assert pictures.network_size(height, width) == (expected_height, expected_width)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (256, 256, [(0, 0, 256, 256)]),
        (83, 40, [(0, 0, 83, 40)]),
        (1, 1, [(0, 0, 1, 1)]),
        (271, 256, [(0, 0, 256, 256)]),
        (272, 256, [(0, 0, 256, 256), (256, 0, 16, 256)]),
        (300, 520, [(0, 0, 256, 256), (0, 256, 256, 256), (256, 0, 44, 256), (256, 256, 44, 256)]),
    ],
)
def test_tiles_do_not_overlap_and_narrow_strips_are_left_out(height, width, expected):
    assert [(c.top, c.left, c.height, c.width) for c in pictures.cuts(height, width)] == expected


def test_every_format_gives_the_same_pixels(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    picture = Image.fromarray(pixels)
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "a.tif", compression="tiff_lzw")
    seen_through = picture.convert("RGBA")
    seen_through.save(tmp_path / "alpha.png")
    for path in tmp_path.iterdir():
        np.testing.assert_array_equal(pictures.read(path), pixels)


def test_transparency_becomes_white_and_a_transparent_picture_is_refused(tmp_path):
    picture = Image.new("RGBA", (6, 4), (10, 20, 30, 0))
    picture.save(tmp_path / "clear.png")
    picture.putpixel((0, 0), (10, 20, 30, 255))
    picture.save(tmp_path / "nearly.png")
    assert (pictures.read(tmp_path / "nearly.png")[1:] == 255).all()
    with pytest.raises(InputError, match=r"clear\.png cannot be read: it is entirely transparent"):
        pictures.read(tmp_path / "clear.png")


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "PPM"])
@pytest.mark.parametrize("fault", FAULTS)
def test_damage_is_refused_as_on_the_device(tmp_path, name, fault):
    sound, random, path = encoded(field(150, 200), **FORMATS[name]), np.random.default_rng(7), tmp_path / "a"
    for _ in range(8):
        path.write_bytes(FAULTS[fault](sound, random))
        try:
            device, sentence = np.frombuffer(device_image.read(path).rgb, np.uint8), ""
        except ImageError as error:
            device, sentence = None, f"{path} cannot be read: {error}."
        if device is not None:
            np.testing.assert_array_equal(pictures.read(path).ravel(), device)
            continue
        with pytest.raises(InputError) as refused:
            pictures.read(path)
        if not name.startswith("TIFF"):  # Pillow reads fewer TIFF tags
            assert str(refused.value) == sentence


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg"])
def test_the_stored_orientation_is_kept_as_on_the_device(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = orientation
    Image.fromarray(np.arange(72, dtype=np.uint8).reshape(4, 6, 3)).save(tmp_path / name, exif=exif)
    assert pictures.size(tmp_path / name) == (4, 6)
    device = np.frombuffer(device_image.read(tmp_path / name).rgb, np.uint8)
    np.testing.assert_array_equal(pictures.read(tmp_path / name).ravel(), device)


def test_odd_pictures_are_read_or_refused_as_on_the_device(tmp_path):
    """All of docs/picture-matrix.md, in the device's words where Pillow opens the file."""
    for number, (kind, name, data, limits) in enumerate(picture_matrix.rows()):
        if limits or kind == "PPM":  # prepare has neither
            continue
        path = tmp_path / f"{number}"
        path.write_bytes(data)
        try:
            device = np.frombuffer(device_image.read(path).rgb, np.uint8)
        except ImageError as error:
            sentence = re.escape(f"{path} cannot be read: {error}.")
            with pytest.raises(
                InputError, match=f"{sentence}|Pillow cannot decode|is not a JPEG, PNG or TIFF"
            ):
                pictures.read(path)
        else:
            np.testing.assert_array_equal(pictures.read(path, 1.0).ravel(), device, f"{kind}, {name}")


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png cannot be read: it is a pipe, socket or device"):
        pictures.read(tmp_path / "a.png")
