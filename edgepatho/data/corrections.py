"""Corrected pictures: which label file belongs to which picture, in any folders and files given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgepatho.data import labels, pictures
from edgepatho.data.source import SUFFIXES
from edgepatho.data.tile import to_network
from edgepatho.errors import InputError

LABEL_SUFFIXES = (".geojson", ".cells.csv", ".json")  # the first that exists; QuPath shows and saves GeoJSON
NOT_PICTURES = (".overlay.png",)


@dataclass(frozen=True)
class Corrected:
    """A picture as the network sees it, uint8 [height, width, 3], and its corrected cells.

    `cells` [n, 2] of each class are x and y in pixels of `rgb`.
    """

    name: str
    rgb: NDArray[np.uint8]
    cells: list[NDArray[np.float64]]


@dataclass(frozen=True)
class Found:
    """Pictures with their label files, and a sentence on what was left out or looks uncorrected."""

    pairs: list[tuple[Path, Path]]
    notes: list[str]


def find(paths: Sequence[Path]) -> Found:
    """Return the pictures in `paths`, files and folders, that have a label file anywhere in them.

    A label file has a picture's name, with or without its suffix, and one of LABEL_SUFFIXES. Raises
    InputError for a path that does not exist and for two pictures or label files of one name.
    """
    files = {file.resolve(): file for path in paths for file in _files(path)}
    by_name: dict[str, Path] = {}
    for file in files.values():
        other = by_name.setdefault(file.name, file)
        if other is not file and _is_wanted(file):
            raise InputError(f"{other} and {file} have the same name; give only one of them.")
    pairs, without, used = [], [], set()
    for image in sorted(file for file in files.values() if _is_picture(file)):
        bases = dict.fromkeys((image.name, image.stem))
        names = [f"{base}{suffix}" for suffix in LABEL_SUFFIXES for base in bases]
        own = [by_name[name] for name in names if name in by_name]
        used |= {file.name for file in own}
        pairs += [(image, own[0])] if own else []
        without += [] if own else [image.name]
    lone = [file.name for file in files.values() if _is_labels(file) and file.name not in used]
    untouched = [image.name for image, own in pairs if _is_untouched(image, own, by_name)]
    notes = [
        (without, "without corrected points left out"),
        (lone, "of points without their picture left out"),
        (untouched, "as `score` wrote them, unchanged; leave those out that nobody has checked"),
    ]
    return Found(pairs, [f"{len(names)} {text}: {_listed(names)}." for names, text in notes if names])


def read(image: Path, label_file: Path, scale: float | None) -> Corrected:
    """Return a picture with its cells; InputError names the file and the entry that cannot be used."""
    height, width = pictures.size(image)
    cells = labels.read(label_file, width, height, Counter())
    rgb = pictures.read(image, scale)
    points = to_network(cells, (height, width), rgb.shape[:2])
    return Corrected(image.name, rgb, [points[points[:, 2] == label, :2] for label in (1, 2, 3)])


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not path.is_file():
        raise InputError(f"{path} does not exist; give pictures and their corrected points, or folders.")
    return [path]


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not file.name.endswith(NOT_PICTURES)


def _is_labels(file: Path) -> bool:
    """Whether a file holds points by its name alone; other JSON files lie in many folders."""
    return file.name.endswith((".geojson", ".cells.csv"))


def _is_wanted(file: Path) -> bool:
    return _is_picture(file) or _is_labels(file)


def _is_untouched(image: Path, own: Path, by_name: dict[str, Path]) -> bool:
    """Whether GeoJSON holds exactly the cells of the table that `score` wrote with it."""
    table = by_name.get(own.name.removesuffix(".geojson") + ".cells.csv")
    if table is None or table == own:
        return False
    height, width = pictures.size(image)
    first, second = (labels.read(file, width, height, Counter()) for file in (own, table))
    order = [np.lexsort(each.T) for each in (first, second)]
    same = len(first) == len(second) and np.allclose(first[order[0]], second[order[1]], atol=1e-6)
    return bool(same)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
