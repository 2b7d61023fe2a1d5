"""The schedule: which steps run whole, one after another, and which are streamed in bands of rows.

Full-resolution maps are large and read once or twice. The steps of a streamed group take turns: each computes
just the rows that the later ones need for their next band, and the maps between them keep only those rows.
"""

from __future__ import annotations

from typing import NamedTuple

from edgepatho_runtime.plan.geometry import (
    Isa,
    blocks_of,
    elements_of,
    first_row_read,
    is_convolution,
    keeps_inputs,
    resident_elements,
    rows_done,
    rows_kept,
    rows_read,
    tile_grid,
    tile_rows_for,
)
from edgepatho_runtime.plan.steps import Map, Step

BAND = 16  # rows that the last step of a group computes at a time


class Task(NamedTuple):
    """A part of a step (EP_... in core.h, lower case) from item `begin` to `end`."""

    step: int
    part: str
    begin: int
    end: int


def schedule(steps: list[Step], result_height: int, isa: Isa) -> list[Task]:
    """Return the tasks in order; sets `rows` of every map."""
    for step in steps:
        step.output.rows = step.output.height
    tasks: list[Task] = []
    for group in groups(steps):
        streamed = stream(steps, group, result_height, isa) if len(group) > 1 else None
        if streamed and streamed.elements < whole_elements(steps, group, isa):
            for m, rows in streamed.rings.items():
                m.rows = rows
            tasks += streamed.tasks
        else:
            for i in group:
                tasks += whole(i, steps[i], result_height, isa)
    return tasks


def groups(steps: list[Step]) -> list[list[int]]:
    """Split the steps into runs that could be streamed. A run ends where streaming does not pay: where the
    resolution changes, before the long reach of a dilated convolution, around a step that keeps its inputs.
    """
    runs: list[list[int]] = []
    for i, step in enumerate(steps):
        before = steps[i - 1] if i else step
        cut = (
            keeps_inputs(step) or keeps_inputs(before)
            or before.operation == "maxpool" or step.operation == "upsampled"
            or (step.dilation > 1 and before.dilation == 1)
            or step.operation == "copy" or before.operation == "copy"
        )  # fmt: skip
        if cut or not runs:
            runs.append([])
        runs[-1].append(i)
    return runs


def whole(i: int, step: Step, result_height: int, isa: Isa) -> list[Task]:
    """The tasks of a step that runs whole."""
    rows = tile_grid(step)[0]
    if not is_convolution(step):
        return [Task(i, "rows", 0, result_height if step.operation == "result" else rows)]
    if keeps_inputs(step):
        at_once = rows_kept(step, isa)
        bands = [(begin, min(rows, begin + at_once)) for begin in range(0, rows, at_once)]
        return [Task(i, part, *band) for band in bands for part in ("inputs", "blocks")]
    return [Task(i, "weights", 0, blocks_of(step, isa)), Task(i, "tiles", 0, rows)]


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


def whole_elements(steps: list[Step], group: list[int], isa: Isa) -> int:
    """Peak elements of a group whose steps run whole: live local maps and transformed weights."""
    local = local_maps(steps, group)
    peak = 0
    for at, i in enumerate(group):
        alive = [
            m
            for m in local
            if (
                any(steps[j].output is m for j in group[: at + 1])
                and any(m in steps[j].reads for j in group[at:])
            )
            or steps[i].output is m
        ]
        resident = resident_elements(steps[i], isa) if is_convolution(steps[i]) else 0
        peak = max(peak, resident + sum(elements_of(m) for m in alive))
    return peak


class Streamed(NamedTuple):
    """A streamed group: its tasks, the rows that each local map keeps, and the elements it takes in all."""

    tasks: list[Task]
    rings: dict[Map, int]
    elements: int


def stream(steps: list[Step], group: list[int], result_height: int, isa: Isa) -> Streamed:
    """Stream the steps of `group`, band by band of the last one's rows."""
    turns = Turns(steps, group, dict.fromkeys(local_maps(steps, group), 0))
    convolutions = [i for i in group if is_convolution(steps[i])]
    turns.tasks += [Task(i, "weights", 0, blocks_of(steps[i], isa)) for i in convolutions]
    end = {i: result_height if steps[i].operation == "result" else tile_grid(steps[i])[0] for i in group}
    last = group[-1]
    band = BAND // 2 if steps[last].operation == "maxpool" else BAND
    while turns.done[last] < end[last]:
        rows = rows_done(steps[last], turns.done[last]) + band
        turns.advance({last: min(end[last], tile_rows_for(steps[last], rows))})
    turns.advance({i: end[i] for i in group if steps[i].output not in turns.rings})
    elements = sum(rows * m.width * m.stored for m, rows in turns.rings.items())
    elements += sum(resident_elements(steps[i], isa) for i in convolutions)
    return Streamed(turns.tasks, turns.rings, elements)


class Turns:
    """The progress of a streamed group: tile rows done, rows that local maps keep, tasks so far."""

    def __init__(self, steps: list[Step], group: list[int], rings: dict[Map, int]) -> None:
        self.steps, self.group, self.rings = steps, group, rings
        self.done = dict.fromkeys(group, 0)
        self.tasks: list[Task] = []

    def advance(self, wanted: dict[int, int]) -> None:
        """Let every step do the tile rows that the steps in `wanted` need."""
        for at in reversed(range(len(self.group))):
            i = self.group[at]
            for read in self.steps[i].reads if wanted.get(i, 0) > self.done[i] else []:
                writer = self.writer_before(at, read)
                if writer is not None:
                    rows = rows_read(self.steps[i], read, wanted[i])
                    wanted[writer] = max(wanted.get(writer, 0), tile_rows_for(self.steps[writer], rows))
        for i in self.group:
            if wanted.get(i, 0) > self.done[i]:
                part = "tiles" if is_convolution(self.steps[i]) else "rows"
                self.tasks.append(Task(i, part, self.done[i], wanted[i]))
                self.done[i] = wanted[i]
                self.keep(i)

    def writer_before(self, at: int, m: Map) -> int | None:
        """The step of the group that last writes a map before its at-th step reads it."""
        return next((i for i in reversed(self.group[:at]) if self.steps[i].output is m), None)

    def keep(self, writer: int) -> None:
        """Grow the ring that a step has just written so that it holds all rows its readers still need."""
        m = self.steps[writer].output
        if m in self.rings and self.steps[writer].operation != "result":
            readers = [i for i in self.group if m in self.steps[i].reads]
            first = min(first_row_read(self.steps[i], m, self.done[i]) for i in readers)
            rows = rows_done(self.steps[writer], self.done[writer]) - first
            self.rings[m] = min(m.height, max(self.rings[m], rows))
