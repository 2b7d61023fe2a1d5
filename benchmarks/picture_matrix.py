"""How the device reads each kind of picture and fault.

python -m benchmarks.picture_matrix     writes docs/picture-matrix.md
"""

from __future__ import annotations

import io
import struct
import tempfile
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
