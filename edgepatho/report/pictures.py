"""The overlays of a compress folder, as data URIs so that the page stays one file."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from edgepatho.errors import InputError
from edgepatho.report.accuracy import CellCounts
from edgepatho.report.record import CompressRecord

MAX_PAIRS = 6  # keeps the page small enough to e-mail
MAX_PICTURE_BYTES = 8 * 2**20
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class OverlayPicture:
    """One overlay: the model whose cells it shows, the picture, the counts."""

    model: str
    data_uri: str
    counts: CellCounts | None
    alone: int | None  # cells that the other network did not find


@dataclass(frozen=True)
class Pair:
    """One tile: plain, with the cells of the original, and with those of the compressed network."""

    tile: str
    plain_uri: str | None
    pictures: list[OverlayPicture]
    labels: CellCounts | None


def overlay_pairs(folder: Path, record: CompressRecord) -> list[Pair]:
    """Return the first tiles, by name, of `<folder>/overlays/<tile>-original.png` (-compressed, -plain).

    Raises InputError for a picture without its partner, too large, or not a PNG.
    """
    pairs = []
    for original in sorted((folder / "overlays").glob("*-original.png"))[:MAX_PAIRS]:
        tile = original.name.removesuffix("-original.png")
        compressed = original.with_name(f"{tile}-compressed.png")
        plain = original.with_name(f"{tile}-plain.png")
        counts = record.overlays.get(tile)
        pictures = [
            OverlayPicture(
                model,
                data_uri(path),
                getattr(counts, model, None),
                _total(getattr(counts, f"only_{model}", None)),
            )
            for model, path in (("original", original), ("compressed", compressed))
        ]
        plain_uri = data_uri(plain) if plain.exists() else None
        pairs.append(Pair(tile, plain_uri, pictures, counts.labels if counts else None))
    return pairs


def data_uri(path: Path) -> str:
    """Return a PNG file as a data URI; raises InputError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PICTURE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); expected an overlay PNG.") from None
    if not data.startswith(PNG_SIGNATURE) or len(data) > MAX_PICTURE_BYTES:
        raise InputError(f"{path} is not a PNG of at most {MAX_PICTURE_BYTES} bytes; compress again.")
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _total(counts: CellCounts | None) -> int | None:
    return None if counts is None else counts.immunopositive + counts.immunonegative + counts.til


def ki67_percent(counts: CellCounts) -> str:
    """Return the Ki-67 index (immunopositive over all tumour cells) as a percentage."""
    tumour = counts.immunopositive + counts.immunonegative
    return f"{100 * counts.immunopositive / tumour:.1f} %" if tumour else "undefined (no tumour cells)"
