"""The frontier as a table and as a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgepatho.classes import CLASSES
from edgepatho.data.split import shared_patients_warning
from edgepatho.palette import METHODS

SETTINGS = {  # shown where they vary
    "prune_scope": "pruned by",
    "codebook_rate": "codebook rate",
    "rate": "rate",
    "index_rate": "index rate",
    "target": "towards",
}
LOWEST = {"agreement": 0.8, "f1_delta_points": -10}  # where the axes of the plot end


def table(frontier: dict[str, Any]) -> str:
    """Return the rows by decreasing size, the targets and the original as text."""
    about, original = frontier["about"], frontier["original"]
    kind = "synthetic tiles" if about["synthetic"] else "tiles"
    lines = [
        f"{len(frontier['rows'])} points on {about['tiles']} {kind} of {about['patients']} patients; "
        f"original {about['original_sha256'][:12]}, average F1 {original['average_f1']:.4f}",
        "method  codebook  scale    prune     k   bits   bundle B     RAM B published B  agree before / after"
        "  F1 points before / after  Ki-67 error",
    ]
    varying = [key for key in SETTINGS if len({each.get(key) for each in frontier["rows"]}) > 1]
    for each in sorted(frontier["rows"], key=lambda each: -each["bundle_bytes"]):
        bits = "" if each["bits"] is None else f"{each['bits']:g}"
        lines.append(
            f"{each['method']:7s} {each['codebook']:9s} {each['scale']:8s} {each['prune']:5.2f} "
            f"{each['k']:5d} "
            f"{bits:>6s} {each['bundle_bytes']:10,d} {each['weights_ram_bytes']:9,d} "
            f"{each['seed_disk_bytes']:12,d}  {each['agreement_before']:.4f} / {each['agreement']:.4f} "
            f"{each['f1_delta_points_before']:+10.2f} / {each['f1_delta_points']:+.2f} "
            f"{each['ki67_mae_points']:14.2f}{_varied(each, varying)}{_unseen(each)}"
        )
    for name, figures in original.get("unseen", {}).items():
        f1 = " / ".join(f"{figures[f'{kind}_f1']:.4f}" for kind in CLASSES)
        lines.append(
            f"unseen laboratory {name}: F1 of the original {f1}, Ki-67 error "
            f"{figures['ki67_mae_points']:.2f} points"
        )
    if frontier["control"]:
        after = frontier["control"]
        lines.append(
            f"control: the original after the same steps: average F1 {after['average_f1']:.4f}, "
            f"Ki-67 error {after['ki67_mae_points']:.2f} points"
        )
    for target in frontier["targets"]:
        by = target["by"]
        how = "missed"
        if by:
            how = f"met by {by['method']}: {by['bundle_bytes']:,d} B, agreement {by['agreement']:.4f}"
        lines.append(
            f"target {target['name']}: agreement at least {target['agreement']:g}{_loss(target)}: {how}"
        )
    if warning := shared_patients_warning(about.get("shared_patients", [])):
        lines.append(warning)
    return "\n".join([*lines, *(f"not measured: {sentence}" for sentence in frontier["errors"])])


def _varied(row: dict[str, Any], varying: list[str]) -> str:
    """The settings of a row that vary between rows and have no column; 0 and None are left out."""
    return "".join(f"  {SETTINGS[key]} {row[key]}" for key in varying if row.get(key))


def _unseen(row: dict[str, Any]) -> str:
    """The agreement on every unseen laboratory."""
    of = {name: figures["agreement"] for name, figures in row.get("unseen", {}).items()}
    return "  unseen " + " ".join(f"{name} {each:.3f}" for name, each in of.items()) if of else ""


def _loss(target: dict[str, Any]) -> str:
    points = target["f1_loss_points"]
    return "" if points is None else f", F1 within {points:g} points"


def plot(frontier: dict[str, Any], path: Path) -> None:
    """Write a PNG of agreement and change of F1 against the size of the bundle, with the targets."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (upper, lower) = pyplot.subplots(2, 1, sharex=True, figsize=(7, 7), constrained_layout=True)
    for method, colour in METHODS.items():
        rows = [each for each in frontier["rows"] if each["method"] == method]
        megabytes = [each["bundle_bytes"] / 1e6 for each in rows]
        for axes, key in ((upper, "agreement"), (lower, "f1_delta_points")):
            values = [each[key] for each in rows]
            axes.scatter(megabytes, values, s=18, color=colour, label=method)
            for at, value in zip(megabytes, values, strict=True):
                if value < (lowest := LOWEST[key]):  # off the axis: an arrow at the edge, with the value
                    axes.scatter([at], [lowest], marker="v", s=30, color=colour, clip_on=False)
                    label = f"  {method} {value:.2f}"
                    axes.annotate(label, (at, lowest), va="bottom", fontsize=7, color=colour)
    for target in frontier["targets"]:
        if target["bundle_bytes"] is None:
            continue
        corner = target["bundle_bytes"] / 1e6
        mark = "met" if target["met"] else "missed"
        for axes, value in ((upper, target["agreement"]), (lower, -target["f1_loss_points"])):
            axes.plot([0, corner, corner], [value, value, axes.get_ylim()[0]], ":", color="#777777")
            axes.annotate(f"{corner:g} MB {mark}", (corner, value), ha="right", va="bottom", fontsize=8)
    upper.set_ylabel("agreement with the original")
    upper.set_ylim(LOWEST["agreement"], 1)
    lower.set_ylabel("change of average F1, points")
    lower.set_ylim(LOWEST["f1_delta_points"], 2)
    lower.set_xscale("log")
    lower.set_xticks([0.125, 0.25, 0.5, 1, 2, 4], ["0.125", "0.25", "0.5", "1", "2", "4"], minor=False)
    lower.set_xticks([], minor=True)
    lower.set_xlabel("bundle on disk, MB")
    upper.legend(loc="center right")
    kind = "synthetic tiles" if frontier["about"]["synthetic"] else "tiles"
    figure.suptitle(f"PathoNet on {frontier['about']['tiles']} {kind}, after retraining")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
