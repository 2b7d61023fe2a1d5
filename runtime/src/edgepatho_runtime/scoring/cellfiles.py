"""Cells in formats that other programs read: GeoJSON for QuPath, CSV for everything else."""

import csv
import io
import json

from edgepatho_runtime.scoring.cell import Cell
from edgepatho_runtime.scoring.overlay import COLOURS

FRAME = "stored pixels; an orientation in the file's metadata is not applied"
# QuPath's own class names where it has them; its scripts count Positive and Negative.
QUPATH_NAMES = {"immunopositive": "Positive", "immunonegative": "Negative", "til": "Immune cells"}


def geojson(cells: list[Cell], classes: list[str], note: str = "") -> str:
    """Return a FeatureCollection with one annotation of points per class.

    Coordinates are pixels of the full-resolution picture from its top left corner, as QuPath has them: the
    centre of the first pixel is (0.5, 0.5). The frame is the stored one, which QuPath shows; `note`
    becomes the annotation's description.
    """
    features = []
    for at, name in enumerate(classes):
        points = [[cell.x_px + 0.5, cell.y_px + 0.5] for cell in cells if cell.name == name]
        if points:
            label = {"name": QUPATH_NAMES.get(name, name), "color": list(COLOURS[at % len(COLOURS)])}
            metadata = {"frame": FRAME, **({"ANNOTATION_DESCRIPTION": note} if note else {})}
            features.append(
                {
                    "type": "Feature",
                    "geometry": {"type": "MultiPoint", "coordinates": points},
                    "properties": {
                        "objectType": "annotation",
                        "classification": label,
                        "metadata": metadata,
                    },
                }
            )
    return json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":")) + "\n"


def table(cells: list[Cell], note: str = "") -> str:
    """Return CSV, one cell per row: centre in the stored picture's pixels, class, centre in the network's.

    A `note` on the picture is repeated in every row.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["x_px", "y_px", "class", "x_network_px", "y_network_px", "note"])
    writer.writerows((*cell, note) for cell in cells)
    return text.getvalue()
