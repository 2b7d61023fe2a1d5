"""`report`, `export` and `evaluate` still read version 1 of compress.json."""

import shutil
from pathlib import Path

import pytest

from edgepatho.compression import record
from edgepatho.errors import InputError
from edgepatho.evaluate import networks
from edgepatho.exporters import folder as exports
from edgepatho.report.record import read_compress

FIXTURES = Path(__file__).parents[2] / "fixtures"
VERSION_1 = FIXTURES / "records" / "compress-v1.json"


@pytest.fixture
def folder(tmp_path) -> Path:
    """A version 1 compress folder with a frozen bundle in place of each network."""
    shutil.copy(VERSION_1, tmp_path / "compress.json")
    shutil.copy(FIXTURES / "v1" / "plain.epb", tmp_path / "baseline.epb")
    shutil.copy(FIXTURES / "v1" / "nibbles.epb", tmp_path / "model.epb")
    return tmp_path


def test_the_report_reads_version_1(folder):
    report = read_compress(folder)
    assert report.version == 1 < record.VERSION
    assert report.command["steps"]["statistics"] is False
    assert report.space.seed_ratio == pytest.approx(3.996, abs=1e-3)


def test_export_reads_the_same_provenance_from_version_1(folder):
    stored = exports.read_record(folder)
    assert exports.provenance(stored) == {
        "method": "cws",
        "k": 16,
        "codebook": "shared",
        "scale": "none",
        "prune": 0.0,
        "seed": 0,
        "original_sha256": stored["original"]["sha256"],
        "tool_version": "0.1.0",
        "trained_on": "the user's own tiles",
        "research_use_only": True,
    }


def test_evaluate_reads_both_networks_of_a_version_1_folder(folder):
    assert list(networks.load(folder).graphs) == ["original", "compressed"]


def test_a_future_version_is_refused(folder):
    path = folder / "compress.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 3'))
    for read in (read_compress, exports.read_record):
        with pytest.raises(InputError, match=r"compress\.json"):
            read(folder)
