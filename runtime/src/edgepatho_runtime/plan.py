"""The plan: what the core does at one image size, step by step, and where everything lies in one arena.

The records at the end of this file mirror the structs of core/include/edgepatho/core.h field by field.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from edgepatho_runtime.fuse import CONVOLUTIONS, Fuser, Map, Step, ordered
from edgepatho_runtime.rewrite import Node, rewritten

ALIGNMENT = 32  # elements, EP_ALIGNMENT
CHUNK = 16  # tiles, as in core/src/network.h
NONE = -1

OPERATIONS = ("image", "pointwise", "winograd", "upsampled", "elementwise", "maxpool", "copy", "result")
WEIGHT_KINDS = ("float32", "index4", "index8", "index16")
PARTS = ("weights", "inputs", "blocks", "tiles", "rows")


class Form(NamedTuple):
    """How a convolution becomes matrix products: stored taps, planes of inputs, planes of weights and products."""

    taps: int
    input_planes: int
    planes: int


FORMS = {"pointwise": Form(1, 1, 1), "winograd": Form(9, 36, 36), "upsampled": Form(9, 9, 25)}


class Level(NamedTuple):
    """What the planner needs to know of an instruction-set level."""

    name: str
    lanes: int
    block: int
    element_bytes: int


class Task(NamedTuple):
    step: int
    part: str
    begin: int
    end: int


class Row(NamedTuple):
    """One line of the printed plan."""

    step: str  # the nodes that it computes
    operation: str
    shape: tuple[int, int, int]
    macs: int  # multiplications of the matrix products as they are done
    output_bytes: int  # of the map as it is kept
    scratch_bytes: int  # transformed weights or inputs


@dataclass
class Plan:
    """Everything that the core needs besides an image; `weights` are views of the bundle's tensors."""

    level: Level
    image_shape: tuple[int, int, int]
    result_shape: tuple[int, int, int]
    steps: list[Step]
    maps: list[Map]
    tasks: list[Task]
    residents: dict[int, tuple[int, int]]  # step -> (offset, elements)
    arena_elements: int
    divisor: float
    parameters: array[float] = field(repr=False)
    weights: list[memoryview] = field(repr=False)
    step_records: array[int] = field(repr=False)

    @property
    def map_records(self) -> array[int]:
        return array("q", [n for m in self.maps for n in (m.offset, m.height, m.width, m.stored, m.rows)])

    @property
    def task_records(self) -> array[int]:
        return array("q", [n for t in self.tasks for n in (t.step, PARTS.index(t.part), t.begin, t.end)])

    def table(self) -> list[Row]:
        """The steps in order, for people."""
        size = self.level.element_bytes
        return [
            Row(
                step=" ".join(step.nodes),
                operation=f"{step.operation}/{step.dilation}" if step.dilation > 1 else step.operation,
                shape=(step.output.height, step.output.width, step.output.channels),
                macs=macs(step, self.level),
                output_bytes=step.output.rows * step.output.width * step.output.stored * size,
                scratch_bytes=self.residents.get(i, (0, 0))[1] * size,
            )
            for i, step in enumerate(self.steps)
        ]


def build(
    graph: dict[str, Any], tensors: dict[str, Any], height: int, width: int, level: Level
) -> Plan:
    """Plan a bundle's graph for images of height x width. ValueError if the network cannot take that size."""
    if not (1 <= height <= 4096 and 1 <= width <= 4096):
        raise ValueError(f"The image is {height} x {width} pixels; sides are 1 to 4096.")
    nodes = rewritten(graph["nodes"], graph["output"])
    unit = size_unit(nodes)
    image = Map("image", -(-height // unit) * unit, -(-width // unit) * unit, graph["input"]["channels"], 0)
    image.stored = -(-image.channels // level.lanes) * level.lanes
    fuser = Fuser(nodes, image, level.lanes, graph["output"])
    steps = ordered(fuser.steps, fuser.result)
    result = fuser.result
    share_sums(steps, result)

    crop = (result.height, result.width) == (image.height, image.width)
    shape = (height, width, result.channels) if crop else (result.height, result.width, result.channels)
    steps.append(Step("result", result, [result], nodes=["result"]))
    maps = list({id(step.output): step.output for step in steps}.values())
    for m in maps:
        m.rows = m.height
    tasks = [task for i, step in enumerate(steps) for task in tasks_of(i, step, shape[0], level)]
    residents, arena_elements = lay_out(steps, maps, tasks, level)
    pool = Pool(tensors, level)
    records = array("q")
    for i, step in enumerate(steps):
        records.extend(step_record(step, maps, pool, residents.get(i, (0, 0))[0]))
    return Plan(
        level, (height, width, image.channels), shape, steps, maps, tasks, residents, arena_elements,
        float(graph["input"]["divisor"]), pool.parameters, pool.weights, records,
    )  # fmt: skip


def size_unit(nodes: list[Node]) -> int:
    """What the sides of an image must be multiples of: 2 for each maxpool on the way, if maps are enlarged again."""
    if not any(node["op"] == "upsample2_nearest" or node.get("enlarged") for node in nodes):
        return 1
    depth = {"image": 0}
    for node in nodes:
        depth[node["name"]] = max(depth[name] for name in node["inputs"]) + (node["op"] == "maxpool2")
    return int(2 ** max(depth.values()))


def share_sums(steps: list[Step], result: Map) -> None:
    """A step writes over the map that it adds, where that map has the same shape and no later reader."""
    for i, step in enumerate(steps):
        added, output = step.add, step.output
        if added is None or step.add_enlarged or added.channels != output.channels or added is result:
            continue
        if added in step.sources or any(added in later.reads for later in steps[i + 1 :]):
            continue
        for other in steps:
            if other.output is output:
                other.output = added
            other.sources = [added if source is output else source for source in other.sources]
            if other.add is output:
                other.add = added


# ---- geometry, as in core/src/bind.c ----


def tiles_along(extent: int, dilation: int) -> int:
    rest = extent % (4 * dilation)
    return extent // (4 * dilation) * dilation + min(rest, dilation)


def tile_grid(step: Step) -> tuple[int, int]:
    """Rows of tiles, tiles in a row."""
    out = step.output
    if step.operation == "winograd":
        return tiles_along(out.height, step.dilation), tiles_along(out.width, step.dilation)
    if step.operation == "upsampled":
        return (out.height + 4) // 4, (out.width + 4) // 4
    return out.height, out.width


def depth_of(step: Step) -> int:
    return sum(source.stored for source in step.sources)


def blocks_of(step: Step, level: Level) -> int:
    return -(-step.output.channels // level.block)


def keeps_inputs(step: Step) -> bool:
    """Whether all transformed inputs are held while the weights pass by, or the other way round: the smaller one."""
    rows, columns = tile_grid(step)
    return rows * columns <= step.output.channels


def resident_elements(step: Step, level: Level) -> int:
    form, (rows, columns) = FORMS[step.operation], tile_grid(step)
    if keeps_inputs(step):
        return form.input_planes * depth_of(step) * (-(-rows * columns // CHUNK) * CHUNK)
    return form.planes * depth_of(step) * blocks_of(step, level) * level.block


def macs(step: Step, level: Level) -> int:
    if step.operation not in CONVOLUTIONS:
        return 0
    rows, columns = tile_grid(step)
    return rows * columns * FORMS[step.operation].planes * depth_of(step) * blocks_of(step, level) * level.block


def tasks_of(i: int, step: Step, result_height: int, level: Level) -> Iterable[Task]:
    if step.operation in CONVOLUTIONS:
        rows, blocks = tile_grid(step)[0], blocks_of(step, level)
        if keeps_inputs(step):
            return Task(i, "inputs", 0, rows), Task(i, "blocks", 0, blocks)
        return Task(i, "weights", 0, blocks), Task(i, "tiles", 0, rows)
    if step.operation == "result":
        return (Task(i, "rows", 0, result_height),)
    return (Task(i, "rows", 0, (step.sources[0] if step.operation == "copy" else step.output).height),)


# ---- the arena ----


def lay_out(
    steps: list[Step], maps: list[Map], tasks: list[Task], level: Level
) -> tuple[dict[int, tuple[int, int]], int]:
    """Give every map and every step's transformed weights or inputs a place; two may share it at different times.

    Returns the places of the latter and the size of the arena. The largest go first, each to the lowest free place
    (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020, greedy by size).
    """
    life: dict[object, tuple[int, int]] = {}
    for time, task in enumerate(tasks):
        step = steps[task.step]
        used = [*step.reads, step.output] if task.part != "weights" else []
        for thing in [*map(id, used), task.step]:
            life[thing] = (life.get(thing, (time, 0))[0], time)
    size: dict[object, int] = {id(m): m.rows * m.width * m.stored for m in maps}
    size |= {i: resident_elements(step, level) for i, step in enumerate(steps) if step.operation in CONVOLUTIONS}

    place: dict[object, int] = {}
    for thing in sorted(size, key=lambda thing: (-size[thing], life[thing])):
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
            at = max(at, -(-high // ALIGNMENT) * ALIGNMENT)
        place[thing] = at
    for m in maps:
        m.offset = place[id(m)]
    residents = {i: (place[i], size[i]) for i, step in enumerate(steps) if step.operation in CONVOLUTIONS}
    return residents, max(place[thing] + size[thing] for thing in place)


# ---- records ----


class Pool:
    """Parameters and weights that steps refer to by number."""

    def __init__(self, tensors: dict[str, Any], level: Level) -> None:
        self.tensors, self.level = tensors, level
        self.parameters = array("f")
        self.weights: list[memoryview] = []
        self._places: dict[tuple[str, int], int] = {}

    def number(self, value: float | None) -> int:
        if value is None:
            return NONE
        self.parameters.append(value)
        return len(self.parameters) - 1

    def tensor(self, name: str, channels: int = 0) -> int:
        """Place of a float tensor, followed by zeros up to whole blocks of `channels`."""
        padded = -(-channels // self.level.block) * self.level.block
        if (name, padded) not in self._places:
            values = array("f")
            values.frombytes(self.tensors[name].data)
            self._places[name, padded] = len(self.parameters)
            self.parameters.extend(values)
            self.parameters.extend([0.0] * (padded - len(values)))
        return self._places[name, padded]

    def constant(self, value: float, channels: int) -> int:
        self.parameters.extend([value] * (-(-channels // self.level.block) * self.level.block))
        return len(self.parameters) - -(-channels // self.level.block) * self.level.block

    def weight(self, step: Step) -> tuple[int, int, int, int]:
        """Fields weights, weight_kind, codebook, codebook_size."""
        if step.weights is None:
            return NONE, 0, NONE, 0
        kind, codebook, values = "float32", NONE, 0
        if step.codebook is not None:
            values = self.tensors[step.codebook].shape[0]
            kind = "index16" if values > 256 else "index8" if values > 16 else "index4"
            codebook = self.tensor(step.codebook)
        self.weights.append(self.tensors[f"{step.weights}.{'weight' if values == 0 else 'index'}"].data)
        return len(self.weights) - 1, WEIGHT_KINDS.index(kind), codebook, values


def step_record(step: Step, maps: list[Map], pool: Pool, resident: int) -> list[int]:
    """The fields of ep_step, in order."""
    at = {id(m): i for i, m in enumerate(maps)}
    sources = [at[id(source)] for source in step.sources] + [NONE] * (4 - len(step.sources))
    channels = [source.channels for source in step.sources] + [0] * (4 - len(step.sources))
    stored = step.output.stored
    first = step.weights or step.affine
    post_scale = post_shift = NONE
    if step.post is not None:
        post_scale, post_shift = (pool.tensor(f"{step.post}.{part}", stored) for part in ("scale", "shift"))
    elif step.post_slope is not None:
        post_scale, post_shift = pool.constant(1, stored), pool.constant(0, stored)
    return [
        OPERATIONS.index(step.operation),
        *sources,
        *channels,
        int(step.enlarged),
        NONE if step.operation == "result" else at[id(step.output)],
        step.output.channels,
        step.output_start,
        step.dilation,
        *pool.weight(step),
        pool.tensor(f"{first}.scale", stored) if first else NONE,
        pool.tensor(f"{first}.shift", stored) if first else NONE,
        pool.number(step.slope),
        at[id(step.add)] if step.add else NONE,
        int(step.add_enlarged),
        post_scale,
        post_shift,
        pool.number(step.post_slope),
        resident,
    ]
