"""Does the device say when a picture is not what training showed? Alarms on usual and on unusual pictures.

    python -m benchmarks.envelope FOLDER [BUNDLE]     # FOLDER holds tiles/ and prepared/

scores every set with `edgepatho-run` and prints the share of pictures with a verdict. Without BUNDLE it
writes one of the shipped weights with their envelope. Laboratories and distorted pictures are made in FOLDER.

    python -m benchmarks.envelope --fit PREPARED > benchmarks/results/old_tiles_envelope.json

fits the envelope of another set's pictures, without a network. The old tiles are those of commit aa323e2.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.distorted_pictures import SETS
from edgepatho.device_command import device_command
from edgepatho.envelope import fit
from edgepatho.evaluate.tiles import load
from edgepatho.model import weights

RESULTS = Path(__file__).parent / "results"
OLD = RESULTS / "old_tiles_envelope.json"
DISTORTED = 50
LABORATORIES = "ABCDEF"
REASONS = 3  # named in the table
# Alarms wanted, in per cent: at most (negative) or at least.
WANTED = {
    "test patients of the same laboratories": -2,
    "laboratory A": -5,
    "laboratory B": -5,
    "inverted": 100,
    "hue rotated by 40 to 320 degrees": 100,
    "H&E-like": 100,
    "grey": 100,
    "empty": 100,
    "membrane stain": 90,
    "scikit-image's ihc.png": 100,
    **{f"laboratory {name}, envelope of the old tiles": 95 for name in "ABEF"},
}


@dataclass(frozen=True)
class Row:
    """A set of pictures, how many of them have a verdict, and why."""

    name: str
    pictures: int
    alarms: int
    reasons: Counter[str]

    def __str__(self) -> str:
        share = 100 * self.alarms / self.pictures
        wanted = WANTED.get(self.name)
        words = "" if wanted is None else f"at {'most' if wanted < 0 else 'least'} {abs(wanted)} %"
        missed = wanted is not None and (share > -wanted if wanted < 0 else share < wanted)
        named = ", ".join(f"{name} {count}" for name, count in self.reasons.most_common(REASONS))
        return f"| {self.name} | {self.pictures} | {share:.1f} % | {words}{' MISSED' * missed} | {named} |"


def score(name: str, pictures: Path, bundle: Path) -> tuple[Row, list[dict[str, Any]]]:
    """Return the row of a folder of pictures, or of one, and the entries of scores.json."""
    command = [*device_command(), "score", str(pictures), "--bundle", str(bundle), "--threads", "1", "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    images = json.loads(done.stdout)["images"]
    reasons = Counter(statistic for image in images for statistic in image["outside"])
    return Row(name, len(images), sum(bool(image["verdict"]) for image in images), reasons), images


def write_bundle(path: Path, prepared: Path, envelope: dict[str, Any]) -> None:
    """Write a bundle of the shipped weights with `envelope` and thresholds chosen on a prepared folder."""
    from edgepatho.compression import original as originals
    from edgepatho.compression import record
    from edgepatho.exporters import bundle
    from edgepatho.model.shared import SharedModel

    original = originals.measure(weights.load_original(None), prepared, originals.Measuring(test_tiles=1))
    bundle.write(
        path,
        SharedModel(original.graph),
        scoring=record.scoring(original.protocol),
        provenance={"method": "none", "trained_on": "synthetic tiles", "research_use_only": True},
        accuracy={},
        parts={"envelope": envelope},
    )


def of_pictures(prepared: Path) -> dict[str, Any]:
    """Return the envelope of a prepared folder's pictures alone, without statistics of heat and cells."""
    parts = [load(prepared, split) for split in ("train", "validation")]
    pictures = [image for tiles in parts for image in tiles.images]
    patients = [patient for tiles in parts for patient in tiles.patients]
    words = f"{len(pictures)} synthetic tiles of {len(set(patients))} patients"
    return fit.fit(pictures, patients, {}, (), words)


def make_laboratories(folder: Path) -> None:
    """Generate the laboratories that are not in `folder` yet."""
    from edgepatho.data.synth import generate_laboratory

    for name in LABORATORIES:
        if not (folder / name).exists():
            generate_laboratory(folder / name, name)


def make_distorted(folder: Path, prepared: Path) -> None:
    """Write the sets of `SETS`, from test tiles evenly spread over the patients."""
    tiles = load(prepared, "test", DISTORTED)
    cells = [
        np.concatenate(
            [np.column_stack([points, np.full(len(points), label)]) for label, points in enumerate(each, 1)]
        )
        for each in tiles.labelled
    ]
    for name, distort in SETS.items():
        rng = np.random.default_rng(0)
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        for number, (image, around) in enumerate(zip(tiles.images, cells, strict=True)):
            picture = distort(np.asarray(image), around, number / max(len(tiles.names) - 1, 1), rng)
            Image.fromarray(picture).save(place / f"{number:02}.png")


def main() -> None:
    if sys.argv[1:2] == ["--fit"]:
        print(json.dumps(of_pictures(Path(sys.argv[2]))))
        return
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    bundle = Path(sys.argv[2]) if len(sys.argv) == 3 else folder / "envelope.epb"
    old = folder / "old-envelope.epb"
    if len(sys.argv) == 2:
        write_bundle(bundle, folder / "prepared", weights.shipped_envelope())
    write_bundle(old, folder / "prepared", json.loads(OLD.read_text()))
    make_laboratories(folder / "laboratories")
    make_distorted(folder / "distorted", folder / "prepared")
    ihc = folder / "ihc.png"
    from skimage import data

    Image.fromarray(data.immunohistochemistry()).save(ihc)
    print("| pictures | number | with a verdict | wanted | most frequent reasons |\n|---|---|---|---|---|")
    print(score("test patients of the same laboratories", folder / "tiles" / "Test", bundle)[0], flush=True)
    for name in LABORATORIES:
        print(score(f"laboratory {name}", folder / "laboratories" / name, bundle)[0], flush=True)
    for name in SETS:
        print(score(name, folder / "distorted" / name, bundle)[0], flush=True)
    row, (image,) = score("scikit-image's ihc.png", ihc, bundle)
    print(row)
    for name in "ABEF":
        place = folder / "laboratories" / name
        print(score(f"laboratory {name}, envelope of the old tiles", place, old)[0], flush=True)
    print(f"\nihc.png: {image['verdict']}")


if __name__ == "__main__":
    main()
