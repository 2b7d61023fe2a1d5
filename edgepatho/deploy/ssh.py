"""One device through the system's OpenSSH: the user's configuration, agent and known hosts as they are."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import resources
from pathlib import Path
from typing import Any, Self

from edgepatho.errors import DeviceUnfit, DeviceUnreachable, UsageError, UserError

LONGEST_LINE = 4096  # bytes of a device's line that are shown at a time
STRAGGLERS_S = 2.0
SSH_FAILED = 255  # ssh's own exit code, never one of ours
REMEDIES = {
    "REMOTE HOST IDENTIFICATION HAS CHANGED": (
        "its host key is not the one in known_hosts. If its system was installed anew, compare fingerprints "
        "(on the device: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then run `ssh-keygen -R {host}`."
    ),
    "Host key verification failed": (
        "its host key is not known yet. Connect once with `ssh {host}` and compare the fingerprint with "
        "`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the device."
    ),
    "Permission denied": "it accepts none of your keys. Put one there with `ssh-copy-id {host}`.",
    "Could not resolve hostname": "no such host name; check the spelling and that the device is switched on.",
}


class ScriptFailed(DeviceUnfit):
    """A device script ended with an exit code other than 0: `code`, one of those in store.sh.

    `answer` is what it had printed by then.
    """

    def __init__(self, code: int, message: str, answer: str = ""):
        super().__init__(message)
        self.code, self.answer = code, answer


def device_script(name: str) -> str:
    """Return the text of a device script with store.sh in front of it."""
    folder = resources.files("edgepatho.device_scripts")
    return (folder / "store.sh").read_text() + (folder / f"{name}.sh").read_text()


class Remote:
    """A device by its ssh destination. Use as a context manager: all commands share one connection.

    `interactive` lets ssh ask on the terminal (an unknown host key, a PIN); otherwise it fails instead.
    `bytes_sent` counts what `put` uploaded.
    """

    def __init__(self, destination: str, *, interactive: bool = False):
        if destination.startswith("-") or not destination:
            raise UsageError(
                f"'{destination}' is not a host: a host name cannot be empty or begin with a dash."
            )
        self.destination = destination
        self.bytes_sent = 0
        # A socket's path has room for about a hundred characters, which $TMPDIR may use up alone.
        short = "/tmp" if os.path.isdir("/tmp") else None  # noqa: S108, PTH112 - mkdtemp makes a private folder
        self._folder = Path(tempfile.mkdtemp(prefix="edgepatho-", dir=short))
        self._options = [
            *("-T", "-o", "RemoteCommand=none", "-o", "ClearAllForwardings=yes"),
            *("-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15"),
            *("-o", f"BatchMode={'no' if interactive else 'yes'}"),
            # Whatever the user's configuration says: nothing here accepts a host key without a person.
            *("-o", f"StrictHostKeyChecking={'ask' if interactive else 'yes'}"),
        ]
        if os.name == "posix":  # OpenSSH on Windows cannot share a connection
            self._options += ["-o", "ControlMaster=auto", "-o", "ControlPersist=60"]
            self._options += ["-o", f"ControlPath={self._folder / 'socket'}"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def run(self, script: str, *arguments: str, show_progress: bool = False) -> str:
        """Run a device script, sent over standard input, and return its standard output.

        With `show_progress` its standard error goes to ours while it runs, without control characters.
        Raises ScriptFailed if it fails and DeviceUnreachable if the connection does.
        """
        command = shlex.join(["sh", "-s", "--", *arguments])
        text = device_script(script).encode()
        return self._ssh(command, script, show_progress=show_progress, input=text)

    def put(self, source: Path | bytes, script: str, *arguments: str) -> str:
        """Send a file or bytes to the standard input of a device script; otherwise as `run`."""
        command = shlex.join(["sh", "-c", device_script(script), f"{script}.sh", *arguments])
        if isinstance(source, bytes):
            answer = self._ssh(command, script, input=source)
            self.bytes_sent += len(source)
            return answer
        with source.open("rb") as file:
            answer = self._ssh(command, script, stdin=file)
        self.bytes_sent += source.stat().st_size
        return answer

    def close(self) -> None:
        """End the shared connection and remove its socket."""
        if os.name == "posix" and (self._folder / "socket").exists():
            subprocess.run(["ssh", *self._options, "-O", "exit", "--", self.destination], capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ssh(self, command: str, script: str, *, show_progress: bool = False, **standard_input: Any) -> str:
        # A file, not a pipe: the process that keeps the connection open would keep the pipe open too.
        with tempfile.TemporaryFile(dir=self._folder) as errors:
            try:
                with _shown() if show_progress else nullcontext(errors) as where:
                    done = subprocess.run(
                        ["ssh", *self._options, "--", self.destination, command],
                        stdout=subprocess.PIPE,
                        stderr=where,
                        **standard_input,
                    )
            except FileNotFoundError:
                raise UserError("ssh is not installed here; install OpenSSH's client.") from None
            errors.seek(0)
            said = _text(errors.read()).strip()
        if done.returncode == SSH_FAILED or done.returncode < 0:  # below zero, a signal ended ssh itself
            raise DeviceUnreachable(f"{self.destination}: {_remedy(said, self.destination)}")
        if done.returncode:
            last = said.splitlines()[-1] if said else f"exit code {done.returncode}"
            message = f"{self.destination}: {script}.sh: {last}"
            raise ScriptFailed(done.returncode, message, _text(done.stdout))
        return _text(done.stdout)


def printable(text: str) -> str:
    """Return what a device said without control characters, which a terminal might obey; lines stay."""
    return "".join(sign for sign in text if sign.isprintable() or sign == "\n")


def _text(said: bytes) -> str:
    return printable(said.decode(errors="replace"))


@contextmanager
def _shown() -> Iterator[int]:
    """Yield a descriptor; what is written to it goes to standard error as it comes, cleaned by `_text`."""
    reading, writing = os.pipe()

    def show() -> None:
        with os.fdopen(reading, "rb") as lines:
            for line in iter(lambda: lines.readline(LONGEST_LINE), b""):
                print(_text(line), end="", file=sys.stderr, flush=True)

    shower = threading.Thread(target=show, daemon=True)
    shower.start()
    try:
        yield writing
    finally:
        os.close(writing)
        shower.join(STRAGGLERS_S)  # the process that keeps the connection open may keep the pipe open too


def _remedy(said: str, host: str) -> str:
    for symptom, remedy in REMEDIES.items():
        if symptom in said:
            return remedy.format(host=host)
    last = said.splitlines()[-1] if said else "the connection broke"
    return f"ssh cannot reach it ({last}). Check that it is switched on and that `ssh {host}` works."
