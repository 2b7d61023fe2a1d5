"""The frontier: size against accuracy over methods, levels, bits and pruning."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgepatho.compression import record, retraining, targets
from edgepatho.compression.hyperparameters import Hyperparameters
from edgepatho.compression.original import Measuring, Original, measure
from edgepatho.compression.sweep import Point, Row
from edgepatho.evaluate.unseen import brief, laboratories
from edgepatho.model.shared import SharedModel
from edgepatho.progress import Progress
from edgepatho.quantize import sizes
from edgepatho.quantize.quantizer import Quantizer, distortion
from edgepatho.quantize.retrain import Budget

BUDGET = Budget(validate_every=15)
FOUR_BITS = Quantizer("uq", k=16, codebook="per-layer", scale="channel")


def points(seed: int = 0) -> list[Point]:
    """The points of `edgepatho sweep --preset frontier`, all retrained towards the original's output."""
    fixed = Hyperparameters(seed=seed, target="original")
    return [
        *(Point(each, BUDGET, fixed) for each in _quantizers()),
        *_with_moving_indices(fixed),
        *(Point(each, BUDGET, fixed) for each in _fewer_levels()),
    ]


def _quantizers() -> Iterator[Quantizer]:
    for method in ("cws", "uq", "pws", "ecsq"):
        yield Quantizer(method, k=256)
    for bits in (1.5, 1, 0.7, 0.5, 0.35, 0.25, 0.15):
        yield Quantizer("ecsq", bits=bits, codebook="per-layer", scale="output")


def _with_moving_indices(fixed: Hyperparameters) -> Iterator[Point]:
    longer, longest = (Budget(steps=steps, validate_every=15) for steps in (120, 450))
    small = Quantizer("ecsq", bits=0.25, codebook="per-layer", scale="output")
    yield Point(FOUR_BITS, longest, replace(fixed, index_rate=2e-5))
    yield Point(small, longer, replace(fixed, index_rate=1e-5))


def _fewer_levels() -> Iterator[Quantizer]:
    for prune in (50, 80, 90):
        yield Quantizer("cws", k=256, prune=prune, prune_scope="global")
    for k in (64, 16, 8):
        yield Quantizer("cws", k=k, scale="channel")
    for bits in (0.8, 0.3):
        yield Quantizer("ecsq", bits=bits)


def original(
    prepared: Path,
    weights_file: Path | None,
    measuring: Measuring,
    progress: Progress,
    unseen: Sequence[Path] = (),
) -> tuple[Original, dict[str, Any]]:
    """Return the original of a sweep, measured, and everything the sweep's rows depend on, JSON-ready.

    Thresholds are chosen on the validation split; the original is PathoNet with the weights of
    `weights_file`, or the shipped ones; `unseen` are prepared folders of other laboratories.
    """
    from edgepatho.data.prepare import check_prepared
    from edgepatho.model import weights

    prepared_about, others = check_prepared(prepared), laboratories(unseen)
    model = weights.load_original(weights_file)
    sha256 = weights.sha256(model)
    measured = measure(model, prepared, measuring, progress, others)
    about = {
        "original_sha256": sha256,
        "tiles": len(measured.test.tiles.names),
        "patients": len(set(measured.test.tiles.patients)),
        "synthetic": prepared_about["synthetic"],
        "shared_patients": prepared_about["shared_patients"],
        "prepared": prepared_about["tiles"],
        "prepared_sha256": prepared_about["sha256"],
        "protocol": measured.protocol.as_json(),
        "versions": record.versions(),
    }
    if others:
        about["unseen"] = {
            each.name: {
                "tiles": len(each.tiles.names),
                "synthetic": each.synthetic,
                "prepared_sha256": each.sha256,
            }
            for each in others
        }
    return measured, about


def figures_of(original: Original) -> dict[str, Any]:
    """Return the original's figures in frontier.json, those on unseen laboratories too."""
    return original.test.row | _brief({name: each.row for name, each in original.unseen.items()})


def _brief(unseen: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"unseen": {name: brief(row) for name, row in unseen.items()}} if unseen else {}


def row(original: Original, point: Point, original_sha256: str) -> Row:
    """Return sizes and accuracy of one point, before and after retraining; of a control, its accuracy."""
    quantizer, hyperparameters = point.quantizer, point.hyperparameters
    if quantizer is None:
        control = retraining.retrain_control(original, point.budget, hyperparameters)
        figures = original.judge(control.heat) | _brief(control.unseen)
        return {"method": "control", "best_step": control.state.best_step, "figures": figures}
    quantized = retraining.share(original, quantizer)
    retrained = retraining.retrain_shared(original, quantized, quantizer, point.budget, hyperparameters)
    before, after = original.judge(retrained.heat_before), original.judge(retrained.heat)
    return {
        "method": quantizer.method,
        "k": quantizer.k,
        "bits": quantizer.bits,
        "prune": quantizer.prune / 100,
        "prune_scope": quantizer.prune_scope,
        "codebook": quantizer.codebook,
        "scale": quantizer.scale,
        "levels": max(book.size for book in quantized.codebooks.values()),
        "entropy_bits": retrained.model.entropy_bits(),
        "distortion": distortion(original.graph, quantized),
        "weights_ram_bytes": sizes.weights_ram_bytes(retrained.model),
        **_disk(original, retrained.model),
        "average_f1": after["average_f1"],
        "f1_delta_points": 100 * (after["average_f1"] - original.test.row["average_f1"]),
        "f1_delta_points_before": 100 * (before["average_f1"] - original.test.row["average_f1"]),
        "til_f1_delta_points": 100 * (after["til"]["f1"] - original.test.row["til"]["f1"]),
        "agreement": after["agreement"],
        "agreement_before": before["agreement"],
        "mse_to_original": after["mse_to_original"],
        "mse_to_original_before": before["mse_to_original"],
        "ki67_mae_points": after["ki67_mae_points"],
        "ki67_mae_points_before": before["ki67_mae_points"],
        "ki67_change_points": after["ki67_change_points"],
        "patients_changing_ki67_class": after["patients_changing_ki67_class"],
        **_brief(retrained.unseen),
        "target": hyperparameters.target,
        "index_rate": hyperparameters.index_rate,
        "codebook_rate": hyperparameters.codebook_rate,
        "rate": hyperparameters.rate,
        "steps": retrained.state.step,
        "best_step": retrained.state.best_step,
        "original_sha256": original_sha256,
    }


def _disk(original: Original, shared: SharedModel) -> dict[str, int]:
    """Bytes of the bundle, coded and raw, and of the published formats."""
    from edgepatho.exporters import bundle, ham

    bytes_of = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, coded in (("bundle_bytes", True), ("bundle_raw_bytes", False)):
            path = Path(folder) / f"{name}.epb"
            bundle.write(
                path,
                shared,
                scoring=record.scoring(original.protocol),
                provenance={"research_use_only": True},
                accuracy={},
                coded=coded,
            )
            bytes_of[name] = path.stat().st_size
    return bytes_of | {
        "seed_disk_bytes": sizes.published_disk_bytes(shared),
        **{f"{name}_bytes": size for name, size in ham.network_bytes(shared).items()},
    }


def summary(
    rows: list[Row], about: dict[str, Any], original: dict[str, Any], *, judged: bool
) -> dict[str, Any]:
    """Return frontier.json: the rows, the original's figures, and, if `judged`, which row meets which target.

    The targets belong to the preset's points; other grids are not meant to meet them.
    """
    measured = [each for each in rows if "error" not in each and each["method"] != "control"]
    controls = [each["figures"] for each in rows if each.get("method") == "control"]
    return {
        "format": "edgepatho-frontier",
        "version": 1,
        "about": about,
        "original": original,
        "control": controls[0] if controls else None,
        "targets": targets.judged(measured) if judged else [],
        "rows": measured,
        "errors": [each["error"] for each in rows if "error" in each],
    }
