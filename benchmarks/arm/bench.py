"""Estimated cycles and counted instructions of every engine on emulated Raspberry Pi processors.

    python -m benchmarks.arm.bench

Counts one inference after an uncounted one, on one thread, every engine in the same arm64 Python with the
board's /proc/cpuinfo, so that each chooses the kernels it would choose there. Cycles are the compute of one
core (see `benchmarks.arm.cycles`); the Cortex-A53 has only instructions. Nothing here is a wall time.
"""

from __future__ import annotations

import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from benchmarks import models, results
from benchmarks.arm import wheel
from benchmarks.arm.boards import BOARDS, Board
from benchmarks.arm.counts import count
from benchmarks.arm.cycles import estimate
from benchmarks.arm.sysroot import Userland, peers, userland
from benchmarks.contenders import CONTENDERS, HALF_PRECISION, Contender, difference
from benchmarks.host import ENGINE
from edgepatho.errors import UserError
from edgepatho.progress import progress


def measure(folder: Path) -> list[dict[str, Any]]:
    """Count every contender on every board, on the files of `benchmarks.models`; return rows for arm.json."""
    system, site = userland(), peers()
    tasks = [(who, board) for board in BOARDS.values() for who in _running_on(board)]
    with tempfile.TemporaryDirectory() as scratch, progress("bench-arm", len(tasks)) as bar:
        path = (wheel.unpack(wheel.find(), Path(scratch) / "runtime"), site)

        def run(task: tuple[Contender, Board]) -> dict[str, Any]:
            row = _row(*task, system, path, folder, Path(scratch))
            bar.advance()
            return row

        # counts do not depend on how busy the machine is
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(run, tasks))


def _running_on(board: Board) -> tuple[Contender, ...]:
    return CONTENDERS + (HALF_PRECISION if board.has_fp16 else ())


def _row(
    who: Contender,
    board: Board,
    system: Userland,
    python_path: tuple[Path, ...],
    folder: Path,
    scratch: Path,
) -> dict[str, Any]:
    output = scratch / f"{who.engine}-{who.precision}-{board.cpu}.f32"
    arguments = ["python", str(ENGINE), who.engine, str(folder / who.model)]
    arguments += [str(folder / models.IMAGE), "1", who.precision, "1", "1", str(output)]
    counts = count(system, board, arguments, python_path=python_path, caches=True)
    cycles = estimate(counts, board.mca_cpu).cycles if board.mca_cpu else None
    record = json.loads(counts.output.splitlines()[-1])
    return {
        "engine": who.engine,
        "cpu": board.cpu,
        "precision": who.precision,
        "mcycles": cycles and round(cycles / 1e6, 2),
        "instructions": counts.instructions,
        "beyond_l2_bytes": counts.beyond_l2_bytes,
        "arena_bytes": record["arena_bytes"],
        "threads": 1,
        "file_bytes": who.file_bytes(folder),
        "model_sha256": who.sha256(folder),
        "difference_from_tensorflow": difference(who, output, folder),
        "version": record["version"],
        "board": board.model,
        "scheduling_model": board.mca_cpu,
    }


def as_table(rows: list[dict[str, Any]]) -> str:
    """Return the printed table: Mcycles, ratio to tflite-runtime fp32 on the same processor."""
    reference = {row["cpu"]: row["mcycles"] for row in rows if row["engine"] == "tflite-runtime"}
    header = ["engine", "precision", "cpu", "Mcycles", "ratio", "Minstructions", "MB beyond L2", "difference"]
    lines = []
    for row in rows:
        mcycles, peer = row["mcycles"], reference[row["cpu"]]
        cycles = [f"{mcycles:.0f}", f"{mcycles / peer:.3f}"] if mcycles else ["-", "-"]
        counted = [f"{row[key] / 1e6:.0f}" for key in ("instructions", "beyond_l2_bytes")]
        error = f"{row['difference_from_tensorflow']:.1e}"
        lines.append([row["engine"], row["precision"], row["cpu"], *cycles, *counted, error])
    return results.table(header, lines)


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=results.RESULTS / "arm.json")
def main(output: Path) -> None:
    """Estimate all engines on a Cortex-A72 and A76, count them on an A53; write the rows to OUTPUT."""
    try:
        with models.built() as folder:
            rows = measure(folder)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    results.save(rows, output)
    click.echo("PathoNet 256x256x3, one core, estimated compute cycles: no cache, DRAM or branch stalls")
    click.echo(as_table(rows))


if __name__ == "__main__":
    main()
