"""Damaged pictures are refused where damage can be seen; sound ones that look odd are not."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from benchmarks.damage import FAULTS, FORMATS, encoded, field, flipped_bit
from edgepatho_runtime import image
from edgepatho_runtime.errors import ImageError
from edgepatho_runtime.image import damage

FIELD = field(150, 200)


def read(tmp_path: Path, data: bytes, **limits: Any) -> image.Image:
    (tmp_path / "a").write_bytes(data)
    return image.read(tmp_path / "a", **limits)


@pytest.mark.parametrize("fault", [name for name in FAULTS if "bit" not in name])
@pytest.mark.parametrize("name", FORMATS)
def test_lost_sectors_and_tails_are_refused(tmp_path: Path, name: str, fault: str) -> None:
    data, random = encoded(FIELD, **FORMATS[name]), np.random.default_rng(7)
    refused = 0
    for _ in range(10):
        try:
            read(tmp_path, FAULTS[fault](data, random))
        except ImageError:
            refused += 1
    if (name, fault) == ("JPEG, progressive", "512-byte sector zeroed"):
        assert refused >= 1  # zeros may code a flat part of the picture
    else:
        assert refused == 10


@pytest.mark.parametrize("name", ["PNG", "TIFF, deflate"])
def test_every_flip_is_refused_where_there_is_a_checksum(tmp_path: Path, name: str) -> None:
    data, random = encoded(FIELD, **FORMATS[name]), np.random.default_rng(7)
    sound = image.read(_saved(tmp_path / "sound", data)).rgb
    for _ in range(40):
        try:
            assert read(tmp_path, flipped_bit(data, random)).rgb == sound  # a flip in TIFF's unused tags
        except ImageError:
            continue


def _saved(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("optimize", [False, True])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("colour", ["white", "black", (255, 0, 0), (120, 130, 140)])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_flat_pictures_are_sound(
    tmp_path: Path, mode: str, colour: Any, progressive: bool, optimize: bool
) -> None:
    """A flat picture is coded in few distinct bits, with optimized tables in zeros alone."""
    flat = Pillow.new("RGB", (1024, 768), colour).convert(mode)
    read(tmp_path, encoded(flat, format="JPEG", optimize=optimize, progressive=progressive))


def test_black_parts_of_a_picture_are_sound(tmp_path: Path) -> None:
    black = np.array(FIELD)
    black[40:70] = 0
    black[:, :180] = 0
    for options in FORMATS.values():
        assert read(tmp_path, encoded(Pillow.fromarray(black), **options)).height == 150


def test_tiles_padded_with_zeros_are_sound(tmp_path: Path) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, np.asarray(FIELD), photometric="rgb", tile=(128, 128))
    assert bytes(read(tmp_path, file.getvalue()).rgb) == FIELD.tobytes()


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"bigtiff": True}, {"byteorder": ">"}])
def test_tiffs_of_another_writer_equal_what_was_written(tmp_path: Path, options: dict[str, Any]) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, np.asarray(FIELD), photometric="rgb", rowsperstrip=16, **options)
    assert bytes(read(tmp_path, file.getvalue()).rgb) == FIELD.tobytes()


@pytest.mark.parametrize("marker", [0xE0, 0xE1, 0xE2, 0xEE, 0xFE])
def test_odd_application_segments_are_sound(tmp_path: Path, marker: int) -> None:
    data = encoded(FIELD, format="JPEG")
    segment = struct.pack(">BBH", 0xFF, marker, 30) + b"JFIF\0\7Adobe\0Exif\0\0".ljust(28, b"\xff")
    read(tmp_path, data[:20] + segment + data[20:])
    assert "stray bytes" in read(tmp_path, data[:20] + b"junk" + data[20:]).note


def test_a_jpeg_inside_a_scan_reports_what_libjpeg_only_warns_of(tmp_path: Path) -> None:
    data = encoded(FIELD, format="JPEG", quality=92)
    middle = len(data) // 2
    for harm, words in (
        (data[:middle] + data[middle + 300 :], "early|invalid|unexpected"),
        (data[:-2], "ends early"),
        (data[: middle - 1] + b"\xff\xd9", "end early"),
    ):
        with Pillow.open(io.BytesIO(harm)) as passed_over:
            if harm[-2:] == b"\xff\xd9":
                passed_over.load()
        with pytest.raises(ImageError, match=words):
            read(tmp_path, harm)


def test_huffman_tables_are_understood_in_one_segment_or_several() -> None:
    """Cameras write all Huffman tables in one segment, Pillow each in its own."""
    one = bytes([0x00, 1, *[0] * 15, 5]) + bytes([0x10, 1, *[0] * 15, 7])
    end = bytes([0x00, 1, *[0] * 15, 5]) + bytes([0x10, 1, *[0] * 15, 0])
    for tables, expected in ((one, True), (end, False), (end[:18], False)):
        header = b"\xff\xd8\xff\xc4" + struct.pack(">H", 2 + len(tables)) + tables
        assert damage._zeros_have_meaning(header) is expected
    for length in range(len(header)):
        damage._zeros_have_meaning(header[:length])


@pytest.mark.parametrize("name", FORMATS)
def test_any_prefix_and_any_flip_of_a_header_raise_nothing_else(tmp_path: Path, name: str) -> None:
    data, random = encoded(field(40, 50), **FORMATS[name]), np.random.default_rng(3)
    heads = [*range(0, 200, 7)]
    for at in [*heads, *(len(data) - back for back in heads[1:])]:
        bent = bytearray(data)
        bent[at] ^= 1 << int(random.integers(8))
        for content in (data[:at], bytes(bent)):
            with suppress(ImageError):
                read(tmp_path, content, max_pixels=1_000_000)


@pytest.mark.parametrize("name", FORMATS)
def test_memory_is_estimated_before_decoding(tmp_path: Path, name: str) -> None:
    data = encoded(Pillow.new("RGB", (800, 600), "white"), **FORMATS[name])
    with pytest.raises(ImageError, match=r"800 x 600 pixels need about .* MiB to decode .* pixels would fit"):
        read(tmp_path, data, memory_bytes=17 << 20)
    assert read(tmp_path, data, memory_bytes=40 << 20).width == 800
