"""The runtime against Keras on synthetic test tiles: every instruction set, processor and thread count.

    python -m benchmarks.parity.matrix

It compares heat maps (largest difference over the output's maximum), cells (one to one), each patient's Ki-67
index and, between thread counts, the bits of the output. Half precision runs where the processor supports it;
it rounds more, so its rows show its differences, but only bit-identity is required of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np

from benchmarks import results
from benchmarks.arm import wheel
from benchmarks.arm.boards import BOARDS, Board
from benchmarks.arm.sysroot import Userland, userland
from benchmarks.parity import differences
from edgepatho.errors import UserError
from edgepatho.progress import progress

WORKER = Path(__file__).with_name("worker.py")
TILES = 20
THREADS = (1, 2, 3, 4)
FP16_THREADS = (1, 4)  # emulators compute half precision in software, several times slower
TOLERANCE = 1e-5  # of the output's maximum


@dataclass(frozen=True)
class Emulated:
    """A board of the ARM lab with the unpacked wheel."""

    board: Board
    system: Userland
    site: Path
    precision: str = "fp32"

    @property
    def name(self) -> str:
        return self.board.qemu_cpu

    def run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        return self.system.run(self.board, ["python", *arguments], python_path=(self.site,))


@dataclass(frozen=True)
class Host:
    """This machine, with one instruction set."""

    isa: str
    precision: str = "fp32"

    @property
    def name(self) -> str:
        return "host"

    def run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"EDGEPATHO_ISA": self.isa}
        return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment)


@dataclass(frozen=True)
class Parity:
    """The comparison for one processor and number of threads; `cells_that_differ` counts both directions."""

    processor: str
    level: str
    precision: str
    threads: int
    tiles: int
    cells: int
    largest_difference: float
    cells_that_differ: int
    largest_ki67_change_points: float
    same_bits_as_one_thread: bool

    @property
    def good(self) -> bool:
        """Whether this row holds what is promised: exact cells in fp32, bit-identical output everywhere."""
        exact = self.largest_difference <= TOLERANCE and not self.cells_that_differ
        return (exact or self.precision == "fp16") and self.same_bits_as_one_thread and self.cells > 0


@contextmanager
def reference(tiles: int) -> Iterator[Path]:
    """Yield a folder with bundle, tiles and Keras' answers, made by `benchmarks.parity.reference`."""
    with tempfile.TemporaryDirectory(prefix="edgepatho-parity.") as folder:
        command = [sys.executable, "-m", "benchmarks.parity.reference", folder, str(tiles)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"Keras' answers could not be computed: {done.stderr.strip()[-600:]}")
        yield Path(folder)


def compare(place: Emulated | Host, folder: Path, threads: tuple[int, ...]) -> list[Parity]:
    """Run all tiles of `folder` at `place` with each number of threads; bits are compared with the first."""
    expected_cells = json.loads((folder / "cells.json").read_text())
    patient_of = json.loads((folder / "patients.json").read_text())
    tiles = sorted(folder.glob("*.rgb"))
    rows, first_bits = [], None
    for count in threads:
        with tempfile.TemporaryDirectory() as output:
            arguments = [str(WORKER), str(folder / "model.epb"), str(count), place.precision, output]
            done = place.run([*arguments, *map(str, tiles)])
            if done.returncode:
                raise UserError(
                    f"the runtime with {count} threads on {place.name} ended with {done.returncode}: "
                    f"{done.stderr.strip()[-600:]}"
                )
            answer = json.loads(done.stdout.splitlines()[-1])
            bits = [(Path(output) / f"{tile.stem}.f32").read_bytes() for tile in tiles]
        first_bits = first_bits or bits
        expected = [np.fromfile(tile.with_suffix(".expected"), np.float32) for tile in tiles]
        rows.append(
            Parity(
                processor=place.name,
                level=answer["isa"],
                precision=place.precision,
                threads=count,
                tiles=len(tiles),
                cells=sum(len(points) for tile in expected_cells for points in tile),
                largest_difference=differences.of_heat_maps(bits, expected),
                cells_that_differ=differences.of_cells(answer["cells"], expected_cells),
                largest_ki67_change_points=differences.of_ki67(answer["cells"], expected_cells, patient_of),
                same_bits_as_one_thread=bits == first_bits,
            )
        )
    return rows


def host_isas() -> list[str]:
    """Return the instruction sets that this machine can run, according to the installed runtime."""
    script = "from edgepatho_runtime.network import available_isas; print(*available_isas())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"the runtime is not installed in {sys.executable}: {done.stderr.strip()[-300:]}")
    return done.stdout.split()


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=results.RESULTS / "parity.json")
def main(output: Path) -> None:
    """Compare everything on 20 tiles; the table goes to stdout, the rows to OUTPUT."""
    try:
        with reference(TILES) as folder, tempfile.TemporaryDirectory() as scratch:
            site, system = wheel.unpack(wheel.find(), Path(scratch)), userland()
            places: list[Emulated | Host] = [Host(isa) for isa in host_isas()]
            places += [Emulated(board, system, site) for board in BOARDS.values()]
            places += [Emulated(board, system, site, "fp16") for board in BOARDS.values() if board.has_fp16]
            rows: list[Parity] = []
            with progress("parity", len(places)) as bar:
                for place in places:
                    rows += compare(place, folder, FP16_THREADS if place.precision == "fp16" else THREADS)
                    results.save([asdict(row) for row in rows], output)  # the next place takes minutes
                    bar.advance()
    except UserError as error:
        raise click.ClickException(str(error)) from error
    header = ["processor", "instruction set", "threads", "tiles", "cells", "difference", "other cells"]
    header += ["Ki-67 points", "same bits"]
    lines = []
    for row in rows:
        what = [row.processor, row.level, str(row.threads), str(row.tiles), str(row.cells)]
        how = [f"{row.largest_difference:.1e}", str(row.cells_that_differ)]
        how.append(f"{row.largest_ki67_change_points:.2f}")
        lines.append([*what, *how, str(row.same_bits_as_one_thread)])
    click.echo(results.table(header, lines))
    if not all(row.good for row in rows):
        raise click.ClickException("the runtime does not agree with Keras everywhere; see the table.")


if __name__ == "__main__":
    main()
