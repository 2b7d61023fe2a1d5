"""A tiny stand-in for the runtime wheel and the bundles, so that a deploy takes a fraction of a second.

The bundle decides the result of its self-test: pass, fail everywhere, or fail only through `current`, so that
a release passes its self-test but fails its health check.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from edgepatho.deploy.release import Release, build

MAIN = """
import sys
from pathlib import Path

command, bundle = sys.argv[1:3]
text = Path(bundle).read_text(errors="replace")
if "broken" in text or ("sick" in text and "/current/" in bundle):
    sys.exit(f"{command}: the golden output differs")
print(f"self-test passed: {text.split()[0]}")
"""


def wheel(folder: Path, version: str = "0.1", tag: str = "py3-none-any", main: str = MAIN) -> Path:
    """Write a wheel of a runtime that needs no compiled code and return its path."""
    path = folder / f"edgepatho_runtime-{version}-{tag}.whl"
    files = {
        "edgepatho_runtime/__init__.py": f"__version__ = {version!r}\n",
        "edgepatho_runtime/__main__.py": main,
        f"edgepatho_runtime-{version}.dist-info/METADATA": f"Version: {version}\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)  # dated 1980: equal content gives an equal wheel
    return path


def compress_folder(folder: Path, name: str, *, kilobytes: int = 8) -> Path:
    """Write a folder with two files in place of the bundles that `edgepatho compress` would write."""
    folder.mkdir(parents=True, exist_ok=True)
    for bundle in ("model.epb", "baseline.epb"):
        (folder / bundle).write_text(
            f"{name} {bundle}\n" + f"{name}\n" * (kilobytes * 1024 // (len(name) + 1))
        )
    return folder


def release(folder: Path, name: str, *, kilobytes: int = 8) -> Release:
    """Return a release whose bundles hold `name`."""
    content = compress_folder(folder / name, name, kilobytes=kilobytes)
    return build([content / "model.epb", content / "baseline.epb"], [wheel(folder)])
