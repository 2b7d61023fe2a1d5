"""Where pictures, labels and patients are found; one clear error for every folder that does not fit."""

from __future__ import annotations

import pytest

from edgepatho.data import source
from edgepatho.errors import InputError


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def test_names_of_shidc_give_the_patient(tmp_path):
    put(
        tmp_path, "Train/p1_0300_2.jpg", "Train/p1_0300_2.json", "Test/p12_0001_1.JPG", "Test/p12_0001_1.json"
    )
    found = source.find(tmp_path)
    assert [(p.name, p.patient, p.labels.name) for p in found.train] == [
        ("p1_0300_2", "p1", "p1_0300_2.json")
    ]
    assert [(p.name, p.patient) for p in found.test] == [("p12_0001_1", "p12")]


def test_the_cropped_form_of_shidc_is_accepted(tmp_path):
    put(tmp_path, "train256/p1_1_1.jpg", "train256/p1_1_1.json", "test256/p2_1_1.jpg", "test256/p2_1_1.json")
    assert source.find(tmp_path).folders == ("train256", "test256")


def test_without_labels_a_sub_folder_is_a_patient(tmp_path):
    put(
        tmp_path,
        "a/1.jpg",
        "a/deep/2.PNG",
        "b/1.tif",
        "x.jpg",
        "y.jpeg",
        ".hidden/1.jpg",
        "a/._1.jpg",
        "x.txt",
    )
    put(tmp_path, "a/1.png", "a/1.json")
    found = source.unlabelled(tmp_path)
    assert [(p.patient, p.image.name, p.labels) for p in found.train] == [
        ("a", "1.jpg", None),
        ("a", "1.png", None),
        ("a", "2.PNG", None),
        ("b", "1.tif", None),
        ("x_jpg", "x.jpg", None),
        ("y_jpeg", "y.jpeg", None),
    ]
    assert len({p.name for p in found.train}) == 6


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "holds no JPEG, PNG or TIFF; expected at least 3 patients"),
        (["a.jpg", "b.jpg"], r"holds 2 pictures, of 2 patients \(a sub-folder is one patient\); expected at"),
        (["Train/a.jpg", "Train/b.jpg", "Test/c.jpg"], "holds 3 pictures, of 2 patients"),
    ],
)
def test_too_few_pictures_without_labels_are_refused(tmp_path, names, sentence):
    with pytest.raises(InputError, match=sentence):
        source.unlabelled(put(tmp_path, *names))


@pytest.mark.parametrize("suffix", ["jpg", "JPG", "jpeg", "Png", "tif", "TIFF"])
@pytest.mark.parametrize("labels", ["{stem}.json", "{stem}.geojson", "{name}.geojson", "{name}.cells.csv"])
def test_pictures_and_labels_in_any_supported_format(tmp_path, suffix, labels):
    name = labels.format(stem="p1_1_1", name=f"p1_1_1.{suffix}")
    put(tmp_path, f"p1_1_1.{suffix}", name, "._p1_1_1.jpg", "notes.txt")
    found = source.find(tmp_path)
    assert found.test is None
    assert [(p.image.name, p.labels.name) for p in found.train] == [(f"p1_1_1.{suffix}", name)]


def test_a_table_assigns_pictures_to_patients(tmp_path):
    put(tmp_path, "case A/1.tif", "case A/1.json", "case B/1.tif", "case B/1.json", "x.png", "x.json")
    (tmp_path / "patients.csv").write_text("\ufeffpatient,image\nA,case A/1.tif\nB,case B/1.tif\nB,x.png\n")
    found = source.find(tmp_path).train
    assert [(p.name, p.patient) for p in found] == [("case A-1", "A"), ("case B-1", "B"), ("x", "B")]


@pytest.mark.parametrize(
    ("files", "table", "sentence"),
    [
        ([], None, "holds no JPEG, PNG or TIFF; expected names such as"),
        (["deep/p1_1_1.jpg"], None, r"list pictures in its subfolders in .*patients\.csv"),
        (["Train/p1_1_1.jpg", "Train/p1_1_1.json"], None, "has Train/ but no Test/"),
        (["train256/p1_1_1.jpg", "train256/p1_1_1.json"], None, "has train256/ but no test256/"),
        (["holiday.jpg", "holiday.json"], None, r"holiday\.jpg is not named like p9_0219_9\.jpg"),
        (["p1_1_1.jpg"], None, r"p1_1_1\.jpg has no labels: put one of p1_1_1\.json, p1_1_1\.geojson"),
        (["p1_1_1.jpg", "p1_1_1.json", "p1_1_1.cells.csv"], None, "has two label files"),
        (["p1_1_1.jpg", "p1_1_1.png", "p1_1_1.json"], None, "have the same name, p1_1_1; rename one"),
        (["a.jpg", "a.json", "b.jpg", "b.json"], "patient,image\n1,a.jpg\n", r"b\.jpg is not in pat"),
        (["a.jpg", "a.json"], "patient,image\n1,a.jpg\n1,c.jpg\n", r"lists c\.jpg, which is not a picture"),
        (["a.jpg", "a.json"], "patient,image\n1,a.jpg\n2,a.jpg\n", r"line 3: a\.jpg is listed twice"),
        (["a.jpg", "a.json"], "patient,image\n,a.jpg\n", "line 2: expected a patient and an image"),
        (["a.jpg", "a.json"], "patient;image\n1;a.jpg\n", "line 2: expected a patient and an image"),
        (["a.jpg", "a.json"], "patient,image\n1,../a.jpg\n", "line 2: expected a patient and an image"),
        (["a.jpg", "a.json"], "patient,image\n", "has no row"),
        (["a.jpg", "a.json"], "patient,image\n\udcff,a.jpg\n", "cannot be read as a CSV table"),
    ],
)  # fmt: skip
def test_every_mismatch_is_one_sentence(tmp_path, files, table, sentence):
    put(tmp_path, *files)
    if table is not None:
        (tmp_path / "patients.csv").write_bytes(table.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=sentence):
        source.find(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder"):
        source.find(tmp_path / "nowhere")
