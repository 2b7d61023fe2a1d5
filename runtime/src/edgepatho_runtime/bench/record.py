"""The benchmark: every engine with every file, each in a child process of its own.

The record's format is docs/bench-record.md; `edgepatho report` renders it.
"""

import math
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from edgepatho_runtime import device, image
from edgepatho_runtime.bench import child
from edgepatho_runtime.bench.contender import FOLDER_FILES, Contender
from edgepatho_runtime.bench.peers import PEERS
from edgepatho_runtime.bundle import Bundle, read
from edgepatho_runtime.digest import sha256
from edgepatho_runtime.errors import BundleError, BusyError, ImageError
from edgepatho_runtime.scoring.decoder import Decoder

FORMAT, VERSION = "edgepatho-bench", 1
NAMES = {"edgepatho": "edgepatho index map", "edgepatho-baseline": "edgepatho uncompressed"}
HOT_C = 80.0
UNSTEADY = 0.1  # standard deviation over median
LOCK = "edgepatho-bench"
MEASURED = ("init_ms", "first_ms", "warmup_mean_ms", "median_ms", "mean_ms", "p95_ms", "sd_ms")

Report = Callable[[str], None]


class Settings(NamedTuple):
    """Settings common to all engines."""

    threads: int
    warmup_runs: int
    runs: int
    precision: str


def run(todo: list[Contender], settings: Settings, picture: Path | None, report: Report) -> dict[str, Any]:
    """Return the record of a benchmark; `report` is called with a line for each measurement.

    `picture` is resized to the network's size; without one the bundle's golden picture is tiled to it.
    Raises BusyError, BundleError, ImageError.
    """
    with only_bench():
        facts = device.facts()
        throttled_before, load = device.throttled(), os.getloadavg()[0]
        facts["temperature_c_start"] = device.temperature_c()
        rgb, facts_of_image = picture_for(todo, picture)
        with tempfile.TemporaryDirectory(prefix="edgepatho-bench-") as folder:
            raw = Path(folder) / "image.rgb"
            raw.write_bytes(rgb)
            python_bytes = child.empty_python_bytes()
            rows = []
            for number, task in enumerate(todo, 1):
                report(f"{number}/{len(todo)} {task.engine} {task.file.name}")
                rows.append(_row(task, settings, raw, facts_of_image, python_bytes))
        facts["temperature_c_end"] = device.temperature_c()
        throttled_after = device.throttled()
    facts["throttled"] = _was_throttled(throttled_before, throttled_after)
    return {
        "format": FORMAT,
        "version": VERSION,
        "device": facts,
        "settings": {
            "threads": settings.threads,
            "warmup_runs": settings.warmup_runs,
            "runs": settings.runs,
            "image": facts_of_image,
        },
        "rows": rows,
        "warnings": warnings(facts, rows, load),
    }


@contextmanager
def only_bench() -> Iterator[None]:
    """Hold the user's lock: a name in Linux's abstract socket namespace, which the kernel releases."""
    # The name depends on the home folder, so that tests, which have their own, do not exclude each other.
    user = f"{os.getuid()} {os.environ.get('HOME')}".encode(errors="surrogateescape")
    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind(f"\0{LOCK}-{sha256(user).hexdigest()}")
    except OSError:
        lock.close()
        raise BusyError(
            "Another benchmark is running on this device; try again when it has finished."
        ) from None
    with lock:
        yield


def statistics(runs_ms: list[float]) -> dict[str, float]:
    """Return median, mean, 95th percentile (nearest rank) and sample standard deviation."""
    ordered, count = sorted(runs_ms), len(runs_ms)
    mean = sum(ordered) / count
    squares = sum((value - mean) ** 2 for value in ordered)
    return {
        "median_ms": (ordered[(count - 1) // 2] + ordered[count // 2]) / 2,
        "mean_ms": mean,
        "p95_ms": ordered[math.ceil(0.95 * count) - 1],
        "sd_ms": math.sqrt(squares / (count - 1)) if count > 1 else 0.0,
    }


def warnings(facts: dict[str, Any], rows: list[dict[str, Any]], load: float) -> list[str]:
    """Return what makes the times unfit for comparison: one sentence each, with the remedy."""
    sentences = []
    if facts["emulated"]:
        sentences.append("This is an emulated device: its wall times say nothing about a real one.")
    if facts["throttled"]:
        sentences.append("The processor was throttled: check power supply and cooling, then measure again.")
    if facts["governor"] not in (None, "performance"):
        sentences.append(
            f"The CPU governor is {facts['governor']}; for steady times: "
            "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        )
    if (facts["temperature_c_end"] or 0) >= HOT_C:
        sentences.append(
            f"The processor reached {facts['temperature_c_end']:.0f} °C: cool it and measure again."
        )
    if any(row["threads"] > facts["cores"] for row in rows):
        sentences.append(
            f"{rows[0]['threads']} threads share {facts['cores']} cores: give at most as many --threads."
        )
    if load > 0.5 * facts["cores"]:
        sentences.append(f"Other work was running (load {load:.1f}): stop it and measure again.")
    measured = [row for row in rows if row["error"] is None]
    unsteady = [row["name"] for row in measured if row["sd_ms"] > UNSTEADY * row["median_ms"]]
    if unsteady:
        sentences.append(
            f"Times vary by more than 10 % ({', '.join(unsteady)}): give more --runs, with no other load."
        )
    return sentences


def _row(
    task: Contender, settings: Settings, raw: Path, picture: dict[str, Any], python_bytes: int
) -> dict[str, Any]:
    content = task.content
    digest = sha256(content).hexdigest()
    row: dict[str, Any] = {
        "name": NAMES.get(task.engine, ""),
        "engine": task.engine,
        "version": None,
        "file": task.file.name,
        "file_sha256": digest,
        "file_bytes": len(content),
        "precision": "int8" if "int8" in task.file.name else settings.precision,
        "threads": settings.threads,
        **dict.fromkeys(MEASURED),
        "runs_ms": [],
        "peak_rss_bytes": None,
        "peak_rss_over_python_bytes": None,
        "arena_bytes": None,
        "error": None,
    }
    if task.expected_sha256 not in (None, digest):
        # a damaged file can take the interpreter down with it
        result: dict[str, Any] = {
            "error": "The file is damaged: its SHA-256 is not the recorded one; copy it again."
        }
    else:
        result = child.measured(
            {
                "engine": task.engine,
                "file": str(task.file),
                "image": str(raw),
                "height": picture["height"],
                "width": picture["width"],
                **settings._asdict(),
            }
        )
    warmup_ms = result.pop("warmup_ms", None)
    row.update(result)
    if row["error"] is None:
        row["warmup_mean_ms"] = sum(warmup_ms) / len(warmup_ms) if warmup_ms else None
        row["peak_rss_over_python_bytes"] = max(0, row["peak_rss_bytes"] - python_bytes)
        row.update(statistics(row["runs_ms"]))
    if not row["name"]:
        row["name"] = f"{PEERS[task.engine].package} {row['precision']}"
        if task.file.name not in FOLDER_FILES:
            row["name"] += f" {task.file.name}"
    return row


def picture_for(todo: list[Contender], path: Path | None) -> tuple[bytes, dict[str, Any]]:
    """Return the RGB bytes that all engines get, and their entry in the record."""
    bundles = [task.file for task in todo if task.engine in NAMES]
    bundle = read(bundles[0]) if bundles else None
    side = bundle.scoring["network_size_px"] if bundle else 256
    if path is not None:
        decoder = Decoder(image.MAX_PIXELS, side, None)
        try:
            name, rgb = path.name, decoder.decode(path, keep=False, size=(side, side)).rgb
        except ImageError as error:
            raise ImageError(f"{path} cannot be read: {error}.") from None
        finally:
            decoder.close()
    elif bundle is not None:
        name, rgb = "golden.input, tiled", _tiled(bundle, side)
    else:
        raise BundleError(
            "There is no picture to measure with and no bundle to take one from; give one with --image."
        )
    return rgb, {"name": name, "sha256": sha256(rgb).hexdigest(), "height": side, "width": side}


def _tiled(bundle: Bundle, side: int) -> bytes:
    golden = bundle.tensors["golden.input"]
    height, width, channels = golden.shape
    rows = [bytes(golden.data[width * channels * row :][: width * channels]) for row in range(height)]
    wide = [(row * -(-side // width))[: side * channels] for row in rows]
    return b"".join(wide[row % height] for row in range(side))


def _was_throttled(before: int | None, after: int | None) -> bool | None:
    if before is None or after is None:
        return None
    since_start = device.THROTTLED_SINCE_START
    new = after & since_start & ~before
    return bool((before | after) & device.THROTTLED_NOW or new)
