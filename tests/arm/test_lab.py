"""The lab itself: what it counts is what ran, and a wrong instruction is fatal on the older boards."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.arm.boards import BOARDS
from benchmarks.arm.counts import count
from benchmarks.arm.cycles import estimate
from benchmarks.arm.sysroot import Userland

pytestmark = pytest.mark.arm

PASSES = 1000


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory):
    """A function that assembles programs/<name>.S into an arm64 executable without a C library."""
    folder = tmp_path_factory.mktemp("programs")

    def assemble(name: str) -> str:
        source, executable = Path(__file__).parent / "programs" / f"{name}.S", folder / name
        zig = [sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-linux-none", "-nostdlib"]
        subprocess.run([*zig, "-o", str(executable), str(source)], check=True)
        return str(executable)

    return assemble


def test_instructions_are_counted_exactly_and_only_in_the_region(userland: Userland, program):
    counts = count(userland, BOARDS["a72"], [program("peak")])
    assert counts.instructions == 1 + PASSES * 18 + 3
    whole = count(userland, BOARDS["a72"], [program("peak")], region=False)
    assert whole.instructions == counts.instructions + 3 + 3
    assert count(userland, BOARDS["a72"], [program("peak")], threads=True).instructions == counts.instructions


@pytest.mark.parametrize(("cpu", "multiply_adds_per_cycle"), [("a72", 1), ("a76", 2)])
def test_cycles_meet_the_multipliers_of_the_core(userland, program, cpu, multiply_adds_per_cycle):
    board = BOARDS[cpu]
    cycles = estimate(count(userland, board, [program("peak")]), board.mca_cpu).cycles
    bound = PASSES * 16 / multiply_adds_per_cycle
    assert bound <= cycles <= 1.03 * bound


@pytest.mark.parametrize(("cpu", "latency_cycles"), [("a72", 5), ("a76", 3)])
def test_cycles_keep_dependencies(userland, program, cpu, latency_cycles):
    """FMUL latency: 5 in LLVM's A57 model, 3 in Arm's Neoverse N1 optimization guide."""
    board = BOARDS[cpu]
    cycles = estimate(count(userland, board, [program("chain")]), board.mca_cpu).cycles
    assert cycles == pytest.approx(PASSES * latency_cycles, rel=0.02)


def test_simulated_caches_see_every_line_once(userland: Userland, tmp_path: Path):
    """Reading 4 MiB twice misses a 1 MiB cache 2 x 65,536 times, give or take the interpreter's own."""
    script = tmp_path / "read.py"
    script.write_text(
        "import os\n"
        "data = bytes(1 << 22)\n"
        "for mark in (-1001, None, None, -1002):\n"
        "    if mark is None:\n"
        "        data.count(b'x')\n"
        "        continue\n"
        "    try:\n"
        "        os.close(mark)\n"
        "    except OSError:\n"
        "        pass\n"
    )
    counts = count(userland, BOARDS["a72"], ["python", str(script)], caches=True)
    assert 2 * 65536 <= counts.l2_misses <= 2.1 * 65536


@pytest.mark.parametrize("name", ["dot_product", "half_precision"])
@pytest.mark.parametrize(("cpu", "ending"), [("a53", -signal.SIGILL), ("a72", -signal.SIGILL), ("a76", 0)])
def test_an_instruction_that_a_board_has_not_is_fatal(userland, program, name, cpu, ending):
    assert userland.run(BOARDS[cpu], [program(name)]).returncode == ending


def test_each_board_sees_its_own_processor(userland, board):
    script = "print(open('/proc/cpuinfo').read()); import platform; print(platform.machine())"
    text = userland.run(board, ["python", "-c", script]).stdout
    assert board.identity[1] in text
    assert board.model in text
    assert text.endswith("aarch64\n")
