"""The exports of a compress folder: two bundles, three .tflite files, and their sizes."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from edgepatho.errors import InputError
from edgepatho.exporters import bundle, tflite
from edgepatho.files import sha256_of, write_aside
from edgepatho.model.shared import SharedModel

if TYPE_CHECKING:
    from edgepatho.model.graph import Graph

RECORD = "compress.json"
SHARED = "shared.npz"
EXPORTS = ("model.epb", "baseline.epb", "compressed.tflite", "baseline.tflite", "int8.tflite")
SETTINGS = ("method", "k", "bits", "codebook", "scale", "prune", "seed")  # of the quantizer, for provenance


def write(
    folder: Path,
    shared: SharedModel,
    original: Graph,
    record: dict[str, Any],
    tiles: NDArray[Any] | None,
) -> None:
    """Write the exports of a compression into `folder` and their sizes into its `record` (compress.json).

    `tiles` uint8 [n <= 16, size, size, 3] are the representative set for int8.tflite; without them, that file
    stays as it is. Sets `files` (bytes, SHA-256 and deflated bytes of each) and `space.measured_ratio`.
    """
    about = provenance(record)
    # baseline.epb does not depend on the compression, so a device that has it never needs another copy.
    origin_alone = {key: value for key, value in about.items() if key not in SETTINGS} | {"method": "none"}
    sources = {"compressed": (shared, about), "original": (SharedModel(original), origin_alone)}
    for name, row in (("model.epb", "compressed"), ("baseline.epb", "original")):
        source, origin = sources[row]
        bundle.write(
            folder / name,
            source,
            scoring=record["scoring"],
            provenance=origin,
            accuracy=accuracy(record, row),
            parts={"envelope": record["envelope"]} if record.get("envelope") else None,
            coded=row == "compressed",
        )
    _write(folder / "baseline.tflite", tflite.baseline(original))
    _write(folder / "compressed.tflite", tflite.compressed(shared))
    if tiles is not None:
        _write(folder / "int8.tflite", tflite.int8(original, tiles))
    record["files"] = {
        name: measured(folder / name) for name in (*EXPORTS, SHARED) if (folder / name).exists()
    }
    sizes = [record["files"][name]["bytes"] for name in ("baseline.epb", "model.epb")]
    record["space"] = record.get("space", {}) | {"measured_ratio": sizes[0] / sizes[1]}


def rebuild(folder: Path, tiles: NDArray[Any] | None = None) -> dict[str, Any]:
    """Rewrite the exports of a compress folder; update its record on disk and return it.

    The shared weights come from shared.npz, the original ones from baseline.epb, the rest from compress.json.
    Raises InputError if one of the three is missing or damaged.
    """
    from edgepatho.model import shared as shared_models

    record = read_record(folder)
    shared = shared_models.load(folder / SHARED)
    original = bundle.network_of(bundle.read(folder / "baseline.epb"))
    write(folder, shared, original, record, tiles)
    _write(folder / RECORD, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    return record


def read_record(folder: Path) -> dict[str, Any]:
    """The compress.json of a folder; InputError if it is not one that `edgepatho compress` wrote."""
    path = folder / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text())
        if record["format"] == "edgepatho-compress" and record["version"] in (1, 2):
            provenance(record)  # raises if something that the exports need is missing
            accuracy(record, "original")
            accuracy(record, "compressed")
            dict(record["scoring"])
            return record
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); give a folder that `edgepatho compress` wrote."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise InputError(f"{path} is not a compression record that this version reads; compress again.")


def provenance(record: dict[str, Any]) -> dict[str, Any]:
    """The origin of a compression's weights, as recorded in its bundles."""
    settings = record["command"]["quantizer"]
    synthetic = record["accuracy"]["synthetic"]
    ranges = record["accuracy"].get("protocol", {}).get("threshold_ranges")
    return {key: settings[key] for key in SETTINGS if settings.get(key) is not None} | {
        "original_sha256": record["original"]["sha256"],
        "tool_version": record["versions"]["edgepatho"],
        "trained_on": "synthetic tiles" if synthetic else "the user's own tiles",
        "research_use_only": True,
        **({} if ranges is None else {"threshold_ranges": ranges}),
    }


def accuracy(record: dict[str, Any], model: str) -> dict[str, Any]:
    """The measured accuracy of `model` ("compressed" or "original"), as recorded in its bundle."""
    (row,) = (row for row in record["accuracy"]["rows"] if row["model"] == model)
    figures = {key: round(row[key], 6) for key in ("average_f1", "agreement") if row.get(key) is not None}
    return figures | {"synthetic": record["accuracy"]["synthetic"]}


def measured(path: Path) -> dict[str, Any]:
    """Size, SHA-256 and deflated size (zlib level 9) of a file, in bytes."""
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": sha256_of(path), "deflated_bytes": len(zlib.compress(data, 9))}


def _write(path: Path, data: bytes) -> None:
    with write_aside(path) as aside:
        aside.write_bytes(data)
