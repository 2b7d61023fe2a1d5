"""The order of steps: each as late as it can be, one branch after the other."""

from edgepatho_runtime.plan.steps import Map, Step


def ordered(steps: list[Step], result: Map) -> list[Step]:
    """The steps that `result` needs, each as late as possible: right before the first that reads its map.

    Of what a step reads, the added map comes first and then what takes the most steps, so that a branch is
    finished before the next one begins and little waits meanwhile.
    """
    makers: dict[Map, list[Step]] = {}
    behind: dict[Map, int] = {}  # length of the longest chain of steps that ends in a map
    for step in steps:
        makers.setdefault(step.output, []).append(step)
        behind[step.output] = 1 + max((behind.get(source, 0) for source in step.reads), default=0)
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
            before = sorted(step.sources, key=lambda source: -behind[source])
            for needed in reversed([step.add, *before] if step.add else before):
                stack.extend((maker, False) for maker in reversed(makers[needed]))
    return done
