"""A batch: pictures scored one by one, results written as they come, bad files reported and skipped."""

import errno
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from edgepatho_runtime import files
from edgepatho_runtime.bundle import Bundle
from edgepatho_runtime.errors import ImageError
from edgepatho_runtime.image import Image
from edgepatho_runtime.scoring import cellfiles, kept, one_class, score
from edgepatho_runtime.scoring.decoder import Decoder, Seen
from edgepatho_runtime.scoring.folders import OVERLAY
from edgepatho_runtime.scoring.score import Field, Scorer
from edgepatho_runtime.tables import WARNING

FORMAT, VERSION = "edgepatho-scores", 1
ENDINGS = (OVERLAY, ".cells.csv", ".geojson", kept.ENDING)  # the longest first, the record last


class Batch:
    """Scores pictures and records all of them; `results` is a folder to write to, or None.

    Pictures are decoded in a separate process. `taken_over` counts those already scored by an earlier run
    with the same settings. Use it as a context manager.
    """

    def __init__(self, scorer: Scorer, results: Path | None, anonymize: bool, max_pixels: int) -> None:
        self.scorer = scorer
        self.results = results
        self.anonymize = anonymize
        self.images: list[dict[str, Any]] = []
        self.taken_over = 0
        self._decoder = Decoder(max_pixels, scorer.scoring["network_size_px"], scorer.scale)
        self._names: set[str] = set()

    def __enter__(self) -> "Batch":
        return self

    def __exit__(self, *_: object) -> None:
        self._decoder.close()

    def score(self, path: Path) -> dict[str, Any]:
        """Score one picture, write its results and return its record, with `error` if it failed."""
        name = self._name(path)
        files = [self.results / f"{name}{ending}" for ending in ENDINGS] if self.results is not None else []
        digest = kept.digest(path)
        entry = kept.entry(files, digest, self.scorer) if files and digest else None
        if entry is not None:
            self.taken_over += 1
        else:
            entry = self._scored(path, name, files, digest)
        self.images.append(entry)
        return entry

    def record(self, complete: bool) -> dict[str, Any]:
        """Return the record of all pictures, as documented in docs/device-cli.md."""
        bundle: Bundle = self.scorer.bundle
        scored = [entry for entry in self.images if entry["error"] is None]
        outside = sum(bool(entry["verdict"]) for entry in scored) if "envelope" in bundle.parts else None
        return {
            "format": FORMAT,
            "version": VERSION,
            "complete": complete,
            "research_use_only": True,
            "bundle": {"sha256": bundle.file_sha256, "trained_on": bundle.provenance.get("trained_on")},
            "envelope": bundle.parts.get("envelope", {}).get("trained_on"),
            "precision": self.scorer.precision,
            "scoring": self.scorer.scoring,
            "one_cell_one_class": one_class.RULE,
            "images": self.images,
            "pooled": score.pooled([entry["counts"] for entry in scored], self.scorer.scoring, outside),
        }

    def _scored(self, path: Path, name: str, files: list[Path], digest: str | None) -> dict[str, Any]:
        label = name if self.anonymize else str(path)
        try:
            start = time.perf_counter()
            seen = self._decoder.decode(path, keep=bool(files))
            seen = seen._replace(note=", ".join(filter(None, (seen.note, self.scorer.note))))
        except ImageError as error:
            return {"image": name, "error": f"{label} cannot be read: {error}."}
        try:
            picture = Image(seen.network_height, seen.network_width, seen.rgb)
            scored = self.scorer.score_seen(picture, seen.height, seen.width)
            entry = {
                "image": name,
                "sha256": digest,
                "height": seen.height,
                "width": seen.width,
                "network_height": scored.network_height,
                "network_width": scored.network_width,
                "note": seen.note,
                **_verdict(scored),
                **score.summary(scored.counts, self.scorer.scoring),
                "seconds": round(time.perf_counter() - start, 3),
                "error": None,
            }
            if files:
                warned = "; ".join(filter(None, (entry["verdict"], seen.note)))
                self._write(files, entry, scored, seen._replace(note=warned))
            return entry
        except ImageError as error:
            return {"image": name, "error": f"{label}: {error}"}
        except MemoryError:
            return {"image": name, "error": f"{label} needs more memory than this device has free."}

    def _name(self, path: Path) -> str:
        """Return the name of a picture's results: the file's own, numbered if already taken."""
        if self.anonymize:
            return f"image-{len(self.images) + 1:04}"
        name, number = path.name, 2
        while name in self._names:
            name, number = f"{path.name}-{number}", number + 1
        self._names.add(name)
        return name

    def _write(self, paths: list[Path], entry: dict[str, Any], scored: Field, seen: Seen) -> None:
        """Write all files of a picture or none; ImageError if it is too large or its name too long."""
        classes = self.scorer.scoring["classes"]
        warning = f"outside training: {WARNING}" if entry["verdict"] else ""
        try:
            with files.written(*paths) as (drawing, table, points, record):
                try:
                    for part in self._decoder.overlay(scored.cells, classes, seen, warning):
                        drawing.write(part)
                except ImageError as error:
                    raise ImageError(f"No overlay could be drawn: {error}.") from None
                table.write(cellfiles.table(scored.cells, seen.note).encode())
                points.write(cellfiles.geojson(scored.cells, classes, seen.note).encode())
                record.write(files.json_text(kept.record(entry, self.scorer)).encode())
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise ImageError("Its name is too long for its result files; rename it.") from None


def _verdict(scored: Field) -> dict[str, Any]:
    """Return how a picture compares with training, for its entry; None where the bundle cannot say."""
    verdict = scored.verdict
    if verdict is None:
        return {"verdict": None, "outside": None, "measured": None}
    return {"verdict": verdict.text, "outside": verdict.outside, "measured": verdict.measured}


@contextmanager
def stoppable() -> Iterator[list[int]]:
    """Yield a list that holds the signal's number after SIGINT or SIGTERM; a second one ends at once."""
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write scores.json into the results folder."""
    files.write_text(folder / "scores.json", files.json_text(record))
