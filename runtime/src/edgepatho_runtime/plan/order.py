"""The order of steps: each as late as possible, one branch after another."""

from edgepatho_runtime.plan.steps import Map, Step


def ordered(steps: list[Step], result: Map) -> list[Step]:
    """The steps that `result` needs, each as late as possible: right before the first reader of its map.

    Of a step's inputs the added map comes first, then those with the longest chains: each branch is finished
    before the next begins, and few maps wait in memory.
    """
    makers: dict[Map, list[Step]] = {}
    depth: dict[Map, int] = {}  # length of the longest chain of steps that ends in a map
    for step in steps:
        makers.setdefault(step.output, []).append(step)
        depth[step.output] = 1 + max((depth.get(source, 0) for source in step.reads), default=0)
    done: list[Step] = []
    seen: set[Step] = set()
    stack: list[tuple[Step, bool]] = [(step, False) for step in reversed(makers[result])]
    while stack:
        step, complete = stack.pop()
        if complete:
            done.append(step)
        elif step not in seen:
            seen.add(step)
            stack.append((step, True))
            before = sorted(step.sources, key=lambda source: -depth[source])
            for needed in reversed([step.add, *before] if step.add else before):
                stack.extend((maker, False) for maker in reversed(makers[needed]))
    return done
