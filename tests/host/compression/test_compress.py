"""`compress` and `evaluate` on a few synthetic tiles: what they write, print, refuse and reproduce."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgepatho.cli import main
from edgepatho.compression import compress
from edgepatho.evaluate.tiles import load as tiles_of
from edgepatho.evaluate.unseen import losses
from edgepatho.exporters import bundle
from edgepatho.files import sha256_of
from edgepatho.model import graph as graphs
from edgepatho.model import pathonet, weights
from edgepatho.model import shared as shared_models
from edgepatho.report.record import read_compress

pytestmark = pytest.mark.slow

OPTIONS = ["--steps", "4", "--validate-every", "2", "--batch", "2", "--crop-px", "32", "-k", "16"]


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory) -> Path:
    """PathoNet with random weights, its last layer scaled until thresholds are crossed."""
    import keras

    keras.utils.set_random_seed(5)
    model = pathonet.build(None)
    output = np.asarray(model(np.random.default_rng(0).random((1, 64, 64, 3), np.float32)))
    last = model.get_layer("conv10")
    last.kernel.assign(np.asarray(last.kernel) * 150 / np.percentile(output, 97))
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    weights.save(model, path)
    return path


@pytest.fixture(scope="module")
def folders(prepared, unseen, weights_file, tmp_path_factory) -> list[Path]:
    """Two processes of one deterministic command."""
    outputs = [tmp_path_factory.mktemp(name) / "compressed" for name in "ab"]
    command = [sys.executable, "-m", "edgepatho", "compress", str(prepared), "--weights", str(weights_file)]
    command += ["--unseen", str(unseen)]
    processes = [
        subprocess.Popen(
            [*command, *OPTIONS, "--deterministic", "--json", "-o", str(output)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for output in outputs
    ]
    for process, output in zip(processes, outputs, strict=True):
        stdout, stderr = process.communicate()
        assert process.returncode == 0, stderr
        assert json.loads(stdout) == json.loads((output / "compress.json").read_text())
    return outputs


@pytest.fixture(scope="module")
def record(folders):
    return json.loads((folders[0] / "compress.json").read_text())


def test_two_processes_give_equal_bytes(folders, record):
    assert record["training"]["steps"] == 4
    for name in ("model.epb", "baseline.epb", "shared.npz", "compress.json"):
        assert sha256_of(folders[0] / name) == sha256_of(folders[1] / name), name


def test_the_folder_is_complete_and_the_report_reads_its_record(folders):
    names = {path.name for path in folders[0].iterdir()}
    exports = {"model.epb", "baseline.epb", "compressed.tflite", "baseline.tflite", "int8.tflite"}
    assert names == exports | {"shared.npz", "compress.json", "report.html", "overlays"}
    found = read_compress(folders[0])
    for name in exports:
        assert found.files[name].sha256 == sha256_of(folders[0] / name)
    assert len(list((folders[0] / "overlays").glob("*.png"))) == 2 * 3  # plain, original, compressed
    assert [path.name for path in folders[0].parent.iterdir()] == ["compressed"]  # nothing temporary


def test_the_table_shows_original_compressed_and_control(record, weights_file):
    assert record["original"]["sha256"] == weights.sha256(weights.load(weights_file, None))
    assert [row["model"] for row in record["accuracy"]["rows"]] == ["original", "compressed", "control"]
    assert record["accuracy"]["tiles"] == record["accuracy"]["patients"] == 2
    original = record["accuracy"]["rows"][0]
    assert original["immunopositive"]["tp"] + original["immunopositive"]["fp"] > 0
    assert 3.9 < record["space"]["seed_ratio"] < 4
    assert record["space"]["measured_ratio"] > 5


def test_an_unseen_laboratory_has_the_rows_of_all_models(record):
    (basel,) = record["accuracy"]["unseen"]
    assert (basel["laboratory"], basel["tiles"], basel["patients"]) == ("Basel", 2, 2)
    assert [row["model"] for row in basel["rows"]] == ["original", "compressed", "control"]
    original, compressed, _ = basel["rows"]
    assert original["immunopositive"]["tp"] + original["immunopositive"]["fn"] > 0
    assert compressed["agreement_cells"] == sum(
        original[name]["tp"] + original[name]["fp"] for name in ("immunopositive", "immunonegative", "til")
    )
    assert record["accuracy"]["notes"] == list(losses(record["accuracy"]["rows"], [basel]))


def test_the_bundle_holds_at_most_k_values_and_the_kernels_of_shared_npz(folders):
    network = bundle.network_of(bundle.read(folders[0] / "model.epb"))
    shared = shared_models.load(folders[0] / "shared.npz")
    assert np.unique(np.concatenate([kernel.ravel() for kernel in network.kernels.values()])).size <= 16
    for layer, kernel in network.kernels.items():
        assert np.array_equal(kernel, shared.kernel(layer))


def test_both_bundles_carry_the_envelope_of_the_training_tiles(folders, record):
    assert record["envelope"]["trained_on"] == "6 tiles of 6 patients"
    for name in ("model.epb", "baseline.epb"):
        assert bundle.read(folders[0] / name).parts == {"envelope": record["envelope"]}


def test_the_bundle_is_the_best_validated_state(folders, prepared, record):
    network = bundle.network_of(bundle.read(folders[0] / "model.epb"))
    tiles = tiles_of(prepared, "validation")
    heat = graphs.evaluate(network, tiles.images.astype(np.float32) / 255).numpy()
    errors = [entry["validation_mse"] for entry in record["training"]["history"]]
    assert np.mean((heat - tiles.maps) ** 2) == pytest.approx(min(errors), rel=1e-3)
    assert [entry["step"] for entry in record["training"]["history"]] == [0, 2, 4]


def test_evaluate_shows_both_protocols_for_both_models(folders, prepared, unseen, tmp_path, record):
    table = tmp_path / "tiles.csv"
    arguments = ["evaluate", str(prepared), str(folders[0]), "--unseen", str(unseen)]
    result = CliRunner().invoke(main, [*arguments, "--json", "--csv", str(table)])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [row["model"] for row in found["rows"]] == ["original", "compressed"]
    for ours, theirs in zip(found["rows"], record["accuracy"]["rows"], strict=False):
        assert ours["average_f1"] == pytest.approx(theirs["average_f1"], abs=0.02)
        assert 0 <= ours["seed_protocol"]["tiles_left_out"] <= 2
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for model, row in zip(("original", "compressed"), found["rows"], strict=True):
        ours = [each for each in rows if each["model"] == model and each["protocol"] == "one-to-one"]
        assert len(ours) == 2 * 3
        for name in ("immunopositive", "til"):
            assert sum(int(each["tp"]) for each in ours if each["class"] == name) == row[name]["tp"]
    assert set(found["patients"]["original"]) == {"p7", "p8"}
    for ours, theirs in zip(
        found["unseen"][0]["rows"], record["accuracy"]["unseen"][0]["rows"], strict=False
    ):
        assert ours["average_f1"] == pytest.approx(theirs["average_f1"], abs=0.02)


def test_evaluate_prints_the_defects_of_the_published_protocol(folders, prepared, unseen):
    arguments = ["evaluate", str(prepared), str(folders[0] / "model.epb"), "--protocol", "published"]
    result = CliRunner().invoke(main, [*arguments, "--thresholds", "60,55,40", "--unseen", str(unseen)])
    assert result.exit_code == 0, result.output
    assert "published protocol" in result.stdout
    assert "within 20 px of 256" in result.stdout
    assert "\nBasel model" in result.stdout


def test_evaluate_refuses_a_bundle_without_heat_maps(prepared):
    dense = Path(__file__).parents[2] / "fixtures" / "v1" / "dense.epb"
    result = CliRunner().invoke(main, ["evaluate", str(prepared), str(dense)])
    assert result.exit_code == 3
    assert "dense.epb does not take tiles of 256 px" in result.stderr


def test_ctrl_c_says_what_is_kept_and_what_is_lost(prepared, tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(compress, "run", interrupted)
    command, state = ["compress", str(prepared), "-o", str(tmp_path / "out")], tmp_path / "out.retraining.npz"
    for sentence in ("No validation was saved yet: ", "holds the last validation; the same command resumes"):
        result = CliRunner().invoke(main, command)
        assert sentence in " ".join(result.stderr.split())
        assert result.exit_code == 130
        state.touch()


def test_a_foreign_folder_is_left_alone(prepared, weights_file, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    result = CliRunner().invoke(
        main, ["compress", str(prepared), "-o", str(tmp_path), "--weights", str(weights_file), *OPTIONS]
    )
    assert result.exit_code == 3
    assert "holds no compress.json" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--bits", "2"], 2, "--bits works only with ecsq; cws has no entropy term"),
        (["-k", "1"], 2, "k = 1 is outside 2 to 65536"),
        (["--prune", "100"], 2, "--prune 100 is outside 0 to 99"),
        (["--layer", "conv10=none"], 2, "is not NAME=K or NAME=skip"),
        (["--crop-px", "100"], 2, "needs a multiple of 16"),
        (["--weights", "nowhere.h5"], 3, "nowhere.h5 is not a file"),
    ],
)
def test_invalid_settings_are_refused_before_any_work(prepared, tmp_path, options, code, sentence):
    output = tmp_path / "out"
    result = CliRunner().invoke(main, ["compress", str(prepared), "-o", str(output), *options])
    assert result.exit_code == code, result.output
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [["--steps", "-1"], ["--test-tiles", "0"], ["--test-tiles", "0", "--preset", "paper-k256"]],
)
@pytest.mark.parametrize("command", ["compress", "sweep"])
def test_a_number_out_of_range_is_refused(prepared, tmp_path, command, options):
    output = tmp_path / "out"
    result = CliRunner().invoke(main, [command, str(prepared), "-o", str(output), *options])
    assert result.exit_code == 2
    assert f"{options[1]} is not in the range" in result.stderr
    assert not output.exists()


def test_a_sweep_refuses_bits_for_methods_without_an_entropy_term(prepared, tmp_path):
    result = CliRunner().invoke(main, ["sweep", str(prepared), "-o", str(tmp_path / "out"), "--bits", "0.5"])
    assert result.exit_code == 2
    assert "--bits works only with ecsq" in result.stderr


@pytest.mark.parametrize("command", ["compress", "sweep"])
@pytest.mark.parametrize("seed", ["-1", str(2**32)])
def test_an_out_of_range_seed_is_refused(tmp_path, command, seed):
    result = CliRunner().invoke(main, [command, str(tmp_path), "-o", str(tmp_path / "out"), "--seed", seed])
    assert result.exit_code == 2
    assert "0<=x<=4294967295" in result.stderr


@pytest.mark.parametrize("command", ["compress", "evaluate", "sweep"])
def test_a_folder_that_is_not_prepared_is_refused(tmp_path, command):
    output = [] if command == "evaluate" else ["-o", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [command, str(tmp_path), *output])
    assert result.exit_code == 3
    assert "holds no prepared.json" in result.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--thresholds", "60,55"], "--thresholds is '60,55'; expected 3 numbers"),
        (["--ki67-cutoffs", "0.1,2"], "expected 2 numbers above 0 and up to 1"),
    ],
)
def test_evaluate_refuses_numbers_out_of_range(prepared, options, sentence):
    result = CliRunner().invoke(main, ["evaluate", str(prepared), *options])
    assert result.exit_code == 2
    assert sentence in result.stderr
