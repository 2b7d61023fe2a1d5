"""The table and plot of a sweep, and the targets for its rows."""

import json

import pytest
from PIL import Image

from edgepatho.compression import frontier, frontier_view
from edgepatho.compression.targets import TARGETS, Target, judged


def row(**changes):
    return {
        "method": "ecsq",
        "codebook": "per-layer",
        "scale": "output",
        "k": 256,
        "bits": 0.5,
        "prune": 0.0,
        "levels": 256,
        "bundle_bytes": 220_000,
        "weights_ram_bytes": 3_300_000,
        "seed_disk_bytes": 300_000,
        "agreement_before": 0.967,
        "agreement": 0.981,
        "f1_delta_points_before": -1.2,
        "f1_delta_points": -0.3,
        "ki67_mae_points": 1.5,
        "ki67_change_points": 0.4,
        "patients_changing_ki67_class": 0,
        "index_rate": 0,
    } | changes


def summary(rows, judged=True):
    about = {
        "original_sha256": "ab" * 32,
        "tiles": 96,
        "patients": 8,
        "synthetic": True,
        "shared_patients": ["p7"],
    }
    return frontier.summary(rows, about, {"average_f1": 0.947}, judged=judged)


def test_a_target_is_met_at_its_bounds_and_missed_beyond_each_of_them():
    target = Target(
        "all", "ecsq", 256, 256, 220_000, 3_300_000, 0.981, 0.3, 0.4, patients_changing_ki67_class=0
    )
    assert target.met_by(row())
    beyond = {
        "method": "uq",
        "k": 128,
        "levels": 257,
        "bundle_bytes": 220_001,
        "weights_ram_bytes": 3_300_001,
        "agreement": 0.9809,
        "f1_delta_points": -0.31,
        "ki67_change_points": 0.41,
        "patients_changing_ki67_class": 1,
    }
    for key, value in beyond.items():
        assert not target.met_by(row(**{key: value})), key
    assert target.met_by(row(f1_delta_points=2.0))


def test_the_most_faithful_row_that_meets_a_target_represents_it():
    rows = [row(agreement=0.97), row(agreement=0.99, bundle_bytes=240_000), row(bundle_bytes=900_000)]
    found = {each["name"]: each for each in judged(rows)}
    assert found["at most 0.25 MB"]["by"] is rows[1]
    assert not found["at most 1.7 MB of memory, k <= 16"]["met"]


def test_the_frontier_covers_its_range_with_at_most_60_points():
    points = frontier.points()
    assert len(points) <= 60
    quantizers = [point.quantizer for point in points]
    assert {each.method for each in quantizers if each.k == 256 and each.bits is None} == {
        "cws",
        "pws",
        "uq",
        "ecsq",
    }
    assert {8, 256} <= {each.k for each in quantizers}
    assert any(each.prune for each in quantizers)
    assert min(each.bits for each in quantizers if each.bits) <= 0.3
    assert len({point.key for point in points}) == len(points)


def test_table_and_plot_show_rows_targets_and_control(tmp_path):
    control = {"method": "control", "best_step": 0, "figures": {"average_f1": 0.95, "ki67_mae_points": 1.2}}
    refused = {"error": "a rate of 9 bits per weight cannot be met."}
    found = json.loads(json.dumps(summary([row(), control, refused, row(method="cws", bits=None, k=16)])))
    text = frontier_view.table(found)
    assert "2 points on 96 synthetic tiles of 8 patients" in text
    assert "control: the original after the same steps: average F1 0.9500" in text
    assert "not measured: a rate of 9 bits" in text
    assert (
        "target at most 0.25 MB: agreement at least 0.95, F1 within 1 points: met by ecsq: 220,000 B" in text
    )
    assert text.count("missed") == len(TARGETS) - 2
    assert "patient p7 has pictures both for training and for testing" in text
    frontier_view.plot(found, tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        assert min(picture.size) > 500


def test_the_agreement_on_unseen_laboratories_is_shown():
    figures = {"immunopositive_f1": 0.9, "immunonegative_f1": 0.8, "til_f1": 0.7, "ki67_mae_points": 4.0}
    compared = {"A": {"agreement": 0.95, "ki67_change_points": 2.0}, "B": {"agreement": 0.97}}
    found = summary([row(unseen=compared)])
    found["original"] |= {"unseen": {"A": figures}}
    text = frontier_view.table(found)
    assert "  unseen A 0.950 B 0.970\n" in text
    assert "laboratory A: F1 of the original 0.9000 / 0.8000 / 0.7000, Ki-67 error 4.00 points" in text


def test_a_grid_shows_what_varies_and_has_no_targets():
    rows = [row(codebook_rate=rate, rate=1e-4, target="labels") for rate in (1e-3, 1e-4)]
    text = frontier_view.table(summary(rows, judged=False))
    assert "target" not in text
    assert "missed" not in text
    assert [line.split("  codebook rate ")[1] for line in text.splitlines() if "codebook rate" in line] == [
        "0.001",
        "0.0001",
    ]
    assert "towards" not in text


@pytest.mark.parametrize("key", ["original_sha256", "tiles", "synthetic"])
def test_the_record_names_what_it_was_measured_on(key):
    assert key in summary([row()])["about"]
