"""One engine in one process: load a network, run it, report time and memory.

    python engine.py ENGINE MODEL IMAGE THREADS PRECISION WARMUPS RUNS OUTPUT

Run by path, on the host and in the emulated arm64 Python; imports only the engine and what it needs, so that
all memory is the engine's. IMAGE is square raw uint8 RGB; OUTPUT receives the heat maps of the last run as
raw float32 [height, width, 3]. Only inference is timed: a peer's input is converted beforehand, while
edgepatho's conversion from uint8 is part of its run. The timed runs are between close(-1001) and
close(-1002), where the ARM lab counts instructions.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from time import perf_counter

TYPE_CHECKING = False  # as in `typing`, whose import would count as the engine's memory
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Loaded = tuple[Callable[[], Any], Callable[[], bytes], int | None]
    """One inference; its heat maps as float32 bytes; the size of its arena, if the engine reports it."""

PACKAGES = {
    "edgepatho": "edgepatho-runtime",
    "edgepatho-baseline": "edgepatho-runtime",
    "tflite-runtime": "tflite-runtime",
    "litert": "ai-edge-litert",
    "litert-rewritten": "ai-edge-litert",
    "ncnn": "ncnn",
}


def load(package: str, model: str, image: bytes, side: int, threads: int, precision: str) -> Loaded:
    """Load `model` with the engine in `package`, and set its input."""
    if package == "edgepatho-runtime":
        return _edgepatho(model, image, side, threads, precision)
    if package == "ncnn":
        return _ncnn(model, image, side, threads, precision)
    if package == "tflite-runtime":
        from tflite_runtime.interpreter import Interpreter
    else:
        from ai_edge_litert.interpreter import Interpreter
    return _tflite(Interpreter(model_path=model, num_threads=threads), image, side)


def _edgepatho(model: str, image: bytes, side: int, threads: int, precision: str) -> Loaded:
    from edgepatho_runtime import bundle
    from edgepatho_runtime.network import Network

    network = Network(bundle.read(model), side, side, threads=threads, precision=precision)
    pixels = memoryview(image).cast("B", (side, side, 3))
    heat_maps = memoryview(bytearray(side * side * 3 * 4)).cast("f", (side, side, 3))
    return lambda: network.run(pixels, heat_maps), heat_maps.tobytes, network.arena_bytes


def _tflite(interpreter: Any, image: bytes, side: int) -> Loaded:
    import numpy as np

    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    values = np.frombuffer(image, np.uint8).reshape(1, side, side, 3) / np.float32(255)
    if source["dtype"] == np.int8:
        scale, zero = source["quantization"]
        values = np.clip(np.round(values / scale) + zero, -128, 127)
    interpreter.set_tensor(source["index"], values.astype(source["dtype"]))

    def heat_maps() -> bytes:
        output = interpreter.get_tensor(result["index"]).astype(np.float32)
        if result["dtype"] == np.int8:
            scale, zero = result["quantization"]
            output = (output - zero) * np.float32(scale)
        return bytes(output.tobytes())

    return interpreter.invoke, heat_maps, None


def _ncnn(model: str, image: bytes, side: int, threads: int, precision: str) -> Loaded:
    import ncnn
    import numpy as np

    network = ncnn.Net()
    network.opt.num_threads = threads
    network.opt.use_vulkan_compute = network.opt.use_bf16_storage = False
    half = precision == "fp16"
    network.opt.use_fp16_packed = network.opt.use_fp16_storage = network.opt.use_fp16_arithmetic = half
    if network.load_param(model) or network.load_model(model.removesuffix("param") + "bin"):
        raise SystemExit(f"ncnn cannot load {model}.")
    pixels = np.frombuffer(image, np.uint8).reshape(side, side, 3)
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1) / np.float32(255))
    source = ncnn.Mat(planes).clone()  # a Mat only points at the array, even after it is freed
    results = [source]

    def infer() -> None:
        extractor = network.create_extractor()
        extractor.input(network.input_names()[0], source)
        _, results[0] = extractor.extract(network.output_names()[0])

    return infer, lambda: np.array(results[0]).transpose(1, 2, 0).astype(np.float32).tobytes(), None


def peak_rss_bytes() -> int:
    """Return the peak memory of this process (VmHWM; Linux only)."""
    with open("/proc/self/status") as status:  # noqa: PTH123 - pathlib would count as the engine's memory
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def mark(descriptor: int) -> None:
    """Mark where the measured region starts (-1001) or ends (-1002) for the counting plugin."""
    with suppress(OSError):  # no such file is open
        os.close(descriptor)


def main() -> None:
    engine, model, image_path, threads, precision, warmups, runs, output = sys.argv[1:]
    with open(image_path, "rb") as file:  # noqa: PTH123
        image = file.read()
    side = round((len(image) / 3) ** 0.5)
    started = perf_counter()
    infer, heat_maps, arena_bytes = load(PACKAGES[engine], model, image, side, int(threads), precision)
    loaded = perf_counter()
    infer()
    first = perf_counter()
    for _ in range(int(warmups) - 1):
        infer()
    times = []
    mark(-1001)
    for _ in range(int(runs)):
        before = perf_counter()
        infer()
        times.append((perf_counter() - before) * 1e3)
    mark(-1002)
    peak = peak_rss_bytes()

    # Imports that only the report needs come here, where they no longer count.
    import json
    from importlib.metadata import version

    with open(output, "wb") as file:  # noqa: PTH123
        file.write(heat_maps())
    record = {
        "version": version(PACKAGES[engine]),
        "load_ms": (loaded - started) * 1e3,
        "first_ms": (first - loaded) * 1e3,
        "runs_ms": times,
        "peak_rss_bytes": peak,
        "arena_bytes": arena_bytes,
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
