"""`edgepatho inspect` describes a bundle, as a table and as JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgepatho.cli import main
from edgepatho.commands.inspect import bars
from edgepatho.exporters import bundle
from edgepatho.exporters.inspection import inspect
from edgepatho.model.shared import SharedModel

FROZEN = Path(__file__).parents[2] / "fixtures" / "v1"
NAMES = sorted(path.stem for path in FROZEN.glob("*.epb"))


@pytest.mark.parametrize("name", NAMES)
def test_sizes_add_up_to_the_file(name):
    facts = inspect(FROZEN / f"{name}.epb")
    assert sum(size["stored"] for size in facts["bytes"].values()) == facts["file_bytes"]
    assert facts["file_bytes"] == (FROZEN / f"{name}.epb").stat().st_size
    assert 0 < facts["deflated_bytes"] < facts["file_bytes"]
    for layer in facts["layers"]:
        assert sum(layer["histogram"]) == layer["weights"]
    assert sum(layer["weights"] for layer in facts["layers"]) == facts["weights"]


@pytest.mark.parametrize("name", NAMES)
def test_codebook_use_is_counted_over_the_weights(name):
    path = FROZEN / f"{name}.epb"
    facts = inspect(path)
    kernels = bundle.network_of(bundle.read(path)).kernels
    for layer in facts["layers"]:
        values, counts = np.unique(kernels[layer["name"]], return_counts=True)
        if "codebook" in layer:
            share = counts / counts.sum()
            assert layer["levels_used"] == len(values)
            assert layer["entropy_bits"] == pytest.approx(-(share * np.log2(share)).sum())
    for codebook, book in facts["codebooks"].items():
        members = [layer["name"] for layer in facts["layers"] if layer.get("codebook") == codebook]
        assert (
            book["levels_used"] == np.unique(np.concatenate([kernels[one].ravel() for one in members])).size
        )


def test_a_plain_network_has_no_entropy():
    facts = inspect(FROZEN / "plain.epb")
    assert facts["entropy_bits"] is None
    assert facts["codebooks"] == {}
    assert facts["shared_weights"] == facts["entropy_bytes"] == 0


def test_json_is_one_object():
    result = CliRunner().invoke(main, ["inspect", str(FROZEN / "coded.epb"), "--json"])
    assert result.exit_code == 0
    facts = json.loads(result.stdout)
    assert facts["coded_tensors"] == len(bundle.read(FROZEN / "coded.epb").coding)
    assert facts["provenance"]["research_use_only"] is True


def test_the_table_names_every_layer():
    result = CliRunner().invoke(main, ["inspect", str(FROZEN / "skipped.epb")])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    for name in ("c1", "e1", "e4", "p1", "d1", "d4", "heat"):
        assert sum(line.startswith(f"{name} ") for line in lines) == 1
    assert "codebook.e1: 8 of 16 levels used" in result.stdout
    assert "research_use_only True" in result.stdout


def test_control_characters_in_a_bundle_are_escaped(tmp_path):
    frozen = bundle.read(FROZEN / "plain.epb")
    provenance = {"trained_on": "\x1b[2J\x07tiles\u202e\nfile: 1 byte", "tool_version": "é"}
    path = tmp_path / "foreign.epb"
    bundle.write(
        path,
        SharedModel(bundle.network_of(frozen)),
        scoring=frozen.scoring,
        provenance=provenance,
        accuracy={},
        golden_input=frozen.tensors["golden.input"],
    )
    result = CliRunner().invoke(main, ["inspect", str(path)])
    assert result.exit_code == 0
    told = "tool_version é, trained_on \\x1b[2J\\x07tiles\\u202e\\nfile: 1 byte"
    assert f"provenance: {told}\n" in result.stdout
    assert (
        json.loads(CliRunner().invoke(main, ["inspect", str(path), "--json"]).stdout)["provenance"]
        == provenance
    )


def test_bars_are_blank_only_where_the_count_is_zero():
    assert bars([0, 1, 10, 1000, 0]) == " ▁▃█ "
    assert bars([5]) == "█"


def test_a_damaged_bundle_ends_with_its_exit_code(tmp_path):
    path = tmp_path / "bad.epb"
    path.write_bytes((FROZEN / "dense.epb").read_bytes()[:-1])
    result = CliRunner().invoke(main, ["inspect", str(path)])
    assert result.exit_code == 3
    assert result.stderr.startswith(f"Error: {path}: ")
