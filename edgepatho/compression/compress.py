"""Compress PathoNet: share its weights, retrain the codebook, evaluate, export, all into one folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgepatho.compression import record
from edgepatho.compression.experiment import Compression, Experiment, Measuring, Steps
from edgepatho.evaluate import accuracy, overlay
from edgepatho.files import canonical_json, folder_aside
from edgepatho.model import shared as shared_models
from edgepatho.progress import Progress
from edgepatho.quantize import sizes
from edgepatho.quantize.quantizer import Quantizer, notes
from edgepatho.quantize.retrain import Schedule

RECORD = "compress.json"
OVERLAYS = 4


@dataclass(frozen=True)
class Options:
    """All settings of a compression; equal options, weights and tiles give an equal model.epb."""

    quantizer: Quantizer = field(default_factory=Quantizer)
    schedule: Schedule = field(default_factory=Schedule)
    steps: Steps = field(default_factory=Steps)
    measuring: Measuring = field(default_factory=Measuring)
    control: bool = True
    representative_tiles: int = 16


def run(
    prepared: Path,
    output: Path,
    options: Options,
    *,
    weights_file: Path | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Write the compress folder `output` and return what its compress.json holds.

    The original is PathoNet with the weights of `weights_file`, or the shipped ones. The folder is written
    aside and renamed; an earlier compress folder is replaced, anything else raises InputError. Retraining
    keeps its state in `<output>.retraining.npz` until the folder is complete and goes on from it. `tell`
    gets a sentence for everything that the settings do not foretell.
    """
    from edgepatho.data.prepare import check_prepared
    from edgepatho.exporters import folder as exports
    from edgepatho.model import weights
    from edgepatho.report.html import render

    progress = progress or Progress()
    output = output.resolve()  # "." has no name of its own
    about = check_prepared(prepared)
    options.steps.check()
    with folder_aside(output, RECORD) as folder:
        model = weights.load_shipped(None) if weights_file is None else weights.load(weights_file, None)
        original = {
            "name": "PathoNet, shipped weights" if weights_file is None else weights_file.name,
            "sha256": weights.sha256(model),
            "parameters": model.count_params(),
        }
        experiment = Experiment(model, prepared, options.measuring, options.steps, progress)
        state = output.with_name(f"{output.name}.retraining.npz")
        key = canonical_json({"original": original, "options": asdict(options), "tiles": about["sha256"]})
        result = experiment.compress(
            options.quantizer, options.schedule, state=state, key=key, progress=progress
        )
        quantized = result.before
        for note in notes(experiment.graph, quantized, options.quantizer):
            tell(note)
        rows = [{"model": "original"} | experiment.row, {"model": "compressed"} | result.row_after]
        if options.control:
            rows.append({"model": "control"} | experiment.control(options.schedule, progress=progress)[0])
        found: dict[str, Any] = {
            "format": "edgepatho-compress",
            "version": 1,
            "command": asdict(options),
            "versions": record.versions(),
            "original": original,
            "quantizer": record.quantizer(experiment.graph, quantized, options.quantizer, result.row_before),
            "training": {"steps": result.run.step, "history": result.run.history},
            "accuracy": {
                "tiles": len(experiment.tiles.names),
                "patients": len(set(experiment.tiles.patients)),
                "synthetic": about["synthetic"],
                "protocol": experiment.settings.as_json(),
                "rows": rows,
            },
            "scoring": record.scoring(experiment.settings),
            "space": {"seed_ratio": sizes.published_ratio(result.after)},
            "codebook": record.codebook(result.after),
            "layers": record.layers(experiment.graph, result.after),
        }
        progress.note("exporting")
        shared_models.save(result.after, folder / exports.SHARED)
        tiles = experiment.validation.first(options.representative_tiles).images
        exports.write(folder, result.after, experiment.graph, found, tiles)
        found["overlays"] = _overlays(folder, experiment, result)
        (folder / RECORD).write_text(json.dumps(found, indent=1, allow_nan=False) + "\n")
        render(folder, [], folder / "report.html")
    state.unlink(missing_ok=True)
    return found


def _overlays(folder: Path, experiment: Experiment, result: Compression) -> dict[str, Any]:
    """Draw the cells of original and compressed model on a few tiles; return the counts."""
    (folder / "overlays").mkdir()
    tiles, counts = experiment.tiles, {}
    chosen = np.unique(np.linspace(0, len(tiles.names) - 1, min(OVERLAYS, len(tiles.names))).astype(int))
    compressed = accuracy.find(result.heat[chosen], experiment.settings.thresholds)
    for at, found in zip(chosen, compressed, strict=True):
        cells = {"original": experiment.found[at], "compressed": found, "labels": tiles.labelled[at]}
        for model in ("original", "compressed"):
            path = folder / "overlays" / f"{tiles.names[at]}-{model}.png"
            overlay.write(tiles.images[at], cells[model], tiles.labelled[at], path)
        counts[tiles.names[at]] = {
            model: {name: len(points) for name, points in zip(accuracy.CLASSES, each, strict=True)}
            for model, each in cells.items()
        }
    return counts
