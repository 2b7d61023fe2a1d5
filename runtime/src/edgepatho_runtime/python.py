"""How to start a fresh Python, as isolated as this process, that can import this package."""

import os
import sys
from pathlib import Path


def command(code: str) -> list[str]:
    """Return the command that runs `code` in a new process; it needs `environment()`."""
    flags = ["-P"]
    if sys.flags.no_user_site:
        flags.append("-s")
    if sys.flags.dont_write_bytecode:
        flags.append("-B")
    return [sys.executable, *flags, "-c", code]


def environment() -> dict[str, str]:
    """Return this process's environment, extended so that this package can be imported."""
    package = str(Path(__file__).absolute().parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*([inherited] if inherited else []), package])}
