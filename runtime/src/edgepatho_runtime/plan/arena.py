"""Memory layout: one arena, whose space maps and transformed weights share over time."""

from __future__ import annotations

from edgepatho_runtime.plan.geometry import Isa, ceil_div, elements_of, is_convolution, resident_elements
from edgepatho_runtime.plan.steps import Map, Step
from edgepatho_runtime.plan.stream import Task

ALIGNMENT = 32  # elements, EP_ALIGNMENT in core.h


def lay_out(
    steps: list[Step], maps: list[Map], tasks: list[Task], isa: Isa
) -> tuple[dict[Step, tuple[int, int]], int]:
    """Set every map's offset; return (offset, elements) of each convolution's transformed weights or inputs,
    and the size of the arena.

    Largest first, each at the lowest offset that is free during its lifetime (Pisarchyk and Lee, "Efficient
    Memory Management for Deep Neural Net Inference", 2020, greedy by size). Largest by size or by size times
    lifetime, whichever takes less.
    """
    life: dict[
        Map | Step, tuple[int, int]
    ] = {}  # first and last task; a step stands for its transformed data
    for time, task in enumerate(tasks):
        step = steps[task.step]
        used = [*step.reads, step.output] if task.part != "weights" else []
        things: list[Map | Step] = [step, *used]
        for thing in things:
            life[thing] = (life.get(thing, (time, time))[0], time)
    convolutions = [step for step in steps if is_convolution(step)]
    size: dict[Map | Step, int] = {m: elements_of(m) for m in maps}
    size |= {step: resident_elements(step, isa) for step in convolutions}

    def placed(order: list[Map | Step]) -> dict[Map | Step, int]:
        place: dict[Map | Step, int] = {}
        for thing in order:
            begin, end = life[thing]
            busy = sorted(
                (place[other], place[other] + size[other])
                for other in place
                if life[other][0] <= end and begin <= life[other][1]
            )
            at = 0
            for low, high in busy:
                if low - at >= size[thing]:
                    break
                at = max(at, ceil_div(high, ALIGNMENT) * ALIGNMENT)
            place[thing] = at
        return place

    def height(place: dict[Map | Step, int]) -> int:
        return max(place[thing] + size[thing] for thing in place)

    by_size = sorted(size, key=lambda thing: (-size[thing], life[thing]))
    by_area = sorted(by_size, key=lambda thing: -size[thing] * (life[thing][1] - life[thing][0] + 1))
    place = min(placed(by_size), placed(by_area), key=height)
    for m in maps:
        m.offset = place[m]
    return {step: (place[step], size[step]) for step in convolutions}, height(place)
