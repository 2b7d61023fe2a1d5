"""Results of an earlier run, taken over where picture, bundle and settings are the same."""

import json
from pathlib import Path
from typing import Any

from edgepatho_runtime import __version__
from edgepatho_runtime.digest import sha256
from edgepatho_runtime.scoring.score import Scorer

FORMAT, VERSION = "edgepatho-score", 1
ENDING = ".score.json"
READ_BYTES = 1 << 20


def settings(scorer: Scorer) -> dict[str, Any]:
    """Return all that a picture's result depends on beside the picture."""
    return {
        "runtime": __version__,
        "bundle_sha256": scorer.bundle.file_sha256,
        "precision": scorer.precision,
        "scale": scorer.scale,
    }


def record(entry: dict[str, Any], scorer: Scorer) -> dict[str, Any]:
    """Return what is written beside a picture's results, as their last file."""
    return {"format": FORMAT, "version": VERSION, "settings": settings(scorer), "image": entry}


def entry(files: list[Path], picture_sha256: str, scorer: Scorer) -> dict[str, Any] | None:
    """Return the entry of a picture whose results, `files`, are all there already, else None.

    The last of them is the record, which is there only if the others are.
    """
    try:
        found = json.loads(files[-1].read_text())
        same = found["settings"] == settings(scorer) and found["image"]["sha256"] == picture_sha256
        known = (found["format"], found["version"]) == (FORMAT, VERSION)
        there = all(file.is_file() for file in files)
        image: dict[str, Any] = found["image"]
        return image if same and known and there and image["error"] is None else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def digest(path: Path) -> str | None:
    """Return the SHA-256 of a picture's file, None where it cannot be read."""
    content = sha256()
    try:
        with path.open("rb") as file:
            while part := file.read(READ_BYTES):
                content.update(part)
    except OSError:
        return None
    return str(content.hexdigest())
