"""A batch: pictures scored one after the other, results written as they come, bad files left behind."""

import errno
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from edgepatho_runtime import files, image, png
from edgepatho_runtime.bundle import Bundle
from edgepatho_runtime.errors import ImageError
from edgepatho_runtime.image import Image
from edgepatho_runtime.scoring import cellfiles, overlay, score
from edgepatho_runtime.scoring.score import Field, Scorer

FORMAT, VERSION = "edgepatho-scores", 1
OVERLAY = ".overlay.png"  # how the names of overlays end


def expand(paths: list[Path]) -> list[Path]:
    """Return the pictures that `paths` name, folders replaced by the pictures in them, in order of name.

    Overlays of an earlier run are left out of folders. A path that does not exist is kept: reading it fails
    with its own sentence. A folder without pictures is an ImageError.
    """
    found: list[Path] = []
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112 - pathlib's raises where a name is too long
            found.append(path)
            continue
        pictures = (file for file in path.iterdir() if file.suffix.lower() in image.SUFFIXES)
        inside = sorted(file for file in pictures if not file.name.endswith(OVERLAY))
        if not inside:
            raise ImageError(f"{path} holds no picture ({', '.join(image.SUFFIXES)}).")
        found += inside
    return found


class Batch:
    """Scores pictures and keeps the record of all of them; `results` is a folder to write to, or None."""

    def __init__(self, scorer: Scorer, results: Path | None, anonymize: bool, max_pixels: int) -> None:
        self.scorer = scorer
        self.results = results
        self.anonymize = anonymize
        self.max_pixels = max_pixels
        self.images: list[dict[str, Any]] = []
        self._names: set[str] = set()

    def score(self, path: Path) -> dict[str, Any]:
        """Score one picture, write its results and return its record; `error` says why it has none."""
        name = self._name(path)
        try:
            start = time.perf_counter()
            picture = image.read(path, self.max_pixels)
            found = self._found(path, picture)
            entry = {
                "image": name,
                "height": picture.height,
                "width": picture.width,
                "network_height": found.network_height,
                "network_width": found.network_width,
                "note": picture.note,
                **score.summary(found.counts, self.scorer.bundle.scoring),
                "seconds": round(time.perf_counter() - start, 3),
                "error": None,
            }
            if self.results is not None:
                self._write(name, path, picture, found)
        except ImageError as error:
            sentence = str(error).replace(str(path), name) if self.anonymize else str(error)
            entry = {"image": name, "error": sentence}
        self.images.append(entry)
        return entry

    def record(self, complete: bool) -> dict[str, Any]:
        """Return everything that was found, as documented in docs/device-cli.md."""
        bundle: Bundle = self.scorer.bundle
        counts = [entry["counts"] for entry in self.images if entry["error"] is None]
        return {
            "format": FORMAT,
            "version": VERSION,
            "complete": complete,
            "research_use_only": True,
            "bundle": {"sha256": bundle.file_sha256, "trained_on": bundle.provenance.get("trained_on")},
            "precision": self.scorer.precision,
            "scoring": bundle.scoring,
            "images": self.images,
            "pooled": score.pooled(counts, bundle.scoring),
        }

    def _found(self, path: Path, picture: Image) -> Field:
        try:
            return self.scorer.score(picture)
        except ImageError as error:
            raise ImageError(f"{path}: {error}") from None
        except MemoryError:
            raise ImageError(f"{path} needs more memory than this device has free.") from None

    def _name(self, path: Path) -> str:
        """Return the name of a picture's results: the file's own, with a number where it is taken."""
        if self.anonymize:
            return f"image-{len(self.images) + 1:04}"
        name, number = path.name, 2
        while name in self._names:
            name, number = f"{path.name}-{number}", number + 1
        self._names.add(name)
        return name

    def _write(self, name: str, path: Path, picture: Image, found: Field) -> None:
        """Write all files of a picture, or none; ImageError if it is too large or its name too long."""
        assert self.results is not None
        classes = self.scorer.bundle.scoring["classes"]
        # The longest name comes first: if it does not fit, none has been given yet.
        results = [self.results / f"{name}{ending}" for ending in (OVERLAY, ".cells.csv", ".geojson")]
        try:
            with files.written(*results) as (drawing, table, points):
                drawn = overlay.draw(picture, found.cells, classes, found.network_width)
                png.write(drawing, drawn.height, drawn.width, drawn.rgb)
                table.write(cellfiles.table(found.cells).encode())
                points.write(cellfiles.geojson(found.cells, classes).encode())
        except MemoryError:
            raise ImageError(f"{path} needs more memory than this device has free.") from None
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise ImageError(f"{path} has too long a name for its results; give it a shorter one.") from None


@contextmanager
def stoppable() -> Iterator[list[int]]:
    """Yield a list that holds a signal's number once SIGINT or SIGTERM came; a second one ends at once."""
    came: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write scores.json into the results folder."""
    files.write_text(folder / "scores.json", files.json_text(record))
