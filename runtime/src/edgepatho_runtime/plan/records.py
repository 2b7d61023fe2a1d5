"""Steps as the core reads them: ep_step of core/include/edgepatho/core.h, field by field."""

from __future__ import annotations

from array import array
from typing import Any

from edgepatho_runtime.plan.geometry import Isa, ceil_div
from edgepatho_runtime.plan.steps import MAX_SOURCES, Map, Step

NONE = -1  # EP_NONE
NIBBLES = 16  # EP_NIBBLES: values that the core reads from a codebook for 4-bit indices
OPERATIONS = ("image", "pointwise", "winograd", "upsampled", "elementwise", "maxpool", "copy", "result")
WEIGHT_KINDS = ("float32", "index4", "index8", "index16")


class Pool:
    """Parameters and weights, which steps refer to by index."""

    def __init__(self, tensors: dict[str, Any], isa: Isa) -> None:
        self.tensors, self.isa = tensors, isa
        self.parameters = array("f")
        self.weights: list[memoryview] = []
        self._indices: dict[tuple[str, int], int] = {}

    def number(self, value: float | None) -> int:
        """Return the index of a new parameter, NONE for None."""
        if value is None:
            return NONE
        self.parameters.append(value)
        return len(self.parameters) - 1

    def tensor(self, name: str, values: int = 0) -> int:
        """Index of a float tensor, padded with zeros to whole blocks for `values` values."""
        padded = ceil_div(values, self.isa.block) * self.isa.block
        if (name, padded) not in self._indices:
            tensor = array("f")
            tensor.frombytes(self.tensors[name].data)
            self._indices[name, padded] = len(self.parameters)
            self.parameters.extend(tensor)
            self.parameters.extend([0.0] * (padded - len(tensor)))
        return self._indices[name, padded]

    def constant(self, value: float, channels: int) -> int:
        """Index of one value repeated for every channel."""
        padded = ceil_div(channels, self.isa.block) * self.isa.block
        self.parameters.extend([value] * padded)
        return len(self.parameters) - padded

    def weight(self, step: Step) -> tuple[int, int, int, int]:
        """The fields weights, weight_kind, codebook and codebook_size."""
        if step.weights is None:
            return NONE, 0, NONE, 0
        kind, codebook, values = "float32", NONE, 0
        if step.codebook is not None:
            values = self.tensors[step.codebook].shape[0]
            kind = "index16" if values > 256 else "index8" if values > 16 else "index4"
            codebook = self.tensor(step.codebook, NIBBLES if kind == "index4" else 0)
        self.weights.append(self.tensors[f"{step.weights}.{'weight' if values == 0 else 'index'}"].data)
        return len(self.weights) - 1, WEIGHT_KINDS.index(kind), codebook, values


def step_record(step: Step, maps: list[Map], pool: Pool, resident: int) -> list[int]:
    """The fields of ep_step, in order."""
    at = {m: i for i, m in enumerate(maps)}
    sources = [at[source] for source in step.sources] + [NONE] * (MAX_SOURCES - len(step.sources))
    channels = [source.channels for source in step.sources] + [0] * (MAX_SOURCES - len(step.sources))
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
        NONE if step.operation == "result" else at[step.output],
        step.output.channels,
        step.output_start,
        step.dilation,
        *pool.weight(step),
        pool.tensor(f"{first}.scale", stored) if first else NONE,
        pool.tensor(f"{first}.shift", stored) if first else NONE,
        pool.number(step.slope),
        at[step.add] if step.add else NONE,
        int(step.add_enlarged),
        post_scale,
        post_shift,
        pool.number(step.post_slope),
        resident,
    ]
