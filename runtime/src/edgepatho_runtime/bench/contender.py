"""What a benchmark measures: engines, their files and the files' expected hashes."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from edgepatho_runtime.bench.peers import PEERS
from edgepatho_runtime.bundle import read
from edgepatho_runtime.errors import BundleError

FOLDER_FILES = ("model.epb", "baseline.epb", "baseline.tflite", "int8.tflite")


class Contender(NamedTuple):
    """One row to measure: an engine, its file, and the file's expected hash if known."""

    engine: str
    file: Path
    expected_sha256: str | None = None

    @property
    def content(self) -> bytes:
        """The bytes of the file, and of the one with its weights where a peer's format has two."""
        peer = PEERS.get(self.engine)
        second = self.file.with_suffix(peer.weights) if peer and peer.weights else None
        return self.file.read_bytes() + (second.read_bytes() if second and second.is_file() else b"")


def tasks(paths: list[Path], tflite: list[str]) -> list[Contender]:
    """Return what to measure: bundles and peers' files, compress folders, and TFLite FILE or FILE@SHA256.

    Raises BundleError for a file that is missing or not a bundle.
    """
    files: list[Path] = []
    for path in paths:
        known = [path / name for name in FOLDER_FILES if (path / name).is_file()]
        if path.is_dir() and not known:
            raise BundleError(f"{path} holds none of {', '.join(FOLDER_FILES)}; give a compress folder.")
        if not path.exists():
            raise BundleError(f"{path} does not exist; give a bundle, a peer's file or a folder of both.")
        files += known or [path]
    contenders = []
    for file in files:
        if engines := _peers_for(file.suffix):
            contenders += [Contender(engine, file, recorded_sha256(file)) for engine in engines]
        else:
            shared = any("codebook" in node for node in read(file).graph["nodes"])
            contenders.append(Contender("edgepatho" if shared else "edgepatho-baseline", file))
    for text in tflite:
        name, at, digest = text.rpartition("@")
        named = at and re.fullmatch("[0-9a-f]{64}", digest)
        file = Path(name if named else text)
        if not file.is_file():
            raise BundleError(f"{file} is not a file; --tflite takes FILE or FILE@SHA256.")
        expected = digest if named else recorded_sha256(file)
        contenders += [Contender(engine, file, expected) for engine in _peers_for(".tflite")]
    return contenders


def _peers_for(suffix: str) -> list[str]:
    """Return the peers that run this kind of file."""
    return [engine for engine, peer in PEERS.items() if peer.suffix == suffix]


def recorded_sha256(file: Path) -> str | None:
    """Return the hash recorded for `file` by its compress folder or release, if any."""
    try:
        record = json.loads((file.parent / "compress.json").read_text())
        return str(record["files"][file.name]["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    try:
        for line in (file.parent / "MANIFEST").read_text().splitlines():
            digest, _, name = line.partition("  ")
            if name == file.name:
                return digest
    except (OSError, ValueError):
        pass
    return None
