"""Files that are whole or not there at all: written aside, synced, renamed."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Yield a file beside `path` that takes its name when all of it is on disk and vanishes on error."""
    aside = path.with_name(f".{os.getpid()}.part")  # no longer than any name that fits
    try:
        with aside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # so that the new name survives a power cut
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8."""
    with written(path) as file:
        file.write(text.encode())


def json_text(value: Any) -> str:
    """Return `value` as indented ASCII JSON with a final newline; NaN is a ValueError."""
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def printable(text: object) -> str:
    """Return `text` fit for a terminal: file names and provenance may hold anything."""
    return "".join(character if character.isprintable() else "?" for character in str(text))
