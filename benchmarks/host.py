"""Wall time, memory and file size of every engine on this machine, paired and interleaved.

    python -m benchmarks.host

Every measurement runs in its own process: no engine inherits another's heap, threads or imports, and each
round has a new memory layout. A round runs every engine once, starting with a different one each time, so a
machine that slows down slows all of them; ratios are taken within a round. Everything is measured twice, to
show how much two measurements differ. A peer that cannot be measured gets a row with the reason.
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
from benchmarks.contenders import X86_64, Contender, difference
from edgepatho.errors import UserError
from edgepatho.progress import progress

ENGINE = Path(__file__).with_name("engine.py")
REFERENCE = "tflite-runtime"
THREADS = (1, 2)
PASSES, ROUNDS, WARMUPS, RUNS = 2, 7, 3, 10
MEASURED = (
    *("median_ms", "fastest_round_ms", "slowest_round_ms", "pass_median_ms", "ratio_to_tflite_runtime_fp32"),
    *("load_to_first_ms", "peak_rss_over_python_bytes", "arena_bytes", "file_bytes", "model_sha256"),
    *("difference_from_tensorflow", "version", "rounds", "runs_per_round"),
)
BUSY_LOAD = 0.5  # runnable processes per core at the start; above it wall times mean little


@dataclass
class Series:
    """The measurements of one contender with one number of threads: [pass][round], or why there are none."""

    contender: Contender
    threads: int
    records: list[list[dict[str, Any]]] = field(default_factory=lambda: [[] for _ in range(PASSES)])
    difference: float = 0.0
    error: str | None = None

    def medians(self, number: int) -> list[float]:
        """Return the median latency in ms of each round of a pass."""
        return [median(record["runs_ms"]) for record in self.records[number]]

    def median_of(self, *keys: str) -> float:
        """Return the median over all rounds of the sum of the named values."""
        return float(median(sum(record[key] for key in keys) for rounds in self.records for record in rounds))


def measure(
    folder: Path, contenders: tuple[Contender, ...], threads: tuple[int, ...]
) -> list[dict[str, Any]]:
    """Measure every contender on the files of `benchmarks.models` and return rows for host.json.

    Raises UserError if this project's own runtime cannot be measured.
    """
    series = [
        Series(who, count, error=_refusal(who, count, folder)) for count in threads for who in contenders
    ]
    empty: list[int] = []
    with tempfile.TemporaryDirectory() as scratch, progress("bench", PASSES * ROUNDS * len(series)) as bar:
        output = Path(scratch) / "output.f32"
        for number in range(PASSES):
            for turn in range(ROUNDS):
                empty.append(empty_interpreter_bytes())
                start = (turn * len(series)) // ROUNDS
                for one in series[start:] + series[:start]:
                    if one.error is None:
                        _add_round(one, number, folder, output)
                    bar.advance()
    return [_row(one, series, folder, median(empty)) for one in series]


def _refusal(who: Contender, threads: int, folder: Path) -> str | None:
    """Return the sentence that says why a contender is not measured, if it is not."""
    cores = len(os.sched_getaffinity(0))
    if threads > cores:
        return f"{threads} threads were asked for, but this machine has {cores} core{'s' * (cores > 1)}."
    if importlib.util.find_spec(who.module) is None:
        return f"{who.package} is not installed in this Python; `make bench` installs it."
    return who.unconverted(folder)


def _add_round(series: Series, number: int, folder: Path, output: Path) -> None:
    """Measure one round; a peer that fails gets its error and no further round."""
    try:
        series.records[number].append(_run(series, folder, output))
        series.difference = difference(series.contender, output, folder)
    except UserError as error:
        if series.contender.engine.startswith("edgepatho"):
            raise
        series.error = str(error)


def _run(series: Series, folder: Path, output: Path) -> dict[str, Any]:
    return run(series.contender, folder, series.threads, (WARMUPS, RUNS), output)


def run(who: Contender, folder: Path, threads: int, runs: tuple[int, int], output: Path) -> dict[str, Any]:
    """Return what an engine reports from a process of its own, after warm-up and timed `runs`.

    Its heat maps are in `output`. Raises UserError with its last words if it fails.
    """
    arguments = [who.engine, str(folder / who.model), str(folder / models.IMAGE), str(threads)]
    arguments += [who.precision, *map(str, runs), str(output)]
    done = subprocess.run([sys.executable, str(ENGINE), *arguments], capture_output=True, text=True)
    if done.returncode:
        ending = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise UserError(f"{who.engine} {who.precision} ended with {ending}: {last[:300]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def empty_interpreter_bytes() -> int:
    """Return the peak memory of a Python process that does nothing else."""
    text = subprocess.run(
        [sys.executable, "-c", "print(open('/proc/self/status').read())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmHWM:"))


def _row(one: Series, series: list[Series], folder: Path, empty_bytes: float) -> dict[str, Any]:
    who = one.contender
    known = {
        "engine": who.engine,
        "threads": one.threads,
        "precision": who.precision,
        "processor": processor(),
        "python": sys.version.split()[0],
        **who.network(folder),
    }
    measured = dict.fromkeys(MEASURED) if one.error else _figures(one, series, folder, empty_bytes)
    return known | measured | {"error": one.error}


def _figures(one: Series, series: list[Series], folder: Path, empty_bytes: float) -> dict[str, Any]:
    references = (s for s in series if s.contender.engine == REFERENCE and s.threads == one.threads)
    reference = next((s for s in references if s.error is None), None)
    ratios = [
        median(a / b for a, b in zip(one.medians(number), reference.medians(number), strict=True))
        if reference
        else None
        for number in range(PASSES)
    ]
    rounds = [latency for number in range(PASSES) for latency in one.medians(number)]
    return {
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
    header += ["load+first ms", "peak MB", "file MB", "difference", "version"]
    lines = []
    for row in rows:
        if row["error"]:
            continue
        before, after = row["pass_median_ms"]
        name = [row["engine"], row["precision"], str(row["threads"])]
        latency = [f"{row['median_ms']:.1f}", f"{after / before - 1:+.1%}"]
        ratios = [f"{ratio:.3f}" if ratio else "-" for ratio in row["ratio_to_tflite_runtime_fp32"]]
        start = f"{row['load_to_first_ms']:.0f}"
        sizes = [f"{row[key] / 1e6:.2f}" for key in ("peak_rss_over_python_bytes", "file_bytes")]
        judged = [f"{row['difference_from_tensorflow']:.1e}", row["version"]]
        lines.append([*name, *latency, *ratios, start, *sizes, *judged])
    failures = [
        f"{row['engine']} {row['precision']}, threads {row['threads']}: {row['error']}"
        for row in rows
        if row["error"]
    ]
    return "\n".join([results.table(header, lines), *failures])


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=results.RESULTS / "host.json")
def main(output: Path) -> None:
    """Measure all engines on this machine; the table goes to stdout, the rows to OUTPUT."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    if load > BUSY_LOAD:
        click.echo(f"This machine is busy ({load:.1f} processes per core): trust only the ratios.", err=True)
    try:
        with models.built() as folder:
            rows = measure(folder, X86_64, THREADS)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    results.save(rows, output)
    click.echo(f"{rows[0]['processor']}; PathoNet 256x256x3; ratio: to {REFERENCE} fp32, same threads")
    click.echo(as_table(rows))


if __name__ == "__main__":
    main()
