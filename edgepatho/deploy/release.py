"""A release on the host: the parts to upload and the manifest of all their files.

The id of a release is the start of the SHA-256 of its manifest, so equal content has an equal id.
`device_scripts/install.sh` makes the release from the parts; docs/release-layout.md describes it.
"""

from __future__ import annotations

import functools
import hashlib
import subprocess
import tempfile
import threading
import zipfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from edgepatho import __version__
from edgepatho.errors import InputError
from edgepatho.files import canonical_json

ID_DIGITS = 12
LIB = "lib"  # wheels are unpacked there
BUNDLE = "model.epb"
BASELINE = "baseline.epb"
TFLITE_FILES = ("baseline.tflite", "int8.tflite")
PROGRAMS = ("edgepatho-run", "edgepatho-watch")
SIGNATURE_NAMESPACE = "edgepatho"
SIGNING = threading.Lock()  # a key may need a passphrase or a touch: one at a time, and once for a fleet


@dataclass(frozen=True)
class Part:
    """One upload: its bytes, where they go in the release (LIB for a wheel) and their hash."""

    name: str
    place: str
    source: Path | bytes
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Release:
    """A release to install: its id, all parts, and the bytes it takes on the device when unpacked."""

    id: str
    parts: tuple[Part, ...]
    installed_bytes: int
    contents: dict[str, object]

    @property
    def arguments(self) -> list[str]:
        """Return the arguments of install.sh."""
        return [self.id, *(f"{part.place}={part.sha256}" for part in self.parts)]


def chosen_files(folder: Path, *, baseline: bool = True, tflite: bool = False) -> list[Path]:
    """Return the files of a compress folder that go into a release.

    Raises InputError for a missing file or a damaged bundle.
    """
    from edgepatho.exporters import bundle

    names = [BUNDLE, *([BASELINE] if baseline else []), *(TFLITE_FILES if tflite else ())]
    for name in names:
        if not (folder / name).is_file():
            hint = " or leave it out with --no-baseline" if name == BASELINE else ""
            raise InputError(
                f"{folder} holds no {name}; give a folder that `edgepatho compress` wrote{hint}."
            )
        if name.endswith(".epb"):
            bundle.read(folder / name)
    return [folder / name for name in names]


def build(files: list[Path], wheels: list[Path], *, signing_key: Path | None = None) -> Release:
    """Return the release of these bundle files and wheels, signed if a private or public key file is given.

    Raises InputError for a wheel that is damaged or would write outside its folder.
    """
    parts = [_part(file.name, file.name, file) for file in files]
    parts += [_part(wheel.name, LIB, wheel) for wheel in wheels]
    scripts = resources.files("edgepatho.device_scripts")
    parts += [_part(name, f"bin/{name}", (scripts / name).read_bytes()) for name in PROGRAMS]
    contents: dict[str, object] = {
        "format": "edgepatho-release",
        "version": 1,
        "tool_version": __version__,
        "parts": [
            {"name": part.name, "place": part.place, "sha256": part.sha256, "bytes": part.size_bytes}
            for part in parts
        ],
    }
    parts.append(_part("release.json", "release.json", (canonical_json(contents) + "\n").encode()))

    hashes = {part.place: part.sha256 for part in parts if part.place != LIB}
    installed_bytes = sum(part.size_bytes for part in parts)
    for wheel in wheels:
        unpacked = _wheel_files(wheel)
        twice = hashes.keys() & unpacked.keys()
        if twice:
            raise InputError(
                f"{wheel} and another wheel both hold {min(twice)}; they cannot be installed together."
            )
        hashes |= {path: sha256 for path, (sha256, _) in unpacked.items()}
        installed_bytes += sum(size for _, size in unpacked.values())

    manifest = "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(hashes.items())).encode()
    parts.append(_part("MANIFEST", "MANIFEST", manifest))
    identity = parts[-1].sha256[:ID_DIGITS]
    if signing_key is not None:
        with SIGNING:
            signature = _sign(manifest, signing_key)
        parts.append(_part("MANIFEST.sig", "MANIFEST.sig", signature))
    return Release(identity, tuple(parts), installed_bytes, contents)


def _part(name: str, place: str, source: Path | bytes) -> Part:
    if isinstance(source, bytes):
        return Part(name, place, source, hashlib.sha256(source).hexdigest(), len(source))
    with source.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Part(name, place, source, sha256, source.stat().st_size)


def _wheel_files(wheel: Path) -> dict[str, tuple[str, int]]:
    """Return {path in the release: (SHA-256, bytes)} of all files in a wheel except bytecode."""
    files = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                if entry.is_dir():
                    continue
                path = PurePosixPath(entry.filename)
                # It must fit on one line of the manifest, and zipfile must unpack it under this name.
                if (
                    path.is_absolute()
                    or ".." in path.parts
                    or not entry.filename.isprintable()
                    or "\\" in str(path)
                ):
                    raise InputError(
                        f"{wheel} holds a file named {entry.filename!r}, which no wheel may hold."
                    )
                if ".data/" in entry.filename:
                    raise InputError(
                        f"{wheel} needs an installer for {entry.filename}; unpacking is not enough."
                    )
                if path.suffix == ".pyc":
                    continue  # the device compiles its own
                with archive.open(entry) as file:
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
                files[f"{LIB}/{path}"] = (sha256, entry.file_size)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{wheel} cannot be read as a wheel: {error}.") from error
    return files


@functools.cache
def _sign(manifest: bytes, key: Path) -> bytes:
    """Return an OpenSSH signature of the manifest; the key may be in the user's agent."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "MANIFEST"
        text.write_bytes(manifest)
        command = ["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", SIGNATURE_NAMESPACE, str(text)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise InputError(f"ssh-keygen could not sign with {key}: {reason}.")
        return text.with_suffix(".sig").read_bytes()
