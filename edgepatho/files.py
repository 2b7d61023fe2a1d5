"""Atomic writes: files and folders get a temporary name, then are renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgepatho.errors import InputError

# What file systems answer that cannot sync a folder.
NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EPERM}


def canonical_json(value: Any) -> str:
    """Return `value` as JSON text with sorted keys and no spare space; NaN raises ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the name on success and vanishes on error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        aside.chmod(0o666 & ~_umask())  # mkstemp's 0600 is for secrets
        _sync(aside)
        aside.replace(path)
        _sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def folder_aside(folder: Path, marker: str) -> Iterator[Path]:
    """Yield an empty temporary sibling of `folder` that replaces it on success.

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
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
    try:
        yield aside
        aside.chmod(0o777 & ~_umask())
        old = None
        if folder.exists():
            old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".old"))
            folder.replace(old)
        aside.replace(folder)
        _sync(folder.parent)
        if old is not None:
            shutil.rmtree(old)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _sync(path: Path) -> None:
    """Bring a file or folder to disk; a folder where the file system can (vboxsf and some others cannot)."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if not path.is_dir() or error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
