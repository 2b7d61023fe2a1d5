"""The pictures of a folder: their patients, their label files, and which of them are for testing."""

from __future__ import annotations

import csv
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from edgepatho.data import shidc
from edgepatho.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
LABEL_SUFFIXES = (".json", ".geojson", ".cells.csv")
PATIENTS = "patients.csv"
MIN_PATIENTS = 3  # of pictures without labels
CROPPED = ("train256", "test256")  # SHIDC's second form


@dataclass(frozen=True)
class Picture:
    """One picture, its label file if it has labels, and its patient."""

    image: Path
    labels: Path | None
    patient: str
    name: str  # unique in its part


@dataclass(frozen=True)
class Source:
    """The pictures of a folder, sorted by name; `test` is None if the folder is not divided."""

    train: list[Picture]
    test: list[Picture] | None
    folders: tuple[str, ...] = ()  # the sources of `train` and `test`

    @property
    def shared_patients(self) -> list[str]:
        """Return the patients with pictures in both parts, sorted."""
        test = {picture.patient for picture in self.test or []}
        return sorted(test & {picture.patient for picture in self.train})


def find(folder: Path) -> Source:
    """Return the pictures of `folder`, in Train/ and Test/ (or train256/ and test256/) or all in `folder`.

    A table `patients.csv` (patient,image; paths within `folder`) gives their patients; without it, their
    names do. Raises InputError for a picture without labels or patient, duplicate names or a missing part.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give the one that holds your pictures.")
    table = _patients(folder / PATIENTS)
    for parts in (shidc.PARTS, CROPPED):
        there = [part for part in parts if (folder / part).is_dir()]
        if len(there) == 1:
            missing = next(part for part in parts if part not in there)
            raise InputError(
                f"{folder} has {there[0]}/ but no {missing}/; add it, or put all pictures into one folder."
            )
        if there:
            _check_table(folder, table, parts)
            train, test = (_pictures(folder / part, _images(folder / part), table, part) for part in parts)
            return Source(train, test, parts)
    _check_table(folder, table, ())
    listed = {folder / place for place in table}
    return Source(_pictures(folder, sorted(listed | set(_images(folder, listed))), table), None)


def unlabelled(folder: Path) -> Source:
    """Return the pictures of `folder` and of its sub-folders, whose label files are not read.

    The pictures of a sub-folder are of one patient; one that is not in a sub-folder is a patient by itself.
    Hidden files and folders are left out. Raises InputError if there are too few of them to split.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give the one that holds your pictures.")
    pictures = []
    for image in sorted(folder.rglob("*")):
        place = image.relative_to(folder)
        hidden = any(part.startswith(".") for part in place.parts)
        if image.suffix.lower() in SUFFIXES and image.is_file() and not hidden:
            inside = len(place.parts) > 1
            name = "-".join((*place.parts[:-1], place.name.replace(".", "_")))
            pictures.append(Picture(image, None, place.parts[0] if inside else name, name))
    patients = len({picture.patient for picture in pictures})
    if patients < MIN_PATIENTS:
        found = "no JPEG, PNG or TIFF"
        if pictures:
            found = f"{len(pictures)} pictures, of {patients} patients (a sub-folder is one patient)"
        raise InputError(
            f"{folder} holds {found}; expected at least {MIN_PATIENTS} patients, to retrain, to validate and "
            "to compare with; add pictures or put them all into one folder."
        )
    return Source(pictures, None)


def _images(folder: Path, listed: Collection[Path] = ()) -> list[Path]:
    """The pictures of a folder by name, without hidden files (such as `._` files from a Mac)."""
    images = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
    if not images and not listed:
        deeper = any(path.is_dir() for path in folder.iterdir())
        raise InputError(
            f"{folder} holds no JPEG, PNG or TIFF; "
            + (
                f"list pictures in its subfolders in {folder / PATIENTS} (patient,image)."
                if deeper
                else "expected names such as p9_0219_9.jpg with labels beside."
            )
        )
    return sorted(images)


def _pictures(folder: Path, images: list[Path], table: dict[str, str], part: str = "") -> list[Picture]:
    pictures: dict[str, Picture] = {}
    for image in images:
        place = image.relative_to(folder)
        listed = (Path(part) / place).as_posix()
        patient = table.get(listed) if table else shidc.patient_of(image.stem)
        if patient is None:
            raise InputError(
                f"{image} is not in {PATIENTS}; add a row for {listed} or remove the picture."
                if table
                else f"{image} is not named like p9_0219_9.jpg (patient, image, crop); rename it, "
                f"or list every picture in {PATIENTS} (patient,image)."
            )
        name = "-".join(place.with_suffix("").parts)
        if name in pictures:
            raise InputError(f"{pictures[name].image} and {image} have the same name, {name}; rename one.")
        pictures[name] = Picture(image, _labels(image), patient, name)
    return list(pictures.values())


def _labels(image: Path) -> Path:
    """The one label file beside a picture: named after it, with or without its own suffix."""
    names = [
        f"{base}{suffix}" for base in dict.fromkeys((image.stem, image.name)) for suffix in LABEL_SUFFIXES
    ]
    files = [path for name in names if (path := image.with_name(name)).is_file()]
    if not files:
        listed = ", ".join(f"{image.stem}{suffix}" for suffix in LABEL_SUFFIXES)
        raise InputError(f"{image} has no labels: put one of {listed} beside it or remove the picture.")
    if len(files) > 1:
        raise InputError(f"{image} has two label files, {files[0].name} and {files[1].name}; keep one.")
    return files[0]


def _patients(path: Path) -> dict[str, str]:
    """The patient of each image of a table, by path within the folder; empty without a table."""
    if not path.exists():
        return {}
    patients: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            for row in rows:
                patient, image = ((row.get(key) or "").strip() for key in ("patient", "image"))
                image = Path(image).as_posix()
                if not patient or image == "." or image.startswith(("/", "..")):
                    raise InputError(
                        f"{path}, line {rows.line_num}: expected a patient and an image within "
                        f"{path.parent}, under a first line `patient,image`."
                    )
                if image in patients:
                    raise InputError(f"{path}, line {rows.line_num}: {image} is listed twice; keep one row.")
                patients[image] = patient
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a CSV table ({error}); save it as UTF-8.") from None
    if not patients:
        raise InputError(f"{path} has no row; expected `patient,image` and a row for every picture.")
    return patients


def _check_table(folder: Path, table: dict[str, str], parts: tuple[str, ...]) -> None:
    """Check that every row of a table is a picture in use; InputError names one that is not."""
    for place in table:
        if not (folder / place).is_file() or (parts and Path(place).parent.as_posix() not in parts):
            wanted = " or ".join(f"{part}/" for part in parts) or str(folder)
            raise InputError(
                f"{folder / PATIENTS} lists {place}, which is not a picture in {wanted}; correct it."
            )
