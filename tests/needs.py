"""The programs that some tests need beside Python, make and a C compiler, and where Debian keeps them.

    python3 tests/needs.py      print the packages, for .ci/run

A test without its program is skipped, with the package in the reason; the end of the run counts the skips.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass

BENCH_GROUP = "the peers are not installed: run `make bench`"
INSTALL = "apt-get install -y --no-install-recommends"


@dataclass(frozen=True)
class Need:
    """The Debian package of a program, and the names that the program goes by."""

    package: str
    programs: tuple[str, ...]


NEEDS = {
    "ssh": Need("openssh-client", ("ssh",)),
    "ssh-keygen": Need("openssh-client", ("ssh-keygen",)),
    "sshd": Need("openssh-server", ("sshd", "/usr/sbin/sshd")),  # /usr/sbin is not on every user's PATH
    "systemd-analyze": Need("systemd", ("systemd-analyze",)),
    "tcsh": Need("tcsh", ("tcsh",)),  # login shells that are not sh
    "fish": Need("fish", ("fish",)),
    "shellcheck": Need("shellcheck", ("shellcheck",)),
    "Chromium": Need("chromium", ("chromium", "chromium-browser", "google-chrome")),
    "qemu-aarch64": Need("qemu-user", ("qemu-aarch64",)),
    "llvm-mca": Need("llvm-19", ("llvm-mca-19", "llvm-mca-20", "llvm-mca-21")),
    "cc": Need("gcc", ("cc",)),
}


def find(name: str) -> str | None:
    """Return the path of a program by its name in NEEDS, None where it is not installed."""
    return next(filter(None, map(shutil.which, NEEDS[name].programs)), None)


def lacking(names: Iterable[str]) -> str:
    """Return which of these are not installed and their packages, in one line; "" if all are here."""
    absent = [name for name in names if find(name) is None]
    return f"needs {', '.join(absent)}: {INSTALL} {' '.join(packages(absent))}" if absent else ""


def packages(names: Iterable[str]) -> list[str]:
    """Return the Debian packages of these programs, each once."""
    return sorted({NEEDS[name].package for name in names})


def command(reasons: Iterable[str]) -> str:
    """Return the one command that installs what these lines of `lacking` name, "" if they name nothing."""
    wanted = {package for reason in reasons for package in reason.partition(INSTALL)[2].split()}
    return " ".join([INSTALL, *sorted(wanted)]) if wanted else ""


if __name__ == "__main__":
    print(*packages(NEEDS))
