"""The command that repeats a compression, from the settings in its record."""

from __future__ import annotations

import shlex
from typing import Any

from edgepatho.report.record import CompressRecord

OPTIONS = (
    ("quantizer", "method", "--method"),
    ("quantizer", "k", "-k"),
    ("quantizer", "bits", "--bits"),
    ("quantizer", "prune", "--prune"),
    ("quantizer", "prune_scope", "--prune-scope"),
    ("quantizer", "codebook", "--codebook"),
    ("quantizer", "scale", "--scale"),
    ("quantizer", "solver", "--solver"),
    ("budget", "steps", "--steps"),
    ("budget", "validate_every", "--validate-every"),
    ("budget", "patience", "--patience"),
    ("budget", "reassign_every", "--reassign-every"),
    ("hyperparameters", "codebook_rate", "--codebook-rate"),
    ("hyperparameters", "rate", "--rate"),
    ("hyperparameters", "index_rate", "--index-rate"),
    ("hyperparameters", "target", "--target"),
    ("hyperparameters", "batch", "--batch"),
    ("hyperparameters", "crop_px", "--crop-px"),
    ("hyperparameters", "seed", "--seed"),
)
SHIPPED = "PathoNet, shipped weights"


def of(record: CompressRecord) -> str | None:
    """Return `edgepatho compress PREPARED -o OUTPUT ...`, or None for settings that no command has.

    PREPARED and OUTPUT stand for the paths, which the record does not hold.
    """
    settings = record.command
    try:
        preset = settings["hyperparameters"]["training"]
        labelled, thresholds = record.accuracy.labelled, settings["measuring"]["thresholds"]
        given = ["PREPARED"] if labelled else ["--pictures", "PICTURES"]
        words = ["edgepatho", "compress", *given, "-o", "OUTPUT"]
        if record.original.name != SHIPPED:
            words += ["--weights", record.original.name]
        if preset:
            words += ["--preset", "paper-k256", "--method", settings["quantizer"]["method"]]
        else:
            words += _options(settings)
            if labelled and not settings["control"]:
                words.append("--no-control")
            if thresholds is not None:
                words += ["--thresholds", ",".join(f"{each:g}" for each in thresholds)]
        if (scale := settings.get("picture_scale")) is not None:
            words += ["--picture-scale", str(scale)]
        if (tiles := settings["measuring"]["test_tiles"]) is not None:
            words += ["--test-tiles", str(tiles)]
    except (KeyError, TypeError, AttributeError):
        return None
    return shlex.join(words)


def _options(settings: dict[str, Any]) -> list[str]:
    words = []
    for part, name, option in OPTIONS:
        if (value := settings[part][name]) is not None:
            words += [option, str(value)]
    for layer, k in settings["quantizer"]["layers"].items():
        words += ["--layer", f"{layer}={'skip' if k is None else k}"]
    return words
