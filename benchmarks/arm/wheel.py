"""The cross-built device wheel, unpacked without pip, as `deploy` does it."""

from __future__ import annotations

import zipfile
from pathlib import Path

from edgepatho.errors import UserError

DIST = Path(__file__).parents[2] / "dist"


class WheelMissing(UserError):  # noqa: N818 - reads as the condition it is
    """The device wheel has not been built."""


def find() -> Path:
    """Return the newest aarch64 wheel of the runtime in dist/, or raise WheelMissing."""
    wheels = sorted(DIST.glob("edgepatho_runtime-*_aarch64.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        raise WheelMissing(f"{DIST} holds no aarch64 wheel of edgepatho-runtime; run `make wheel-arm` first.")
    return wheels[-1]


def unpack(wheel: Path, folder: Path) -> Path:
    """Unpack a wheel into `folder`, to be put on PYTHONPATH, and return the folder."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder
