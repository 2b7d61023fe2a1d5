"""The picture of the scale benchmark: time and memory against size and width, on logarithmic axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgepatho.files import write_aside

COLOURS = {"edgepatho": "#0072b2", "litert": "#d55e00"}
QUANTITIES = {
    "median_ms": ("ms for one inference", 1.0),
    "peak_rss_over_python_bytes": ("peak memory, MB", 1e-6),
}


def draw(rows: list[dict[str, Any]], output: Path) -> None:
    """Write a PNG of four panels; dashed: proportional to the multiply-adds, through PathoNet itself."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), dpi=100, facecolor="white", layout="constrained")
    panels = figure.subplots(2, 2)
    side = next(row["side_px"] for row in rows if row["width"] != 1)
    columns = {
        "pixels": [row for row in rows if row["width"] == 1],
        f"network width, at {side} px": [row for row in rows if row["side_px"] == side],
    }
    for column, (label, chosen) in enumerate(columns.items()):
        for line, (key, (quantity, unit)) in zip(panels[:, column], QUANTITIES.items(), strict=True):
            for engine, colour in COLOURS.items():
                of = sorted(
                    (one for one in chosen if one["engine"] == engine), key=lambda one: one["multiply_adds"]
                )
                xs = [one["side_px"] ** 2 if label == "pixels" else one["width"] for one in of]
                line.loglog(xs, [one[key] * unit for one in of], "o-", color=colour, label=engine)
                if engine == "edgepatho" and key == "median_ms":
                    own = next(one for one in of if (one["side_px"], one["width"]) == (side, 1))
                    linear = [one["multiply_adds"] / own["multiply_adds"] * own[key] for one in of]
                    line.loglog(xs, linear, "--", color="grey", label="proportional to multiply-adds")
            line.set_xlabel(label)
            line.set_ylabel(quantity)
            line.grid(True, which="major", alpha=0.3)
    panels[0, 0].legend(fontsize=8)
    with write_aside(output) as aside:
        figure.savefig(aside, format="png", metadata={"Software": None})
