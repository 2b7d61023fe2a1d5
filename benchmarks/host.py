"""Wall time, memory and file size of every engine on this machine, paired and interleaved.

    python -m benchmarks.host

Every measurement runs in its own process: no engine inherits another's heap, threads or imports, and each
round has a new memory layout. A round runs every engine once, starting with a different one each time, so a
machine that slows down slows all of them; ratios are taken within a round. Everything is measured twice, to
show how much two measurements differ.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import click

from benchmarks import models, results
from benchmarks.contenders import CONTENDERS, Contender, difference
from edgepatho.errors import UserError
from edgepatho.progress import progress

ENGINE = Path(__file__).with_name("engine.py")
MODULES = {
    "edgepatho": "edgepatho_runtime",
    "edgepatho-baseline": "edgepatho_runtime",
    "tflite-runtime": "tflite_runtime",
    "litert": "ai_edge_litert",
    "litert-rewritten": "ai_edge_litert",
    "ncnn": "ncnn",
}
REFERENCE = "tflite-runtime"
PASSES, ROUNDS, WARMUPS, RUNS = 2, 7, 3, 10
BUSY_LOAD = 0.5  # runnable processes per core at the start; above it wall times mean little


@dataclass
class Series:
    """The measurements of one contender with one number of threads: [pass][round]."""

    contender: Contender
    threads: int
    records: list[list[dict[str, Any]]] = field(default_factory=lambda: [[] for _ in range(PASSES)])
    difference: float = 0.0

    def medians(self, number: int) -> list[float]:
        """Return the median latency in ms of each round of a pass."""
        return [median(record["runs_ms"]) for record in self.records[number]]

    def median_of(self, *keys: str) -> float:
        """Return the median over all rounds of the sum of the named values."""
        return float(median(sum(record[key] for key in keys) for rounds in self.records for record in rounds))


def measure(folder: Path, contenders: list[Contender], threads: list[int]) -> list[dict[str, Any]]:
    """Measure every contender on the files of `benchmarks.models` and return rows for host.json."""
    series = [Series(contender, count) for count in threads for contender in contenders]
    empty: list[int] = []
    with tempfile.TemporaryDirectory() as scratch, progress("bench", PASSES * ROUNDS * len(series)) as bar:
        output = Path(scratch) / "output.f32"
        for number in range(PASSES):
            for turn in range(ROUNDS):
                empty.append(_empty_interpreter_bytes())
                start = (turn * len(series)) // ROUNDS
                for one in series[start:] + series[:start]:
                    one.records[number].append(_run(one, folder, output))
                    one.difference = difference(one.contender, output, folder)
                    bar.advance()
    return [_row(one, series, folder, median(empty)) for one in series]


def _run(series: Series, folder: Path, output: Path) -> dict[str, Any]:
    who = series.contender
    arguments = [who.engine, str(folder / who.model), str(folder / models.IMAGE), str(series.threads)]
    arguments += [who.precision, str(WARMUPS), str(RUNS), str(output)]
    done = subprocess.run([sys.executable, str(ENGINE), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"{who.engine} {who.precision} failed: {done.stderr.strip()[-600:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _empty_interpreter_bytes() -> int:
    """Return the peak memory of a Python process that does nothing else."""
    text = subprocess.run(
        [sys.executable, "-c", "print(open('/proc/self/status').read())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmHWM:"))


def _row(one: Series, series: list[Series], folder: Path, empty_bytes: float) -> dict[str, Any]:
    reference = next(
        (s for s in series if s.contender.engine == REFERENCE and s.threads == one.threads), None
    )
    ratios = [
        median(a / b for a, b in zip(one.medians(number), reference.medians(number), strict=True))
        if reference
        else None
        for number in range(PASSES)
    ]
    rounds = [latency for number in range(PASSES) for latency in one.medians(number)]
    return {
        "engine": one.contender.engine,
        "threads": one.threads,
        "precision": one.contender.precision,
        "median_ms": round(median(rounds), 3),
        "fastest_round_ms": round(min(rounds), 3),
        "slowest_round_ms": round(max(rounds), 3),
        "pass_median_ms": [round(median(one.medians(number)), 3) for number in range(PASSES)],
        "ratio_to_tflite_runtime_fp32": [ratio and round(ratio, 4) for ratio in ratios],
        "load_to_first_ms": round(one.median_of("load_ms", "first_ms"), 2),
        "peak_rss_over_python_bytes": round(one.median_of("peak_rss_bytes") - empty_bytes),
        "arena_bytes": one.records[0][0]["arena_bytes"],
        "file_bytes": one.contender.file_bytes(folder),
        "model_sha256": one.contender.sha256(folder),
        "difference_from_tensorflow": one.difference,
        "version": one.records[0][0]["version"],
        "python": sys.version.split()[0],
        "processor": processor(),
        "rounds": ROUNDS,
        "runs_per_round": RUNS,
    }


def processor() -> str:
    """Return the kernel's name for this machine's processor or board."""
    board = Path("/proc/device-tree/model")
    if board.exists():
        return board.read_text().rstrip("\0")
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].split(":", 1)[1].strip() if names else "unknown"


def as_table(rows: list[dict[str, Any]]) -> str:
    """Return the printed table: medians, ratios to tflite-runtime fp32, memory, file size."""
    header = ["engine", "precision", "threads", "median ms", "moved", "ratio", "ratio again"]
    header += ["load+first ms", "peak MB", "file MB"]
    lines = []
    for row in rows:
        before, after = row["pass_median_ms"]
        name = [row["engine"], row["precision"], str(row["threads"])]
        latency = [f"{row['median_ms']:.1f}", f"{after / before - 1:+.1%}"]
        ratios = [f"{ratio:.3f}" if ratio else "-" for ratio in row["ratio_to_tflite_runtime_fp32"]]
        start = f"{row['load_to_first_ms']:.0f}"
        sizes = [f"{row[key] / 1e6:.2f}" for key in ("peak_rss_over_python_bytes", "file_bytes")]
        lines.append([*name, *latency, *ratios, start, *sizes])
    return results.table(header, lines)


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=results.RESULTS / "host.json")
def main(output: Path) -> None:
    """Measure all engines on this machine; the table goes to stdout, the rows to OUTPUT."""
    present = [who for who in CONTENDERS if importlib.util.find_spec(MODULES[who.engine])]
    for engine in sorted({who.engine for who in CONTENDERS} - {who.engine for who in present}):
        click.echo(f"{engine} is left out: its package is not installed in this Python.", err=True)
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    if load > BUSY_LOAD:
        click.echo(f"This machine is busy ({load:.1f} processes per core): trust only the ratios.", err=True)
    try:
        with models.built() as folder:
            rows = measure(folder, present, [count for count in (1, 2) if count <= (os.cpu_count() or 1)])
    except UserError as error:
        raise click.ClickException(str(error)) from error
    results.save(rows, output)
    click.echo(f"{rows[0]['processor']}; PathoNet 256x256x3; ratio: to {REFERENCE} fp32, same threads")
    click.echo(as_table(rows))


if __name__ == "__main__":
    main()
