"""Sizes of steps: tiles, products, and which rows a step writes and reads. The core's twin is geometry.h."""

from __future__ import annotations

from typing import NamedTuple

from edgepatho_runtime.plan.steps import CONVOLUTIONS, Map, Step

CHUNK = 16  # tiles, as in core/src/geometry.h
# Of transformed inputs: with a block's weights and products they fit into 1 MB of cache.
KEPT_BYTES = 640 * 1024
KEPT_CHUNKS = 2  # at least, because the weights are decoded for every part


class Isa(NamedTuple):
    """What the planner needs to know of an instruction set."""

    name: str
    lanes: int
    block: int
    element_bytes: int


class Form(NamedTuple):
    """How a convolution becomes matrix products: taps, input planes, planes of weights and products."""

    taps: int
    input_planes: int
    planes: int


FORMS = {"pointwise": Form(1, 1, 1), "winograd": Form(9, 36, 36), "upsampled": Form(9, 9, 25)}


def ceil_div(value: int, unit: int) -> int:
    """Return value / unit, rounded up."""
    return -(-value // unit)


def is_convolution(step: Step) -> bool:
    """Whether the step multiplies transformed weights and inputs."""
    return step.operation in CONVOLUTIONS


def tiles_along(extent: int, dilation: int) -> int:
    """Tiles of 4 outputs, `dilation` apart, that cover `extent` outputs in all phases."""
    rest = extent % (4 * dilation)
    return extent // (4 * dilation) * dilation + min(rest, dilation)


def tile_grid(step: Step) -> tuple[int, int]:
    """Rows of tiles and tiles per row; pixels for all but 3x3 convolutions."""
    out = step.output
    if step.operation == "winograd":
        return tiles_along(out.height, step.dilation), tiles_along(out.width, step.dilation)
    if step.operation == "upsampled":
        return (out.height + 4) // 4, (out.width + 4) // 4
    if step.operation == "copy":
        return step.sources[0].height, step.sources[0].width
    return out.height, out.width


def depth_of(step: Step) -> int:
    """Depth of the products: stored channels of all sources."""
    return sum(source.stored for source in step.sources)


def blocks_of(step: Step, isa: Isa) -> int:
    """Return how many blocks of output channels the step has on `isa`."""
    return ceil_div(step.output.channels, isa.block)


def keeps_inputs(step: Step) -> bool:
    """Whether the transformed inputs are kept while weights stream through, rather than the reverse."""
    rows, columns = tile_grid(step)
    return is_convolution(step) and rows * columns <= step.output.channels


def rows_kept(step: Step, isa: Isa) -> int:
    """Rows of tiles whose transformed inputs are kept at a time, as equal parts as whole bands allow."""
    rows, columns = tile_grid(step)
    chunk_bytes = FORMS[step.operation].input_planes * depth_of(step) * CHUNK * isa.element_bytes
    chunks = max(KEPT_CHUNKS, KEPT_BYTES // chunk_bytes)
    parts = ceil_div(ceil_div(rows * columns, CHUNK), chunks)
    return min(rows, ceil_div(ceil_div(rows, parts), step.dilation) * step.dilation)


def resident_elements(step: Step, isa: Isa) -> int:
    """Elements of the transformed weights or inputs that are kept; 0 if the step has none."""
    if not is_convolution(step):
        return 0
    form, (_, columns) = FORMS[step.operation], tile_grid(step)
    if keeps_inputs(step):
        return form.input_planes * depth_of(step) * ceil_div(rows_kept(step, isa) * columns, CHUNK) * CHUNK
    return form.planes * depth_of(step) * blocks_of(step, isa) * isa.block


def multiplications(step: Step) -> int:
    """Multiplications of the matrix products, including padding channels."""
    if not is_convolution(step):
        return 0
    rows, columns = tile_grid(step)
    return rows * columns * FORMS[step.operation].planes * depth_of(step) * step.output.stored


def elements_of(m: Map) -> int:
    """Return the elements of a map: the rows kept, with stored channels."""
    return m.rows * m.width * m.stored


# ---- rows that a step writes and reads, as functions of the tile rows done ----


def rows_done(step: Step, tile_rows: int) -> int:
    """Output rows that are complete after `tile_rows` tile rows."""
    height = step.output.height
    if step.operation == "winograd":
        return min(height, 4 * step.dilation * ceil_div(tile_rows, step.dilation))
    if step.operation == "upsampled":
        return min(height, max(0, 4 * tile_rows - 1))
    return tile_rows


def tile_rows_for(step: Step, rows: int) -> int:
    """Fewest tile rows that complete `rows` output rows; a dilated convolution does all phases of a band."""
    if step.operation == "winograd":
        return min(tile_grid(step)[0], ceil_div(rows, 4 * step.dilation) * step.dilation)
    if step.operation == "upsampled":
        return min(tile_grid(step)[0], ceil_div(rows + 1, 4))
    return rows


def rows_read(step: Step, read: Map, tile_rows: int) -> int:
    """Rows of the input map `read` that must exist before `tile_rows` tile rows can be done."""
    needed = 0
    if read in step.sources:
        if step.operation == "winograd":
            needed = 4 * step.dilation * ceil_div(tile_rows, step.dilation) + step.dilation
        elif step.operation in ("upsampled", "maxpool"):
            needed = 2 * tile_rows
        else:
            needed = ceil_div(tile_rows, 2) if step.enlarged else tile_rows
    if read is step.add:
        rows = rows_done(step, tile_rows)
        needed = max(needed, ceil_div(rows, 2) if step.add_enlarged else rows)
    return min(needed, read.height)


def first_row_read(step: Step, read: Map, tile_rows: int) -> int:
    """First row of the input map `read` that is still needed from tile row `tile_rows` on."""
    first = read.height
    if read in step.sources:
        if step.operation == "winograd":
            first = 4 * step.dilation * (tile_rows // step.dilation) - step.dilation
        elif step.operation == "upsampled":
            first = 2 * tile_rows - 1
        elif step.operation == "maxpool":
            first = 2 * tile_rows
        else:
            first = tile_rows // 2 if step.enlarged else tile_rows
    if read is step.add:
        rows = rows_done(step, tile_rows)
        first = min(first, rows // 2 if step.add_enlarged else rows)
    return max(0, first)
