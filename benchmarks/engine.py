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


def load(engine: str, model: str, image: bytes, side: int, threads: int, precision: str) -> Loaded:
    """Load `model` with an engine, and set its input."""
    if not engine.startswith("edgepatho"):
        return _peer(engine, model, image, side, threads, precision)
    from edgepatho_runtime import bundle
    from edgepatho_runtime.network import Network

    network = Network(bundle.read(model), side, side, threads=threads, precision=precision)
    pixels = memoryview(image).cast("B", (side, side, 3))
    heat_maps = memoryview(bytearray(side * side * 3 * 4)).cast("f", (side, side, 3))
    return lambda: network.run(pixels, heat_maps), heat_maps.tobytes, network.arena_bytes


def _peer(engine: str, model: str, image: bytes, side: int, threads: int, precision: str) -> Loaded:
    from edgepatho_runtime.bench import peers

    try:
        module = peers.imported(engine)
        loaded = peers.PEERS[engine].load(module, model, (side, side, 3), threads, precision)
    except peers.PeerError as error:
        raise SystemExit(str(error)) from None
    loaded.give(image)
    return loaded.infer, loaded.heat_maps, None


def package(engine: str) -> str:
    """Return the distribution of an engine, whose version goes into the record."""
    if engine.startswith("edgepatho"):
        return "edgepatho-runtime"
    from edgepatho_runtime.bench import peers

    return peers.PEERS[engine].package


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
    engine = engine.removesuffix("-rewritten")  # the same engine with another file
    answer = os.dup(1)
    os.dup2(2, 1)  # whatever an engine prints is not part of it
    with open(image_path, "rb") as file:  # noqa: PTH123
        image = file.read()
    side = round((len(image) / 3) ** 0.5)
    started = perf_counter()
    infer, heat_maps, arena_bytes = load(engine, model, image, side, int(threads), precision)
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
        "version": version(package(engine)),
        "load_ms": (loaded - started) * 1e3,
        "first_ms": (first - loaded) * 1e3,
        "runs_ms": times,
        "peak_rss_bytes": peak,
        "arena_bytes": arena_bytes,
    }
    os.write(answer, f"{json.dumps(record)}\n".encode())


if __name__ == "__main__":
    main()
