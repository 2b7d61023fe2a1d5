"""Debian packages of another architecture, unpacked without installation."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from benchmarks.arm.tools import ToolMissing, find, run_or_fail

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def unpack(packages: tuple[str, ...], suite: str, root: Path) -> None:
    """Unpack arm64 packages of a suite, with all dependencies, into the new folder `root`.

    Raises ToolMissing for a program that is not installed, UserError if packages cannot be fetched.
    """
    with tempfile.TemporaryDirectory(prefix="edgepatho-apt.") as state:
        archives = _download(packages, suite, Path(state))
        for name in ("bin", "lib", "sbin"):
            (root / "usr" / name).mkdir(parents=True)
            (root / name).symlink_to(f"usr/{name}")
        for archive in archives:
            command = [find("dpkg-deb"), "--fsys-tarfile", str(archive)]
            content = subprocess.run(command, capture_output=True, check=True).stdout
            # dpkg-deb -x would replace the merged /usr links by folders
            tar = ["tar", "--extract", "--keep-directory-symlink", "--no-same-owner", f"--directory={root}"]
            subprocess.run(tar, input=content, check=True)


def _download(packages: tuple[str, ...], suite: str, state: Path) -> list[Path]:
    """Fetch arm64 packages with a separate apt state in the folder `state`; return the .deb files."""
    if not KEYRING.exists():
        raise ToolMissing(
            f"{KEYRING} is missing: the arm64 userland is unpacked from Debian packages, so this part "
            "needs a Debian machine (or `apt-get install -y debian-archive-keyring`)."
        )
    for folder in ("lists/partial", "archives/partial"):
        (state / folder).mkdir(parents=True)
    (state / "status").touch()
    (state / "sources.list").write_text("".join(_sources(suite)))
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",  # the download user may not have access to our cache
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
        "Dir::Cache": str(state),
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::Etc::sourcelist": str(state / "sources.list"),
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": str(state),
        "Dir::State::status": str(state / "status"),
    }
    apt = [find("apt-get"), "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    # A mirror being synchronised may fail for one archive; the others may be enough.
    subprocess.run([*apt, "update"], check=False)
    install = [*apt, "-y", "--download-only", "install", *packages]
    run_or_fail(install, "apt could not download the arm64 packages")
    return sorted((state / "archives").glob("*.deb"))


def _sources(suite: str) -> list[str]:
    """Return apt source lines for the archives that this machine uses."""
    command = [find("apt-get"), "indextargets", "--format", "$(REPO_URI)"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [
        f"deb [arch=arm64 signed-by={KEYRING}] {uri} {suite}{'-security' if 'security' in uri else ''} main\n"
        for uri in sorted(set(listing.split()))
    ]
