"""Run a program, writing to it and reading from it at the same time, with a limit on its output."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

STRAGGLERS_S = 2.0  # after a complete answer, in case another process keeps the pipes open
CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class Said:
    """How a program ended; `code` is negative for a signal, `too_much` says it exceeded the limit."""

    code: int
    output: bytes
    errors: bytes
    too_much: bool


def converse(
    command: list[str],
    sources: list[IO[bytes]],
    max_bytes: int,
    complete: Callable[[bytearray], bool],
    hear: Callable[[bytearray], None] = lambda errors: None,
) -> Said:
    """Run a program, send it the sources one after the other, and return its output.

    Each of its two outputs is read until it ends or `complete` holds for it, up to `max_bytes`: a program
    that prints more is stopped, so memory is bounded. `hear` is called with all of its standard error
    so far whenever there is more. Raises FileNotFoundError if there is no such program.
    """
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
    output, errors = bytearray(), bytearray()

    def read(stream: Any, into: bytearray, hear: Callable[[bytearray], None]) -> None:
        with stream:
            while len(into) <= max_bytes and not complete(into) and (chunk := stream.read1(CHUNK_BYTES)):
                into += chunk
                hear(into)
        if len(into) > max_bytes:
            process.kill()

    def feed() -> None:
        assert process.stdin is not None
        with suppress(OSError), process.stdin as sink:  # it may exit before it has read everything
            for source in sources:
                shutil.copyfileobj(source, sink)

    reader = threading.Thread(target=read, args=(process.stderr, errors, hear), daemon=True)
    try:
        threading.Thread(target=feed, daemon=True).start()
        reader.start()
        read(process.stdout, output, lambda output: None)
        reader.join(STRAGGLERS_S)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STRAGGLERS_S)
    finally:
        process.kill()
        code = process.wait()
    too_much = max(len(output), len(errors)) > max_bytes
    return Said(code, bytes(output), bytes(errors), too_much)
