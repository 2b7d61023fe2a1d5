"""Bundles and pictures on disk for the tests of the device's commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bundle_recipe import identity
from field_drawing import CENTRES, Centres, drawn
from PIL import Image


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home folder for each test, since only one benchmark at a time runs per home."""
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def bundle_file(tmp_path: Path) -> Path:
    """A bundle whose heat maps are the picture's red, green and blue."""
    path = tmp_path / "model.epb"
    path.write_bytes(identity().build())
    return path


@pytest.fixture
def save_picture(tmp_path: Path) -> Callable[..., Path]:
    """Save a drawn picture under a name and return its path."""

    def save(name: str = "field.png", centres: Centres | None = None, size: int = 128) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(drawn(size, size, CENTRES if centres is None else centres)).save(path)
        return path

    return save
