"""Scores per patient computed by hand, classes at the cut-offs, and patients without cells."""

import numpy as np
import pytest

from edgepatho.evaluate import patients


def test_scores_are_shares_of_tumour_and_of_all_cells():
    scores = patients.scores((30, 70, 25))
    assert scores.ki67 == pytest.approx(0.30)
    assert scores.til == pytest.approx(25 / 125)


@pytest.mark.parametrize("cells", [(0, 0, 0), (0, 0, 5)])
def test_a_patient_without_tumour_cells_scores_zero(cells):
    assert patients.scores(cells).ki67 == 0


@pytest.mark.parametrize(
    ("index", "expected"), [(0, 0), (0.1599, 0), (0.16, 1), (0.30, 1), (0.3001, 2), (1, 2)]
)
def test_ki67_classes(index, expected):
    assert patients.ki67_class(index) == expected


@pytest.mark.parametrize(("score", "expected"), [(0, 0), (0.10, 0), (0.1001, 1), (0.5999, 1), (0.60, 2)])
def test_til_classes(score, expected):
    assert patients.til_class(score) == expected


def test_tiles_are_pooled_by_patient():
    pooled = patients.pooled(["p1", "p2", "p1"], [(1, 2, 3), (4, 5, 6), (10, 20, 30)])
    assert pooled == {"p1": (11, 22, 33), "p2": (4, 5, 6)}


def test_errors_by_hand():
    truth = {"p1": (10, 90, 0), "p2": (40, 60, 100)}  # Ki-67 .10 and .40, TIL 0 and .5
    found = {"p1": (20, 80, 0), "p2": (40, 60, 300)}  # Ki-67 .20 and .40, TIL 0 and .75
    errors = patients.compare(found, truth)
    assert errors["ki67_rmse"] == pytest.approx(np.sqrt(0.1**2 / 2))
    assert errors["ki67_mae_points"] == pytest.approx(5)
    assert errors["til_rmse"] == pytest.approx(np.sqrt(0.25**2 / 2))
    assert errors["til_mae_points"] == pytest.approx(12.5)
    assert errors["ki67_cutoff_accuracy"] == 0.5
    assert errors["til_cutoff_accuracy"] == 0.5


def test_cutoffs_can_be_chosen():
    truth, found = {"p": (10, 90, 0)}, {"p": (20, 80, 0)}
    assert patients.compare(found, truth)["ki67_cutoff_accuracy"] == 0
    assert patients.compare(found, truth, ki67_cutoffs=(0.3, 0.5))["ki67_cutoff_accuracy"] == 1


def test_under_30_tumour_cells_there_is_no_class():
    assert patients.classes((15, 14, 100)) is None
    assert patients.classes((15, 15, 0)) == (2, 0)


def test_patients_without_a_class_do_not_count_towards_accuracy():
    truth = {"p1": (15, 14, 0), "p2": (30, 70, 0), "p3": (30, 70, 0)}
    found = {"p1": (0, 29, 0), "p2": (30, 70, 0), "p3": (10, 10, 0)}  # p3 loses its class
    errors = patients.compare(found, truth)
    assert errors["patients_with_class"] == 2
    assert errors["ki67_cutoff_accuracy"] == errors["til_cutoff_accuracy"] == 0.5
    assert patients.changed(found, truth, patients.KI67_CUTOFFS, patients.TIL_CUTOFFS) == (1, 1)


def test_without_classed_patients_there_is_no_accuracy():
    errors = patients.compare({"p": (15, 0, 0)}, {"p": (0, 15, 0)})
    assert errors["ki67_mae_points"] == 100
    assert errors["patients_with_class"] == 0
    assert errors["ki67_cutoff_accuracy"] is errors["til_cutoff_accuracy"] is None
