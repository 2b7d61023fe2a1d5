"""The row of figures: perfect maps, missed cells, one model against another, calibrated thresholds."""

from dataclasses import replace

import numpy as np
import pytest

from edgepatho.evaluate import accuracy, thresholds
from edgepatho.evaluate.accuracy import Protocol
from edgepatho.evaluate.tiles import Tiles

PROTOCOL = Protocol((60, 60, 60))


def heat_of(labelled, size=64, peak=200.0):
    """Heat maps with a blob of radius 3 at every labelled cell."""
    heat = np.zeros((len(labelled), size, size, 3), np.float32)
    y, x = np.mgrid[:size, :size]
    for tile, classes in enumerate(labelled):
        for at, points in enumerate(classes):
            for cx, cy in points:
                near = (x - cx) ** 2 + (y - cy) ** 2 <= 9
                heat[tile, near, at] = peak
    return heat


@pytest.fixture
def tiles():
    """Four tiles of two patients with cells on a grid, so that none touch."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(6, 64, 12), np.arange(6, 64, 12)), axis=-1).reshape(-1, 2)
    labelled = []
    for _ in range(4):
        order = rng.permutation(len(grid))
        labelled.append(
            [grid[order[:8]].astype(float), grid[order[8:18]].astype(float), grid[order[18:20]] * 1.0]
        )
    nothing = np.zeros((4, 64, 64, 3), np.uint8)
    return Tiles(nothing, nothing, labelled, ["p1", "p1", "p2", "p2"], list("abcd"), [(64, 64)] * 4)


def test_maps_with_every_cell_are_perfect(tiles):
    heat = heat_of(tiles.labelled)
    row = accuracy.row(heat, tiles, PROTOCOL, (heat, accuracy.find(heat, PROTOCOL.thresholds)))
    for name in accuracy.CLASSES:
        assert row[name]["f1"] == 1
        assert row["seed_protocol"][name]["f1"] == 1
    assert row["immunonegative"]["tp"] == 40
    assert row["average_f1"] == 1
    assert row["agreement"] == 1
    assert row["agreement_cells"] == 80
    assert row["mse_to_original"] == 0
    assert row["ki67_mae_points"] == row["ki67_change_points"] == 0


def test_missed_cells_count_even_where_no_cell_is_found(tiles):
    heat = heat_of(tiles.labelled)
    heat[3] = 0
    row = accuracy.row(heat, tiles, PROTOCOL)
    assert row["immunopositive"]["recall"] == pytest.approx(24 / 32)
    assert row["immunopositive"]["precision"] == 1
    assert row["seed_protocol"]["tiles_left_out"] == 1
    assert row["seed_protocol"]["immunopositive"]["recall"] == 1


def test_cells_in_a_border_tiles_repeated_edge_do_not_count(tiles):
    """Two cells lie beyond the 40 x 30 px that a tile shows, one across their edge."""
    border = replace(
        tiles.first(1), labelled=[[np.array([[9.0, 9.0]]), *[np.empty((0, 2))] * 2]], sizes=[(40, 30)]
    )
    inside_and_beyond = np.array([[9.0, 9.0], [29.0, 20.0], [50.0, 9.0], [9.0, 50.0]])
    heat = border.within(heat_of([[inside_and_beyond, *[np.empty((0, 2))] * 2]]))
    found = accuracy.find(heat, PROTOCOL.thresholds)
    assert found[0][0].tolist() == [[9, 9], [pytest.approx(28.14, abs=0.2), 20]]
    row = accuracy.row(heat, border, PROTOCOL)
    assert (row["immunopositive"]["tp"], row["immunopositive"]["fp"]) == (1, 1)
    assert row["seed_protocol"]["immunopositive"]["fp"] == 1


def test_maps_without_cells_also_give_a_row(tiles):
    row = accuracy.row(heat_of(tiles.labelled) * 0, tiles, PROTOCOL)
    assert row["average_f1"] == 0
    assert row["ki67_mae_points"] == pytest.approx(100 * 16 / 36)
    assert row["seed_protocol"] == {"tiles_left_out": 4}


def test_agreement_requires_three_pixels_and_the_same_class(tiles):
    heat = heat_of(tiles.labelled)
    original = (heat, accuracy.find(heat, PROTOCOL.thresholds))
    for shift, agreement in ((2, 1.0), (4, 0.0)):
        moved = np.roll(heat, shift, axis=2)
        row = accuracy.row(moved, tiles, PROTOCOL, original)
        assert row["agreement"] == pytest.approx(agreement, abs=0.15)
        assert row["immunopositive"]["f1"] > 0.8
    other_class = heat[..., [1, 0, 2]]
    assert accuracy.row(other_class, tiles, PROTOCOL, original)["agreement"] < 0.2


def test_thresholds_separate_labelled_cells_from_clutter(tiles):
    """Cells of class 0 peak at 90, clutter at 50; the other classes are clean."""
    heat = heat_of(tiles.labelled, peak=90)
    clutter = heat_of([[points + 6 for points in classes] for classes in tiles.labelled], peak=50)
    heat[..., 0] = np.maximum(heat[..., 0], clutter[..., 0])
    first, second, third = thresholds.choose_all(heat, tiles.labelled)
    assert 50 < first.threshold <= 90
    assert second.threshold <= 90
    assert third.threshold <= 90
    protocol = PROTOCOL.chosen([first, second, third]).as_json()
    assert protocol["thresholds"] == [first.threshold, second.threshold, third.threshold]
    assert protocol["threshold_ranges"][0] == list(first.range)
    assert "threshold_ranges" not in PROTOCOL.as_json()


def test_a_subset_of_tiles_keeps_every_patient(tiles):
    fewer = tiles.first(2)
    assert fewer.patients == ["p1", "p2"]
    assert len(fewer.images) == len(fewer.labelled) == 2
    assert tiles.first(99).names == tiles.names
