"""Compress PathoNet into one folder: share its weights, retrain the codebook, evaluate, export, report."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgepatho.classes import CLASSES
from edgepatho.compression import record, retraining
from edgepatho.compression.hyperparameters import Hyperparameters
from edgepatho.compression.original import Measuring, Original, measure
from edgepatho.compression.retraining import Control, Retrained
from edgepatho.errors import UsageError
from edgepatho.evaluate import accuracy, overlay, published_protocol
from edgepatho.evaluate.match import alone
from edgepatho.evaluate.unseen import Row, UnseenTiles, laboratories
from edgepatho.files import folder_aside
from edgepatho.model import shared as shared_models
from edgepatho.progress import Progress
from edgepatho.quantize.quantizer import Quantizer, notes
from edgepatho.quantize.retrain import Budget

RECORD = "compress.json"
OVERLAYS = 4


@dataclass(frozen=True)
class Options:
    """All settings of a compression; equal options, weights and tiles give the same model.epb."""

    quantizer: Quantizer = field(default_factory=Quantizer)
    budget: Budget = field(default_factory=Budget)
    hyperparameters: Hyperparameters = field(default_factory=Hyperparameters)
    measuring: Measuring = field(default_factory=Measuring)
    control: bool = True


def run(
    prepared: Path,
    output: Path,
    options: Options,
    *,
    weights_file: Path | None = None,
    unseen: Sequence[Path] = (),
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Write the compress folder `output` and return the content of its compress.json.

    `prepared` was made by `prepare`, or by `prepare_unlabelled`; then the target has to be the original, and
    figures are agreements with it.

    The original is PathoNet with the weights of `weights_file`, or the shipped ones; `unseen` are prepared
    folders of other laboratories, on which all models are evaluated too. The folder is written
    under a temporary name and renamed; an earlier compress folder is replaced, anything else raises
    InputError. Retraining keeps its state in `<output>.retraining.npz` until the folder is complete, and
    resumes from it. `say` is called with a sentence for every result that the settings do not predict.
    """
    from edgepatho.data.prepare import UNLABELLED, check_prepared
    from edgepatho.model import weights

    progress = progress or Progress()
    output = output.resolve()  # "." has no name of its own
    about, others = check_prepared(prepared), laboratories(unseen)
    unlabelled = about["labels"] == UNLABELLED
    options, said = _without_labels(options) if unlabelled else (options, [])
    quantizer, budget, hyperparameters = options.quantizer, options.budget, options.hyperparameters
    with folder_aside(output, RECORD) as folder:
        progress.note("loading the original")
        model = weights.load_original(weights_file)
        origin = record.original(model, weights_file)
        original = measure(model, prepared, options.measuring, progress, others)
        state = state_of(output)
        key = {"original": origin, "options": asdict(options), "tiles": about["sha256"]}

        progress.note("sharing weights")
        shared = retraining.share(original, quantizer)
        for note in notes(original.graph, shared, quantizer):
            say(note)
        retrained = retraining.retrain_shared(
            original, shared, quantizer, budget, hyperparameters, state=state, key=key, progress=progress
        )
        control = None
        if options.control:
            progress.note("training the control")
            control = retraining.retrain_control(original, budget, hyperparameters, progress=progress)
        judged = record.accuracy(original, *_judge(original, others, retrained, control), about, said)
        for note in judged["notes"]:
            say(note)
        progress.note("fitting the envelope")
        envelope = record.envelope(original, weights_file, about["synthetic"])
        figures = {
            "format": record.FORMAT,
            "version": record.VERSION,
            "command": asdict(options) | ({"picture_scale": about["scale"]} if unlabelled else {}),
            "versions": record.versions(),
            "original": origin,
            "quantizer": record.quantizer(original, shared, quantizer, retrained.heat_before),
            "training": {"steps": retrained.state.step, "history": retrained.state.history},
            "accuracy": judged,
            "scoring": record.scoring(original.protocol),
            "envelope": envelope,
            **record.sizes_and_use(original.graph, retrained.model),
        }
        progress.note("exporting")
        _export(folder, original, retrained, figures)
        _report(folder, original, retrained, figures)
    state.unlink(missing_ok=True)
    return figures


def _without_labels(options: Options) -> tuple[Options, list[str]]:
    """The options for tiles without labels, and what has to be said about them.

    The original is the target, and it is its own control.
    """
    if options.hyperparameters.target == "labels":
        raise UsageError("the pictures have no labels to retrain towards; use the target original.")
    options, said = replace(options, control=False), []
    if options.measuring.thresholds is None:
        thresholds = published_protocol.THRESHOLDS
        options = replace(options, measuring=replace(options.measuring, thresholds=thresholds))
        said.append(
            "Without labels no thresholds can be chosen, and none were given: the bundle has those of the "
            f"published configuration, {', '.join(f'{each:g}' for each in thresholds)}. They suit the "
            "published weights; give your own network's with --thresholds."
        )
    return options, said


def state_of(output: Path) -> Path:
    """Return the state file of the retraining for the folder `output`."""
    output = output.resolve()
    return output.with_name(f"{output.name}.retraining.npz")


def _judge(
    original: Original, others: Sequence[UnseenTiles], retrained: Retrained, control: Control | None
) -> tuple[list[Row], list[dict[str, Any]]]:
    """The rows of original, compressed and control on the test tiles, and their entries on `others`."""
    trained: dict[str, Retrained | Control] = {"compressed": retrained}
    if control is not None:
        trained["control"] = control
    models = {"original": (original.test.row, {name: each.row for name, each in original.unseen.items()})}
    models |= {name: (original.judge(each.heat), each.unseen) for name, each in trained.items()}
    rows = [{"model": name} | row for name, (row, _) in models.items()]
    unseen = [
        each.entry([{"model": name} | rows_of[each.name] for name, (_, rows_of) in models.items()])
        for each in others
    ]
    return rows, unseen


def _export(folder: Path, original: Original, retrained: Retrained, figures: dict[str, Any]) -> None:
    """Write the shared model, bundles and TFLite files; add their sizes to `figures`."""
    from edgepatho.exporters import folder as exports
    from edgepatho.exporters.tflite import MAX_TILES

    shared_models.save(retrained.model, folder / exports.SHARED)
    representative = original.validation.first(MAX_TILES).images
    exports.write(folder, retrained.model, original.graph, figures, representative)


def _report(folder: Path, original: Original, retrained: Retrained, figures: dict[str, Any]) -> None:
    """Write overlays, compress.json and report.html; add the counts of the overlays to `figures`."""
    from edgepatho.report.html import render

    figures["overlays"] = _overlays(folder, original, retrained)
    (folder / RECORD).write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n")
    render(folder, [], folder / "report.html")


def _overlays(folder: Path, original: Original, retrained: Retrained) -> dict[str, Any]:
    """Draw a few tiles plain and with the cells of the original and the compressed model; return the counts.

    Cells that the other model did not find are framed.
    """
    (folder / "overlays").mkdir()
    tiles, counts = original.test.tiles, {}
    chosen = np.unique(np.linspace(0, len(tiles.names) - 1, min(OVERLAYS, len(tiles.names))).astype(int))

    def path(at: int, kind: str) -> Path:
        return folder / "overlays" / f"{tiles.names[at]}-{kind}.png"

    compressed = accuracy.find(retrained.heat[chosen], original.protocol.thresholds)
    for at, cells_of_tile in zip(chosen, compressed, strict=True):
        cells = {
            "original": original.test.cells[at],
            "compressed": cells_of_tile,
        }
        if tiles.are_labelled:
            cells["labels"] = tiles.labelled[at]
        nothing = [np.empty((0, 2))] * len(CLASSES)
        overlay.write(tiles.images[at], nothing, nothing, nothing, path(at, "plain"))
        for model, other in (("original", "compressed"), ("compressed", "original")):
            lone = [alone(*pair) for pair in zip(cells[model], cells[other], strict=True)]
            overlay.write(tiles.images[at], cells[model], tiles.labelled[at], lone, path(at, model))
            cells[f"only_{model}"] = lone
        counts[tiles.names[at]] = {
            model: {name: len(points) for name, points in zip(CLASSES, each, strict=True)}
            for model, each in cells.items()
        }
    return counts
