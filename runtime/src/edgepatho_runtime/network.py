"""A network ready to run: a bundle planned for one image size and number of threads."""

from __future__ import annotations

import os
from array import array
from typing import TYPE_CHECKING, Any

from edgepatho_runtime import _core, plan
from edgepatho_runtime.plan.geometry import Isa

if TYPE_CHECKING:
    from edgepatho_runtime.bundle import Bundle

ELEMENT_BYTES = {"fp32": 4, "fp16": 2}
MAX_THREADS = 16


class Network:
    """A bundle, planned for images of height x width.

    `plan` is what it computes, `isa` the instruction set used (EDGEPATHO_ISA forces one), `arena_bytes` the
    memory held: maps, transformed weights and the scratch of every thread.
    """

    def __init__(
        self, bundle: Bundle, height: int = 256, width: int = 256, threads: int = 1, precision: str = "fp32"
    ) -> None:
        """Raises ValueError for an invalid argument, before any work is done."""
        if not 1 <= threads <= MAX_THREADS:
            raise ValueError(f"{threads} threads given, expected 1 to {MAX_THREADS}.")
        isa = isa_for(precision)
        self.plan = plan.build(bundle.graph, bundle.tensors, height, width, isa, threads)
        self._core = _core.Core(self.plan, threads)
        self.isa = self.plan.isa.name
        self.arena_bytes: int = self._core.bytes_held

    def run(self, image: Any, out: Any = None, step_ns: Any = None) -> memoryview[Any]:
        """The network's output for one image: float32 [height, width, channels], or [1, 1, channels].

        `image` is any contiguous buffer of uint8 [height, width, 3]. `out`, if given, is a writable buffer of
        the result's size, and the result is a view of it. The nanoseconds that each step of `plan` takes are
        added to `step_ns`, if given, an array of uint64. Raises ValueError if a size is wrong.
        """
        shape = self.plan.result_shape
        if out is None:
            out = array("f", bytes(4 * shape[0] * shape[1] * shape[2]))
        self._core.run(image, out, step_ns)
        result: memoryview[Any] = memoryview(out)
        return result.cast("B").cast("f", shape)


def isa_for(precision: str) -> Isa:
    """The instruction set for a precision: the processor's best, or the one EDGEPATHO_ISA names."""
    if precision not in ELEMENT_BYTES:
        raise ValueError(f"Precision is {precision!r}, expected fp32 or fp16.")
    forced = os.environ.get("EDGEPATHO_ISA") or None
    facts = _core.isa_facts(forced, ELEMENT_BYTES[precision])
    if facts is None and forced:
        known = ", ".join(_core.isa_names())
        raise ValueError(
            f"EDGEPATHO_ISA is {forced!r}, expected one of {known} that this processor supports."
        )
    if facts is None or facts[3] != ELEMENT_BYTES[precision]:
        raise ValueError(f"This processor cannot compute in {precision}.")
    return Isa(*facts)


def available_isas() -> list[str]:
    """Names of the instruction sets that this processor can run, best first."""
    return [name for name in _core.isa_names() if _core.isa_facts(name, 4) is not None]
