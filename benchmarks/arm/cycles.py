"""The estimated cycles of an arm64 program on a Cortex-A72 or A76.

QEMU counts how often each block of instructions ran, llvm-mca estimates the cycles of one pass through the
block when it follows itself (its steady state, dependencies kept), and the products are summed. This is the
compute of one core: no cache, TLB or DRAM stalls, no mispredicted branches. Use it to compare programs with
each other; it is not the time on a device and must not be divided by a number of threads.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass

from benchmarks.arm.counts import Block, InstructionCounts
from benchmarks.arm.tools import find_llvm
from edgepatho.errors import UserError

# Every feature of either processor, and those that a program may contain but never run.
FEATURES = "+v8.2a,+dotprod,+fullfp16,+lse,+crc,+crypto,+rcpc,+i8mm,+bf16,+sve"
TARGET = ("-triple=aarch64-linux-gnu", f"-mattr={FEATURES}")
SCHEDULED_SHARE = 0.999  # of the instructions that ran; the rest is assumed to be similar
SEPARATOR = bytes.fromhex("1f2b03d5")  # hint #0x58: does nothing, and no compiler emits it
BRANCH = re.compile(r"(b|bl|br|blr|ret|cbz|cbnz|tbz|tbnz|svc|brk|eret|b\.\w+|retaa|blraa\w*|braa\w*)$")


@dataclass(frozen=True)
class Run:
    """Straight-line code: one block, or several that QEMU split without a branch."""

    address: int
    count: int
    assembly: list[str]


@dataclass(frozen=True)
class Estimate:
    """Total cycles, and for each run: (cycles of one pass, the run)."""

    cycles: int
    runs: list[tuple[float, Run]]


def estimate(counts: InstructionCounts, mca_cpu: str) -> Estimate:
    """Return the estimated cycles of a counted program under LLVM's scheduling model `mca_cpu`."""
    total, covered, hot = counts.instructions, 0, []
    for block in sorted(counts.blocks, key=lambda block: -block.instructions * block.count):
        if covered >= SCHEDULED_SHARE * total:
            break
        covered += block.instructions * block.count
        hot.append(block)
    runs = _join(hot, _disassemble(hot))
    timed = list(zip(_schedule(runs, mca_cpu), runs, strict=True))
    cycles = sum(cycles * run.count for cycles, run in timed)
    return Estimate(round(cycles * total / covered) if covered else 0, timed)


def _disassemble(blocks: list[Block]) -> list[list[str]]:
    """Return the assembly lines of every block."""
    source = "".join(
        "[" + ",".join(f"0x{byte:02x}" for byte in code) + "]\n"
        for block in blocks
        for code in (block.code, SEPARATOR)
    )
    done = subprocess.run(
        [find_llvm("llvm-mc"), "--disassemble", *TARGET], input=source, capture_output=True, text=True
    )
    listings: list[list[str]] = [[]]
    for line in done.stdout.splitlines():
        text = line.split("//")[0].strip()
        if re.match(r"hint\s+#(0x58|88)$", text):
            listings.append([])
        elif text and not text.startswith("."):
            listings[-1].append(text)
    if len(listings) != len(blocks) + 1:
        raise UserError(f"llvm-mc lost {len(blocks) + 1 - len(listings)} blocks: {done.stderr[:500]}")
    return listings[:-1]


def _join(blocks: list[Block], listings: list[list[str]]) -> list[Run]:
    """Join each block that ends without a branch (a page's end, QEMU's limit) to the one that follows it."""
    at = {block.address: index for index, block in enumerate(blocks)}
    follower: dict[int, int] = {}
    for index, block in enumerate(blocks):
        cut = listings[index] and not BRANCH.match(listings[index][-1].split()[0])
        next_index = at.get(block.end)
        if cut and next_index is not None and blocks[next_index].count == block.count:
            follower[index] = next_index
    runs = []
    for index in sorted(set(range(len(blocks))) - set(follower.values())):
        assembly, last = list(listings[index]), index
        while last in follower:
            last = follower[last]
            assembly += listings[last]
        runs.append(Run(blocks[index].address, blocks[index].count, assembly))
    return runs


def _schedule(runs: list[Run], mca_cpu: str, iterations: int = 100) -> list[float]:
    """Return the cycles of one pass through each run when it follows itself."""
    source = "".join(
        f"# LLVM-MCA-BEGIN {index}\n" + "\n".join(run.assembly) + f"\n# LLVM-MCA-END {index}\n"
        for index, run in enumerate(runs)
        if run.assembly
    )
    options = ["-json", f"-iterations={iterations}", "-skip-unsupported-instructions=any"]
    options += ["-instruction-info=0", "-resource-pressure=0", f"-mcpu={mca_cpu}", "-m" + TARGET[0][1:]]
    done = subprocess.run(
        [find_llvm("llvm-mca"), *options, TARGET[1]], input=source, capture_output=True, text=True
    )
    if done.returncode:
        raise UserError(f"llvm-mca failed: {done.stderr[:500]}")
    cycles = [0.0] * len(runs)
    for region in json.loads(done.stdout)["CodeRegions"]:
        cycles[int(region["Name"])] = region["SummaryView"]["TotalCycles"] / iterations
    return cycles
