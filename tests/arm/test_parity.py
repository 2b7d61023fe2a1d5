"""The wheel against Keras on whole tiles: same heat maps and cells, bit-identical for any thread count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.arm.boards import BOARDS
from benchmarks.parity import matrix

pytestmark = [pytest.mark.arm, pytest.mark.slow]


@pytest.fixture(scope="module")
def reference() -> Iterator[Path]:
    """Two synthetic test tiles with Keras's outputs; `make test-arm-full` uses 20."""
    with matrix.reference(2) as folder:
        yield folder


def test_heat_maps_cells_and_bits(userland, runtime_site, board, reference):
    rows = matrix.compare(matrix.Emulated(board, userland, runtime_site), reference, (1, 4))
    for row in rows:
        assert row.cells >= 50
        assert row.largest_difference <= matrix.TOLERANCE
        assert row.cells_that_differ == 0
        assert row.same_bits_as_one_thread
    assert [row.threads for row in rows] == [1, 4]


def test_half_precision_is_close(userland, runtime_site, reference):
    place = matrix.Emulated(BOARDS["a76"], userland, runtime_site, "fp16")
    (row,) = matrix.compare(place, reference, (1,))
    assert row.level == "neon-fp16"
    assert matrix.TOLERANCE < row.largest_difference < 0.05  # so it did compute in half precision
    assert row.cells_that_differ < 0.1 * row.cells


def test_the_cortex_a53_adds_in_the_same_order(userland, runtime_site, reference, tmp_path):
    bits = set()
    for isa in ("neon", "neon-a53"):
        arguments = [reference / "model.epb", "1", "fp32", tmp_path, reference / "00.rgb"]
        done = userland.run(
            BOARDS["a53"],
            ["python", str(matrix.WORKER), *map(str, arguments)],
            python_path=(runtime_site,),
            environment={"EDGEPATHO_ISA": isa},
        )
        assert f'"isa": "{isa}"' in done.stdout, done.stderr
        bits.add((tmp_path / "00.f32").read_bytes())
    assert len(bits) == 1


def test_score_of_a_png_finds_the_cells_of_keras_and_scikit_image(
    userland, runtime_site, board, reference, tmp_path
):
    arguments = ["score", reference / "00.png", "--bundle", reference / "model.epb", "--threads", "2"]
    done = userland.run(
        board,
        ["python", "-m", "edgepatho_runtime", *map(str, arguments), "--json", "-o", str(tmp_path)],
        python_path=(runtime_site,),
    )
    assert done.returncode == 0, done.stderr
    expected = json.loads((reference / "cells.json").read_text())[0]
    counts = json.loads(done.stdout)["images"][0]["counts"]
    assert list(counts.values()) == [len(points) for points in expected]
    assert {path.suffix for path in tmp_path.iterdir()} >= {".png", ".geojson", ".csv"}
