"""The reference for the runtime: a bundle of the shipped weights, tiles, Keras' heat maps, the host's cells.

    python -m benchmarks.parity.reference FOLDER TILES

The network, in Keras as in the bundle, is the shipped PathoNet with 256 shared weight values. Tiles are
synthetic, from patients held out for testing, resized from 1228 pixels as `edgepatho prepare` does.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

TILES_OF_A_PATIENT = 5
PATIENTS_FOR_ONE_TEST_PATIENT = 4  # `generate` holds out a quarter of them


def test_tiles(count: int) -> tuple[NDArray[Any], list[str]]:
    """Return `count` synthetic test tiles as uint8 [count, 256, 256, 3], and the patient of each."""
    from edgepatho.data.prepare import arrays, prepare, records
    from edgepatho.data.synth.dataset import generate

    tiles = min(count, TILES_OF_A_PATIENT)
    patients = PATIENTS_FOR_ONE_TEST_PATIENT * -(-count // tiles)
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder) / "tiles", patients=patients, tiles=tiles)
        prepare(Path(folder) / "tiles", Path(folder) / "prepared")
        prepared = Path(folder) / "prepared"
        patient_of = [record["patient"] for record in records(prepared, "test")]
        return np.array(arrays(prepared, "test")[0][:count]), patient_of[:count]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("count", type=int)
def main(folder: Path, count: int) -> None:
    """Write the bundle, COUNT tiles (.rgb, .png), heat maps (.expected), cells and patients to FOLDER."""
    from PIL import Image

    from edgepatho.evaluate import cells
    from edgepatho.exporters import bundle
    from edgepatho.model import graph as graphs
    from edgepatho.model import weights
    from edgepatho.model.shared import apply, other_variables
    from edgepatho.quantize.quantizer import Quantizer, share

    model = weights.load_shipped()
    shared = share(graphs.from_keras(model), Quantizer())
    shared.variables = other_variables(model)
    apply(shared, model)
    about = {"scoring": bundle.SCORING, "provenance": {"method": "cws"}, "accuracy": {}}
    bundle.write(folder / "model.epb", shared, **about)
    all_cells = []
    tiles, patient_of = test_tiles(count)
    for number, tile in enumerate(tiles):
        heat_maps = np.asarray(model(tile[None] / np.float32(255), training=False))[0]
        (folder / f"{number:02d}.rgb").write_bytes(tile.tobytes())
        Image.fromarray(tile).save(folder / f"{number:02d}.png")
        (folder / f"{number:02d}.expected").write_bytes(heat_maps.tobytes())
        all_cells.append([points.tolist() for points in cells.find(heat_maps, bundle.SCORING["thresholds"])])
    (folder / "cells.json").write_text(json.dumps(all_cells))
    (folder / "patients.json").write_text(json.dumps(patient_of))


if __name__ == "__main__":
    main()
