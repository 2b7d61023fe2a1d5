"""Labels in three formats, those that the published code accepted, and an error for everything else."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from edgepatho.data import labels
from edgepatho.errors import InputError


def read(path, content, adapted=None):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return labels.read(path, 60, 40, Counter() if adapted is None else adapted).tolist()


def points(name, coordinates, kind="MultiPoint", **more):
    about = {"objectType": "annotation", "classification": {"name": name, **more}}
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": about}


def test_shidc_json(tmp_path):
    cells = [{"x": 59, "y": 39, "label_id": 1}, {"x": 0, "y": 0, "label_id": 3}]
    adapted = Counter()
    assert read(tmp_path / "a.json", cells, adapted) == [[59, 39, 1], [0, 0, 3]]
    assert not adapted.total()


def test_labels_that_the_published_code_accepted_are_counted(tmp_path):
    adapted = Counter()
    cells = [
        {"x": 60, "y": 40, "label_id": 1},
        {"x": "12", "y": 3, "label_id": "2"},
        {"x": 5.0, "y": 6, "label_id": 1},
    ]
    assert read(tmp_path / "a.json", cells, adapted) == [[59, 39, 1], [12, 3, 2], [5, 6, 1]]
    assert adapted == {labels.AT_EDGE: 1, labels.AS_TEXT: 2, labels.AS_DECIMAL: 1}


@pytest.mark.parametrize("wrap", [lambda f: {"type": "FeatureCollection", "features": f}, lambda f: f])
def test_qupath_points(tmp_path, wrap):
    """QuPath counts from the corner of the first pixel: its centre is (0.5, 0.5)."""
    features = [
        points("Positive", [[10.5, 20.5], [0.5, 39.5]]),
        points("Negative", [3, 4], "Point"),
        points("Tumor: Negative", [[7.5, 8.5]]),
        {**points("", [[1.5, 1.5]]), "properties": {"classification": {"names": ["Tumor", "Positive"]}}},
        points("Immune cells", [[2.5, 2.5]]),
        points("TIL", [[3.5, 2.5]]),
    ]
    expected = [[10, 20, 1], [0, 39, 1], [2.5, 3.5, 2], [7, 8, 2], [1, 1, 1], [2, 2, 3], [3, 2, 3]]
    assert read(tmp_path / "a.geojson", wrap(features)) == expected


def test_cells_from_score(tmp_path):
    text = "x_px,y_px,class,x_network_px,y_network_px\n1.25,2.5,immunopositive,1,2\n-0.5,39.4,til,0,0\n"
    assert read(tmp_path / "a.cells.csv", text) == [[1.25, 2.5, 1], [-0.5, 39.4, 3]]


def test_a_picture_without_cells(tmp_path):
    assert read(tmp_path / "a.json", []) == []
    assert read(tmp_path / "a.geojson", {"type": "FeatureCollection", "features": []}) == []
    assert read(tmp_path / "a.cells.csv", "x_px,y_px,class\n") == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([{"x": 61, "y": 3, "label_id": 1}], r"entry 0 lies at \(61, 3\), outside the 60 x 40 px"),
        ([{"x": 1, "y": -1, "label_id": 1}], r"entry 0 lies at \(1, -1\), outside"),
        ([{"x": 1, "y": 1, "label_id": 4}], "label_id 4; expected 1, 2 or 3"),
        ([{"x": 1.5, "y": 1, "label_id": 1}], "entry 0 is not"),
        ([{"x": True, "y": 1, "label_id": 1}], "entry 0 is not"),
        ([{"x": "1e999", "y": 1, "label_id": 1}], "entry 0 is not"),
        ([{"x": 10**40, "y": 1, "label_id": 1}], "entry 0 is not"),
        ('[{"x": NaN, "y": 1, "label_id": 1}]', "entry 0 is not"),
        ([{"x": 1, "y": 1}], "entry 0 is not"),
        ([7], "entry 0 is not"),
        ({"x": 1}, "does not hold a list"),
        ("", "is not JSON"),
        ("nonsense", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ([points("Stroma", [[1, 1]])], "feature 0 has the class 'Stroma'; expected one of"),
        ([points(None, [[1, 1]])], "feature 0 has no class"),
        ([points("Positive", [[[1, 1]]], "Polygon")], "feature 0 is a Polygon, and only points are labels"),
        ([points("Positive", [["1", 1]])], r"feature 0 has a point that is not \[x, y\]"),
        ([points("Positive", 3)], r"feature 0 has a point that is not \[x, y\]"),
        ([points("Positive", [[1, 1]]), 7], "feature 1 is a None"),
        ([points("Positive", [[1, 99]])], "entry 0 lies at"),
    ],
)  # fmt: skip
def test_every_bad_json_error_names_its_place(tmp_path, content, sentence):
    with pytest.raises(InputError, match=sentence):
        read(tmp_path / "a.json", content)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x,y,class\n1,2,til\n", "has no columns x_px, y_px and class"),
        ("x_px,y_px,class\n1,2,stroma\n", "line 2 has the class 'stroma'"),
        ("x_px,y_px,class\n1,2\n", "line 2 has no class"),
        ("x_px,y_px,class\none,2,til\n", "line 2 has no numbers"),
        ("x_px,y_px,class\nnan,2,til\n", "entry 0 lies at"),
    ],
)
def test_every_bad_table_error_names_its_place(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence):
        read(tmp_path / "a.cells.csv", text)


def test_non_utf8_labels_are_refused(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xff\xfe[]")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        labels.read(tmp_path / "a.json", 60, 40, Counter())
