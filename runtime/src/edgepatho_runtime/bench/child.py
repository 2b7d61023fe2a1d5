"""Child processes of the benchmark: one engine each, in a fresh Python."""

import json
import subprocess
from typing import Any

from edgepatho_runtime import python

MAX_SECONDS = 3600


def measured(task: dict[str, Any]) -> dict[str, Any]:
    """Return what a child process measured, or an `error` sentence."""
    try:
        done = _python("from edgepatho_runtime.bench.measure import main; main()", json.dumps(task))
    except subprocess.TimeoutExpired:
        return {"error": f"It did not finish within {MAX_SECONDS} s."}
    except OSError as error:
        return {"error": f"Its process could not be started: {error.strerror}."}
    if done.returncode < 0:
        return {"error": f"Its process was killed by signal {-done.returncode}."}
    try:
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return {"error": f"Its process exited with code {done.returncode} and no result: {last:.300}"}


def empty_python_bytes() -> int:
    """Return the peak memory (VmHWM) of a Python that does nothing else."""
    done = _python("print(open('/proc/self/status').read())")
    return next(int(line.split()[1]) * 1024 for line in done.stdout.splitlines() if line.startswith("VmHWM:"))


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a fresh Python, as isolated as this process, that can import this package."""
    return subprocess.run(
        [*python.command(code), *arguments],
        env=python.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=MAX_SECONDS,
        check=False,
    )
