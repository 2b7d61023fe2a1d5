"""Measure one engine in this process, which does nothing else; `bench` starts it as a child.

Reads a task as JSON from its argument, writes the result as one JSON line. Imports count as memory, so they
are few, and numpy is imported only for engines that need it.
"""

import json
import sys
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

PACKAGES = {"litert": "ai-edge-litert", "tflite-runtime": "tflite-runtime"}


def main() -> None:
    """Measure the task of argument 1, a JSON object, and print the result as one line of JSON."""
    task = json.loads(sys.argv[1])
    try:
        result = bundle(task) if task["engine"].startswith("edgepatho") else tflite(task)
    except Exception as error:  # whatever an engine raises is a result
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result))


def bundle(task: dict[str, Any]) -> dict[str, Any]:
    """Measure a bundle in this runtime: from the bytes of a picture to the heat map in memory."""
    from array import array

    from edgepatho_runtime import __version__
    from edgepatho_runtime.bundle import read
    from edgepatho_runtime.network import Network

    image = _image(task)
    start = perf_counter_ns()
    loaded = read(task["file"])
    network = Network(loaded, task["height"], task["width"], task["threads"], task["precision"])
    height, width, channels = network.plan.result_shape
    heat = array("f", bytes(4 * height * width * channels))
    init_ms = _since(start)
    times = _timed(lambda: network.run(image, heat), task)
    return {
        "version": __version__,
        "precision": task["precision"],
        "init_ms": init_ms,
        **times,
        "arena_bytes": network.arena_bytes,
    }


def tflite(task: dict[str, Any]) -> dict[str, Any]:
    """Measure a TFLite file: `invoke` alone, with the input tensor already filled in its own type."""
    package = PACKAGES[task["engine"]]
    try:
        if task["engine"] == "litert":
            from ai_edge_litert.interpreter import Interpreter
        else:
            from tflite_runtime.interpreter import Interpreter
        import numpy
    except ImportError as error:
        return {"error": f"{package} is not installed here, or incompletely: {error}."}
    try:
        start = perf_counter_ns()
        interpreter = Interpreter(model_path=task["file"], num_threads=task["threads"])
        interpreter.allocate_tensors()
        init_ms = _since(start)
    except SystemError:  # tflite-runtime 2.14 was built for numpy 1 and fails only here
        return {
            "error": f"{package} does not work with the installed numpy {numpy.__version__}; "
            "install numpy below 2, or use ai-edge-litert."
        }
    details = interpreter.get_input_details()[0]
    expected = (1, task["height"], task["width"], 3)
    shape, dtype = tuple(details["shape"].tolist()), details["dtype"]
    if shape != expected or dtype not in (numpy.float32, numpy.int8, numpy.uint8):
        return {"error": f"Its input is {dtype.__name__} {shape}, expected pixels {expected}."}
    pixels = numpy.frombuffer(_image(task), numpy.uint8).reshape(expected).astype(numpy.float32) / 255
    if dtype != numpy.float32:
        scale, zero = details["quantization"]
        limits = numpy.iinfo(dtype)
        pixels = numpy.round(pixels / scale + zero).clip(limits.min, limits.max).astype(dtype)
    interpreter.set_tensor(details["index"], pixels)
    times = _timed(interpreter.invoke, task)

    from importlib.metadata import version  # after the measurement: it costs memory

    # a full-integer file may have float inputs and outputs, so look at its weights
    weights = {detail["dtype"] for detail in interpreter.get_tensor_details()}
    precision = "int8" if numpy.int8 in weights else "fp32"
    return {"version": version(package), "precision": precision, "init_ms": init_ms, **times}


def _timed(run: Callable[[], object], task: dict[str, Any]) -> dict[str, Any]:
    """Return the times of the first run, the warm-up runs and the timed runs, and the peak memory."""

    def once() -> float:
        start = perf_counter_ns()
        run()
        return _since(start)

    return {
        "first_ms": once(),
        "warmup_ms": [once() for _ in range(task["warmup_runs"])],
        "runs_ms": [once() for _ in range(task["runs"])],
        "peak_rss_bytes": peak_rss_bytes(),
    }


def peak_rss_bytes() -> int:
    """Return the largest resident size of this process so far (VmHWM)."""
    with open("/proc/self/status") as status:  # noqa: PTH123 - pathlib would count as memory
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def _image(task: dict[str, Any]) -> bytes:
    with open(task["image"], "rb") as file:  # noqa: PTH123
        return file.read()


def _since(start: int) -> float:
    return (perf_counter_ns() - start) / 1e6
