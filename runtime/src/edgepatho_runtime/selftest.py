"""The self-test: a bundle's golden picture must give its golden answer on this device."""

import time
from typing import Any

from edgepatho_runtime.bundle import Bundle
from edgepatho_runtime.network import Network

STEP_PX = 4  # golden.output holds every fourth pixel of the answer
# Of the answer's largest magnitude. fp32: docs/bundle-format.md; fp16 has 11 bits and 46 convolutions.
TOLERANCE = {"fp32": 1e-4, "fp16": 2e-2}


def run(bundle: Bundle, threads: int, precision: str = "fp32") -> dict[str, Any]:
    """Return what the golden picture gave: `passed`, `max_error` and the limit it was held to."""
    golden = bundle.tensors["golden.input"]
    height, width, _ = golden.shape
    network = Network(bundle, height, width, threads, precision)
    start = time.perf_counter()
    answer = network.run(golden.data)
    seconds = time.perf_counter() - start

    wanted = bundle.tensors["golden.output"].data.cast("f").tolist()
    largest = max(abs(value) for value in wanted)
    found = _sampled(answer, flat=len(bundle.tensors["golden.output"].shape) == 1)
    errors = [abs(a - b) for a, b in zip(found, wanted, strict=True)]
    limit = TOLERANCE[precision] * largest
    return {
        "passed": all(error <= limit for error in errors),  # NaN is not
        "max_error": max((error for error in errors if error == error), default=0.0),
        "limit": limit,
        "largest_magnitude": largest,
        "precision": precision,
        "isa": network.isa,
        "threads": threads,
        "height": height,
        "width": width,
        "seconds": round(seconds, 4),
        "bundle_sha256": bundle.file_sha256,
    }


def _sampled(answer: memoryview, flat: bool) -> list[float]:
    """Return every fourth pixel of an answer [height, width, channels], row by row, or all of a flat one."""
    height, width, channels = answer.shape  # type: ignore[misc]
    values: list[float] = [*answer.cast("B").cast("f")]
    if flat:
        return values
    return [
        values[(row * width + column) * channels + channel]
        for row in range(0, height, STEP_PX)
        for column in range(0, width, STEP_PX)
        for channel in range(channels)
    ]
