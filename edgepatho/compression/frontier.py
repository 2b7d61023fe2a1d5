"""The frontier: how small the network gets, and what that costs, over methods, levels, bits and pruning."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgepatho.compression import record, targets
from edgepatho.compression.experiment import Experiment, Measuring, Steps
from edgepatho.compression.sweep import Point, Row
from edgepatho.model.shared import SharedModel
from edgepatho.progress import Progress
from edgepatho.quantize import sizes
from edgepatho.quantize.quantizer import Quantizer, distortion
from edgepatho.quantize.retrain import Schedule

SCHEDULE = Schedule(validate_every=15)
FOUR_BITS = Quantizer("uq", k=16, codebook="per-layer", scale="channel")


def points(seed: int = 0) -> list[Point]:
    """The points of `edgepatho sweep --preset frontier`, all retrained towards the original's output."""
    fixed = Steps(seed=seed, target="original")
    return [
        *(Point(each, SCHEDULE, fixed) for each in _quantizers()),
        *_with_moving_indices(fixed),
        *(Point(each, SCHEDULE, fixed) for each in _fewer_levels()),
    ]


def _quantizers() -> Iterator[Quantizer]:
    for method in ("cws", "uq", "pws", "ecsq"):
        yield Quantizer(method, k=256)
    for bits in (1.5, 1, 0.7, 0.5, 0.35, 0.25, 0.15):
        yield Quantizer("ecsq", bits=bits, codebook="per-layer", scale="output")


def _with_moving_indices(fixed: Steps) -> Iterator[Point]:
    longer, longest = (Schedule(steps=steps, validate_every=15) for steps in (120, 450))
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


def experiment(
    prepared: Path, weights_file: Path | None, measuring: Measuring, steps: Steps, progress: Progress
) -> tuple[Experiment, dict[str, Any]]:
    """Return the experiment of a sweep and what its rows depend on, JSON-ready.

    Thresholds are those chosen on the validation split; the original is PathoNet with the weights of
    `weights_file`, or the shipped ones.
    """
    from edgepatho.data.prepare import check_prepared
    from edgepatho.model import weights

    prepared_about = check_prepared(prepared)
    model = weights.load_shipped(None) if weights_file is None else weights.load(weights_file, None)
    sha256 = weights.sha256(model)
    found = Experiment(model, prepared, measuring, steps, progress)
    about = {
        "original_sha256": sha256,
        "tiles": len(found.tiles.names),
        "patients": len(set(found.tiles.patients)),
        "synthetic": prepared_about["synthetic"],
        "prepared": prepared_about["tiles"],
        "prepared_sha256": prepared_about["sha256"],
        "protocol": found.settings.as_json(),
        "versions": record.versions(),
    }
    return found, about


def row(experiment: Experiment, point: Point, original_sha256: str) -> Row:
    """Return sizes and accuracy of one point, before and after retraining; of a control, its accuracy."""
    quantizer, steps = point.quantizer, point.steps
    if quantizer is None:
        figures, run = experiment.control(point.schedule, steps)
        return {"method": "control", "best_step": run.best_step, "figures": figures}
    result = experiment.compress(quantizer, point.schedule, point.steps)
    quantized = result.before
    before, after, original = result.row_before, result.row_after, experiment.row
    return {
        "method": quantizer.method,
        "k": quantizer.k,
        "bits": quantizer.bits,
        "prune": quantizer.prune / 100,
        "prune_scope": quantizer.prune_scope,
        "codebook": quantizer.codebook,
        "scale": quantizer.scale,
        "levels": max(book.size for book in quantized.codebooks.values()),
        "entropy_bits": result.after.entropy_bits(),
        "distortion": distortion(experiment.graph, quantized),
        "weights_ram_bytes": sizes.weights_ram_bytes(result.after),
        **_disk(experiment, result.after),
        "average_f1": after["average_f1"],
        "f1_delta_points": 100 * (after["average_f1"] - original["average_f1"]),
        "f1_delta_points_before": 100 * (before["average_f1"] - original["average_f1"]),
        "til_f1_delta_points": 100 * (after["til"]["f1"] - original["til"]["f1"]),
        "agreement": after["agreement"],
        "agreement_before": before["agreement"],
        "mse_to_original": after["mse_to_original"],
        "mse_to_original_before": before["mse_to_original"],
        "ki67_mae_points": after["ki67_mae_points"],
        "ki67_mae_points_before": before["ki67_mae_points"],
        "ki67_change_points": after["ki67_change_points"],
        "patients_changing_ki67_class": after["patients_changing_ki67_class"],
        "target": steps.target,
        "index_rate": steps.index_rate,
        "codebook_rate": steps.codebook_rate,
        "rate": steps.rate,
        "steps": result.run.step,
        "best_step": result.run.best_step,
        "original_sha256": original_sha256,
    }


def _disk(experiment: Experiment, shared: SharedModel) -> dict[str, int]:
    """Bytes of the bundle, coded and raw, and of the formats of earlier work."""
    from edgepatho.exporters import bundle, ham

    bytes_of = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, coded in (("bundle_bytes", True), ("bundle_raw_bytes", False)):
            path = Path(folder) / f"{name}.epb"
            bundle.write(
                path,
                shared,
                scoring=record.scoring(experiment.settings),
                provenance={"research_use_only": True},
                accuracy={},
                coded=coded,
            )
            bytes_of[name] = path.stat().st_size
    return bytes_of | {
        "seed_disk_bytes": sizes.published_disk_bytes(shared),
        **{f"{name}_bytes": size for name, size in ham.network_bytes(shared).items()},
    }


def summary(rows: list[Row], about: dict[str, Any], original: dict[str, Any]) -> dict[str, Any]:
    """Return frontier.json: the rows, the original's figures, and which target is met by which row."""
    measured = [each for each in rows if "error" not in each and each["method"] != "control"]
    controls = [each["figures"] for each in rows if each.get("method") == "control"]
    return {
        "format": "edgepatho-frontier",
        "version": 1,
        "about": about,
        "original": original,
        "control": controls[0] if controls else None,
        "targets": targets.judged(measured),
        "rows": measured,
        "errors": [each["error"] for each in rows if "error" in each],
    }
