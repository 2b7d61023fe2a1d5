"""The runtime on a list of tiles: heat maps as raw float32 files, cells as JSON on stdout.

    python worker.py BUNDLE THREADS PRECISION OUTPUT_FOLDER TILE.rgb...

Run by path, in any Python that has the runtime, on the host or in the emulated arm64 one. Tiles are square,
raw uint8 RGB.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edgepatho_runtime import bundle
from edgepatho_runtime.network import Network
from edgepatho_runtime.scoring.score import cells_of


def main() -> None:
    path, threads, precision, folder, *tiles = sys.argv[1:]
    loaded = bundle.read(path)
    scoring = loaded.scoring
    cells = []
    isa = ""
    for tile in map(Path, tiles):
        image = tile.read_bytes()
        side = round((len(image) / 3) ** 0.5)
        network = Network(loaded, side, side, threads=int(threads), precision=precision)
        isa = network.isa
        heat_maps = network.run(memoryview(image).cast("B", (side, side, 3)))
        (Path(folder) / f"{tile.stem}.f32").write_bytes(heat_maps)
        found = cells_of(heat_maps, side, side, scoring)
        cells.append([[(x, y) for x, y, name in found if name == each] for each in scoring["classes"]])
    print(json.dumps({"isa": isa, "cells": cells}))


if __name__ == "__main__":
    main()
