"""The lab itself: it counts what ran, and an unsupported instruction is fatal on the older boards."""

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
LINES = (1 << 22) // 64


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
def test_cycles_agree_with_the_multipliers_of_the_core(userland, program, cpu, multiply_adds_per_cycle):
    board = BOARDS[cpu]
    cycles = estimate(count(userland, board, [program("peak")]), board.mca_cpu).cycles
    bound = PASSES * 16 / multiply_adds_per_cycle
    assert bound <= cycles <= 1.03 * bound


@pytest.mark.parametrize(("cpu", "latency_cycles"), [("a72", 5), ("a76", 3)])
def test_cycles_respect_dependencies(userland, program, cpu, latency_cycles):
    """FMUL latency: 5 in LLVM's A57 model, 3 in Arm's Neoverse N1 optimization guide."""
    board = BOARDS[cpu]
    cycles = estimate(count(userland, board, [program("chain")]), board.mca_cpu).cycles
    assert cycles == pytest.approx(PASSES * latency_cycles, rel=0.02)


SWEEP = """
import contextlib, os
zeros, data = bytes({bytes}), bytearray({bytes})
view = memoryview(data)
for descriptor in (-1001, -1002):
    with contextlib.suppress(OSError):
        os.close(descriptor)
    if descriptor == -1001:
        for _ in range({passes}):
            {statement}
"""


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        ("data.count(0)", 2 * LINES),  # fetched in each of two passes
        ("view[:] = zeros", 2 * 3 * LINES),  # both fetched, one of them written back
    ],
)
def test_what_crosses_the_simulated_cache(userland: Userland, tmp_path: Path, statement, lines):
    """Two passes over 4 MiB, four times the L2 of a Pi 4."""
    script = tmp_path / "passes.py"
    script.write_text(SWEEP.format(bytes=1 << 22, passes=2, statement=statement))
    counts = count(userland, BOARDS["a72"], ["python", str(script)], caches=True)
    assert 0.9 * lines * 64 <= counts.beyond_l2_bytes <= 1.1 * lines * 64
    assert counts.beyond_l3_bytes is None


def test_a_pi_5_has_an_l3(userland: Userland, tmp_path: Path):
    """Ten passes over 1 MiB: twice its L2, half its L3."""
    script = tmp_path / "passes.py"
    script.write_text(SWEEP.format(bytes=1 << 20, passes=10, statement="data.count(0)"))
    counts = count(userland, BOARDS["a76"], ["python", str(script)], caches=True)
    lines = (1 << 20) // 64
    assert 9 * lines * 64 <= counts.beyond_l2_bytes <= 11 * lines * 64
    assert counts.beyond_l3_bytes <= 1.5 * lines * 64


@pytest.mark.parametrize("name", ["dot_product", "half_precision"])
@pytest.mark.parametrize(("cpu", "ending"), [("a53", -signal.SIGILL), ("a72", -signal.SIGILL), ("a76", 0)])
def test_an_instruction_that_a_board_lacks_is_fatal(userland, program, name, cpu, ending):
    assert userland.run(BOARDS[cpu], [program(name)]).returncode == ending


def test_each_board_sees_its_own_processor(userland, board):
    script = "print(open('/proc/cpuinfo').read()); import platform; print(platform.machine())"
    text = userland.run(board, ["python", "-c", script]).stdout
    assert board.identity[1] in text
    assert board.model in text
    assert text.endswith("aarch64\n")
