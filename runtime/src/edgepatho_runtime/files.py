"""Atomic files: written aside, synced, renamed."""

import errno
import fcntl
import itertools
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

# Errors of file systems that cannot sync a folder; their files are complete all the same.
NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EPERM}
LEFT = re.compile(r"\.[0-9]+\.[0-9]+\.part")  # the names of temporary files
_numbers = itertools.count()


@contextmanager
def written(*paths: Path) -> Iterator[Sequence[BinaryIO]]:
    """Yield a file for each of `paths`, all in one folder.

    Once all are on disk they are renamed to `paths`, in order; on error all are removed. The first call for a
    folder also removes what killed processes left there.
    """
    _remove_left(paths[0].parent)
    # Not derived from the final names, which may already be as long as the file system allows.
    asides = [path.with_name(f".{os.getpid()}.{next(_numbers)}.part") for path in paths]
    try:
        with ExitStack() as stack:
            opened = [stack.enter_context(_opened(aside)) for aside in asides]
            yield opened
            for file in opened:
                file.flush()
                os.fsync(file.fileno())
        for aside, path in zip(asides, paths, strict=True):
            aside.replace(path)
    finally:
        for aside in asides:
            aside.unlink(missing_ok=True)
    _sync_folder(paths[0].parent)


def _opened(aside: Path) -> BinaryIO:
    """Return a new file, locked while it is open so that no other process removes it."""
    while True:
        file = aside.open("wb")
        with suppress(OSError):  # without locks nothing is removed either
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:  # not removed before it was locked
            return file
        file.close()


@cache
def _remove_left(folder: Path) -> None:
    """Remove temporary files that no process has open."""
    with suppress(OSError):
        for path in [path for path in folder.iterdir() if LEFT.fullmatch(path.name)]:
            with suppress(OSError), path.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


def _sync_folder(path: Path) -> None:
    """Make renames survive a power cut, where the file system can (vboxsf and some network ones cannot)."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8."""
    with written(path) as (file,):
        file.write(text.encode())


def json_text(value: Any) -> str:
    """Return `value` as indented ASCII JSON with a final newline; NaN is a ValueError."""
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def printable(text: object) -> str:
    """Return `text` made safe for a terminal: file names and provenance may hold anything."""
    return "".join(character if character.isprintable() else "?" for character in str(text))
