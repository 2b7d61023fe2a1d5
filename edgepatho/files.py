"""Atomic writes: files and folders get a temporary name, then are renamed."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edgepatho.errors import InputError

# What file systems answer that cannot sync a folder.
NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EPERM}
REPLACED = ".replaced"  # an earlier result, until the new one has its name


def canonical_json(value: Any) -> str:
    """Return `value` as JSON text with sorted keys and no spare space; NaN raises ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; the file there takes the name on success, vanishes on error."""
    with folder_beside(path) as room:
        aside = room / path.name
        yield aside
        _sync(aside)
        aside.replace(path)
        _sync(path.parent)


@contextmanager
def folder_aside(folder: Path, marker: str) -> Iterator[Path]:
    """Yield an empty temporary folder that replaces `folder` on success.

    Only a folder that holds the file `marker` (an earlier result of the same command) or an empty one
    is replaced; anything else raises InputError before any work is done. A link is followed.
    """
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / marker).exists())
    ):
        raise InputError(
            f"{folder} exists and holds no {marker}, so it is not an earlier result that may be replaced; "
            "choose another folder or remove it."
        )
    folder = folder.resolve()
    if folder.is_mount():  # it cannot be renamed, which would show only when the work is done
        raise InputError(f"{folder} is a mount point, which cannot be replaced; give a folder inside it.")
    with folder_beside(folder) as room:
        aside = room / folder.name
        aside.mkdir()
        yield aside
        if folder.exists():
            folder.replace(room / REPLACED)
        aside.replace(folder)
        _sync(folder.parent)


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path` and remove it afterwards, with others that were left.

    The folder is locked while its process lives: one of `path`'s that nobody locks was left by a kill.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_left(path)
    while True:
        room = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
        handle = os.open(room, os.O_RDONLY)
        with suppress(OSError):  # without locks nothing is removed either
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:  # not removed before it was locked
            break
        os.close(handle)
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)
        os.close(handle)


def _remove_left(path: Path) -> None:
    """Remove temporary folders of `path` that no process holds."""
    names = re.compile(re.escape(f".{path.name}.") + r"[a-z0-9_]{8}\.part")  # those of mkdtemp
    with suppress(OSError):
        for room in [room for room in path.parent.iterdir() if names.fullmatch(room.name)]:
            with suppress(OSError), _opened(room) as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not path.exists() and (room / REPLACED).exists():  # killed between the two renames
                    (room / REPLACED).replace(path)
                shutil.rmtree(room, ignore_errors=True)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def _sync(path: Path) -> None:
    """Bring a file or folder to disk; a folder where the file system can (vboxsf and some others cannot)."""
    with _opened(path) as handle:
        try:
            os.fsync(handle)
        except OSError as error:
            if not path.is_dir() or error.errno not in NO_FOLDER_SYNC:
                raise
