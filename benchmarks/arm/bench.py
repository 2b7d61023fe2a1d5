"""Estimated cycles and counted instructions of every engine on emulated Raspberry Pi processors.

    python -m benchmarks.arm.bench

Counts one inference after an uncounted one, on one thread, every engine in the same arm64 Python with the
board's /proc/cpuinfo, so that each chooses the kernels it would choose there. Cycles are the compute of one
core (see `benchmarks.arm.cycles`); the Cortex-A53 has only instructions. Nothing here is a wall time.

Every finished row is kept in the cache folder under a hash of what was counted, so an interrupted run goes
on where it stopped. A row that fails holds the reason and is measured again by the next run.
"""

from __future__ import annotations

import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from benchmarks import models, results
from benchmarks.arm import counts, cycles, wheel
from benchmarks.arm.boards import BOARDS, Board
from benchmarks.arm.sysroot import PEER_WHEELS, Userland, peers, userland
from benchmarks.arm.tools import find_llvm
from benchmarks.contenders import ARM, ARM_FP16, Contender, difference
from benchmarks.host import ENGINE
from benchmarks.peers import calibration
from edgepatho.errors import UserError
from edgepatho.progress import progress

# Everything that decides how a row is counted, apart from the engine and its file.
METHOD = (ENGINE, counts.SOURCE, Path(counts.__file__), Path(cycles.__file__))
PEERS = Path(calibration.__file__).parent
LOADERS = Path("edgepatho_runtime/bench/peers.py")  # in the wheel
COUNTED = (
    *("mcycles", "instructions", "beyond_l2_bytes", "beyond_l3_bytes", "arena_bytes", "file_bytes"),
    *("model_sha256", "difference_from_tensorflow", "version"),
)
# Emulation is slow, and of these three the Cortex-A53 would have only instructions.
NOT_ON_A53 = ("onnxruntime", "mnn", "openvino")


@dataclass(frozen=True)
class Lab:
    """What all rows share: the system, the guest's PYTHONPATH, the models, and a folder for outputs."""

    system: Userland
    wheel: Path
    python_path: tuple[Path, ...]
    models: Path
    scratch: Path


def measure(folder: Path) -> list[dict[str, Any]]:
    """Count every contender on every board, on the files of `benchmarks.models`; return rows for arm.json.

    Raises UserError if this project's own runtime cannot be counted.
    """
    tasks = [(who, board) for board in BOARDS.values() for who in _running_on(board)]
    with tempfile.TemporaryDirectory() as scratch, progress("bench-arm", len(tasks)) as bar:
        ours = wheel.find()
        python_path = (wheel.unpack(ours, Path(scratch) / "runtime"), peers())
        lab = Lab(userland(), ours, python_path, folder, Path(scratch))

        def run(task: tuple[Contender, Board]) -> dict[str, Any]:
            row = _row(*task, lab)
            bar.advance()
            return row

        # counts do not depend on how busy the machine is
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(run, tasks))


def _running_on(board: Board) -> tuple[Contender, ...]:
    if board.mca_cpu is None:
        return tuple(who for who in ARM if who.engine not in NOT_ON_A53)
    return ARM + (ARM_FP16 if board.has_fp16 else ())


def _row(who: Contender, board: Board, lab: Lab) -> dict[str, Any]:
    """Return the row of an engine on a board, counted now or by an earlier run."""
    known = {"engine": who.engine, "cpu": board.cpu, "precision": who.precision, "threads": 1}
    known |= {"board": board.model, "scheduling_model": board.mca_cpu, **who.network(lab.models)}
    error = who.unconverted(lab.models)
    if error is None:
        try:
            parts = _depends_on(who, board, lab)
            found: dict[str, Any] = results.kept("bench-arm", parts, lambda: _counted(who, board, lab))
            return known | found | {"error": None}
        except UserError as failure:
            if who.engine.startswith("edgepatho"):
                raise
            error = _sentence(str(failure))
    return known | dict.fromkeys(COUNTED) | {"error": error}


def _sentence(failure: str) -> str:
    """Return how a guest program ended and its last line, without the command and its paths."""
    ending, *lines = failure.split(" on an emulated ", 1)[-1].splitlines()
    return f"{ending.partition(':')[0]}: {lines[-1]}" if lines else ending


def _depends_on(who: Contender, board: Board, lab: Lab) -> list[bytes]:
    """Return all that a row depends on: engine and its package, file, board, userland, method."""
    if who.engine.startswith("edgepatho"):
        package = lab.wheel.read_bytes()
    else:
        package = "\n".join(PEER_WHEELS).encode() + (lab.python_path[0] / LOADERS).read_bytes()
    parts = [repr((who, board, lab.system.folder.name, find_llvm("llvm-mca"))).encode(), package]
    if who.engine in models.CONVERTERS:  # MNN gives every file a new identity
        parts += [(lab.models / name).read_bytes() for name in ("fp32.onnx", calibration.FILE)]
        parts += [(PEERS / f"{who.engine}.py").read_bytes(), version(who.package).encode()]
    else:
        parts.append(who.sha256(lab.models).encode())
    parts.append((lab.models / models.IMAGE).read_bytes())
    return parts + [file.read_bytes() for file in METHOD]


def _counted(who: Contender, board: Board, lab: Lab) -> dict[str, Any]:
    output = lab.scratch / f"{who.engine}-{who.precision}-{board.cpu}.f32"
    arguments = ["python", str(ENGINE), who.engine, str(lab.models / who.model)]
    arguments += [str(lab.models / models.IMAGE), "1", who.precision, "1", "1", str(output)]
    found = counts.count(lab.system, board, arguments, python_path=lab.python_path, caches=True)
    estimated = cycles.estimate(found, board.mca_cpu).cycles if board.mca_cpu else None
    record = json.loads(found.output)
    return {
        "mcycles": estimated and round(estimated / 1e6, 2),
        "instructions": found.instructions,
        "beyond_l2_bytes": found.beyond_l2_bytes,
        "beyond_l3_bytes": found.beyond_l3_bytes,
        "arena_bytes": record["arena_bytes"],
        "file_bytes": who.file_bytes(lab.models),
        "model_sha256": who.sha256(lab.models),
        "difference_from_tensorflow": difference(who, output, lab.models),
        "version": record["version"],
    }


def as_table(rows: list[dict[str, Any]]) -> str:
    """Return the printed table, with ratios to tflite-runtime fp32 on the same processor, and failures."""
    reference = {row["cpu"]: row["mcycles"] for row in rows if row["engine"] == "tflite-runtime"}
    header = ["engine", "precision", "cpu", "Mcycles", "ratio", "Minstructions", "MB beyond L2", "L3"]
    header += ["difference", "version"]
    lines = []
    for row in rows:
        if row["error"]:
            continue
        mcycles, peer = row["mcycles"], reference.get(row["cpu"])
        figures = [f"{mcycles:.0f}" if mcycles else "-", f"{mcycles / peer:.3f}" if mcycles and peer else "-"]
        for key in ("instructions", "beyond_l2_bytes", "beyond_l3_bytes"):
            figures.append(f"{row[key] / 1e6:.0f}" if row.get(key) is not None else "-")
        figures += [f"{row['difference_from_tensorflow']:.1e}", row["version"]]
        lines.append([row["engine"], row["precision"], row["cpu"], *figures])
    failures = [
        f"{row['engine']} {row['precision']} on {row['cpu']}: {row['error']}" for row in rows if row["error"]
    ]
    return "\n".join([results.table(header, lines), *failures])


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
