"""Folders of pictures: which files are scored, and notes on those that are not."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from edgepatho_runtime import image
from edgepatho_runtime.errors import ImageError
from edgepatho_runtime.image.kinds import FOREIGN_SUFFIXES

OVERLAY = ".overlay.png"  # suffix of overlays
NAMED = 3  # files that a note names; more are only counted


@dataclass
class Pictures:
    """Pictures in order, and a sentence for each folder with files left out."""

    paths: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def expand(paths: list[Path], anonymize: bool = False) -> Pictures:
    """Return the pictures in `paths`, each folder replaced by its pictures in order of name.

    Hidden files (such as macOS's `._` files) and overlays of an earlier run are left out. A path that does
    not exist is kept: reading it gives its own error. A folder without pictures is an ImageError. With
    `anonymize` no sentence contains a name.
    """
    pictures = Pictures()
    for number, path in enumerate(paths, 1):
        if not os.path.isdir(path):  # noqa: PTH112 - pathlib's raises where a name is too long
            pictures.paths.append(path)
            continue
        label = f"Folder {number}" if anonymize else str(path)
        try:
            files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
            inside = [file for file in files if _is_picture(file)]
            below = {file: _pictures_below(file) for file in files if file.is_dir()}
        except OSError as error:
            raise ImageError(f"{label} cannot be read: {error.strerror}.") from None
        foreign = [file for file in files if file.suffix.lower() in FOREIGN_SUFFIXES and not file.is_dir()]
        left = []
        if foreign:
            left.append(
                f"{len(foreign)} of unsupported formats{_names(foreign, anonymize)}; save as PNG or TIFF"
            )
        if count_below := sum(below.values()):
            full = [file for file, count in below.items() if count]
            left.append(f"{count_below} in sub-folders{_names(full, anonymize)}; name these to score them")
        if not inside:
            reason = f", but {' and '.join(left)}" if left else f" ({', '.join(image.SUFFIXES)})"
            raise ImageError(f"{label} contains no pictures{reason}.")
        if left:
            pictures.notes.append(f"{label}: left out {' and '.join(left)}.")
        pictures.paths += inside
    return pictures


def _is_picture(file: Path) -> bool:
    fits = file.suffix.lower() in image.SUFFIXES and not file.name.endswith(OVERLAY)
    return fits and not file.is_dir()


def _pictures_below(folder: Path) -> int:
    """Return how many pictures a folder directly contains; 0 if it cannot be read."""
    try:
        return sum(_is_picture(file) for file in folder.iterdir() if not file.name.startswith("."))
    except OSError:
        return 0


def _names(files: list[Path], anonymize: bool) -> str:
    if anonymize:
        return ""
    more = ", …" if len(files) > NAMED else ""
    return f" ({', '.join(file.name for file in files[:NAMED])}{more})"
