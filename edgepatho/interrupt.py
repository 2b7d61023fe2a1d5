"""Ctrl-C as a request to stop, so that work ends in order and keeps its results."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def noticed() -> Iterator[list[int]]:
    """Yield a list that is non-empty after Ctrl-C; a second Ctrl-C raises KeyboardInterrupt.

    Outside the main thread, or if Ctrl-C already has another handler, the list stays empty.
    """
    came: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)

    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ours = usual and threading.current_thread() is threading.main_thread()
    if ours:
        signal.signal(signal.SIGINT, handle)
    try:
        yield came
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
