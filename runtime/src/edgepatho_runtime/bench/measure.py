"""Measure one engine in this process, which does nothing else; `bench` starts it as a child.

Reads a task as JSON from its argument, writes the result as one JSON line. Imports count as memory, so they
are few, and a peer is imported only where it is measured.
"""

import json
import os
import sys
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any


def main() -> None:
    """Measure the task of argument 1, a JSON object, and print the result as one line of JSON."""
    task = json.loads(sys.argv[1])
    answer = os.dup(1)
    os.dup2(2, 1)  # whatever an engine prints is not part of it
    try:
        result = bundle(task) if task["engine"].startswith("edgepatho") else peer(task)
    except Exception as error:  # whatever an engine raises is a result
        result = {"error": f"{type(error).__name__}: {error}"}
    os.write(answer, f"{json.dumps(result)}\n".encode())


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


def peer(task: dict[str, Any]) -> dict[str, Any]:
    """Measure a peer's file: inference alone, with the input already given in its own type and layout."""
    from edgepatho_runtime.bench import peers

    engine, shape = task["engine"], (task["height"], task["width"], 3)
    try:
        module = peers.imported(engine)
        start = perf_counter_ns()
        loaded = peers.PEERS[engine].load(module, task["file"], shape, task["threads"], task["precision"])
        init_ms = _since(start)
    except peers.PeerError as error:
        return {"error": str(error)}
    loaded.give(_image(task))
    times = _timed(loaded.infer, task)

    from importlib.metadata import version  # after the measurement: it costs memory

    package = peers.PEERS[engine].package
    return {"version": version(package), "precision": loaded.precision, "init_ms": init_ms, **times}


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
