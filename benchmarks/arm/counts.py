"""How often every block of an arm64 program ran: QEMU with the plugin block_counts.c."""

from __future__ import annotations

import hashlib
import re
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arm.boards import Board
from benchmarks.arm.sysroot import Userland
from benchmarks.arm.tools import cache, find
from edgepatho.errors import UserError
from edgepatho.files import write_aside

SOURCE = Path(__file__).with_name("block_counts.c")
CACHE_LINE_BYTES = 64


@dataclass(frozen=True)
class Block:
    """A straight-line sequence of instructions and how often it ran."""

    address: int
    instructions: int
    count: int
    code: bytes

    @property
    def end(self) -> int:
        return self.address + len(self.code)


@dataclass(frozen=True)
class Mapping:
    """A mapped part of a file, from /proc/self/maps."""

    start: int
    end: int
    offset: int
    path: str


@dataclass(frozen=True)
class InstructionCounts:
    """Blocks that ran, file mappings, the program's output, and bytes beyond the simulated L2 and L3."""

    blocks: list[Block]
    mappings: list[Mapping]
    output: str
    beyond_l2_bytes: int | None = None
    beyond_l3_bytes: int | None = None

    @property
    def instructions(self) -> int:
        return sum(block.instructions * block.count for block in self.blocks)


def count(
    userland: Userland,
    board: Board,
    arguments: list[str],
    *,
    python_path: tuple[Path, ...] = (),
    region: bool = True,
    threads: bool = False,
    caches: bool = False,
) -> InstructionCounts:
    """Run an arm64 program on the processor of `board` and count its blocks.

    `region`: only between the guest's close(-1001) and close(-1002). `threads`: exact with several
    threads. `caches`: also simulate the board's data caches (slower). Raises UserError if
    the program fails.
    """
    with tempfile.TemporaryDirectory(prefix="block_counts.") as folder:
        options = [str(plugin()), f"out={folder}/record"]
        options += ["region=on"] * region + ["atomic=on"] * threads + [board.caches] * caches
        done = userland.run(board, arguments, python_path=python_path, plugin=",".join(options))
        if done.returncode:
            raise UserError(
                f"{' '.join(arguments)} on an emulated {board.qemu_cpu} {_ending(done.returncode)}: "
                f"{done.stderr.strip()[-600:]}"
            )
        text = "".join(record.read_text() for record in Path(folder).glob("record.*"))
    return _parse(text, done.stdout)


def plugin() -> Path:
    """Return the plugin, compiled for this machine and kept in the cache under a hash of its source."""
    key = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]
    library = cache() / f"block_counts-{key}.so"
    if not library.exists():
        flags = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread"]
        with write_aside(library) as aside:
            done = subprocess.run(
                [find("gcc"), *flags, "-o", str(aside), str(SOURCE)], capture_output=True, text=True
            )
            if done.returncode:
                raise UserError(f"{SOURCE} does not compile: {done.stderr.strip()[-600:]}")
    return library


def _ending(code: int) -> str:
    return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _parse(text: str, output: str) -> InstructionCounts:
    blocks, mappings = [], []
    beyond = {}
    for line in text.splitlines():
        kind, fields = line[0], line[2:].split()
        if kind == "B":
            address, instructions, times, code = fields
            blocks.append(Block(int(address, 16), int(instructions), int(times), bytes.fromhex(code)))
        elif kind == "C":
            level, *lines = map(int, fields)
            beyond[level] = sum(lines) * CACHE_LINE_BYTES
        elif mapped := re.match(r"M ([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ \d+ +(/.*)", line):
            start, end, offset = (int(value, 16) for value in mapped.groups()[:3])
            mappings.append(Mapping(start, end, offset, mapped[4]))
    mappings.sort(key=lambda mapping: mapping.start)
    return InstructionCounts(blocks, mappings, output, beyond.get(2), beyond.get(3))
