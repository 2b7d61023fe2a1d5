"""Streaming: full-resolution maps are large and read once or twice. The steps of a streamed group take turns:
each computes just the rows that the later ones need for their next band, and the maps between them keep only
those rows, so that they stay in the cache.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from edgepatho_runtime.plan.geometry import (
    Isa,
    blocks_of,
    first_row_read,
    is_convolution,
    resident_elements,
    rows_done,
    rows_read,
    tile_grid,
    tile_rows_for,
)
from edgepatho_runtime.plan.steps import Map, Step

CACHE_BYTES = 896 * 1024  # of the 1 MB of a Raspberry Pi 4; the rest is for scratch
BANDS = (16, 8, 4)  # rows that a step of a group computes at a time; low ones would make several threads wait
AHEAD = 32  # rows by which a stage is ahead of the next one


class Task(NamedTuple):
    """A part of a step (EP_... in core.h, lower case) from item `begin` to `end`."""

    step: int
    part: str
    begin: int
    end: int


class Streamed(NamedTuple):
    """A streamed group: its tasks, the rows that each local map keeps, and the elements it takes in all."""

    tasks: list[Task]
    rings: dict[Map, int]
    elements: int


def stream(steps: list[Step], group: list[int], result_height: int, isa: Isa, threads: int) -> Streamed:
    """Stream the steps of `group` in the highest bands with which all of them stay in the cache.

    If there are none, they run in stages that do, each AHEAD rows ahead of the next: then the cache changes
    hands once for so many rows.
    """
    for band in BANDS if threads == 1 else BANDS[:1]:
        turns = Turns(steps, group, result_height, isa, band, [])
        if turns.streamed().elements * isa.element_bytes <= CACHE_BYTES:
            return turns.streamed()
    ends, used = [], 0
    for i, following in pairwise(group):
        used += turns.elements(i) * isa.element_bytes
        if used + resident_elements(steps[following], isa) * isa.element_bytes > CACHE_BYTES:
            ends.append(i)
            used = 0
    return Turns(steps, group, result_height, isa, band, ends).streamed()


class Turns:
    """A streamed group: tile rows done, rows that local maps keep, tasks. `ends`: last steps of stages."""

    def __init__(
        self, steps: list[Step], group: list[int], result_height: int, isa: Isa, band: int, ends: list[int]
    ) -> None:
        self.steps, self.group, self.isa, self.band, self.ends = steps, group, isa, band, ends
        self.rings = dict.fromkeys(local_maps(steps, group), 0)
        self.done = dict.fromkeys(group, 0)
        self.end = {i: tile_grid(steps[i])[0] for i in group}
        self.end |= {i: result_height for i in group if steps[i].operation == "result"}
        self.tasks = [
            Task(i, "weights", 0, blocks_of(steps[i], isa)) for i in group if is_convolution(steps[i])
        ]
        for i in reversed(group):
            if i == group[-1] or steps[i].output not in self.rings:
                self.compute(i, self.end[i])

    def compute(self, i: int, wanted: int) -> None:
        """Compute step i up to tile row `wanted`, band by band, each after what it needs of earlier steps."""
        step = self.steps[i]
        if self.done[i] < wanted and i in self.ends:
            wanted = max(wanted, self.after(i, AHEAD))
        while self.done[i] < wanted:
            rows = min(wanted, self.after(i, self.band))
            for read in step.reads:
                writer = self.writer_before(i, read)
                if writer is not None:
                    self.compute(writer, tile_rows_for(self.steps[writer], rows_read(step, read, rows)))
            part = "tiles" if is_convolution(step) else "rows"
            self.tasks.append(Task(i, part, self.done[i], rows))
            self.done[i] = rows
            self.keep(i)

    def after(self, i: int, rows: int) -> int:
        """The tile rows of step i after `rows` more rows at the resolution of the group."""
        step = self.steps[i]
        rows = rows // 2 if step.operation == "maxpool" else rows
        return min(self.end[i], tile_rows_for(step, rows_done(step, self.done[i]) + rows))

    def writer_before(self, i: int, m: Map) -> int | None:
        """The step of the group that last writes a map before step i reads it."""
        return next((j for j in reversed(self.group) if j < i and self.steps[j].output is m), None)

    def keep(self, writer: int) -> None:
        """Grow the ring that a step has just written so that it holds all rows its readers still need."""
        m = self.steps[writer].output
        if m in self.rings and self.steps[writer].operation != "result":
            readers = [i for i in self.group if m in self.steps[i].reads]
            first = min(first_row_read(self.steps[i], m, self.done[i]) for i in readers)
            rows = rows_done(self.steps[writer], self.done[writer]) - first
            self.rings[m] = min(m.height, max(self.rings[m], rows))

    def elements(self, i: int) -> int:
        """Elements of the transformed weights of step i and of the rows of its output that are kept."""
        step = self.steps[i]
        kept = self.rings.get(step.output, 0) * step.output.width * step.output.stored
        return kept + resident_elements(step, self.isa)

    def streamed(self) -> Streamed:
        return Streamed(self.tasks, self.rings, sum(self.elements(i) for i in self.group))


def local_maps(steps: list[Step], group: list[int]) -> list[Map]:
    """Maps that one step of the group writes and none outside it reads."""
    writers = [step for step in steps if step.operation != "result"]
    outside = [step for i, step in enumerate(steps) if i not in group]
    return [
        steps[i].output
        for i in group
        if steps[i] in writers
        and sum(step.output is steps[i].output for step in writers) == 1
        and not any(steps[i].output in step.reads for step in outside)
    ]
