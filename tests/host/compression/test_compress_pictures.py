"""`compress --pictures`: distillation on pictures without labels, measured against the original."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edgepatho.cli import main
from edgepatho.data.prepare import prepare_unlabelled
from edgepatho.exporters import bundle
from edgepatho.files import sha256_of
from edgepatho.model import weights

OPTIONS = ["--steps", "2", "--validate-every", "1", "--batch", "2", "--crop-px", "32", "-k", "8"]


def original(_=None):
    """A convolution that answers brown and blue pixels, in place of PathoNet."""
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(12, 3, padding="same", name="first")(image)
    x = keras.layers.Conv2D(3, 1, padding="same", name="last")(keras.layers.ReLU(name="rectified")(x))
    model = keras.Model(image, keras.layers.ReLU(name="heat")(x))
    model.get_layer("last").kernel.assign(900 * model.get_layer("last").kernel)
    model.get_layer("last").bias.assign([-60.0, -60.0, -60.0])
    return model


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Four pictures of three patients, one of which shows two tiles."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name, width in (("a/1.jpg", 200), ("a/2.png", 256), ("b.jpg", 128), ("c.tif", 1900)):
        picture = np.full((160, width, 3), 225, np.uint8)
        for x, y in rng.integers(12, 140, (9, 2)):
            cv2.circle(picture, (int(x), int(y)), 7, (60, 90, 140) if x % 2 else (170, 120, 100), -1)
        (folder / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / name), picture)
    return folder


@pytest.fixture
def compress(monkeypatch, pictures):
    """A function that compresses the small network with --pictures and further arguments."""
    monkeypatch.setattr(weights, "load_original", original)

    def run(output, *arguments):
        return CliRunner().invoke(
            main, ["compress", "--pictures", str(pictures), "-o", str(output), *OPTIONS, *arguments]
        )

    return run


def keys_of(value):
    if isinstance(value, dict):
        return {*value, *(key for each in value.values() for key in keys_of(each))}
    return {key for each in value for key in keys_of(each)} if isinstance(value, list) else set()


def test_pictures_are_cut_at_the_scale_of_prepare(pictures, tmp_path):
    about = prepare_unlabelled(pictures, tmp_path / "p")
    assert sum(about["pictures"].values()) == 4
    assert sum(about["tiles"].values()) == 5  # 1900 px are scaled to 396 px: 256 and 140
    assert about["labels"] == "none"


def test_agreement_is_measured_and_nothing_else(compress, tmp_path):
    config = tmp_path / "eval.json"
    config.write_text(json.dumps({"thresholds": [50, 40, 30], "minDistance": 5}))
    result = compress(tmp_path / "out", "--thresholds", str(config))
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "out" / "compress.json").read_text())
    accuracy = record["accuracy"]
    assert accuracy["labelled"] is False
    assert accuracy["notes"] == []
    assert [row["model"] for row in accuracy["rows"]] == ["original", "compressed"]
    assert not keys_of(accuracy) & {"f1", "precision", "average_f1", "ki67_mae_points", "seed_protocol"}
    first, second = accuracy["rows"]
    assert second["agreement_cells"] == sum(first["cells"].values()) > 0
    assert {"agreement", "mse_to_original", "ki67_change_points"} <= second.keys()
    assert record["command"]["hyperparameters"]["target"] == "original"
    assert record["scoring"]["thresholds"] == [50, 40, 30]
    assert bundle.read(tmp_path / "out" / "model.epb").scoring["thresholds"] == [50, 40, 30]
    assert (tmp_path / "out" / "int8.tflite").stat().st_size > 0
    assert "tiles without labels" in result.stdout
    assert "F1" not in result.stdout
    page = (tmp_path / "out" / "report.html").read_text()
    assert "They have no labels" in page
    assert "--pictures PICTURES -o OUTPUT" in page
    assert "--thresholds 50,40,30" in page
    assert "average F1" not in page
    assert sorted(path.name for path in tmp_path.iterdir()) == ["eval.json", "out"]


def test_thresholds_not_given_are_the_published_ones_with_a_note(compress, tmp_path):
    result = compress(tmp_path / "out")
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "out" / "compress.json").read_text())
    assert record["scoring"]["thresholds"] == [60, 55, 40]
    (note,) = record["accuracy"]["notes"]
    assert "published configuration, 60, 55, 40." in note
    assert note in " ".join(result.stderr.split())
    again = tmp_path / "again"
    assert compress(again).exit_code == 0
    for name in ("model.epb", "int8.tflite"):
        assert sha256_of(again / name) == sha256_of(tmp_path / "out" / name), name


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["prepared"], 2, "give either PREPARED, a folder of labelled tiles, or --pictures FOLDER."),
        (["--target", "labels"], 2, "have no labels to retrain towards"),
        (["--preset", "paper-k256"], 2, "--preset retrains towards labels"),
        (["--unseen", "prepared"], 2, "--unseen needs thresholds and figures from labels"),
        (["--thresholds", "60,55"], 2, "--thresholds is '60,55'; expected 3 numbers"),
        (["--thresholds", "no.json"], 3, "no.json cannot be read"),
    ],
)
def test_settings_that_need_labels_are_refused(compress, tmp_path, arguments, code, sentence):
    result = compress(tmp_path / "out", *arguments)
    assert result.exit_code == code, result.output
    assert sentence in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"thresholds": [60, 55]}',
        '{"thresholds": [60, 55, 0]}',
        '{"thresholds": [60, 55, NaN]}',
        '{"thresholds": [60, 55, true]}',
        '{"thresholds": [60, 55, 40], "thresholds": [1, 2, 3]}',
    ],
)
def test_a_file_that_is_not_a_configuration_is_refused(compress, tmp_path, text):
    config = tmp_path / "eval.json"
    config.write_text(text)
    result = compress(tmp_path / "out", "--thresholds", str(config))
    assert result.exit_code == 3
    assert str(config) in result.stderr.replace("\n", "")
    assert result.stderr.count("\n") == 1


def test_without_pictures_or_tiles_nothing_is_done(tmp_path):
    result = CliRunner().invoke(main, ["compress", "-o", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "give either PREPARED" in result.stderr
