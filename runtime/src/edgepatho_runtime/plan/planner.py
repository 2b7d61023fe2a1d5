"""The plan: the core's steps for one image size, and their layout in one arena."""

from __future__ import annotations

from array import array
from typing import Any, NamedTuple

from edgepatho_runtime.plan.arena import lay_out
from edgepatho_runtime.plan.fuse import fuse
from edgepatho_runtime.plan.geometry import Isa, ceil_div, elements_of, multiplications
from edgepatho_runtime.plan.order import ordered
from edgepatho_runtime.plan.records import Pool, step_record
from edgepatho_runtime.plan.rewrite import Node, rewritten
from edgepatho_runtime.plan.schedule import schedule
from edgepatho_runtime.plan.steps import Map, Step
from edgepatho_runtime.plan.stream import Task

MAX_SIDE_PX = 4096
PARTS = ("weights", "inputs", "blocks", "tiles", "rows")  # ep_part in core.h


class Row(NamedTuple):
    """One line of the printed plan."""

    step: str  # the nodes that it computes
    operation: str
    shape: tuple[int, int, int]
    macs: int  # multiplications of the matrix products as computed
    output_bytes: int  # of the map, or of the rows kept
    scratch_bytes: int  # transformed weights or inputs


class Plan(NamedTuple):
    """Everything that the core needs besides an image; `weights` are views of the bundle's tensors.

    The records are the arrays of ep_map, ep_step and ep_task of core/include/edgepatho/core.h.
    """

    isa: Isa
    image_shape: tuple[int, int, int]
    divisor: float
    result_shape: tuple[int, int, int]
    steps: list[Step]
    tasks: list[Task]
    maps: list[Map]
    residents: dict[Step, tuple[int, int]]  # offset and elements of a convolution's transformed data
    arena_elements: int
    step_records: array[int]
    parameters: array[float]
    weights: list[memoryview]

    @property
    def map_records(self) -> array[int]:
        return array("q", [n for m in self.maps for n in (m.offset, m.height, m.width, m.stored, m.rows)])

    @property
    def task_records(self) -> array[int]:
        return array("q", [n for t in self.tasks for n in (t.step, PARTS.index(t.part), t.begin, t.end)])

    def table(self) -> list[Row]:
        """The steps in order, for people."""
        size = self.isa.element_bytes
        return [
            Row(
                step=" ".join(step.nodes),
                operation=f"{step.operation}/{step.dilation}" if step.dilation > 1 else step.operation,
                shape=(step.output.height, step.output.width, step.output.channels),
                macs=multiplications(step),
                output_bytes=elements_of(step.output) * size,
                scratch_bytes=self.residents.get(step, (0, 0))[1] * size,
            )
            for step in self.steps
        ]


def build(
    graph: dict[str, Any], tensors: dict[str, Any], height: int, width: int, isa: Isa, threads: int = 1
) -> Plan:
    """Plan a bundle's graph for images of height x width. ValueError if the network cannot take that size.

    Images whose sides are not multiples of `size_unit` are edge-padded, and the result is cropped.
    """
    if not (1 <= height <= MAX_SIDE_PX and 1 <= width <= MAX_SIDE_PX):
        raise ValueError(f"The image is {height} x {width} pixels, expected sides of 1 to {MAX_SIDE_PX}.")
    source = graph["input"]["name"]
    nodes = rewritten(graph["nodes"], graph["output"], source)
    unit = size_unit(nodes, source)
    channels = graph["input"]["channels"]
    image = Map(source, ceil_div(height, unit) * unit, ceil_div(width, unit) * unit, channels, isa.lanes)
    fused, result = fuse(nodes, image, isa.lanes, graph["output"])
    steps = ordered(fused, result)
    share_sums(steps, result)
    steps.append(Step("result", result, ["result"], [result]))

    same_size = (result.height, result.width) == (image.height, image.width)
    result_height, result_width = (height, width) if same_size else (result.height, result.width)
    tasks = schedule(steps, result_height, isa, threads)
    maps = list(dict.fromkeys(step.output for step in steps))
    residents, arena_elements = lay_out(steps, maps, tasks, isa)
    pool = Pool(tensors, isa)
    records = array("q")
    for step in steps:
        records.extend(step_record(step, maps, pool, residents.get(step, (0, 0))[0]))
    return Plan(
        isa=isa,
        image_shape=(height, width, channels),
        divisor=float(graph["input"]["divisor"]),
        result_shape=(result_height, result_width, result.channels),
        steps=steps,
        tasks=tasks,
        maps=maps,
        residents=residents,
        arena_elements=arena_elements,
        step_records=records,
        parameters=pool.parameters,
        weights=pool.weights,
    )


def size_unit(nodes: list[Node], image: str) -> int:
    """The unit of image sides: 2 to the power of nested maxpools if maps are enlarged again, else 1."""
    if not any(node["op"] == "upsample2_nearest" or node.get("enlarged") for node in nodes):
        return 1
    depth = {image: 0}
    for node in nodes:
        before = [depth[name] for name in node["inputs"]]
        depth[node["name"]] = max(before, default=0) + (node["op"] == "maxpool2")
    return int(2 ** max(depth.values()))


def share_sums(steps: list[Step], result: Map) -> None:
    """Let each step overwrite the map that it adds, if that has the same shape and no other reader."""
    for step in steps:
        added, output = step.add, step.output
        if added is None or step.add_enlarged or added.channels != output.channels or added is result:
            continue
        if added in step.sources or any(added in other.reads for other in steps if other is not step):
            continue
        for other in steps:
            if other.output is output:
                other.output = added
            other.sources = [added if source is output else source for source in other.sources]
            if other.add is output:
                other.add = added
