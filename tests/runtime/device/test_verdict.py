"""A picture unlike those of training gets a verdict in every output, and its cells all the same."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_recipe import canonical, identity
from field_drawing import CENTRES, drawn
from PIL import Image

from edgepatho.exporters.parts import RANGES
from edgepatho_runtime import cli, tables
from edgepatho_runtime import image as images
from edgepatho_runtime.bundle import parts, reader
from edgepatho_runtime.scoring import envelope, score

OPEN: dict[str, Any] = {
    "colours": ["f" * 256] * 5,
    "ranges": {"tissue": [0.01, None]},
    "stains": {"dab": [[0.2, 0.5, 0.6], [0.6, 0.6, 0.8]], "hematoxylin": [[0.5, 0.5, 0.2], [0.8, 0.7, 0.5]]},
    "trained_on": "12 tiles of 3 patients",
}


def with_ranges(**ranges: list[float | None]) -> dict[str, Any]:
    return OPEN | {"ranges": OPEN["ranges"] | ranges}


def bundle_with(trained: dict[str, Any]) -> bytes:
    recipe = identity()
    recipe.metadata |= {"version": "2", "envelope": canonical(trained)}
    return recipe.build()


def verdict_on(picture: np.ndarray, trained: dict[str, Any]) -> envelope.Verdict:
    scorer = score.Scorer(reader.parse(bundle_with(trained)), threads=1)
    field = scorer.score(images.Image(*picture.shape[:2], picture.tobytes()))
    assert field.verdict is not None
    return field.verdict


FIELD = 255 - drawn(128, 128, CENTRES)  # discs on white glass; the identity network sees heat everywhere
GLASS = np.full((64, 64, 3), 230, np.uint8)


def test_every_statistic_has_its_words() -> None:
    assert set(envelope.WORDS) == set(RANGES) == set(parts.RANGES)


def test_a_picture_inside_has_no_verdict() -> None:
    verdict = verdict_on(FIELD, OPEN)
    assert (verdict.outside, verdict.text) == ([], "")
    assert set(verdict.measured) == {*RANGES, "hematoxylin", "dab"}


def test_glass_is_no_tissue_and_nothing_else() -> None:
    verdict = verdict_on(GLASS, with_ranges(density=[0.02, None], sharpness=[0.1, None]))
    assert verdict.outside == ["tissue"]
    assert verdict.text == (
        "OUTSIDE TRAINING (no tissue: 0, limit 0.01; trained on 12 tiles of 3 patients): "
        "do not rely on the index"
    )


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ({"sharpness": [1000, None]}, "out of focus: "),
        ({"sharpness": [None, 0]}, "noisy or too sharp: "),
        ({"background": [255.5, None]}, "dark background: 255, limit 256"),
        ({"density": [4, None]}, "tissue too pale: 0.001, limit 4"),
        ({"doubtful_heat": [None, 0]}, ""),
    ],
    ids=str,
)
def test_each_side_has_its_words(ranges: dict[str, list[float | None]], words: str) -> None:
    assert words in verdict_on(FIELD, with_ranges(**ranges)).text


def test_a_foreign_stain_is_given_beside_those_of_training() -> None:
    trained = with_ranges(unseen_colours=[None, 0.05]) | {"colours": ["0" * 256] * 5}
    verdict = verdict_on(FIELD, trained)
    assert verdict.outside == ["unseen_colours"]
    assert "stain of other colours: 1, limit 0.05" in verdict.text
    red, green, blue = verdict.measured["hematoxylin"]
    shown = f"{red:.2f} {green:.2f} {blue:.2f}".replace("0.", ".")
    assert f"hematoxylin {shown}, training .50 .50 .20 to .80 .70 .50" in verdict.text
    assert verdict.text.endswith("; trained on 12 tiles of 3 patients): do not rely on the index")


def test_what_cannot_be_measured_is_not_outside() -> None:
    assert verdict_on(np.full((2, 2, 3), 100, np.uint8), with_ranges(sharpness=[1, 2])).outside == ["tissue"]
    assert verdict_on(FIELD, OPEN | {"ranges": {"brown_rim": [None, 0]}}).measured["brown_rim"] is None


@pytest.fixture
def scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Path, str]:
    """The results of a field outside and of glass, and what the command printed."""
    bundle = tmp_path / "model.epb"
    bundle.write_bytes(bundle_with(with_ranges(sharpness=[1000, None])))
    folder = tmp_path / "fields"
    folder.mkdir()
    Image.fromarray(np.kron(FIELD, np.ones((3, 3, 1), np.uint8))).save(folder / "field.png")
    Image.fromarray(GLASS).save(folder / "glass.png")
    results = tmp_path / "results"
    command = ["score", str(folder), "--bundle", str(bundle), "--scale", "0.34", "-o", str(results)]
    assert cli.main(command) == 0
    return results, capsys.readouterr().out


def test_every_output_warns_and_no_cell_is_withheld(scored: tuple[Path, str]) -> None:
    results, printed = scored
    entry = json.loads((results / "field.png.score.json").read_text())["image"]
    assert entry["outside"] == ["sharpness"]
    assert entry["verdict"].startswith("OUTSIDE TRAINING (out of focus: ")
    assert entry["measured"]["sharpness"] < 1000
    assert sum(entry["counts"].values()) > 0
    with (results / "field.png.cells.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == sum(entry["counts"].values())
    assert all(entry["verdict"] in row["note"] for row in rows)
    (feature, *_) = json.loads((results / "field.png.geojson").read_text())["features"]
    assert entry["verdict"] in feature["properties"]["metadata"]["ANNOTATION_DESCRIPTION"]
    with Image.open(results / "field.png.overlay.png") as overlay:
        assert any(entry["verdict"] in str(text) for text in overlay.info.values())
    line = next(line for line in printed.splitlines() if line.startswith("field.png"))
    assert entry["verdict"] in line


def test_the_case_counts_the_pictures_outside(scored: tuple[Path, str]) -> None:
    results, printed = scored
    record = json.loads((results / "scores.json").read_text())
    assert record["envelope"] == "12 tiles of 3 patients"
    assert [image["outside"] for image in record["images"]] == [["sharpness"], ["tissue"]]
    assert record["pooled"]["outside"] == 2
    assert "2 of 2 pictures OUTSIDE TRAINING: do not rely on the index" in printed


def test_a_bundle_without_an_envelope_says_so(
    tmp_path: Path, bundle_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(FIELD).save(tmp_path / "field.png")
    assert cli.main(["score", str(tmp_path / "field.png"), "--bundle", str(bundle_file), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["envelope"] is record["pooled"]["outside"] is record["images"][0]["verdict"] is None
    assert cli.main(["score", str(tmp_path / "field.png"), "--bundle", str(bundle_file)]) == 0
    assert "The bundle has no envelope: pictures were not compared" in capsys.readouterr().out


def test_a_bundles_facts_leave_out_only_the_colours() -> None:
    facts = {"parts": {"envelope": OPEN, "image": {"normalisation": "none"}}}
    shown = [tables._shown(part) for part in facts["parts"].values()]
    assert [sorted(part) for part in shown] == [["ranges", "stains", "trained_on"], ["normalisation"]]
