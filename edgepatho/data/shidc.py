"""SHIDC-B-Ki-67's conventions: `p9_0219_9.jpg` is patient, image and crop; labels 1, 2, 3 are the classes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgepatho.errors import InputError

IMMUNOPOSITIVE, IMMUNONEGATIVE, TIL = 1, 2, 3
LABELS = {"immunopositive": IMMUNOPOSITIVE, "immunonegative": IMMUNONEGATIVE, "til": TIL}
PARTS = ("Train", "Test")
MANIFEST = "manifest.json"  # of synthetic sets and of a laboratory
NAME = re.compile(r"(p\d+)_\d+_\d+")
JPEG_QUALITY = 95
MAX_LABORATORY = 40  # characters of a name, which tables show
LOOK_ALIKES = ".look-alikes.json"  # beside the labels of synthetic tiles

LookAlike = tuple[int, int, str]  # x, y, kind


def patient_of(name: str) -> str | None:
    """Return the patient in a picture's name (without suffix), or None if the name has another form."""
    match = NAME.fullmatch(name)
    return match[1] if match else None


def is_synthetic(folder: Path) -> bool:
    """Return whether `folder` holds the manifest that `edgepatho synth` writes."""
    return _manifest(folder).get("synthetic") is True


def laboratory_of(folder: Path) -> str | None:
    """Return the `laboratory` that the manifest in `folder` names; such a set is for testing only.

    Raises InputError for a name that is not a short text.
    """
    name = _manifest(folder).get("laboratory")
    if name is not None and not is_laboratory_name(name):
        raise InputError(
            f"{folder / MANIFEST}: laboratory is not a name of 1 to {MAX_LABORATORY} characters; correct it."
        )
    return name


def is_laboratory_name(value: object) -> bool:
    """Return whether a value is a short text that a table can show."""
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= MAX_LABORATORY


def _manifest(folder: Path) -> dict[str, Any]:
    """The manifest in `folder`, empty if there is none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def write_tile(
    path: Path,
    image: NDArray[Any],
    labels: NDArray[Any],
    look_alikes: list[LookAlike] | None = None,
    jpeg_quality: int = JPEG_QUALITY,
) -> None:
    """Write a picture uint8 RGB [h, w, 3] to `path`.jpg and labels [cells, 3] to `path`.json.

    `look_alikes`, the positions that are not labelled, go to `path`.look-alikes.json, which only benchmarks
    read.
    """
    import cv2

    quality = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    if not done:
        raise InputError(f"OpenCV could not encode {path}.jpg.")
    path.with_suffix(".jpg").write_bytes(data.tobytes())
    entries = [{"x": int(x), "y": int(y), "label_id": int(label)} for x, y, label in labels]
    path.with_suffix(".json").write_text(json.dumps(entries))
    if look_alikes is not None:
        places = [{"x": x, "y": y, "kind": kind} for x, y, kind in look_alikes]
        path.with_suffix(LOOK_ALIKES).write_text(json.dumps(places))
