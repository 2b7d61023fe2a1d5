"""The programs that the lab needs, and the error if they are missing."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgepatho.errors import UserError

PACKAGES = ("qemu-user", "llvm-19", "gcc", "libc6-dev")
LLVM_VERSIONS = ("19", "20", "21")  # 18 and older have no Neoverse N1 model


class ToolMissing(UserError):  # noqa: N818 - reads as the condition it is
    """A program of the lab is not installed."""


def find(program: str) -> str:
    """Return the path of `program`, or raise ToolMissing naming every package to install."""
    path = shutil.which(program)
    if path is None:
        raise ToolMissing(_sentence(program))
    return path


def find_llvm(program: str) -> str:
    """Return the path of an LLVM tool with models of both processors, or raise ToolMissing."""
    for version in LLVM_VERSIONS:
        path = shutil.which(f"{program}-{version}")
        if path:
            return path
    raise ToolMissing(_sentence(f"{program}-{LLVM_VERSIONS[0]}"))


def cache() -> Path:
    """Return the folder for results that are slow to build: $EDGEPATHO_CACHE, else ~/.cache/edgepatho."""
    chosen = os.environ.get("EDGEPATHO_CACHE")
    return Path(chosen).resolve() if chosen else Path.home() / ".cache" / "edgepatho"


@contextmanager
def only_builder() -> Iterator[None]:
    """Hold the lock on the cache folder, so that only one process builds in it."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_or_fail(command: list[str], failure: str) -> None:
    """Run a program of the host; if it fails, raise UserError with `failure` and its last output."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"{failure}: {done.stderr.strip()[-600:]}")


def _sentence(program: str) -> str:
    return (
        f"The ARM lab needs the program {program}, which is not installed; on Debian run "
        f"`apt-get install -y --no-install-recommends {' '.join(PACKAGES)}`."
    )
