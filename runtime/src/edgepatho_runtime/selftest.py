"""The self-test: a bundle's golden picture must give its golden output on this device."""

import time
from typing import Any

from edgepatho_runtime.bundle import Bundle
from edgepatho_runtime.network import Network

STEP_PX = 4  # golden.output holds every fourth pixel
# Relative to the output's largest magnitude. fp32: docs/bundle-format.md; fp16: 11 bits, 46 convolutions.
TOLERANCE = {"fp32": 1e-4, "fp16": 2e-2}


def run(bundle: Bundle, threads: int, precision: str = "fp32") -> dict[str, Any]:
    """Return the result on the golden picture: `passed`, `max_error`, its `limit` and the settings."""
    golden = bundle.tensors["golden.input"]
    height, width, _ = golden.shape
    network = Network(bundle, height, width, threads, precision)
    start = time.perf_counter()
    output = network.run(golden.data)
    seconds = time.perf_counter() - start

    expected = bundle.tensors["golden.output"].data.cast("f").tolist()
    largest = max(abs(value) for value in expected)
    actual = _sampled(output, flat=len(bundle.tensors["golden.output"].shape) == 1)
    errors = [abs(a - b) for a, b in zip(actual, expected, strict=True)]
    limit = TOLERANCE[precision] * largest
    return {
        "passed": all(error <= limit for error in errors),  # a NaN does not pass
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


def _sampled(output: memoryview, flat: bool) -> list[float]:
    """Return every fourth pixel of an output [height, width, channels], row by row, or all of a flat one."""
    height, width, channels = output.shape  # type: ignore[misc]
    values: list[float] = [*output.cast("B").cast("f")]
    if flat:
        return values
    return [
        values[(row * width + column) * channels + channel]
        for row in range(0, height, STEP_PX)
        for column in range(0, width, STEP_PX)
        for channel in range(channels)
    ]
