"""The device's command line on this computer, in another process: the host never imports the runtime."""

from __future__ import annotations

import importlib.util
import sys

from edgepatho import __version__
from edgepatho.errors import InputError


def device_command() -> list[str]:
    """Return the argument list that starts this environment's `edgepatho-run`.

    Raises InputError if the runtime is not installed in the same environment.
    """
    if importlib.util.find_spec("edgepatho_runtime") is None:
        raise InputError(
            f"edgepatho-runtime is not installed beside edgepatho in {sys.prefix}; run `make install` in the "
            f"source folder, or add the wheel edgepatho_runtime-{__version__}-*.whl to this environment with "
            "`pip install`, `pipx inject edgepatho` or `uv tool install --with`."
        )
    return [sys.executable, "-P", "-m", "edgepatho_runtime"]  # -P: never import from the working folder
