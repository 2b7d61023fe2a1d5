"""The tables of the trials with normalisation and without labels, and what they are made of."""

import numpy as np

from benchmarks import normalisation, unlabelled


def test_the_table_of_normalisation_has_every_laboratory():
    figures = {"immunopositive_f1": 0.85, "immunonegative_f1": 0.8, "ki67_mae_points": 6.0}
    negative = normalisation._of_negative_tiles(np.array([0.0, 5.0]), np.array([0.0, 1.0]))
    assert negative["largest_change_points"] == 4
    row = {
        "arm": "both",
        "laboratories": {"A": figures, "B": figures},
        "tiles_kept_as_they_are": 3,
    } | negative
    lines = normalisation.as_table([row]).splitlines()
    assert lines[0].split()[-2:] == ["tiles", "kept"]
    assert lines[2].split() == ["both", *["0.850/0.800/6.0"] * 2, "2.50", "2.00,", "4.00", "3"]


def test_without_a_negative_tile_nothing_is_claimed():
    nothing = normalisation._of_negative_tiles(np.empty(0), np.empty(0))
    assert nothing == {"tiles_without_positive": 0} | dict.fromkeys(
        ["index_without_positive_points", "mean_change_points", "largest_change_points"]
    )


def test_pictures_are_linked_by_patient(tmp_path):
    for name in ("p1_1_1", "p1_2_1", "p12_1_1"):
        (tmp_path / f"{name}.jpg").touch()
        (tmp_path / f"{name}.json").touch()
    for _ in range(2):  # a second run finds them
        unlabelled.by_patient(tmp_path, tmp_path / "pictures")
    links = sorted((tmp_path / "pictures").rglob("*.jpg"))
    assert [f"{link.parent.name}/{link.name}" for link in links] == [
        "p1/p1_1_1.jpg",
        "p1/p1_2_1.jpg",
        "p12/p12_1_1.jpg",
    ]
    assert links[0].resolve() == (tmp_path / "p1_1_1.jpg").resolve()


def test_each_way_of_retraining_has_a_line():
    row = {"way": "labels", "bundle_bytes": 508_000, "agreement": 0.99, "ki67_change_points": 0.2}
    row |= {"f1_delta_points": -0.04, "unseen_agreement": {"A": 0.97}}
    line = unlabelled.as_table([row]).splitlines()[2]
    assert line.split() == ["labels", "508", "0.9900", "0.20", "-0.04", "0.9700"]
