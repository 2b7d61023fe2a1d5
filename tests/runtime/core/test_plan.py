"""The planner's promises: nothing overlaps while live, and every step is done exactly once."""

from __future__ import annotations

import pytest
from random_network import Builder, random_network

from edgepatho_runtime import plan
from edgepatho_runtime.plan import geometry

ISA = geometry.Isa("neon", 4, 8, 4)


def planned(b: Builder) -> plan.Plan:
    return plan.build(b.graph(), b.tensors(), *b.shapes["image"][:2], ISA)


@pytest.mark.parametrize("seed", range(30))
def test_nothing_overlaps_while_live(seed):
    p = planned(random_network(seed, (32, 40)))
    spans: dict[object, list[int]] = {}
    places: dict[object, tuple[int, int]] = {}
    for time, task in enumerate(p.tasks):
        step = p.steps[task.step]
        things: list[tuple[object, int, int]] = []
        if task.part != "weights":
            for m in (step.output, *step.reads):
                things.append((m, m.offset, m.rows * m.width * m.stored))
        if step in p.residents:
            things.append((step, *p.residents[step]))
        for thing, offset, size in things:
            spans.setdefault(thing, []).append(time)
            places[thing] = (offset, offset + size)
            assert 0 <= offset <= offset + size <= p.arena_elements
    for one in spans:
        for other in spans:
            together = max(spans[one][0], spans[other][0]) <= min(spans[one][-1], spans[other][-1])
            if one is not other and together:
                assert places[one][1] <= places[other][0] or places[other][1] <= places[one][0]


def test_every_step_is_done_once_from_its_first_item_to_its_last():
    p = planned(random_network(5, (64, 48), length=20))
    done: dict[tuple[int, str], int] = {}
    for task in p.tasks:
        assert task.begin == done.get((task.step, task.part), 0)
        assert task.end > task.begin
        done[task.step, task.part] = task.end
    for i, step in enumerate(p.steps):
        if step.operation == "result":
            assert done[i, "rows"] == p.result_shape[0]


def test_the_table_names_every_node_of_the_rewritten_graph_once():
    b = Builder(1, (32, 32))
    b.conv(b.activation(b.conv(b.plus(b.conv("image", 8), b.conv("image", 8, 3, 2)), 8)), 3, 1)
    rows = planned(b).table()
    named = [name for row in rows for name in row.step.split()]
    assert sorted(named) == sorted(["image", "result", *(node["name"] for node in b.nodes)])
    assert all(row.macs >= 0 and row.output_bytes > 0 and row.scratch_bytes >= 0 for row in rows)
    (last,) = [row for row in rows if row.operation == "pointwise"]
    assert last.macs == 32 * 32 * 8 * 4  # three outputs are computed as a vector of four


def test_a_concatenation_that_only_convolutions_read_takes_no_memory():
    b = Builder(2, (16, 16))
    b.conv(b.concat(b.conv("image", 8), b.conv("image", 16)), 3)
    assert {row.operation for row in planned(b).table()} == {"image", "winograd", "result"}


def test_transformed_inputs_are_kept_in_parts_that_fit_the_cache():
    b = Builder(3, (32, 32))
    b.conv(b.conv("image", 128), 128, 3, 4)
    p = planned(b)
    (step,) = [i for i, step in enumerate(p.steps) if step.dilation == 4]
    assert [task[1:] for task in p.tasks if task.step == step] == [
        ("inputs", 0, 4), ("blocks", 0, 4), ("inputs", 4, 8), ("blocks", 4, 8),
    ]  # fmt: skip
    assert p.residents[p.steps[step]][1] * ISA.element_bytes == 36 * 128 * 32 * 4 <= geometry.KEPT_BYTES
