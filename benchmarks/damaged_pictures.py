"""How many damaged pictures pass as intact: 200 per kind of damage and format.

python -m benchmarks.damaged_pictures     writes benchmarks/results/damaged_pictures.json
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.damage import FAULTS, FORMATS, Damage, encoded, field
from edgepatho_runtime import image
from edgepatho_runtime.errors import ImageError

FILES = 200
RESULTS = Path(__file__).parent / "results" / "damaged_pictures.json"
SIZE = (1000, 750)


def main() -> None:
    """Damage and read the pictures, count those that pass, print and write the table."""
    picture = field(SIZE[1], SIZE[0])
    results = {
        name: {
            fault: passing(picture, options, damage, seed)
            for seed, (fault, damage) in enumerate(FAULTS.items())
        }
        for name, options in FORMATS.items()
    }
    print(f"| passed as intact, of {FILES} | {' | '.join(FAULTS)} |\n|---|{'---:|' * len(FAULTS)}")
    for name, row in results.items():
        print(f"| {name} | {' | '.join(f'{count / FILES:.1%}' for count in row.values())} |")
    record = {"files": FILES, "width": SIZE[0], "height": SIZE[1], "passed": results}
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")


def passing(picture: Image.Image, options: dict[str, Any], damage: Damage, seed: int) -> int:
    """Return how many of FILES damaged files are read as if they were intact."""
    data, random = encoded(picture, **options), np.random.default_rng(seed)
    passed = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        for _ in range(FILES):
            path.write_bytes(damage(data, random))
            try:
                image.read(path)
            except ImageError:
                continue
            passed += 1
    return passed


if __name__ == "__main__":
    main()
