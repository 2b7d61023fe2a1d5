"""24 tiles of as many patients as there are, side by side: what the generator paints.

python -m benchmarks.contact_sheet FOLDER    # docs/images/tiles.jpg
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np

from benchmarks.classical_detector import picture
from edgepatho.data.shidc import patient_of
from edgepatho.errors import InputError
from edgepatho.files import write_aside

OUTPUT = Path("docs/images/tiles.jpg")
COLUMNS, ROWS = 6, 4
TILE_PX, GAP_PX = 240, 3
JPEG_QUALITY = 82


def choose(folder: Path) -> list[Path]:
    """Return 24 tiles: one of each patient, and more of them where there are fewer patients."""
    tiles: dict[str | None, list[Path]] = {}
    for path in sorted(folder.rglob("*.jpg")):
        tiles.setdefault(patient_of(path.stem), []).append(path)
    rounds = [path for each in zip(*tiles.values(), strict=False) for path in each]
    if len(rounds) < COLUMNS * ROWS:
        raise InputError(f"{folder} holds too few tiles; give what `edgepatho synth tiles` made.")
    return rounds[: COLUMNS * ROWS]


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=OUTPUT, show_default=True)
def main(folder: Path, output: Path) -> None:
    """Draw the contact sheet of the tiles in FOLDER."""
    try:
        chosen = choose(folder)
    except InputError as error:
        raise click.ClickException(str(error)) from error
    step = TILE_PX + GAP_PX
    sheet = np.full((ROWS * step - GAP_PX, COLUMNS * step - GAP_PX, 3), 255, np.uint8)
    for number, path in enumerate(chosen):
        top, left = number // COLUMNS * step, number % COLUMNS * step
        small = cv2.resize(picture(path), (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA)
        sheet[top : top + TILE_PX, left : left + TILE_PX] = small
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    with write_aside(output) as aside:
        aside.write_bytes(cv2.imencode(".jpg", sheet[..., ::-1], quality)[1].tobytes())
    click.echo(f"{output}: {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
