"""Prepared folders: tiles at the network's scale, their density maps and points, split and on disk.

A prepared folder holds, for each of train, validation and test, `<split>_images.npy` (uint8
[n, 256, 256, 3]), `<split>_labels.npy` (density maps, same shape) and `<split>.json` (names, patients,
sizes, points). Arrays are memory-mapped, so no split is held in memory.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.choices import LabelMaps, SplitBy, check_choice
from edgepatho.data import shidc, source, split
from edgepatho.data.density import NETWORK_PX
from edgepatho.data.source import Picture
from edgepatho.data.tile import Tile, count, cut_up
from edgepatho.errors import InputError
from edgepatho.files import folder_aside, sha256_of
from edgepatho.progress import Progress

SPLITS = ("train", "validation", "test")
MARKER = "prepared.json"
FORMAT, VERSION = "edgepatho-prepared", 2
UNLABELLED = "none"  # in `labels`
AGAIN = "run `edgepatho prepare` again"


def prepare(
    folder: Path,
    output: Path,
    *,
    split_by: SplitBy = "patient",
    labels: LabelMaps = "true",
    scale: float | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the prepared folder `output` from the labelled pictures in `folder`; return its prepared.json.

    `split_by`: "patient", or "image" as in the published work. `labels`: "true", or "published" for the
    density maps of the published code. `scale`: network pixels per pixel; None for the rule of
    `pictures.network_size`. A folder that is not divided and whose manifest names a laboratory becomes test
    tiles only. Raises InputError naming the file that cannot be used.
    """
    check_choice("split_by", split_by, SplitBy)
    check_choice("labels", labels, LabelMaps)
    given, laboratory = source.find(folder), shidc.laboratory_of(folder)
    parts = split.divided(given, split_by, test_only=laboratory is not None)
    adapted: Counter[str] = Counter()
    if given.folders == source.CROPPED:
        adapted["folders called {} and {}".format(*given.folders)] += 1
    about: dict[str, Any] = {
        "split_by": split_by,
        "labels": labels,
        "scale": scale,
        "synthetic": shidc.is_synthetic(folder),
        "shared_patients": given.shared_patients,
    }
    if laboratory is not None:
        about["laboratory"] = laboratory
    return _write(output, parts, about, adapted, progress)


def prepare_unlabelled(
    folder: Path, output: Path, *, scale: float | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Write the prepared folder `output` from pictures without labels (`source.unlabelled`).

    Its density maps are empty. The rest is as in `prepare`.
    """
    parts = split.divided(source.unlabelled(folder), "patient")
    about: dict[str, Any] = {
        "split_by": "patient",
        "labels": UNLABELLED,
        "scale": scale,
        "synthetic": shidc.is_synthetic(folder),
        "shared_patients": [],
    }
    return _write(output, parts, about, Counter(), progress)


def _write(
    output: Path,
    parts: tuple[list[Picture], ...],
    about: dict[str, Any],
    adapted: Counter[str],
    progress: Progress | None,
) -> dict[str, Any]:
    """Write the splits and prepared.json, which is `about` and what is counted here; return it."""
    scale, labels = about["scale"], about["labels"]
    members = dict(zip(SPLITS, parts, strict=True))
    tiles = {name: sum(count(picture, scale) for picture in part) for name, part in members.items()}
    about = {"format": FORMAT, "version": VERSION, "size_px": NETWORK_PX} | about
    about |= {"pictures": {name: len(part) for name, part in members.items()}, "tiles": tiles}
    with folder_aside(output, MARKER) as aside:
        for name, part in members.items():
            cut = (cut_up(picture, scale, labels, adapted) for picture in part)
            _write_split(aside, name, tiles[name], cut, progress or Progress())
        about["adapted"] = {what: count for what, count in sorted(adapted.items()) if count}
        about["sha256"] = _sha256_of_all(aside)
        (aside / MARKER).write_text(json.dumps(about, indent=1) + "\n")
    return about


def check_prepared(folder: Path) -> dict[str, Any]:
    """Return the content of prepared.json; raise InputError if `folder` was not made by `prepare`."""
    marker = folder / MARKER
    if not marker.is_file():
        raise InputError(f"{folder} holds no {MARKER}; make it with `edgepatho prepare TILES {folder}`.")
    try:
        about: dict[str, Any] = json.loads(marker.read_text())
        fits = about["format"] == FORMAT and about["version"] == VERSION
        fits = fits and all(type(about["tiles"][name]) is int for name in SPLITS)
        fits = fits and type(about["synthetic"]) is bool and type(about["sha256"]) is str
        fits = fits and all(type(patient) is str for patient in about["shared_patients"])
        fits = fits and ("laboratory" not in about or shidc.is_laboratory_name(about["laboratory"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        fits = False
    if not fits:
        raise InputError(f"{marker} is not a record of this version; run `edgepatho prepare` again.")
    return about


def arrays(folder: Path, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return (images, density maps) of a split, uint8 [n, 256, 256, 3] each, memory mapped.

    Raises InputError for a file that is missing, damaged or the wrong array.
    """
    count = check_prepared(folder)["tiles"][name]
    expected = (count, NETWORK_PX, NETWORK_PX, 3)
    pair = []
    for kind in ("images", "labels"):
        path = folder / f"{name}_{kind}.npy"
        try:
            array = np.lib.format.open_memmap(path, "r")
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{path} cannot be read ({error}); {AGAIN}.") from None
        if array.shape != expected or array.dtype != np.uint8:
            raise InputError(
                f"{path} holds {array.dtype} of shape {array.shape}, expected uint8 of shape {expected}; "
                f"{AGAIN}."
            )
        pair.append(array)
    return pair[0], pair[1]


def records(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return name, patient, height, width and points [[x, y, label_id], ...] of every tile of a split.

    All in network pixels; beyond height and width, a tile is padding.

    Raises InputError for a file that is missing, damaged or about other tiles.
    """
    path = folder / f"{name}.json"
    count = check_prepared(folder)["tiles"][name]
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read ({error}); {AGAIN}.") from None
    if not isinstance(entries, list) or len(entries) != count or not all(map(_is_record, entries)):
        raise InputError(f"{path} is not a list of name, patient, size, points of {count} tiles; {AGAIN}.")
    return entries


def _is_record(entry: Any) -> bool:
    fields = entry if isinstance(entry, dict) else {}
    points = fields.get("points")
    return (
        all(isinstance(fields.get(key), str) for key in ("name", "patient"))
        and all(type(fields.get(key)) is int for key in ("height", "width"))
        and isinstance(points, list)
        and all(isinstance(point, list) and len(point) == 3 for point in points)
        and all(type(number) in (int, float) for point in points for number in point)
    )


def _write_split(
    folder: Path, name: str, tiles: int, cut: Iterator[Iterator[Tile]], progress: Progress
) -> None:
    """Write the `tiles` tiles of a split, picture by picture."""
    shape = (tiles, NETWORK_PX, NETWORK_PX, 3)
    images, maps = (_claimed(folder / f"{name}_{kind}.npy", shape) for kind in ("images", "labels"))
    entries: list[dict[str, Any]] = []
    for picture in cut:
        for each in picture:
            images[len(entries)], maps[len(entries)] = each.image, each.density
            entries.append(each.entry)
        progress.advance()
    images.flush()
    maps.flush()
    (folder / f"{name}.json").write_text(json.dumps(entries))


def _sha256_of_all(folder: Path) -> str:
    """Identifies the tiles, so that interrupted work resumes only with the same ones."""
    lines = [f"{sha256_of(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _claimed(path: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
    """A new uint8 array in a file whose disk space is already allocated.

    Writing to a memory map of a sparse file kills the process with a bus error when the disk is full.
    """
    array: np.memmap[Any, np.dtype[np.uint8]] = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
    return array
