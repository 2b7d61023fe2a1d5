"""Cells in formats that other programs read: GeoJSON for QuPath, CSV for everything else."""

import csv
import io
import json

from edgepatho_runtime.scoring.overlay import COLOURS
from edgepatho_runtime.scoring.score import Cell

# QuPath's own names for these classes, where it has one; its scripts count Positive and Negative.
QUPATH_NAMES = {"immunopositive": "Positive", "immunonegative": "Negative", "til": "Immune cells"}


def geojson(cells: list[Cell], classes: list[str]) -> str:
    """Return a FeatureCollection with one annotation of points per class.

    Coordinates are pixels of the full-resolution picture from its top left corner, as QuPath has them: the
    centre of the first pixel is (0.5, 0.5).
    """
    features = []
    for at, name in enumerate(classes):
        points = [[cell.x_px + 0.5, cell.y_px + 0.5] for cell in cells if cell.name == name]
        if points:
            label = {"name": QUPATH_NAMES.get(name, name), "color": list(COLOURS[at % len(COLOURS)])}
            features.append(
                {
                    "type": "Feature",
                    "geometry": {"type": "MultiPoint", "coordinates": points},
                    "properties": {"objectType": "annotation", "classification": label},
                }
            )
    return json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":")) + "\n"


def table(cells: list[Cell]) -> str:
    """Return CSV, a cell a row: centre in pixels of the picture, class, centre in pixels of the network."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["x_px", "y_px", "class", "x_network_px", "y_network_px"])
    writer.writerows(cells)
    return text.getvalue()
