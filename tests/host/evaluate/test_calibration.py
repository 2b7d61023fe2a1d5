"""`edgepatho calibrate`: corrected points in, a bundle with other thresholds out, all else unchanged."""

import json
import shutil
import subprocess
import sys
from collections import Counter

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from keras import Input, Sequential, layers

from edgepatho.cli import main
from edgepatho.data import corrections, labels
from edgepatho.evaluate import networks
from edgepatho.exporters import bundle, container
from edgepatho.model import graph as graphs
from edgepatho.model.shared import SharedModel

SIDE = 120
QUPATH = ("Positive", "Negative", "Immune cells")


@pytest.fixture(scope="module")
def epb(tmp_path_factory):
    """A bundle whose heat is the picture itself: red, green and blue are the three classes."""
    convolution = layers.Conv2D(3, 1, activation="relu", name="conv")
    model = Sequential([Input((None, None, 3)), convolution])
    convolution.set_weights([255 * np.eye(3, dtype=np.float32)[None, None], np.zeros(3, np.float32)])
    path = tmp_path_factory.mktemp("bundle") / "model.epb"
    about = {"provenance": {"method": "none"}, "accuracy": {"average_f1": 0.5}}
    bundle.write(path, SharedModel(graphs.from_keras(model)), scoring=bundle.SCORING, **about, coded=True)
    return path


def picture(folder, number, brightness=45):
    """Write a picture of 12 discs of `brightness` and 4 dim ones; return (x, y, class) of the 12."""
    rng = np.random.default_rng(number)
    grid = np.stack(np.meshgrid(np.arange(10, SIDE, 18), np.arange(10, SIDE, 18)), axis=-1).reshape(-1, 2)
    places = rng.permutation(grid)[:16]
    rgb = np.zeros((SIDE, SIDE, 3), np.uint8)
    for at, (x, y) in enumerate(places):
        disc = np.zeros((SIDE, SIDE), np.uint8)
        cv2.circle(disc, (int(x), int(y)), 4, 1, -1)
        rgb[disc > 0, at % 3] = brightness if at < 12 else brightness // 4
    cv2.imwrite(str(folder / f"p{number}.png"), rgb[..., ::-1])
    return [(int(x), int(y), at % 3) for at, (x, y) in enumerate(places[:12])]


def geojson(path, cells):
    features = [
        {
            "type": "Feature",
            "geometry": {
                "type": "MultiPoint",
                "coordinates": [[x + 0.5, y + 0.5] for x, y, kind in cells if kind == at],
            },
            "properties": {"classification": {"name": name}},
        }
        for at, name in enumerate(QUPATH)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


@pytest.fixture
def corrected(tmp_path):
    """Six pictures whose cells have a heat of 45, below two of the bundle's thresholds of 60, 55, 40."""
    for number in range(6):
        geojson(tmp_path / f"p{number}.geojson", picture(tmp_path, number))
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(main, ["calibrate", *map(str, arguments)])


def test_thresholds_fit_the_corrected_pictures_and_nothing_else_changes(epb, corrected, tmp_path):
    new = tmp_path / "new.epb"
    result = run(epb, corrected, "-o", new, "--json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    for name in ("immunopositive", "immunonegative"):
        assert record["f1"][name] == {"before": 0.0, "leave_one_out": 1.0}
    assert record["f1"]["til"] == {"before": 1.0, "leave_one_out": 1.0}
    assert record["ki67_index"] == {"corrected": 0.5, "before": 0.0, "leave_one_out": 0.5}
    assert record["cells"] == {"immunopositive": 24, "immunonegative": 24, "til": 24}
    assert all(11 < threshold <= 45 for threshold in record["thresholds"])

    before, after = bundle.read(epb), bundle.read(new)
    assert after.scoring == before.scoring | {"thresholds": record["thresholds"]}
    calibration = after.provenance["calibration"]
    assert after.provenance == before.provenance | {"calibration": calibration}
    assert calibration["pictures"] == 6
    assert calibration["bundle_sha256"] == before.file_sha256
    assert calibration["thresholds_before"] == [60, 55, 40]
    for threshold, (low, high) in zip(record["thresholds"], calibration["threshold_ranges"], strict=True):
        assert low <= threshold <= high
    assert after.accuracy == before.accuracy | {"calibration": record["f1"]}
    (old_tensors, old), (new_tensors, revised) = (container.parse(path.read_bytes()) for path in (epb, new))
    changed = {"file_sha256", "scoring", "provenance", "accuracy"}
    assert {key for key in old if old[key] != revised[key]} == changed
    assert all(np.array_equal(old_tensors[name], new_tensors[name]) for name in old_tensors)
    again = tmp_path / "again.epb"
    assert run(epb, corrected, "-o", again).exit_code == 0
    assert again.read_bytes() == new.read_bytes()


def test_the_table_shows_every_class(epb, corrected, tmp_path):
    result = run(epb, corrected, "-o", tmp_path / "new.epb")
    assert "thresholds from 6 pictures" in result.stdout
    assert [line.split()[:3] for line in result.stdout.splitlines()[2:5]] == [
        ["immunopositive", "24", "60"],
        ["immunonegative", "24", "55"],
        ["til", "24", "40"],
    ]
    assert "Ki-67 index 50.0 % by the corrected points, 0.0 % before, 50.0 % after" in result.stdout


def test_the_folder_of_score_and_the_pictures_are_enough(epb, corrected, tmp_path):
    """Score, correct the GeoJSON of three pictures, calibrate: the table beside it is not read."""
    scored, fields = tmp_path / "scored", tmp_path / "fields"
    fields.mkdir()
    for number in range(6):
        shutil.move(corrected / f"p{number}.png", fields)
    command = [sys.executable, "-P", "-m", "edgepatho_runtime", "score", str(fields)]
    subprocess.run([*command, "--bundle", str(epb), "-o", str(scored)], check=True, capture_output=True)
    for number in range(3):
        (corrected / f"p{number}.geojson").rename(scored / f"p{number}.png.geojson")
    result = run(epb, scored, fields, "-o", tmp_path / "new.epb", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["cells"] == {"immunopositive": 12, "immunonegative": 12, "til": 24}
    assert (
        "3 as `score` wrote them, unchanged; leave those out that nobody has checked: p3.png" in result.stderr
    )
    for number in range(3):
        (scored / f"p{number}.png.geojson").unlink()  # now the tables of `score` are all there is
    found = corrections.find([scored, fields])
    assert [file.name for _, file in found.pairs][2:4] == ["p2.png.cells.csv", "p3.png.geojson"]


def test_what_has_no_partner_is_left_out_and_counted(epb, corrected, tmp_path):
    picture(corrected, 7)
    (corrected / "p0.png").unlink()
    result = run(epb, corrected, "-o", tmp_path / "new.epb")
    assert "Note: 1 without corrected points left out: p7.png." in result.stderr
    assert "Note: 1 of points without their picture left out: p0.geojson." in result.stderr
    assert "from 5 pictures" in result.stdout


def test_too_little_is_refused(epb, corrected, tmp_path):
    new = tmp_path / "new.epb"
    files = [corrected / f"p{number}{ending}" for number in range(4) for ending in (".png", ".geojson")]
    result = run(epb, *files, "-o", new)
    assert result.exit_code == 3
    assert "4 pictures have corrected points, and thresholds need at least 5;" in result.stderr
    for number in range(6):
        cells = picture(corrected, number)
        geojson(corrected / f"p{number}.geojson", [cell for cell in cells if cell[2] < 2 or number == 0])
    result = run(epb, corrected, "-o", new)
    assert result.exit_code == 3
    assert "The 6 pictures show 4 til cells, and a threshold needs at least 5;" in result.stderr
    assert not new.exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda folder: geojson(folder / "p2.geojson", [(500, 3, 0)]), "outside the 120 x 120 px"),
        (
            lambda folder: (folder / "p2.geojson").write_text(
                (folder / "p2.geojson").read_text().replace("Negative", "Tumour")
            ),
            "feature 1 has the class 'Tumour'; expected one of Positive",
        ),
        (lambda folder: (folder / "p2.geojson").write_text("{"), "p2.geojson is not JSON"),
        (lambda folder: (folder / "p2.png").write_bytes(b"GIF89a"), "p2.png cannot be read"),
    ],
)
def test_unusable_corrections_are_named_in_one_sentence(epb, corrected, tmp_path, change, sentence):
    change(corrected)
    result = run(epb, corrected, "-o", tmp_path / "new.epb")
    assert result.exit_code == 3
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "new.epb").exists()


def test_paths_that_cannot_be_right_are_refused(epb, corrected, tmp_path):
    folder = tmp_path / "second"
    folder.mkdir()
    shutil.copy(corrected / "p1.png", folder)
    for arguments, sentence in (
        ((corrected, "-o", epb), "give the name of another .epb file"),
        ((corrected, "-o", corrected / "p1.geojson"), "give the name of another .epb file"),
        ((corrected, folder, "-o", tmp_path / "new.epb"), "have the same name; give only one of them"),
        ((tmp_path / "nowhere", "-o", tmp_path / "new.epb"), "nowhere does not exist"),
    ):
        result = run(epb, *arguments)
        assert result.exit_code == 3
        assert sentence in result.stderr
    assert labels.read(corrected / "p1.geojson", SIDE, SIDE, Counter()).shape == (12, 3)


def test_pictures_of_any_size_have_the_heat_of_the_device(epb):
    """Sides are padded to 16 by repeating the edge; this network sees only single pixels."""
    rng = np.random.default_rng(0)
    sizes = [(40, 33), (17, 64), (40, 40), (48, 33)]
    pictures = [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
    heat = networks.heat_of_pictures(bundle.network_of(bundle.read(epb)), pictures)
    for each, expected in zip(heat, pictures, strict=True):
        np.testing.assert_allclose(each, expected, atol=1e-3)
