"""The README's picture: one synthetic tile with the cells of the original and of the compressed network.

    python -m benchmarks.readme_figure COMPRESS_FOLDER    # docs/images/overview.png

Cells, counts and sizes come from the folder that `edgepatho compress` wrote; nothing is hard-coded here.
"""

from __future__ import annotations

from pathlib import Path

import click

from edgepatho.errors import InputError, UserError
from edgepatho.evaluate.overlay import COLOURS
from edgepatho.files import write_aside
from edgepatho.report.record import CompressRecord, read_compress

OUTPUT = Path("docs/images/overview.png")
NAMES = ("immunopositive", "immunonegative", "til")
SHADES = 256  # of the PNG's palette, which keeps the file small


def captions(record: CompressRecord, tile: str) -> list[str]:
    """Return the captions of the original and of the compressed network."""
    lines = []
    for model, bundle in (("original", "baseline.epb"), ("compressed", "model.epb")):
        row = record.accuracy.of(model)
        if row is None or bundle not in record.files:
            raise InputError(f"the record has no {model} network; give the folder of a complete compression.")
        size = f"{model}, {record.files[bundle].bytes / 1e6:.2f} MB"
        agreement = "" if row.agreement is None else f", agreement {row.agreement:.3f}"
        counts = getattr(record.overlays[tile], model)
        cells = ", ".join(f"{getattr(counts, name)} {name}" for name in NAMES)
        lines.append(f"{size}{agreement}\n{cells}")
    return lines


def draw(folder: Path, output: Path) -> None:
    """Write the picture of the most immunopositive tile of the compress `folder`; raises InputError."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure
    from PIL import Image

    record = read_compress(folder)
    if not record.overlays:
        raise InputError(f"{folder} records no overlays; give a folder that `edgepatho compress` wrote.")
    tile = max(record.overlays, key=lambda name: record.overlays[name].original.immunopositive)
    figure = Figure(figsize=(8, 4.8), dpi=100, facecolor="white", layout="constrained")
    models = ("original", "compressed")
    panels = zip(figure.subplots(1, 2), models, captions(record, tile), strict=True)
    for axes, model, caption in panels:
        with Image.open(folder / "overlays" / f"{tile}-{model}.png", formats=["PNG"]) as picture:
            axes.imshow(picture.convert("RGB"))
        axes.set_title(caption, fontsize=9)
        axes.set_axis_off()
    kind = "synthetic tile" if record.accuracy.synthetic else "tile"
    figure.supxlabel(f"one {kind}: rings are cells found, dots are labels", x=0.99, ha="right", fontsize=9)
    for x, name, colour in zip((0.01, 0.18, 0.36), NAMES, COLOURS, strict=True):
        figure.text(x, 0.012, f"● {name}", color=[channel / 255 for channel in colour], fontsize=9)
    with write_aside(output) as aside:
        figure.savefig(aside, format="png", metadata={"Software": None})
        with Image.open(aside) as drawn:
            small = drawn.convert("RGB").quantize(SHADES, method=Image.Quantize.MAXCOVERAGE)
        small.save(aside, format="png", optimize=True)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=OUTPUT, show_default=True)
def main(folder: Path, output: Path) -> None:
    """Draw the README's picture from the compress FOLDER."""
    try:
        draw(folder, output)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{output}: {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
