"""A compress folder's exports can be rewritten, and its record lists their sizes."""

import hashlib
import json
import zlib
from dataclasses import replace

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers

from edgepatho.cli import main
from edgepatho.errors import InputError
from edgepatho.exporters import bundle, folder
from edgepatho.model import graph as graphs
from edgepatho.model import shared as shared_models
from edgepatho.model.shared import SharedModel

RECORD = {
    "format": "edgepatho-compress",
    "version": 1,
    "command": {"quantizer": {"method": "uq", "k": 16, "bits": None, "codebook": "shared", "seed": 0}},
    "versions": {"edgepatho": "0.1.0"},
    "original": {"name": "small", "sha256": "0" * 64, "parameters": 10},
    "accuracy": {
        "synthetic": True,
        "rows": [
            {"model": "original", "average_f1": 0.9},
            {"model": "compressed", "average_f1": 0.8912345678, "agreement": 0.97},
        ],
    },
    "scoring": bundle.SCORING,
    "space": {"seed_ratio": 3.9},
}

ENVELOPE = {
    "colours": ["0" * 256] * 5,
    "ranges": {"tissue": [0.02, None]},
    "stains": {"dab": [[0, 0, 0], [1, 1, 1]], "hematoxylin": [[0, 0, 0], [1, 1, 1]]},
    "trained_on": "2 tiles of 1 patient",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A compress folder of a small network, as `edgepatho compress` leaves it."""
    place = tmp_path_factory.mktemp("compressed")
    first = layers.Conv2D(24, 3, padding="same", activation="relu", name="first")
    heat = layers.Conv2D(3, 3, padding="same", activation="relu", name="heat")
    original = graphs.from_keras(keras.Sequential([layers.Input((None, None, 3)), first, heat]))
    book = np.linspace(-0.4, 0.4, 16, dtype=np.float32)
    indices = {
        name: np.abs(kernel[..., None] - book).argmin(axis=-1).astype(np.uint16)
        for name, kernel in original.kernels.items()
    }
    ones = dict.fromkeys(indices, np.float32(1))
    shared = SharedModel(
        replace(original, kernels={}), {"codebook": book}, indices, dict.fromkeys(indices, "codebook"), ones
    )
    shared_models.save(shared, place / "shared.npz")
    record = json.loads(json.dumps(RECORD))
    tiles = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    folder.write(place, shared, original, record, tiles)
    (place / "compress.json").write_text(json.dumps(record))
    return place


def digests(place):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in place.iterdir()}


def test_the_record_lists_the_files(made):
    record = json.loads((made / "compress.json").read_text())
    assert set(record["files"]) == {*folder.EXPORTS, "shared.npz"}
    for name, facts in record["files"].items():
        data = (made / name).read_bytes()
        deflated = len(zlib.compress(data, 9))
        assert facts == {
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "deflated_bytes": deflated,
        }
    sizes = record["files"]
    assert record["space"]["seed_ratio"] == 3.9
    assert record["space"]["measured_ratio"] == sizes["baseline.epb"]["bytes"] / sizes["model.epb"]["bytes"]


def test_bundles_record_their_provenance(made):
    model, baseline = bundle.read(made / "model.epb"), bundle.read(made / "baseline.epb")
    assert model.provenance == {
        "method": "uq",
        "k": 16,
        "codebook": "shared",
        "seed": 0,
        "original_sha256": "0" * 64,
        "tool_version": "0.1.0",
        "trained_on": "synthetic tiles",
        "research_use_only": True,
    }
    of_all = ("original_sha256", "tool_version", "trained_on", "research_use_only")
    assert baseline.provenance == {key: model.provenance[key] for key in of_all} | {"method": "none"}
    assert model.accuracy == {"average_f1": 0.891235, "agreement": 0.97, "synthetic": True}
    assert baseline.accuracy == {"average_f1": 0.9, "synthetic": True}


def test_bundles_carry_the_envelope_of_the_record(made, tmp_path):
    for path in made.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert bundle.read(tmp_path / "model.epb").parts == {}  # version 1: the record has none
    record = json.loads((tmp_path / "compress.json").read_text()) | {"envelope": ENVELOPE}
    (tmp_path / "compress.json").write_text(json.dumps(record))
    folder.rebuild(tmp_path)
    for name in ("model.epb", "baseline.epb"):
        assert bundle.read(tmp_path / name).parts == {"envelope": ENVELOPE}


def test_export_reproduces_the_same_bytes(made):
    before = digests(made)
    for name in ("model.epb", "compressed.tflite", "baseline.tflite"):
        (made / name).unlink()
    result = CliRunner().invoke(main, ["export", str(made), "--json"])
    assert result.exit_code == 0, result.output
    after = digests(made)
    assert {name: after[name] for name in before if name != "compress.json"} == {
        name: digest for name, digest in before.items() if name != "compress.json"
    }
    assert json.loads(result.stdout) == json.loads((made / "compress.json").read_text())["files"]


def test_export_without_tiles_says_that_int8_stays(made):
    result = CliRunner().invoke(main, ["export", str(made)])
    assert result.exit_code == 0
    assert "int8.tflite was left as it is" in result.stderr
    assert [line.split()[0] for line in result.stdout.splitlines()] == [*folder.EXPORTS, "shared.npz"]


@pytest.mark.parametrize("missing", ["compress.json", "shared.npz", "baseline.epb"])
def test_a_folder_without_its_sources_is_refused(made, missing, tmp_path):
    for path in made.iterdir():
        if path.name != missing:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    before = digests(tmp_path)
    with pytest.raises(InputError, match=missing.replace(".", r"\.")):
        folder.rebuild(tmp_path)
    assert digests(tmp_path) == before


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"format":"edgepatho-bench","version":1}',
        '{"format":"edgepatho-compress"}',
        json.dumps(RECORD | {"command": {}}),
        json.dumps(RECORD | {"accuracy": {"synthetic": True, "rows": RECORD["accuracy"]["rows"][:1]}}),
        json.dumps(RECORD | {"accuracy": {"synthetic": True, "rows": [{"model": "original"}, 3]}}),
        json.dumps(RECORD | {"scoring": 5}),
    ],
)
def test_a_foreign_record_is_refused(text, tmp_path):
    (tmp_path / "compress.json").write_text(text)
    result = CliRunner().invoke(main, ["export", str(tmp_path)])
    assert result.exit_code == 3
    assert "compress.json is not a compression record" in result.stderr
