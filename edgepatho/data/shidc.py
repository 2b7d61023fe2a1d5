"""The on-disk layout of SHIDC-B-Ki-67: `Train/` and `Test/` with `p9_0219_9.jpg` and `.json` beside it.

A name is patient, image and crop. A label file is a list of {"x": column, "y": row, "label_id": 1|2|3} in the
picture's own pixels.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgepatho.errors import InputError

IMMUNOPOSITIVE, IMMUNONEGATIVE, TIL = 1, 2, 3
LABELS = {"immunopositive": IMMUNOPOSITIVE, "immunonegative": IMMUNONEGATIVE, "til": TIL}
PARTS = ("Train", "Test")
MANIFEST = "manifest.json"  # beside them in synthetic sets
NAME = re.compile(r"p(\d+)_\d+_\d+")
JPEG_QUALITY = 95
MAX_LABEL_BYTES = 1 << 24


@dataclass(frozen=True)
class Tile:
    """One picture of the set and its label file."""

    image: Path
    labels: Path

    @property
    def name(self) -> str:
        return self.image.stem

    @property
    def patient(self) -> str:
        return self.name.split("_", 1)[0]


def tiles(folder: Path, part: str) -> list[Tile]:
    """Return the tiles of `folder`/`part`, sorted by name.

    Raises InputError for a missing or foreign folder, a foreign file name, an image without labels.
    """
    place = folder / part
    if not place.is_dir():
        raise InputError(
            f"{folder} has no folder {part}; give the folder of the SHIDC layout: Train/ and Test/."
        )
    found = [Tile(path, path.with_suffix(".json")) for path in sorted(place.glob("*.jpg"))]
    if not found:
        raise InputError(
            f"{place} holds no .jpg; expected names such as p9_0219_9.jpg with .json labels beside."
        )
    for tile in found:
        if not NAME.fullmatch(tile.name):
            raise InputError(
                f"{tile.image} is not named like p9_0219_9.jpg (patient, image, crop); move it away."
            )
        if not tile.labels.is_file():
            raise InputError(
                f"{tile.image} has no labels: put {tile.labels.name} beside it or move the image away."
            )
    return found


def is_synthetic(folder: Path) -> bool:
    """Return whether `folder` holds the manifest that `edgepatho synth` writes."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and manifest.get("synthetic") is True


def read_labels(tile: Tile, width: int, height: int) -> np.ndarray:
    """Return the labels int64 [cells, 3] of x, y, label_id of a picture of `width` x `height` pixels.

    Raises InputError naming the file and the entry for anything but integers inside the picture.
    """
    if tile.labels.stat().st_size > MAX_LABEL_BYTES:
        raise InputError(f"{tile.labels} has more than {MAX_LABEL_BYTES} bytes; that is not a label file.")
    try:
        entries = json.loads(tile.labels.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{tile.labels} is not JSON ({error}); copy it again from the data set.") from None
    if not isinstance(entries, list):
        raise InputError(f"{tile.labels} holds no list; expected [{{x, y, label_id}}, ...].")
    rows = []
    for number, entry in enumerate(entries):
        fields = entry if isinstance(entry, dict) else {}
        x, y, label = (fields.get(key) for key in ("x", "y", "label_id"))
        if type(x) is not int or type(y) is not int or type(label) is not int:  # True is an int, too
            raise InputError(f"{tile.labels}: entry {number} is not {{x, y, label_id}} of integers.")
        if label not in LABELS.values():
            raise InputError(f"{tile.labels}: entry {number} has label_id {label}; expected 1, 2 or 3.")
        if not (0 <= x < width and 0 <= y < height):
            raise InputError(
                f"{tile.labels}: entry {number} lies at ({x}, {y}), outside the {width} x {height} px of "
                f"{tile.image.name}; correct or remove it."
            )
        rows.append((x, y, label))
    return np.array(rows, np.int64).reshape(-1, 3)


def write_tile(path: Path, image: np.ndarray, labels: np.ndarray) -> None:
    """Write a picture uint8 RGB [h, w, 3] to `path`.jpg and labels [cells, 3] to `path`.json."""
    import cv2

    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    if not done:
        raise InputError(f"OpenCV could not encode {path}.jpg.")
    path.with_suffix(".jpg").write_bytes(data.tobytes())
    entries = [{"x": int(x), "y": int(y), "label_id": int(label)} for x, y, label in labels]
    path.with_suffix(".json").write_text(json.dumps(entries))
