"""The profile: how long each step of a bundle takes, on one thread and on several.

The record's format is docs/bench-record.md.
"""

from array import array
from pathlib import Path
from typing import Any

from edgepatho_runtime import device
from edgepatho_runtime.bench.contender import Contender
from edgepatho_runtime.bench.record import NAMES, Report, Settings, only_bench, picture_for, statistics
from edgepatho_runtime.bundle import read
from edgepatho_runtime.errors import BundleError
from edgepatho_runtime.network import Network

FORMAT, VERSION = "edgepatho-profile", 1


def run(todo: list[Contender], settings: Settings, picture: Path | None, report: Report) -> dict[str, Any]:
    """Return the profile of every bundle in `todo`, on one thread and on `settings.threads`.

    Raises BusyError, BundleError (also if there is no bundle), ImageError.
    """
    bundles = [task for task in todo if task.engine in NAMES]
    if not bundles:
        raise BundleError("A profile needs a bundle (.epb): the steps of other files are not known.")
    with only_bench():
        rgb, facts = picture_for(bundles, picture)
        profiles = []
        for number, task in enumerate(bundles, 1):
            report(f"{number}/{len(bundles)} {task.engine} {task.file.name}")
            profiles.append(_profile(task.file, settings, rgb, facts["height"]))
    warnings = []
    if settings.threads > device.cores():
        warnings.append(
            f"{settings.threads} threads share {device.cores()} cores: their times say nothing about scaling."
        )
    return {"format": FORMAT, "version": VERSION, "image": facts, "bundles": profiles, "warnings": warnings}


def _profile(file: Path, settings: Settings, rgb: bytes, side: int) -> dict[str, Any]:
    bundle = read(file)
    counts = sorted({1, settings.threads})
    try:
        networks = [Network(bundle, side, side, threads, settings.precision) for threads in counts]
    except ValueError as error:
        raise BundleError(f"{file.name} cannot run at {side} x {side} px: {error}") from None
    table = networks[0].plan.table()
    runs: list[list[array[int]]] = [[] for _ in counts]
    for i in range(settings.warmup_runs + settings.runs):
        for network, timed in zip(networks, runs, strict=True):  # in turn: the machine is the same for both
            step_ns = array("Q", bytes(8 * len(table)))
            network.run(rgb, step_ns=step_ns)
            if i >= settings.warmup_runs:
                timed.append(step_ns)
    profiles = []
    for threads, timed in zip(counts, runs, strict=True):
        times = [statistics([ns / 1e6 for ns in step])["median_ms"] for step in zip(*timed, strict=True)]
        steps = [
            {
                "step": row.step,
                "operation": row.operation,
                "output": list(row.shape),
                "multiply_adds": row.macs,
                "time_ms": time,
                "share": time / (sum(times) or 1),
            }
            for row, time in zip(table, times, strict=True)
        ]
        profiles.append({"threads": threads, "time_ms": sum(times), "steps": steps})
    return {
        "file": file.name,
        "bundle_sha256": bundle.file_sha256,
        "isa": networks[0].isa,
        "precision": settings.precision,
        "runs": settings.runs,
        "multiply_adds": sum(row.macs for row in table),
        "profiles": profiles,
    }
