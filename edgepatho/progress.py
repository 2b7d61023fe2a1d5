"""Progress of long work, on stderr: a bar on a terminal, an occasional line elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

LINE_EVERY_S = 20.0


@dataclass
class Progress:
    """Progress of work: `advance` counts steps, `note` shows the activity, `say` prints a lasting line.

    This class shows only what is passed to `say`.
    """

    done: float = field(default=0, init=False)

    def advance(self, steps: float = 1) -> None:
        """Count `steps` more as done."""
        self.done += steps

    def note(self, text: str) -> None:
        """Show the current activity in a few words."""

    def say(self, sentence: str) -> None:
        """Print a sentence that stays on screen."""
        print(sentence, file=sys.stderr, flush=True)


@dataclass
class BarProgress(Progress):
    """Progress as a rich bar with a note next to it."""

    bar: Any
    task: Any

    def advance(self, steps: float = 1) -> None:
        super().advance(steps)
        self.bar.advance(self.task, steps)

    def note(self, text: str) -> None:
        self.bar.update(self.task, note=text)

    def say(self, sentence: str) -> None:
        self.bar.console.print(sentence, highlight=False, markup=False)


@dataclass
class LineProgress(Progress):
    """Progress as lines, for log files: the last note and count, every LINE_EVERY_S seconds."""

    description: str
    total: float | None
    noted: str = field(default="", init=False)
    told_s: float = field(default_factory=lambda: time.monotonic(), init=False)

    def advance(self, steps: float = 1) -> None:
        super().advance(steps)
        self._tell()

    def note(self, text: str) -> None:
        self.noted = text
        self._tell()

    def _tell(self) -> None:
        if time.monotonic() - self.told_s < LINE_EVERY_S:
            return
        self.told_s = time.monotonic()
        of = "" if self.total is None else f" of {self.total:g}"
        self.say(f"{self.description}: {self.done:g}{of}{', ' if self.noted else ''}{self.noted}")


@contextmanager
def progress(description: str, total: float | None = None) -> Iterator[Progress]:
    """Yield a `Progress` on stderr: a bar if that is a terminal and NO_COLOR is not set, else lines."""
    if not sys.stderr.isatty() or "NO_COLOR" in os.environ:
        yield LineProgress(description, total)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield BarProgress(bar, bar.add_task(description, total=total, note=""))
