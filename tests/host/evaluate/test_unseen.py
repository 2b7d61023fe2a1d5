"""Laboratories beyond the prepared folder: how they are found, and what is said where agreement falls."""

import json
import shutil

import pytest

from edgepatho.data.batches import batches
from edgepatho.data.prepare import check_prepared, prepare, records
from edgepatho.errors import InputError, UsageError
from edgepatho.evaluate import table
from edgepatho.evaluate.tiles import load
from edgepatho.evaluate.unseen import laboratories, losses


def row(model, agreement=None, change=None):
    classes = {
        name: {"precision": f1, "recall": f1, "f1": f1, "tp": 1, "fp": 1, "fn": 1}
        for name, f1 in (("immunopositive", 0.9), ("immunonegative", 0.8), ("til", 0.7))
    }
    compared = {"agreement": agreement, "mse_to_original": 2.0, "ki67_change_points": change}
    return {"model": model, **classes, "average_f1": 0.85, "ki67_mae_points": 3.0} | (
        compared if agreement is not None else {}
    )


def entry(name, agreement, change=4.25):
    return {"laboratory": name, "rows": [row("original"), row("compressed", agreement, change)]}


def test_a_laboratory_has_test_tiles_only(unseen):
    about = check_prepared(unseen)
    assert about["laboratory"] == "Basel"
    assert about["tiles"] == {"train": 0, "validation": 0, "test": 2}
    assert records(unseen, "train") == []
    assert load(unseen, "test").patients == ["p1", "p2"]
    with pytest.raises(InputError, match="has no validation tiles, expected at least one"):
        load(unseen, "validation")
    with pytest.raises(InputError, match="has no train tiles, expected at least one"):
        next(batches(unseen, "train", 2, seed=0))


@pytest.mark.parametrize("name", [7, "", "x" * 41, "a\x1b[31m"])
def test_a_laboratory_without_a_usable_name_is_refused(tmp_path, name):
    (tmp_path / "p1_1_1.jpg").touch()
    (tmp_path / "p1_1_1.json").touch()
    (tmp_path / "manifest.json").write_text(json.dumps({"laboratory": name}))
    with pytest.raises(InputError, match="laboratory is not a name of 1 to 40 characters"):
        prepare(tmp_path, tmp_path / "prepared")


def test_laboratories_come_from_prepared_folders_and_from_folders_of_them(unseen, prepared, tmp_path):
    shutil.copytree(unseen, tmp_path / "many" / "x")
    shutil.copytree(prepared, tmp_path / "many" / "hospital")
    found = laboratories([tmp_path / "many"])
    assert [(each.name, len(each.tiles.names)) for each in found] == [("Basel", 2), ("hospital", 2)]
    assert [each.name for each in laboratories([prepared, unseen])] == ["Basel", "prepared"]
    with pytest.raises(UsageError, match="two laboratories called Basel"):
        laboratories([tmp_path / "many", unseen])
    with pytest.raises(InputError, match=r"empty holds no prepared\.json"):
        laboratories([tmp_path / "empty"])


def test_a_loss_of_more_than_two_hundredths_is_said():
    rows = [row("original"), row("compressed", 0.98, 0.5)]
    assert list(losses(rows, [entry("A", 0.961), entry("B", 0.999)])) == []
    (sentence,) = losses(rows, [entry("A", 0.961), entry("C", 0.95)])
    assert sentence == (
        "On unseen laboratory C, the compressed network agrees less with the original (0.950; same "
        "laboratories: 0.980) and changes a patient's Ki-67 index by 4.2 points on average; compress less, "
        "or retrain on its pictures too."
    )


def test_the_table_has_the_unseen_laboratories_below_the_same():
    lines = table.lines([row("original"), row("compressed", 0.98, 0.5)], [entry("Basel", 0.95)])
    assert [" ".join(line.split()) for line in lines] == [
        "model F1 + F1 - F1 TIL agree MSE Ki-67 error Ki-67 change",
        "original 0.9000 0.8000 0.7000 1.0000 0.000 3.00 points 0.00 points",
        "compressed 0.9000 0.8000 0.7000 0.9800 2.000 3.00 points 0.50 points",
        "Basel original 0.9000 0.8000 0.7000 1.0000 0.000 3.00 points 0.00 points",
        "Basel compressed 0.9000 0.8000 0.7000 0.9500 2.000 3.00 points 4.25 points",
    ]
    assert len({len(line) for line in lines}) == 1
