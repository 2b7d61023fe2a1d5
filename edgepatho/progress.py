"""Progress of long work, on stderr; silent where nobody looks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Progress:
    """A bar of `total` steps; `advance` moves it, `note` shows a short text beside it."""

    bar: Any = None
    task: Any = None
    done: float = field(default=0, init=False)

    def advance(self, steps: float = 1) -> None:
        """Count `steps` more as done."""
        self.done += steps
        if self.bar is not None:
            self.bar.advance(self.task, steps)

    def note(self, text: str) -> None:
        """Show what is being done; nothing without a bar."""
        if self.bar is not None:
            self.bar.update(self.task, note=text)


@contextmanager
def progress(description: str, total: float | None = None) -> Iterator[Progress]:
    """Yield a `Progress`; it draws on stderr if that is a terminal and NO_COLOR is not set."""
    if not sys.stderr.isatty() or "NO_COLOR" in os.environ:
        yield Progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Progress(bar, bar.add_task(description, total=total, note=""))
