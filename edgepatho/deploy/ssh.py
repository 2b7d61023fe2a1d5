"""One device through the system's OpenSSH: the user's configuration, agent and known hosts as they are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import IO, Self

from edgepatho.deploy.frame import Frame
from edgepatho.deploy.process import Said, converse
from edgepatho.deploy.remedy import remedy
from edgepatho.errors import DeviceUnfit, DeviceUnreachable, UsageError, UserError
from edgepatho.text import printable

MAX_ANSWER_BYTES = 1 << 20  # of a script's output and everything printed around it
SSH_FAILED = 255  # ssh's own exit code, never one of ours
NO_SHELL = "This account is currently not available"  # nologin's message


class ScriptFailed(DeviceUnfit):
    """A device script ended with a nonzero exit code, `code`, one of those in store.sh.

    `answer` is its output up to then.
    """

    def __init__(self, code: int, message: str, answer: str = ""):
        super().__init__(message)
        self.code, self.answer = code, answer


def device_script(name: str) -> str:
    """Return the text of a device script, preceded by store.sh."""
    folder = resources.files("edgepatho.device_scripts")
    return (folder / "store.sh").read_text() + (folder / f"{name}.sh").read_text()


class Remote:
    """A device by its ssh destination. Use as a context manager: all commands share one connection.

    `interactive` lets ssh ask on the terminal (an unknown host key, a PIN); otherwise it fails instead.
    `bytes_sent` counts what `put` uploaded.
    """

    def __init__(self, destination: str, *, interactive: bool = False):
        if destination.startswith("-") or not destination:
            raise UsageError(f"'{destination}' is not a host name: it cannot be empty or begin with a dash.")
        self.destination = destination
        self.bytes_sent = 0
        self._interactive = interactive
        # A socket's path is limited to about a hundred characters, and $TMPDIR alone may be longer.
        short = "/tmp" if os.path.isdir("/tmp") else None  # noqa: S108, PTH112 - mkdtemp makes a private folder
        self._folder = Path(tempfile.mkdtemp(prefix="edgepatho-", dir=short))
        self._options = [
            *("-T", "-o", "RemoteCommand=none", "-o", "ClearAllForwardings=yes"),
            *("-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15"),
            *("-o", "LogLevel=ERROR"),  # a configuration that says QUIET would hide what went wrong
            *("-o", f"BatchMode={'no' if interactive else 'yes'}"),
            # Whatever the user's configuration says, no host key is accepted without asking a person.
            *("-o", f"StrictHostKeyChecking={'ask' if interactive else 'yes'}"),
        ]
        if os.name == "posix":  # OpenSSH on Windows cannot share a connection
            self._options += ["-o", "ControlMaster=auto", "-o", "ControlPersist=60"]
            self._options += ["-o", f"ControlPath={self._folder / 'socket'}"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def run(
        self,
        script: str,
        *arguments: str,
        show_progress: bool = False,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> str:
        """Run a device script and return its standard output.

        With `show_progress` its standard error is copied to ours while it runs, control characters escaped.
        Raises ScriptFailed if it fails, DeviceUnreachable if the connection does, and DeviceUnfit if the
        account runs no scripts or prints more than `max_bytes`.
        """
        return self._ask(script, arguments, show_progress=show_progress, max_bytes=max_bytes)

    def put(self, source: Path | bytes, script: str, *arguments: str) -> str:
        """Send a file or bytes to the standard input of a device script; otherwise as `run`."""
        with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as data:
            answer = self._ask(script, arguments, data)
            self.bytes_sent += data.tell()
        return answer

    def close(self) -> None:
        """End the shared connection and remove its socket."""
        if os.name == "posix" and (self._folder / "socket").exists():
            subprocess.run(["ssh", *self._options, "-O", "exit", "--", self.destination], capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ask(
        self,
        script: str,
        arguments: tuple[str, ...],
        *data: IO[bytes],
        show_progress: bool = False,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> str:
        frame = Frame()
        text = frame.text(device_script(script), arguments)
        ssh = ["ssh", *self._options]
        try:
            said = converse(
                [*ssh, "--", self.destination, frame.command(text)],
                [BytesIO(text), *data],
                max_bytes,
                complete=lambda said: frame.exit_code(said) is not None,
                hear=_Shown(frame) if show_progress else lambda errors: None,
            )
        except FileNotFoundError:
            raise UserError("ssh is not installed here; install OpenSSH's client.") from None
        if said.too_much:
            raise DeviceUnfit(
                f"{self.destination} answered {script}.sh with more than {max_bytes >> 20} MiB and was "
                "cut off; find what prints so much there, such as a start-up file of its shell."
            )
        answer, code = frame.answer(said.output), frame.exit_code(said.output)
        errors = text_of(frame.answer(said.errors) or b"").strip()
        last = errors.splitlines()[-1] if errors else f"exit code {said.code if code is None else code}"
        if answer is None:
            raise self._no_answer(said)
        if code is None and (said.code == SSH_FAILED or said.code < 0):  # a signal ended ssh itself
            raise DeviceUnreachable(f"{self.destination}: {self._remedy('')}")
        if code != 0:
            message = f"{self.destination}: {script}.sh: {last}"
            raise ScriptFailed(said.code if code is None else code, message, text_of(answer))
        return text_of(answer)

    def _no_answer(self, said: Said) -> UserError:
        """Return why a script did not start: no connection, or an account that runs no scripts."""
        errors = text_of(said.errors).strip()
        if said.code == SSH_FAILED or said.code < 0:
            return DeviceUnreachable(f"{self.destination}: {self._remedy(errors)}")
        if NO_SHELL in text_of(said.output + said.errors):
            return DeviceUnfit(
                f"{self.destination} is an account without a login shell (nologin); give another one, or run "
                "`sudo chsh -s /bin/bash USER` there."
            )
        last = f", said: {errors.splitlines()[-1]}" if errors else ""
        return DeviceUnfit(
            f"{self.destination} took the login but did not run our script (exit code {said.code}{last}). A "
            "start-up file of its shell, such as ~/.bashrc, may end the shell or start another one (`exec "
            "fish`): let it do that on a terminal only (`case $- in *i*) exec fish ;; esac`), or choose that "
            "shell with `chsh`."
        )

    def _remedy(self, said: str) -> str:
        return remedy(said, self.destination, ["ssh", *self._options], interactive=self._interactive)


class _Shown:
    """Prints a script's standard error as it arrives, without anything around it."""

    def __init__(self, frame: Frame):
        self._frame, self._shown = frame, 0

    def __call__(self, errors: bytearray) -> None:
        said = self._frame.answer(errors) or b""
        done = len(said) if self._frame.exit_code(errors) is not None else said.rfind(b"\n") + 1
        if done > self._shown:
            print(text_of(said[self._shown : done]), end="", file=sys.stderr, flush=True)
            self._shown = done


def text_of(said: bytes) -> str:
    """Return a device's output as lines of `printable` text."""
    return "\n".join(map(printable, said.decode(errors="replace").split("\n")))
