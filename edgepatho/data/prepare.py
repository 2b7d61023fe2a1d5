"""What training reads: tiles resized to the network, their density maps and points, split and on disk.

A prepared folder holds, for each of train, validation and test, `<split>_images.npy` (uint8
[n, 256, 256, 3]), `<split>_labels.npy` (density maps, same shape) and `<split>.json` (names, patients,
points).
Arrays are memory mapped, so no split is ever held in memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgepatho.choices import LabelMaps, SplitBy, check_choice
from edgepatho.data import augment, shidc, split
from edgepatho.data.density import NETWORK_PX, density_map, published_density_map
from edgepatho.errors import InputError, UsageError
from edgepatho.files import folder_aside, sha256_of
from edgepatho.progress import Progress

SPLITS = ("train", "validation", "test")
MARKER = "prepared.json"
MAX_PIXELS = 1 << 26
AGAIN = "run `edgepatho prepare` again"


def prepare(
    source: Path,
    folder: Path,
    *,
    split_by: SplitBy = "patient",
    labels: LabelMaps = "true",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the prepared `folder` of a SHIDC-layout `source`; return what prepared.json holds.

    `split_by`: "patient", or "image" as the published work. `labels`: "true", or "published" for the maps of
    the published code. Pictures are resized by Pillow's antialiased bilinear filter, which the device
    reproduces. Raises InputError naming the file that does not fit the layout.
    """
    check_choice("split_by", split_by, SplitBy)
    check_choice("labels", labels, LabelMaps)
    train = shidc.tiles(source, "Train")
    parts = {"patient": split.by_patient, "image": split.by_image}[split_by](train)
    tiles = dict(zip(SPLITS, (*parts, shidc.tiles(source, "Test")), strict=True))
    progress = progress or Progress()
    about: dict[str, Any] = {
        "format": "edgepatho-prepared",
        "version": 1,
        "split_by": split_by,
        "labels": labels,
        "size_px": NETWORK_PX,
        "synthetic": shidc.is_synthetic(source),
        "tiles": {name: len(members) for name, members in tiles.items()},
    }
    with folder_aside(folder, MARKER) as aside:
        for name, members in tiles.items():
            _write_split(aside, name, members, labels, progress)
        about["sha256"] = _sha256_of_all(aside)
        (aside / MARKER).write_text(json.dumps(about, indent=1) + "\n")
    return about


def check_prepared(folder: Path) -> dict[str, Any]:
    """Return what prepared.json says; raise InputError if `folder` was not made by `prepare`."""
    marker = folder / MARKER
    if not marker.is_file():
        raise InputError(f"{folder} holds no {MARKER}; make it with `edgepatho prepare TILES {folder}`.")
    try:
        about = json.loads(marker.read_text())
        fits = about["format"] == "edgepatho-prepared" and about["version"] == 1
        fits = fits and all(type(about["tiles"][name]) is int for name in SPLITS)
        fits = fits and type(about["synthetic"]) is bool and type(about["sha256"]) is str
    except (ValueError, KeyError, TypeError, RecursionError):
        fits = False
    if not fits:
        raise InputError(f"{marker} is not a record of this version; run `edgepatho prepare` again.")
    return about


def arrays(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (images, density maps) of a split, uint8 [n, 256, 256, 3] each, memory mapped.

    Raises InputError for a file that is missing, damaged or another array.
    """
    count = check_prepared(folder)["tiles"][name]
    expected = (count, NETWORK_PX, NETWORK_PX, 3)
    found = []
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
        found.append(array)
    return found[0], found[1]


def records(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return name, patient and points [[x, y, label_id], ...] (network px) of every tile of a split.

    Raises InputError for a file that is missing, damaged or tells of other tiles.
    """
    path = folder / f"{name}.json"
    count = check_prepared(folder)["tiles"][name]
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read ({error}); {AGAIN}.") from None
    if not isinstance(entries, list) or len(entries) != count or not all(map(_is_record, entries)):
        raise InputError(f"{path} is not a list of name, patient and points of {count} tiles; {AGAIN}.")
    return entries


def _is_record(entry: Any) -> bool:
    fields = entry if isinstance(entry, dict) else {}
    points = fields.get("points")
    return (
        all(isinstance(fields.get(key), str) for key in ("name", "patient"))
        and isinstance(points, list)
        and all(isinstance(point, list) and len(point) == 3 for point in points)
        and all(type(number) in (int, float) for point in points for number in point)
    )


def to_network(cells: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return points [cells, 3] of a width x height picture in network pixels (centres at integers)."""
    points = cells.astype(float)
    points[:, 0] = (points[:, 0] + 0.5) * NETWORK_PX / width - 0.5
    points[:, 1] = (points[:, 1] + 0.5) * NETWORK_PX / height - 0.5
    return points


def batches(
    folder: Path,
    name: str,
    batch: int,
    *,
    seed: int,
    crop: int | None = None,
    symmetries: int = augment.FULL,
    start: int = 0,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield augmented batches without end, from batch number `start` on.

    Images float32 [batch, size, size, 3] in 0..1, density maps float32 in 0..255. Every epoch visits every
    tile once under a random one of `symmetries`; with `crop`, as a random square of that edge. A batch is a
    function of the arguments and its number alone, so a stream can be taken up anywhere.
    """
    images, labels = arrays(folder, name)
    if crop is not None and not 0 < crop <= images.shape[1]:
        raise UsageError(f"a crop of {crop} px does not fit tiles of {images.shape[1]} px.")
    edge = crop or images.shape[1]
    number = start
    while True:
        rng = np.random.default_rng([seed, 1, number])
        x = np.empty((batch, edge, edge, 3), np.float32)
        y = np.empty_like(x)
        for slot in range(batch):
            epoch, place = divmod(number * batch + slot, len(images))
            tile = np.random.default_rng([seed, 0, epoch]).permutation(len(images))[place]
            top, left = rng.integers(0, images.shape[1] - edge + 1, 2)
            turn = int(rng.integers(symmetries))
            window = (tile, slice(top, top + edge), slice(left, left + edge))
            x[slot] = augment.symmetry(images[window], turn)
            y[slot] = augment.symmetry(labels[window], turn)
        yield x / 255, y
        number += 1


def _write_split(folder: Path, name: str, tiles: list[shidc.Tile], labels: str, progress: Progress) -> None:
    shape = (len(tiles), NETWORK_PX, NETWORK_PX, 3)
    images, maps = (_claimed(folder / f"{name}_{kind}.npy", shape) for kind in ("images", "labels"))
    found = []
    for index, tile in enumerate(tiles):
        picture, (width, height) = _picture(tile)
        cells = shidc.read_labels(tile, width, height)
        points = to_network(cells, width, height)
        images[index] = picture
        maps[index] = (
            published_density_map(cells, width, height) if labels == "published" else density_map(points)
        )
        entry = {"name": tile.name, "patient": tile.patient, "points": np.round(points, 4).tolist()}
        found.append(entry)
        progress.advance()
    images.flush()
    maps.flush()
    (folder / f"{name}.json").write_text(json.dumps(found))


def _sha256_of_all(folder: Path) -> str:
    """Tells these tiles from others: work that goes on after an interruption goes on with the same ones."""
    lines = [f"{sha256_of(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _claimed(path: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
    """A new uint8 array in a file whose room on disk is already its own.

    A memory map of a file with holes ends the process with a bus error where the disk is full.
    """
    array = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
    return array


def _picture(tile: shidc.Tile) -> tuple[np.ndarray, tuple[int, int]]:
    from PIL import Image

    try:
        with (
            warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning),
            Image.open(tile.image, formats=("JPEG",)) as image,
        ):
            if image.width * image.height > MAX_PIXELS:
                raise InputError(
                    f"{tile.image} has {image.width} x {image.height} px, more than {MAX_PIXELS}; cut it up."
                )
            resized = image.convert("RGB").resize((NETWORK_PX, NETWORK_PX), Image.Resampling.BILINEAR)
            return np.asarray(resized), image.size
    except (OSError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{tile.image} is not a readable JPEG ({error}); copy it again.") from None
