"""The quantizer table: every method, and none worse than the published code."""

import pytest

from benchmarks import quantizer_table


@pytest.fixture(scope="module")
def rows():
    return [
        row
        for source, weights in quantizer_table.draws(200_000).items()
        for row in quantizer_table.rows_of(source, weights, [256], [2.0])
    ]


def test_every_method_has_a_row_for_every_source(rows):
    assert {(row["weights"], row["method"]) for row in rows} == set(quantizer_table.PUBLISHED)
    assert all(row["levels"] <= 256 for row in rows if row["k"])


def test_exact_solutions_beat_the_published_distortion(rows):
    compared = [row for row in rows if row["published_distortion"] and row["method"] != "pws"]
    assert len(compared) == 9
    for row in compared:
        assert row["distortion"] < row["published_distortion"], row


def test_ecsq_meets_its_rate(rows):
    rates = [row["entropy_bits"] for row in rows if row["bits"]]
    assert rates == pytest.approx([2.0] * 3, abs=2e-3)


def test_cells_are_blank_where_nothing_was_published(rows):
    (shown,) = [quantizer_table.cells(row) for row in rows if row["weights"] == "normal" and row["bits"]]
    assert shown[:3] == ["normal", "ecsq", "2 bits"]
    assert shown[-2:] == ["", ""]
