"""README.md and docs/measurements.md quote only the committed records."""

from __future__ import annotations

import pytest

from benchmarks import accuracy_tables, readme_tables, results


@pytest.mark.parametrize("page", readme_tables.PAGES, ids=lambda page: page.name)
def test_a_page_holds_the_figures_of_the_committed_records(page):
    text = page.read_text()
    assert readme_tables.filled(text, results.RESULTS) == text, "run `python -m benchmarks.readme_tables`"


def test_every_figure_has_its_place_in_one_page():
    texts = [page.read_text() for page in readme_tables.PAGES]
    for place, _, _ in readme_tables.FILLED:
        assert sum(f"<!-- {place} -->" in text for text in texts) == 1, place


def test_a_table_replaces_the_one_before(tmp_path):
    (tmp_path / "arm.json").write_text("[]")
    text = "a\n<!-- arm -->\nold\n<!-- /arm -->\nb\n"
    table = readme_tables.arm_table([])
    assert readme_tables.filled(text, tmp_path) == f"a\n<!-- arm -->\n{table}\n<!-- /arm -->\nb\n"


def test_the_frontier_shows_published_settings_and_the_smallest():
    row = {
        "method": "cws",
        "k": 256,
        "bits": None,
        "prune": 0.0,
        "scale": "none",
        "levels": 256,
        "index_rate": 0,
        "bundle_bytes": 2_400_000,
        "weights_ram_bytes": 3_250_000,
        "agreement_before": 0.983,
        "agreement": 0.997,
        "f1_delta_points": -0.03,
        "ki67_change_points": 0.1,
    }
    small = {**row, "method": "ecsq", "bits": 0.5, "scale": "output", "bundle_bytes": 298_000}
    four = {**row, "method": "uq", "k": 16, "levels": 16, "index_rate": 2e-5, "bundle_bytes": 925_000}
    others = [
        {**row, "prune": 0.5},
        {**row, "k": 64},
        {**small, "scale": "none"},
        {**small, "index_rate": 1e-5},
    ]
    found = {"rows": [small, row, four, *others]}
    assert [line.split(" | ")[:2] for line in accuracy_tables.frontier_table(found).splitlines()[2:]] == [
        ["| CWS, k = 256", "2400"],
        ["| UQ, k = 16, indices moved", "925"],
        ["| ECSQ, 0.5 bits per weight", "298"],
    ]


def test_unseen_laboratories_are_beside_the_same():
    f1 = {"immunopositive": {"f1": 0.95}, "immunonegative": {"f1": 0.94}, "til": {"f1": 0.9}}
    unseen = {"immunopositive_f1": 0.85, "immunonegative_f1": 0.8, "til_f1": 0.7, "ki67_mae_points": 6.0}
    row = {
        "method": "cws",
        "k": 256,
        "bits": None,
        "prune": 0.0,
        "scale": "none",
        "index_rate": 0,
        "levels": 256,
    }
    row |= {"bundle_bytes": 1, "agreement": 0.99, "ki67_change_points": 0.1}
    row["unseen"] = {"A": {"agreement": 0.96, "ki67_change_points": 2.0}}
    found = {"original": {**f1, "ki67_mae_points": 1.5, "unseen": {"A": unseen}}, "rows": [row]}
    lines = accuracy_tables.unseen_tables(found).splitlines()
    assert lines[2:4] == [
        "| same laboratories | 0.950 | 0.940 | 0.900 | 1.5 |",
        "| A | 0.850 | 0.800 | 0.700 | 6.0 |",
    ]
    assert lines[-1] == "| CWS, k = 256 | 0.990 (0.1) | 0.960 (2.0) |"
    del found["original"]["unseen"]
    assert accuracy_tables.unseen_tables(found) == ""


def test_two_threads_are_shown_next_to_one():
    row = {
        "engine": "edgepatho",
        "precision": "fp32",
        "threads": 1,
        "median_ms": 40.04,
        "ratio_to_tflite_runtime_fp32": [0.4, 0.41],
        "load_to_first_ms": 70.0,
        "peak_rss_over_python_bytes": 14_000_000,
        "file_bytes": 3_300_000,
    }
    table = readme_tables.host_table([row, {**row, "threads": 2, "median_ms": 25.0}])
    assert table.splitlines()[2:] == ["| edgepatho fp32 | 40.0 | 25.0 | 0.40 and 0.41 | 70 | 14.0 | 3.30 |"]
    alone = readme_tables.host_table([{**row, "ratio_to_tflite_runtime_fp32": [None, None]}])
    assert alone.splitlines()[2:] == ["| edgepatho fp32 | 40.0 | – | – and – | 70 | 14.0 | 3.30 |"]


def test_an_engine_that_could_not_be_measured_is_left_out():
    failed = {
        "engine": "mnn",
        "precision": "fp32",
        "threads": 1,
        "cpu": "a72",
        "error": "MNN is not installed.",
    }
    assert len(readme_tables.host_table([failed]).splitlines()) == 2
    assert len(readme_tables.arm_table([failed]).splitlines()) == 2


def test_both_engines_stand_side_by_side_at_every_scale():
    def row(engine: str, ms: float) -> dict[str, object]:
        scale = {"side_px": 512, "width": 0.25, "peak_rss_over_python_bytes": 2_000_000}
        return {"engine": engine, "median_ms": ms, **scale}

    table = readme_tables.scale_table([row("edgepatho", 10.0), row("litert", 30.0)])
    assert table.splitlines()[2] == "| 512 | 0.25 | 10.0 | 30.0 | 2.0 | 2.0 |"


def test_cycles_come_with_their_ratio_to_the_reference():
    def row(engine: str, cpu: str, precision: str, mcycles: float | None) -> dict[str, object]:
        counted = {"instructions": 600_000_000, "beyond_l2_bytes": 300_000_000}
        return {"engine": engine, "cpu": cpu, "precision": precision, "mcycles": mcycles, **counted}

    rows = [row("tflite-runtime", cpu, "fp32", mcycles) for cpu, mcycles in (("a72", 1500.0), ("a76", 750.0))]
    rows += [row("edgepatho", "a72", "fp32", 400.0), row("edgepatho", "a53", "fp32", None)]
    rows.append(row("edgepatho", "a76", "fp16", 125.0))
    assert readme_tables.arm_table(rows).splitlines()[2:] == [
        "| tflite-runtime fp32 | 1500 (1.00x) | 750 (1.00x) | – | 300 |",
        "| edgepatho fp32 | 400 (3.75x) | – | 600 | 300 |",
        "| edgepatho fp16 | – | 125 (6.00x) | – | – |",
    ]


def test_the_worst_thread_count_is_shown_for_an_isa():
    row = {
        "processor": "cortex-a76",
        "level": "neon-fp16",
        "threads": 1,
        "tiles": 20,
        "cells": 900,
        "largest_difference": 1e-3,
        "cells_that_differ": 1,
        "largest_ki67_change_points": 0.1,
        "same_bits_as_one_thread": True,
    }
    worse = {**row, "threads": 4, "largest_difference": 2e-3, "cells_that_differ": 3}
    assert readme_tables.parity_table([row, worse]).splitlines()[2:] == [
        "| cortex-a76, neon-fp16 | 1, 4 | 20 | 900 | 2.0e-03 | 3 | 0.10 | yes |"
    ]
