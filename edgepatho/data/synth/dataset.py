"""A whole synthetic data set: patients, fields, tiles, a manifest."""

from __future__ import annotations

import json
import signal
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from edgepatho.data.shidc import LABELS, MANIFEST, is_synthetic, write_tile
from edgepatho.data.synth import laboratories
from edgepatho.data.synth.laboratories import LABORATORIES, laboratory_style
from edgepatho.data.synth.style import Style, patient_style
from edgepatho.data.synth.tile import make_tile
from edgepatho.data.synth.tissue import FULL_PX
from edgepatho.errors import InputError, UsageError
from edgepatho.files import folder_aside
from edgepatho.interrupt import noticed
from edgepatho.progress import Progress

SEED = 101  # of the default set, on which the figures of this repository are measured
PATIENTS, TILES = 32, 12
TEST_SHARE = 0.25
CROPS = 12  # a field of 4912 x 3684 px holds 4 x 3 of them
FIELD_TILES = 3  # tiles that share a field
MAX_PATIENTS = 1000
MAX_PX = 4096  # painting a tile of this side takes a few gigabytes
AHEAD = 4  # queued tasks per process
POLL_S = 0.1  # how long Ctrl-C may go unnoticed

Task = tuple[Path, str, int, Style, int, int, int]  # folder, part/name, seed, style, field, crop, size


def generate(
    folder: Path,
    *,
    patients: int = PATIENTS,
    tiles: int = TILES,
    size: int = FULL_PX,
    seed: int = SEED,
    jobs: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write `patients` x `tiles` synthetic tiles to `folder` in the SHIDC layout; return the manifest.

    Train/ and Test/ hold different patients; a quarter of them, drawn to span the Ki-67 index, is in Test/.
    The same arguments give the same bytes with the same versions of numpy, scipy and OpenCV, whatever
    `jobs` (processes) is. An earlier set in `folder` is replaced; anything else is refused.
    """
    sizes = 2 <= patients <= MAX_PATIENTS and 1 <= tiles <= CROPS * FIELD_TILES and 64 <= size <= MAX_PX
    if not sizes or seed < 0:
        raise UsageError(
            f"{patients} patients with {tiles} tiles of {size} px from seed {seed} cannot be made; give "
            f"2 to {MAX_PATIENTS} patients, 1 to {CROPS * FIELD_TILES} tiles each, 64 to {MAX_PX} px and a "
            "seed of 0 or more."
        )
    styles = [patient_style(seed, patient, patients) for patient in range(1, patients + 1)]
    test = _test_patients(styles, seed)
    parts = ["Test" if style.patient in test else "Train" for style in styles]
    return _paint(folder, styles, parts, tiles, size, seed, jobs, progress)


def generate_laboratory(
    folder: Path, name: str, *, size: int = FULL_PX, jobs: int = 1, progress: Progress | None = None
) -> dict[str, Any]:
    """Write the 24 tiles of laboratory `name` (A to F) side by side to `folder`; return the manifest.

    Nothing of such a set is for training, so it has no Train/ and Test/. Otherwise as `generate`.
    """
    if name not in LABORATORIES:
        raise UsageError(f"there is no laboratory {name!r}; give one of {', '.join(LABORATORIES)}.")
    if not 64 <= size <= MAX_PX:
        raise UsageError(f"tiles of {size} px cannot be made; give 64 to {MAX_PX} px.")
    count, tiles, seed = laboratories.PATIENTS, laboratories.TILES, LABORATORIES[name].seed
    styles = [laboratory_style(name, patient) for patient in range(1, count + 1)]
    return _paint(folder, styles, [""] * count, tiles, size, seed, jobs, progress, {"laboratory": name})


def _paint(
    folder: Path,
    styles: list[Style],
    parts: list[str],
    tiles: int,
    size: int,
    seed: int,
    jobs: int,
    progress: Progress | None,
    about: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write tiles of patients to their parts of `folder`, or side by side where a part is empty."""
    if (folder / MANIFEST).exists() and not is_synthetic(folder):
        raise InputError(
            f"{folder / MANIFEST} is not that of a synthetic set, so it is kept; choose another folder."
        )
    progress = progress or Progress()
    with folder_aside(folder, MANIFEST) as aside:
        for part in filter(None, sorted(set(parts))):
            (aside / part).mkdir()
        tasks = [
            (aside, f"{part}/{name}".lstrip("/"), seed, style, field, crop, size)
            for style, part in zip(styles, parts, strict=True)
            for name, field, crop in _names(style, tiles)
        ]
        images = []
        for record in _map(tasks, jobs):
            images.append(record)
            progress.advance()
        manifest = {
            "synthetic": True,
            **(about or {}),
            "seed": seed,
            "size_px": size,
            "patients": [_about(style, part) for style, part in zip(styles, parts, strict=True)],
            "images": images,
        }
        (aside / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return manifest


def _names(style: Style, tiles: int) -> Iterable[tuple[str, int, int]]:
    for tile in range(tiles):
        field, crop = style.first_field + tile // FIELD_TILES, 1 + (tile * 5 + style.patient) % CROPS
        yield f"p{style.patient}_{field:04d}_{crop}", field, crop


def _map(tasks: list[Task], jobs: int) -> Iterable[dict[str, Any]]:
    if jobs <= 1:
        yield from map(_make, tasks)
        return
    # spawned, not forked: OpenCV's threads do not survive a fork
    # a KeyboardInterrupt anywhere can leave a lock of the pool held, and joining the pool would hang
    with noticed() as stopped, ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        handed_out: deque[Future[dict[str, Any]]] = deque()
        for task in tasks:
            handed_out.append(_submit(pool, task))
            if len(handed_out) > AHEAD * jobs:
                yield _result(pool, handed_out.popleft(), stopped)
        while handed_out:
            yield _result(pool, handed_out.popleft(), stopped)


def _submit(pool: ProcessPoolExecutor, task: Task) -> Future[dict[str, Any]]:
    """Submit a task; a worker started for it inherits the signal mask, so only the parent handles Ctrl-C."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(_make, task)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _result(pool: ProcessPoolExecutor, future: Future[dict[str, Any]], stopped: list[int]) -> dict[str, Any]:
    while not stopped:
        if wait([future], POLL_S).done:
            return future.result()
    pool.shutdown(cancel_futures=True)
    raise KeyboardInterrupt


def _make(task: Task) -> dict[str, Any]:
    folder, name, seed, style, field, crop, size = task
    tile = make_tile(seed, style, field, crop, size)
    write_tile(folder / name, *tile, jpeg_quality=style.optics.jpeg_quality)
    counts = {kind: int((tile.labels[:, 2] == label).sum()) for kind, label in LABELS.items()}
    part, _, name = name.rpartition("/")
    return {"name": name, "split": part, "patient": style.patient, **counts}


def _test_patients(styles: list[Style], seed: int) -> set[int]:
    """One patient from every stratum of the Ki-67 index."""
    ranked = [style.patient for style in sorted(styles, key=lambda style: style.ki67_index)]
    strata = np.array_split(ranked, max(1, round(len(ranked) * TEST_SHARE)))
    rng = np.random.default_rng([seed, 3])
    return {int(rng.choice(stratum)) for stratum in strata}


def _about(style: Style, part: str) -> dict[str, Any]:
    return {
        "patient": style.patient,
        "split": part,
        "ki67_index": round(style.ki67_index, 4),
        "tumour_cells_per_tile": round(style.tumour_cells, 1),
        "diameter_px": round(style.diameter_px, 1),
        "architecture": style.architecture,
    }
