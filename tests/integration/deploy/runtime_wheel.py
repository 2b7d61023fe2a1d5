"""A wheel of the installed runtime, for loopback devices, which have this processor."""

from __future__ import annotations

import zipfile
from importlib import metadata
from pathlib import Path


def runtime_wheel(folder: Path) -> Path:
    """Write the wheel into `folder` and return its path."""
    installed = metadata.distribution("edgepatho-runtime")
    path = folder / f"edgepatho_runtime-{installed.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in installed.files or []:
            if file.parts[0] == "edgepatho_runtime" and "__pycache__" not in file.parts:
                archive.writestr(zipfile.ZipInfo(str(file)), file.read_binary())
    return path
