"""The options of `edgepatho compress` as the settings of a compression."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgepatho.commands.options import thresholds_of
from edgepatho.errors import UsageError

if TYPE_CHECKING:
    from edgepatho.compression.compress import Options


def options_of(prepared: Path | None, given: dict[str, Any]) -> Options:
    """Return the options of a compression of the folder `prepared`; None for pictures without labels.

    Raises UsageError for settings that do not fit together, InputError for another folder.
    """
    from dataclasses import replace

    from edgepatho.compression.compress import Options
    from edgepatho.compression.hyperparameters import Hyperparameters
    from edgepatho.compression.original import Measuring
    from edgepatho.compression.presets import paper_k256
    from edgepatho.data.prepare import check_prepared
    from edgepatho.quantize.quantizer import Quantizer
    from edgepatho.quantize.retrain import Budget

    if given["preset"]:
        if prepared is None:
            raise UsageError("--preset retrains towards labels, as published; give PREPARED with it.")
        train_tiles = check_prepared(prepared)["tiles"]["train"]
        options = paper_k256(given["method"], train_tiles)
        return replace(options, measuring=replace(options.measuring, test_tiles=given["test_tiles"]))
    if given["crop_px"] % 16 or not 16 <= given["crop_px"] <= 256:
        raise UsageError(f"--crop-px is {given['crop_px']}; PathoNet needs a multiple of 16 up to 256.")
    return Options(
        quantizer=Quantizer(
            method=given["method"],
            k=given["k"],
            bits=given["bits"],
            prune=given["prune"],
            prune_scope=given["prune_scope"],
            codebook=given["codebook"],
            scale=given["scale"],
            solver=given["solver"],
            seed=given["seed"],
            layers=dict(_override(text) for text in given["layers"]),
        ),
        budget=Budget(given["steps"], given["validate_every"], given["patience"], given["reassign_every"]),
        hyperparameters=Hyperparameters(
            given["codebook_rate"],
            given["rate"],
            given["batch"],
            given["crop_px"],
            seed=given["seed"],
            index_rate=given["index_rate"],
            target=given["target"] or ("original" if prepared is None else "labels"),
        ),
        measuring=Measuring(test_tiles=given["test_tiles"], thresholds=thresholds_of(given["thresholds"])),
        control=given["control"],
    )


def _override(text: str) -> tuple[str, int | None]:

    layer, _, k = text.partition("=")
    if k != "skip" and not k.isdecimal():
        raise UsageError(f"--layer {text} is not NAME=K or NAME=skip, as in --layer conv10=skip.")
    return layer, None if k == "skip" else int(k)
