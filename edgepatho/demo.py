"""The whole pipeline on a few tiles: compression of the shipped weights, exports, benchmark, report."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgepatho.device_command import device_command
from edgepatho.errors import UserError
from edgepatho.files import folder_aside

PATIENTS, TILES = 12, 4
RETRAIN_STEPS = 40
BENCH_RUNS = 10
BENCH = "bench.json"


def run(folder: Path, *, jobs: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Make `folder` with tiles, compress output, scores, bench.json and report.html; return its records.

    Each step does what the command of the same name does. An earlier demo in `folder` is replaced. Raises
    InputError for any other folder, or if the device runtime is not installed.
    """
    from edgepatho.compression.compress import Options
    from edgepatho.compression.compress import run as compress
    from edgepatho.data.prepare import prepare
    from edgepatho.data.synth import generate
    from edgepatho.progress import progress
    from edgepatho.quantize.retrain import Budget
    from edgepatho.report.html import render

    runtime = device_command()
    options = Options(budget=Budget(RETRAIN_STEPS))
    with folder_aside(folder, BENCH) as aside:
        tiles, prepared, compressed = (aside / name for name in ("tiles", "prepared", "compressed"))
        say(f"1/5 synth: {PATIENTS} patients with {TILES} synthetic tiles each")
        with progress("tiles", PATIENTS * TILES) as bar:
            generate(tiles, patients=PATIENTS, tiles=TILES, jobs=jobs, progress=bar)
        say("2/5 prepare: resize, density maps, split by patient")
        prepare(tiles, prepared)
        say(f"3/5 compress: CWS, k = 256, {RETRAIN_STEPS} retraining steps, evaluation, exports")
        with progress("compressing", 2 * RETRAIN_STEPS) as bar:
            record = compress(prepared, compressed, options, progress=bar)
        image = min((tiles / "Test").glob("*.jpg"))
        say(f"4/5 score and bench on this machine: edgepatho-run on {image.name}")
        bundle = compressed / "model.epb"
        _run(runtime, "score", str(image), "--bundle", str(bundle), "-o", str(aside / "scores"))
        _run(runtime, "bench", str(compressed), "--runs", str(BENCH_RUNS), "--json", str(aside / BENCH))
        say("5/5 report")
        render(compressed, [aside / BENCH], aside / "report.html")
        bench = json.loads((aside / BENCH).read_text())
    return {"compress": record, "bench": bench, "report": str(folder / "report.html")}


def _run(runtime: list[str], command: str, *arguments: str) -> None:
    """Run the device's command; its table goes to stderr, with the demo's progress."""
    done = subprocess.run([*runtime, command, *arguments], check=False, stdout=sys.stderr)
    if done.returncode:
        raise UserError(
            f"edgepatho-run {command} ended with exit code {done.returncode}; its message is above."
        )
