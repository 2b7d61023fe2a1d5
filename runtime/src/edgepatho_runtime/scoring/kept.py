"""Results of an earlier run, reused if picture, bundle and settings are the same."""

import json
from pathlib import Path
from typing import Any

from edgepatho_runtime import __version__
from edgepatho_runtime.digest import sha256
from edgepatho_runtime.scoring import one_class
from edgepatho_runtime.scoring.score import Scorer

FORMAT, VERSION = "edgepatho-score", 1
ENDING = ".score.json"
CHUNK_BYTES = 1 << 20


def settings(scorer: Scorer) -> dict[str, Any]:
    """Return everything besides the picture that its result depends on."""
    return {
        "runtime": __version__,
        "bundle_sha256": scorer.bundle.file_sha256,
        "precision": scorer.precision,
        "scale": scorer.scale,
        "thresholds": scorer.scoring["thresholds"],
        "one_cell_one_class": one_class.RULE,
    }


def record(entry: dict[str, Any], scorer: Scorer) -> dict[str, Any]:
    """Return the record that is written with a picture's results, as the last file."""
    return {"format": FORMAT, "version": VERSION, "settings": settings(scorer), "image": entry}


def entry(files: list[Path], picture_sha256: str, scorer: Scorer) -> dict[str, Any] | None:
    """Return the entry of a picture whose results, `files`, already exist, else None.

    The last file is the record, which is written after the others.
    """
    try:
        stored = json.loads(files[-1].read_text())
        same = stored["settings"] == settings(scorer) and stored["image"]["sha256"] == picture_sha256
        known = (stored["format"], stored["version"]) == (FORMAT, VERSION)
        complete = all(file.is_file() for file in files)
        image: dict[str, Any] = stored["image"]
        return image if same and known and complete and image["error"] is None else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def digest(path: Path) -> str | None:
    """Return the SHA-256 of a picture's file, None if it cannot be read or is no regular file."""
    content = sha256()
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            while part := file.read(CHUNK_BYTES):
                content.update(part)
    except OSError:
        return None
    return str(content.hexdigest())
