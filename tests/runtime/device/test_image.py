"""Pictures: equal to Pillow's, or refused in one sentence."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from edgepatho_runtime import _vision, image
from edgepatho_runtime.errors import ImageError
from edgepatho_runtime.image import memory, png


def pixels(picture: image.Image) -> np.ndarray:
    return np.frombuffer(picture.rgb, np.uint8).reshape(picture.height, picture.width, 3)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def on_white(picture: Pillow.Image) -> np.ndarray:
    alpha = picture.convert("RGBA")
    white = Pillow.new("RGB", picture.size, "white")
    white.paste(alpha, mask=alpha.getchannel("A"))
    return np.asarray(white)


# -- PNG -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "LA", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (64, 33)])
def test_png_modes_equal_pillow(tmp_path: Path, mode: str, size: tuple[int, int]) -> None:
    width, height = size
    picture = Pillow.fromarray(noise(height, width, 4 if "A" in mode else 3)).convert(mode)
    picture.save(tmp_path / "a.png")
    expected = on_white(picture) if mode in ("LA", "RGBA") else np.asarray(picture.convert("RGB"))
    assert np.array_equal(pixels(image.read(tmp_path / "a.png")), expected)


@pytest.mark.parametrize("colours", [2, 4, 16, 200])
def test_png_palettes_of_every_depth_equal_pillow(tmp_path: Path, colours: int) -> None:
    indices = noise(19, 23, seed=colours) % colours
    picture = Pillow.fromarray(indices)  # mode L becomes P with its palette
    picture.putpalette(noise(3 * colours).tobytes())
    picture.save(tmp_path / "a.png", transparency=bytes(noise(colours, seed=1)))
    with Pillow.open(tmp_path / "a.png") as saved:
        assert np.array_equal(pixels(image.read(tmp_path / "a.png")), on_white(saved))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_greys_of_every_depth_equal_pillow(depth: int) -> None:
    width, height = 13, 6
    row_bytes = (width * depth + 7) // 8
    rows = b"".join(b"\0" + noise(row_bytes, seed=row).tobytes() for row in range(height))
    data = written(height, width, depth, png.GREY, rows)
    with Pillow.open(io.BytesIO(data)) as picture:
        expected = np.asarray(picture.convert("RGB"))
    assert np.array_equal(decoded(data), expected)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("filter_type", range(5))
def test_every_filter_equals_pillow(channels: int, filter_type: int) -> None:
    width, height = 11, 9
    rows = b"".join(
        bytes([filter_type]) + noise(width * channels, seed=row).tobytes() for row in range(height)
    )
    colour = {1: png.GREY, 3: png.RGB, 4: png.RGB_ALPHA}[channels]
    data = written(height, width, 8, colour, rows)
    with Pillow.open(io.BytesIO(data)) as picture:
        expected = on_white(picture) if channels == 4 else np.asarray(picture.convert("RGB"))
    assert np.array_equal(decoded(data), expected)


def test_a_transparent_grey_is_white() -> None:
    data = written(1, 2, 8, png.GREY, bytes([0, 7, 9]), {b"tRNS": struct.pack(">H", 7)})
    assert decoded(data).tolist() == [[[255] * 3, [9] * 3]]


def test_pillow_and_our_reader_read_what_we_write() -> None:
    picture = noise(37, 53, 3)
    file = io.BytesIO()
    png.write(file, image.Image(37, 53, picture.tobytes()))
    with Pillow.open(io.BytesIO(file.getvalue())) as read:
        assert np.array_equal(np.asarray(read), picture)
    assert np.array_equal(decoded(file.getvalue()), picture)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(height: int, width: int, depth: int, colour: int, *rest: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, *(rest or (0, 0, 0))))


def written(
    height: int, width: int, depth: int, colour: int, rows: bytes, more: dict[bytes, bytes] | None = None
) -> bytes:
    extra = b"".join(chunk(kind, body) for kind, body in (more or {}).items())
    idat = chunk(b"IDAT", zlib.compress(rows))
    return png.SIGNATURE + header(height, width, depth, colour) + extra + idat + chunk(b"IEND", b"")


def decoded(data: bytes, max_pixels: int = 10_000) -> np.ndarray:
    file = io.BytesIO(data)
    file.seek(len(png.SIGNATURE))
    return pixels(png.read(file, len(data), memory.Limits(max_pixels)))


GOOD = written(2, 3, 8, png.RGB, b"\0" + bytes(9) + b"\1" + bytes(9))
IDAT = chunk(b"IDAT", zlib.compress(b"\0" + bytes(3)))
END = chunk(b"IEND", b"")


def one_pixel(*chunks: bytes, head: bytes | None = None) -> bytes:
    return png.SIGNATURE + (head if head is not None else header(1, 1, 8, png.RGB)) + b"".join(chunks)


BAD_PNGS = {
    "no header": one_pixel(IDAT, END, head=b""),
    "short header": one_pixel(IDAT, END, head=chunk(b"IHDR", bytes(12))),
    "no pixels": one_pixel(END),
    "no end": one_pixel(IDAT),
    "width 0": one_pixel(IDAT, END, head=header(1, 0, 8, png.RGB)),
    "huge": one_pixel(IDAT, END, head=header(60_000, 60_000, 8, png.RGB)),
    "16 bits": one_pixel(IDAT, END, head=header(1, 1, 16, png.RGB)),
    "4 bits RGB": one_pixel(IDAT, END, head=header(1, 1, 4, png.RGB)),
    "depth 3": one_pixel(IDAT, END, head=header(1, 1, 3, png.GREY)),
    "colour type 5": one_pixel(IDAT, END, head=header(1, 1, 8, 5)),
    "unknown compression": one_pixel(IDAT, END, head=header(1, 1, 8, png.RGB, 1, 0, 0)),
    "interlaced": one_pixel(IDAT, END, head=header(1, 1, 8, png.RGB, 0, 0, 1)),
    "interlace 2": one_pixel(IDAT, END, head=header(1, 1, 8, png.RGB, 0, 0, 2)),
    "unknown critical chunk": one_pixel(chunk(b"ABCD", b""), IDAT, END),
    "unknown filter": one_pixel(chunk(b"IDAT", zlib.compress(b"\5" + bytes(3))), END),
    "too few pixels": one_pixel(chunk(b"IDAT", zlib.compress(bytes(3))), END),
    "too many pixels": one_pixel(chunk(b"IDAT", zlib.compress(bytes(5))), END),
    "bomb": one_pixel(chunk(b"IDAT", zlib.compress(bytes(1 << 24))), END),
    "cut stream": one_pixel(chunk(b"IDAT", zlib.compress(bytes(4))[:-4]), END),
    "no stream": one_pixel(chunk(b"IDAT", b"nonsense"), END),
    "no palette": one_pixel(chunk(b"IDAT", zlib.compress(bytes(2))), END, head=header(1, 1, 8, png.PALETTE)),
    "palette of 4 bytes": one_pixel(
        chunk(b"PLTE", bytes(4)),
        chunk(b"IDAT", zlib.compress(bytes(2))),
        END,
        head=header(1, 1, 8, png.PALETTE),
    ),
    "pixel beyond the palette": one_pixel(
        chunk(b"PLTE", bytes(3)),
        chunk(b"IDAT", zlib.compress(b"\0\1")),
        END,
        head=header(1, 1, 8, png.PALETTE),
    ),
    "transparent colour": one_pixel(chunk(b"tRNS", bytes(6)), IDAT, END),
    "chunk longer than the file": one_pixel(struct.pack(">I", 1 << 31) + b"IDAT"),
    "wrong checksum": one_pixel(IDAT[:-1] + bytes([IDAT[-1] ^ 1]), END),
}


@pytest.mark.parametrize("data", BAD_PNGS.values(), ids=BAD_PNGS.keys())
def test_bad_pngs_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"^(it|its|a|one) .*[^.]$"):
        image.read(path)


def test_every_prefix_and_every_flipped_bit_of_a_png_is_refused() -> None:
    assert decoded(GOOD).shape == (2, 3, 3)
    for length in range(len(png.SIGNATURE), len(GOOD)):
        with pytest.raises(ImageError):
            decoded(GOOD[:length])
    for bit in range(8 * len(png.SIGNATURE), 8 * len(GOOD)):
        bent = bytearray(GOOD)
        bent[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ImageError):
            decoded(bytes(bent))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.sampled_from(sorted(png.CHANNELS)), st.sampled_from([1, 2, 4, 8, 16]))
def test_arbitrary_rows_raise_nothing_else(rows: bytes, colour: int, depth: int) -> None:
    try:
        decoded(written(2, 2, depth, colour, rows, {b"PLTE": bytes(6)}))
    except ImageError:
        return


# -- PPM, PGM ------------------------------------------------------------------------------------------


def test_ppm_and_pgm_equal_pillow(tmp_path: Path) -> None:
    Pillow.fromarray(noise(5, 8, 3)).save(tmp_path / "a.ppm")
    assert np.array_equal(pixels(image.read(tmp_path / "a.ppm")), noise(5, 8, 3))
    Pillow.fromarray(noise(5, 8)).save(tmp_path / "a.pgm")
    assert np.array_equal(pixels(image.read(tmp_path / "a.pgm")), np.stack([noise(5, 8)] * 3, 2))


def test_comments_in_a_ppm_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.ppm").write_bytes(b"P6 # made by hand\n# 2 by 1\n2 1\n255\nabcdef")
    assert bytes(image.read(tmp_path / "a.ppm").rgb) == b"abcdef"


@pytest.mark.parametrize(
    "data",
    [
        b"P6",
        b"P6 2 1 255\nabcde",
        b"P6 0 1 255\n",
        b"P6 2 1 65535\n" + bytes(12),
        b"P6 2 1 100\nabcdef",
        b"P6 99999 99999 255\n",
        b"P6 -2 1 255\nabcdef",
        b"P6 99999999 1 255\n",
    ],
)
def test_bad_ppms_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.ppm").write_bytes(data)
    with pytest.raises(ImageError, match=r"^(it|its|Is|No) "):
        image.read(tmp_path / "a.ppm")


# -- JPEG, TIFF ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
@pytest.mark.parametrize("orientation", [0, 1, 3, 6, 8, 9])
def test_the_frame_is_the_stored_one_and_a_note_says_so(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    path = tmp_path / f"a.{suffix}"
    exif = Pillow.Exif()
    exif[274] = orientation
    Pillow.fromarray(noise(24, 40, 3)).save(path, exif=exif, quality=100)
    read = image.read(path)
    expected = tifffile.imread(path) if suffix == "tif" else simplejpeg.decode_jpeg(path.read_bytes())
    assert np.array_equal(pixels(read), expected)
    assert ("stored frame" in read.note) == (2 <= orientation <= 8)


def test_an_odd_rational_in_exif_does_not_matter(tmp_path: Path) -> None:
    """Pillow cannot write such a tag back, which it does when it turns a picture."""
    exif = Pillow.Exif()
    exif[274] = 6
    exif[282] = 72.0  # XResolution
    Pillow.fromarray(noise(24, 40, 3)).save(tmp_path / "a.jpg", exif=exif)
    data = (tmp_path / "a.jpg").read_bytes()
    at = data.index(struct.pack(">II", 72, 1)) if struct.pack(">II", 72, 1) in data else -1
    if at < 0:
        at = data.index(struct.pack("<II", 72, 1))
    (tmp_path / "a.jpg").write_bytes(data[:at] + bytes(8) + data[at + 8 :])
    assert image.read(tmp_path / "a.jpg").width == 40


@pytest.mark.parametrize("mode", ["L", "CMYK", "YCbCr"])
def test_other_jpeg_colours_are_converted_and_noted(tmp_path: Path, mode: str) -> None:
    Pillow.fromarray(noise(16, 16, 3)).convert(mode).save(tmp_path / "a.jpg")
    read = image.read(tmp_path / "a.jpg")
    with Pillow.open(tmp_path / "a.jpg") as saved:
        assert np.array_equal(pixels(read), np.asarray(saved.convert("RGB")))
        assert read.note == ("" if saved.mode == "RGB" else saved.mode)


def test_tiff_alpha_is_composited_and_a_second_page_left_out(tmp_path: Path) -> None:
    first, second = Pillow.fromarray(noise(6, 9, 4)), Pillow.fromarray(noise(6, 9, 4, seed=1))
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    read = image.read(tmp_path / "a.tif")
    assert np.array_equal(pixels(read), on_white(first))
    assert "first of 2 pages" in read.note


@pytest.mark.parametrize("kind", ["I;16", "F", "I"])
def test_deep_tiffs_are_refused(tmp_path: Path, kind: str) -> None:
    Pillow.new(kind, (4, 4)).save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match="8 bits"):
        image.read(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_a_cut_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Pillow.fromarray(noise(64, 64, 3)).save(path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(ImageError, match=r"damaged|ends early"):
        image.read(path)


@pytest.mark.parametrize("content", [b"", b"x", b"just a text file", b"\xff\xd8\xff", b"II*\0", b"GIF89a"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=r"^(it|its|Is|No) "):
        image.read(tmp_path / "a.jpg")


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.png"):
        with pytest.raises(ImageError, match=r"^(it|its|Is|No) "):
            image.read(path)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "a.png", "a.ppm"])
def test_too_many_pixels_are_refused_before_decoding(tmp_path: Path, name: str) -> None:
    Pillow.new("RGB", (100, 100), "white").save(tmp_path / name)
    with pytest.raises(ImageError, match="100 x 100 pixels"):
        image.read(tmp_path / name, max_pixels=9_999)
    assert image.read(tmp_path / name, max_pixels=10_000).width == 100


def test_without_pillow_a_jpeg_says_what_it_needs_and_a_png_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.jpg", "a.png"):
        Pillow.new("RGB", (8, 8)).save(tmp_path / name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImageError, match=r"needs Pillow .*PNG and PPM need nothing$"):
        image.read(tmp_path / "a.jpg")
    assert image.read(tmp_path / "a.png").height == 8


# -- resize --------------------------------------------------------------------------------------------


def resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Ours, bit for bit Pillow's, or the test fails."""
    rgb = _vision.resize(picture.tobytes(), picture.shape[0], picture.shape[1], height, width)
    return np.frombuffer(rgb, np.uint8).reshape(height, width, 3)


def pillow_resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.asarray(Pillow.fromarray(picture).resize((width, height), Pillow.Resampling.BILINEAR))


def test_the_tiles_of_shidc_are_resized_as_pillow_does() -> None:
    tile = noise(1228, 1228, 3)
    assert np.array_equal(resized(tile, 256, 256), pillow_resized(tile, 256, 256))


@pytest.mark.parametrize(
    "sizes", [(921, 1228, 192, 256), (37, 41, 16, 18), (64, 64, 64, 64), (1, 1, 5, 5), (3, 3, 1, 1)]
)
def test_even_scales_equal_pillow(sizes: tuple[int, int, int, int]) -> None:
    height, width, out_height, out_width = sizes
    picture = noise(height, width, 3)
    assert np.array_equal(
        resized(picture, out_height, out_width), pillow_resized(picture, out_height, out_width)
    )


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 600), st.integers(1, 600), st.integers(0, 2**32 - 1))
def test_each_pass_equals_pillow_at_any_size(size: int, out_size: int, seed: int) -> None:
    """One axis at a time: since version 13 Pillow does tall pictures' rows first, ours are always last."""
    wide = noise(3, size, 3, seed=seed)
    assert np.array_equal(resized(wide, 3, out_size), pillow_resized(wide, 3, out_size))
    tall = noise(size, 3, 3, seed=seed)
    assert np.array_equal(resized(tall, out_size, 3), pillow_resized(tall, out_size, 3))


@settings(max_examples=50, deadline=None)
@given(*[st.integers(1, 90)] * 4)
def test_columns_come_before_rows(height: int, width: int, out_height: int, out_width: int) -> None:
    picture = noise(height, width, 3)
    narrow = np.ascontiguousarray(resized(picture, height, out_width))
    assert np.array_equal(resized(picture, out_height, out_width), resized(narrow, out_height, out_width))


# -- the bindings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda: _vision.resize(bytes(11), 2, 2, 4, 4),
        lambda: _vision.resize(bytes(12), 2, 2, 0, 4),
        lambda: _vision.resize(b"", 0, 0, 4, 4),
        lambda: _vision.resize(bytes(12), 2, 2, 1 << 20, 4),
        lambda: _vision.png_unfilter(bytearray(7), 2, 3, 1),
        lambda: _vision.png_unfilter(bytearray(8), 2, 3, 0),
        lambda: _vision.rgb_from_indices(bytes(4), 2, 1, 3, bytes(3)),
        lambda: _vision.rgb_from_indices(bytes(5), 2, 1, 8, bytes(3)),
        lambda: _vision.rgb_from_indices(bytes(4), 2, 1, 8, bytes(4)),
        lambda: _vision.rgb_from_pixels(bytes(8), 2, 1, 5),
        lambda: _vision.find_cells(bytes(11), 1, 3, 1, 0, 60, 5),
        lambda: _vision.find_cells(bytes(12), 1, 3, 1, 1, 60, 5),
        lambda: _vision.find_cells(bytes(12), 1, 3, 1, 0, 60, 0),
    ],
)
def test_sizes_that_do_not_fit_are_refused(call: object) -> None:
    with pytest.raises(ValueError, match=r"\d"):
        call()  # type: ignore[operator]


def test_read_only_rows_cannot_be_unfiltered() -> None:
    with pytest.raises((BufferError, TypeError)):
        _vision.png_unfilter(bytes(8), 2, 3, 1)
