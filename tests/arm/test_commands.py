"""`edgepatho-run` in a Python that has the unpacked wheel and nothing else, on every processor."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from edgepatho.envelope import colour, statistics

pytestmark = pytest.mark.arm

FIXTURES = Path(__file__).parents[1] / "fixtures" / "v1"
BUNDLE, UNCOMPRESSED = FIXTURES / "shared-256.epb", FIXTURES / "plain.epb"
UNFIT = 5  # docs/device-cli.md


@pytest.fixture
def device(userland, runtime_site: Path, board):
    """A function that runs one command of `edgepatho-run` on the board."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = ["python", "-m", "edgepatho_runtime", *map(str, arguments)]
        return userland.run(board, command, python_path=(runtime_site,))

    return run


def test_info_lists_the_instruction_sets_of_the_processor(device, board):
    facts = json.loads(device("info", BUNDLE, "--plan", "--json").stdout)
    half = board.cpu == "a76"
    assert ("neon-fp16" in facts["isa"]) == half
    assert facts["plan"]["isa"] == {"a53": "neon-a53"}.get(board.cpu, "neon")


def test_selftest_passes_and_refuses_what_the_processor_lacks(device, board):
    done = device("selftest", BUNDLE, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["passed"]
    assert result["max_error"] > 0  # something was computed
    half = device("selftest", BUNDLE, "--precision", "fp16")
    if board.cpu == "a76":
        assert half.returncode == 0, half.stderr
    else:
        assert half.returncode == UNFIT
        assert "cannot compute in fp16" in half.stderr


def test_bench_measures_both_bundles_and_says_that_it_was_emulated(device):
    done = device("bench", BUNDLE, UNCOMPRESSED, "--runs", "2", "--warmup", "1", "--json", "-")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert [(row["engine"], row["error"]) for row in record["rows"]] == [
        ("edgepatho", None),
        ("edgepatho-baseline", None),
    ]
    assert all(row["median_ms"] > 0 and row["peak_rss_over_python_bytes"] > 0 for row in record["rows"])
    assert record["device"]["machine"] == "aarch64"
    assert record["device"]["emulated"] is True


def test_score_measures_a_picture_as_the_host_does(device, tmp_path):
    smooth = ndimage.gaussian_filter(np.random.default_rng(4).integers(0, 256, (48, 64, 3)), (2, 2, 0))
    picture = np.clip((smooth - 128) * 6 + 150, 0, 255).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "field.png")
    bundle = FIXTURES.parent / "v2" / "complete.epb"
    done = device("score", tmp_path / "field.png", "--bundle", bundle, "--json")
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)["images"]
    for name, expected in statistics.of_picture(picture, colour.colour(picture)).items():
        assert entry["measured"][name] == (expected and pytest.approx(expected, rel=1e-6)), name
