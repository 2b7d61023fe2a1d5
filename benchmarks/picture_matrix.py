"""How the device reads each kind of picture and fault.

python -m benchmarks.picture_matrix     writes docs/picture-matrix.md
"""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from benchmarks.damage import FAULTS, FORMATS, encoded, field
from edgepatho_runtime import image
from edgepatho_runtime.errors import ImageError

PAGE = Path(__file__).parents[1] / "docs" / "picture-matrix.md"
HEIGHT, WIDTH = 150, 200
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
HEAD = """# Which pictures are read

Written by `make picture-matrix`: each file is generated and read as `edgepatho-run score` reads it. The last
column is its note or error. A flipped bit is one example each; docs/threat-model.md has the shares.

| format | file | result |
|---|---|---|
"""
Row = tuple[str, str, bytes, dict[str, Any]]  # format, file, content, limits


def page() -> str:
    """Return the matrix as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        lines = []
        for name, file, content, limits in rows():
            path.write_bytes(content)
            lines.append(f"| {name} | {file} | {said(path, limits)} |\n")
    return HEAD + "".join(lines)


def said(path: Path, limits: dict[str, Any]) -> str:
    """Return the note or error of reading a file."""
    try:
        note = image.read(path, **limits).note
    except ImageError as error:
        return f"refused: {error}"
    return f"read; {note}" if note else "read"


def rows() -> Iterator[Row]:
    """Yield all files of the matrix."""
    picture = field(HEIGHT, WIDTH)
    for name, options in FORMATS.items():
        data = encoded(picture, **options)
        yield name, "sound", data, {}
        for seed, (fault, damage) in enumerate(FAULTS.items()):
            yield name, fault, damage(data, np.random.default_rng(seed)), {}
        yield name, "more pixels than --max-pixels", data, {"max_pixels": 10_000}
        yield name, "more memory than is free", data, {"memory_bytes": (16 << 20) + 10_000}
        yield name, "grey", encoded(picture.convert("L"), **options), {}
        if name not in ("PNG", "PPM"):
            for orientation in (0, 6) if name in ("JPEG", "TIFF") else (6,):
                exif = Image.Exif()
                exif[274] = orientation
                yield name, f"orientation {orientation}", encoded(picture, exif=exif, **options), {}
    yield from alphas(picture)
    yield from channels(picture)
    yield from odd(picture)
    yield from foreign(picture)


def alphas(picture: Image.Image) -> Iterator[Row]:
    """Yield pictures with an alpha channel, and other depths and colours."""
    for alpha, name in ((255, "opaque alpha"), (0, "all transparent")):
        with_alpha = picture.copy()
        with_alpha.putalpha(alpha)
        for kind in ("PNG", "TIFF"):
            yield kind, name, encoded(with_alpha, format=kind), {}
    deep = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    for kind in ("PNG", "TIFF"):
        yield kind, "16 bits", encoded(deep, format=kind), {}
        yield kind, "palette", encoded(picture.quantize(64), format=kind), {}
    yield "JPEG", "CMYK", encoded(picture.convert("CMYK"), format="JPEG"), {}
    jpeg = encoded(picture, format="JPEG")
    yield "JPEG", "stray bytes in its header (some phones)", jpeg[:20] + b"junk" + jpeg[20:], {}
    yield "JPEG", "revision 7 of JFIF", jpeg[:11] + b"\7" + jpeg[12:], {}
    yield "JPEG", "bytes after its end", jpeg + bytes(5000), {}


def channels(picture: Image.Image) -> Iterator[Row]:
    """Yield TIFFs of several pages, planes and kinds of values."""
    rgb = np.asarray(picture)
    planes = np.ascontiguousarray(rgb.transpose(2, 0, 1))

    def tiff(values: NDArray[Any], **options: Any) -> bytes:
        file = io.BytesIO()
        tifffile.imwrite(file, values, **{"metadata": None, **options})
        return file.getvalue()

    composite = {"imagej": True, "metadata": {"axes": "CYX", "mode": "composite"}}
    yield "TIFF", "ImageJ composite", tiff(planes, photometric="minisblack", **composite), {}
    ome = {"ome": True, "metadata": {"axes": "CYX"}, "photometric": "minisblack"}
    yield "TIFF", "OME, channels as planes", tiff(planes, **ome), {}
    yield "TIFF", "three grey pages", tiff(planes, photometric="minisblack"), {}
    planar = {"planarconfig": "separate"}
    yield "TIFF", "RGB in planes", tiff(planes, photometric="rgb", **planar), {}
    yield "TIFF", "three channels, not RGB", tiff(planes, photometric="minisblack", **planar), {}
    yield "TIFF", "two RGB pages", tiff(np.stack([rgb, rgb]), photometric="rgb"), {}
    yield "TIFF", "32-bit float", tiff(rgb.astype(np.float32), photometric="rgb"), {}
    yield "TIFF", "16 bits RGB", tiff(rgb.astype(np.uint16) * 257, photometric="rgb"), {}
    yield "BigTIFF", "sound", tiff(rgb, photometric="rgb", bigtiff=True), {}
    yield "TIFF", "zeros only", tiff(np.zeros_like(rgb), photometric="rgb"), {}


def odd(picture: Image.Image) -> Iterator[Row]:
    """Yield files that few programs write, and files without some of their pixels."""
    yield (
        "PNG",
        "animated",
        encoded(picture, format="PNG", save_all=True, append_images=[field(150, 200, 5)]),
        {},
    )
    yield "PNG", "interlaced", interlaced(picture), {}
    yield (
        "JPEG",
        "two pictures (MPO)",
        encoded(picture, format="MPO", save_all=True, append_images=[picture]),
        {},
    )
    jpeg = encoded(picture, format="JPEG")
    precision = jpeg.index(b"\xff\xc0") + 4
    yield "JPEG", "12 bits in its header", jpeg[:precision] + b"\x0c" + jpeg[precision + 1 :], {}
    progressive = encoded(picture, format="JPEG", progressive=True)
    scans = [at for at in range(len(progressive)) if progressive.startswith(b"\xff\xda", at)]
    for count in (1, len(scans) - 1):
        cut = progressive[: progressive.rindex(b"\xff\xc4", 0, scans[count])] + b"\xff\xd9"
        yield "JPEG, progressive", f"only {count} of {len(scans)} scans", cut, {}
    yield "TIFF", "1 bit", encoded(picture.convert("1"), format="TIFF"), {}
    yield "TIFF", "1 bit, fax", encoded(picture.convert("1"), format="TIFF", compression="group4"), {}
    yield "TIFF", "CMYK", encoded(picture.convert("CMYK"), format="TIFF"), {}
    yield "TIFF", "Lab", encoded(picture.convert("LAB"), format="TIFF"), {}
    rgb = np.asarray(picture)
    parts: dict[str, dict[str, Any]] = {"strips": {"rowsperstrip": 50}, "tiles": {"tile": (64, 64)}}
    for name, options in parts.items():
        file = io.BytesIO()
        tifffile.imwrite(file, rgb, photometric="rgb", metadata=None, **options)
        yield "TIFF", f"in {name}", file.getvalue(), {}
        yield "TIFF", f"in {name}, one of no bytes", with_tag(file, f"{name[:-1].title()}ByteCounts", 0), {}
        yield "TIFF", f"in {name}, fewer than its height needs", with_tag(file, "ImageLength", 300), {}


def with_tag(file: io.BytesIO, name: str, value: int) -> bytes:
    """Return a TIFF with the first value of a tag replaced."""
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as tiff:
        tag = tiff.pages.first.tags[name]
        form = tiff.byteorder + {3: "H", 4: "I"}[int(tag.dtype)]
    data = bytearray(file.getvalue())
    struct.pack_into(form, data, tag.valueoffset, value)
    return bytes(data)


def interlaced(picture: Image.Image) -> bytes:
    """Return a picture as an interlaced PNG, which Pillow does not write."""
    rgb, rows = np.asarray(picture), b""
    for left, top, across, down in ADAM7:
        rows += b"".join(b"\0" + row.tobytes() for row in rgb[top::down, left::across])
    header = struct.pack(">IIBBBBB", picture.width, picture.height, 8, 2, 0, 0, 1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def foreign(picture: Image.Image) -> Iterator[Row]:
    """Yield files of formats that are not read."""
    for kind in ("BMP", "GIF", "WEBP", "JPEG2000"):
        yield kind, "sound", encoded(picture, format=kind), {}
    heic = struct.pack(">I", 24) + b"ftypheic" + bytes(12)
    for name, content in {
        "HEIC": heic,
        "JPEG XL": b"\xff\x0a" + bytes(20),
        "AppleDouble": b"\0\5\x16\7" + bytes(60),
        "text": b"just a text",
        "PDF": b"%PDF-1.7",
        "empty": b"",
        "zeros": bytes(5000),
    }.items():
        yield name, "first bytes", content, {}


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
