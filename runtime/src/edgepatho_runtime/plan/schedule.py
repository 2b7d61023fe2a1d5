"""The schedule: which steps run whole, one after another, and which are streamed in bands of rows."""

from __future__ import annotations

from edgepatho_runtime.plan.geometry import (
    Isa,
    blocks_of,
    elements_of,
    is_convolution,
    keeps_inputs,
    resident_elements,
    rows_kept,
    tile_grid,
)
from edgepatho_runtime.plan.steps import Step
from edgepatho_runtime.plan.stream import CACHE_BYTES, Task, local_maps, stream


def schedule(steps: list[Step], result_height: int, isa: Isa, threads: int) -> list[Task]:
    """Return the tasks in order; sets `rows` of every map."""
    for step in steps:
        step.output.rows = step.output.height
    tasks: list[Task] = []
    for group in groups(steps, isa):
        streamed = stream(steps, group, result_height, isa, threads) if len(group) > 1 else None
        if streamed and streamed.elements < whole_elements(steps, group, isa):
            for m, rows in streamed.rings.items():
                m.rows = rows
            tasks += streamed.tasks
        else:
            for i in group:
                tasks += whole(i, steps[i], result_height, isa)
    return tasks


def groups(steps: list[Step], isa: Isa) -> list[list[int]]:
    """Split the steps into runs that could be streamed. A run ends where streaming does not pay: where the
    resolution changes, before the long reach of a dilated convolution, around a step that keeps its inputs,
    where the transformed weights, which every band needs again, would no longer fit into the cache.
    """
    runs: list[list[int]] = []
    weights = 0
    for i, step in enumerate(steps):
        before = steps[i - 1] if i else step
        cut = (
            keeps_inputs(step) or keeps_inputs(before)
            or before.operation == "maxpool" or step.operation == "upsampled"
            or step.dilation != before.dilation
            or step.operation == "copy" or before.operation == "copy"
            or weights + resident_elements(step, isa) * isa.element_bytes > CACHE_BYTES
        )  # fmt: skip
        if cut or not runs:
            runs.append([])
            weights = 0
        runs[-1].append(i)
        weights += resident_elements(step, isa) * isa.element_bytes
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
        peak = max(peak, resident_elements(steps[i], isa) + sum(elements_of(m) for m in alive))
    return peak
