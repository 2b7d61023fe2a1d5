"""The README's picture: cells found by the compressed network beside size, memory and speed.

    python -m benchmarks.readme_figure COMPRESS_FOLDER

Figures come from benchmarks/results/host.json and arm.json, the cells from the first overlay in the folder
that `edgepatho compress` wrote: nothing is typed in here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import click

from benchmarks.results import RESULTS
from edgepatho.errors import InputError, UserError
from edgepatho.files import write_aside
from edgepatho.report.decode import Range, decode, read_json
from edgepatho.report.html import MARKS
from edgepatho.report.quantities import Bytes, Count, Milliseconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OUTPUT = Path("docs/images/overview.png")
CORE = "a72"  # the Raspberry Pi 4's
COLOURS = {"edgepatho": "#0072b2", "edgepatho-baseline": "#e69f00"}
PEER = "#8b8793"
NAMES = {
    "edgepatho": "edgepatho",
    "edgepatho-baseline": "edgepatho, uncompressed",
    "tflite-runtime": "tflite-runtime",
    "litert": "LiteRT",
    "litert-rewritten": "LiteRT, our rewrite",
    "ncnn": "ncnn",
}


@dataclass(frozen=True)
class HostRow:
    """What the picture takes from a row of host.json."""

    ignores_unknown: ClassVar[bool] = True

    engine: str
    precision: str
    threads: Count
    median_ms: Milliseconds
    peak_rss_over_python_bytes: Bytes
    file_bytes: Bytes
    processor: str


@dataclass(frozen=True)
class ArmRow:
    """What the picture takes from a row of arm.json; cycles in millions, null on in-order cores."""

    ignores_unknown: ClassVar[bool] = True

    engine: str
    precision: str
    cpu: str
    mcycles: Annotated[float, Range(0, 1e9)] | None = None


@dataclass(frozen=True)
class Results:
    """Rows of both files, those of fp32 and int8 at one thread."""

    host: list[HostRow]
    arm: list[ArmRow]


@dataclass(frozen=True)
class Panel:
    """One group of bars: the title with its unit, and (engine, precision, value) from top to bottom."""

    title: str
    bars: list[tuple[str, str, float]]


def read(host: Path, arm: Path) -> Results:
    """Return the rows that the picture shows; raises InputError."""
    rows = decode(Results, {"host": read_json(host), "arm": read_json(arm)}, host.parent)
    return Results(
        [row for row in rows.host if row.threads == 1 and row.precision in ("fp32", "int8")],
        [row for row in rows.arm if row.cpu == CORE and row.precision in ("fp32", "int8") and row.mcycles],
    )


def panels(results: Results) -> list[Panel]:
    """Return the four groups of bars."""
    host = results.host
    if not host or not results.arm:
        raise InputError("host.json needs rows at one thread and arm.json rows for the a72: measure again.")
    mib = 2**20
    sizes = [(row.engine, row.precision, row.file_bytes / mib) for row in host]
    memory = [(row.engine, row.precision, row.peak_rss_over_python_bytes / mib) for row in host]
    latency = [(row.engine, row.precision, row.median_ms) for row in host]
    cycles = [(row.engine, row.precision, row.mcycles or 0) for row in results.arm]
    return [
        Panel("model file, MiB", sizes),
        Panel("peak memory over Python, MiB", memory),
        Panel(f"latency, one thread, ms\n{host[0].processor[:40]}", latency),
        Panel("estimated cycles of one core, millions\nCortex-A72 (Raspberry Pi 4)", cycles),
    ]


def draw(groups: list[Panel], overlay: Path, output: Path) -> None:
    """Write the picture as PNG: the overlay at the left, the bars beside it."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 9}):
        figure = Figure(figsize=(13, 5.2), dpi=150, facecolor="white", layout="constrained")
        axes = figure.subplot_mosaic("AABC;AADE", width_ratios=(0.78, 0.78, 1, 1))
        _picture(axes["A"], overlay)
        for place, group in zip("BCDE", groups, strict=True):
            _bars(axes[place], group)
        with write_aside(output) as aside:
            figure.savefig(aside, format="png", metadata={"Software": None})


def _picture(axes: Axes, overlay: Path) -> None:
    from PIL import Image

    with Image.open(overlay, formats=["PNG"]) as picture:
        axes.imshow(picture.convert("RGB"))
    axes.set_axis_off()
    axes.set_title("cells found by the compressed network (synthetic tile)")
    for x, (name, colour) in zip((0.0, 0.36, 0.74), MARKS, strict=True):
        axes.text(x, -0.03, f"● {name}", color=colour, va="top", transform=axes.transAxes)


def _bars(axes: Axes, group: Panel) -> None:
    names = [f"{NAMES.get(engine, engine)} {precision}" for engine, precision, _ in group.bars]
    values = [value for _, _, value in group.bars]
    colours = [COLOURS.get(engine, PEER) for engine, _, _ in group.bars]
    places = range(len(values), 0, -1)
    drawn = axes.barh(places, values, color=colours, height=0.72)
    shown = [f"{value:,.3g}" if value < 1000 else f"{value:,.0f}" for value in values]
    axes.bar_label(drawn, shown, padding=3)
    axes.set_yticks(list(places), names)
    axes.set_xlim(0, max(values) * 1.18)
    axes.set_title(group.title, loc="left")
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=OUTPUT, show_default=True)
def main(folder: Path, output: Path) -> None:
    """Draw the README's picture from the results and the compress FOLDER."""
    try:
        overlay = next(iter(sorted((folder / "overlays").glob("*-compressed.png"))), None)
        if overlay is None:
            raise InputError(f"{folder} holds no overlays/*-compressed.png; give a compress folder.")
        draw(panels(read(RESULTS / "host.json", RESULTS / "arm.json")), overlay, output)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    click.echo(output)


if __name__ == "__main__":
    main()
