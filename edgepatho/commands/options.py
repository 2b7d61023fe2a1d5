"""Options and types that several commands share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
AT_LEAST_1 = click.IntRange(1)
SEED = click.IntRange(0, 2**32 - 1)

unseen_option = click.option(
    "--unseen",
    multiple=True,
    type=FOLDER,
    help="Also evaluate on this laboratory: a prepared folder, or a folder of such folders. Repeatable.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as one JSON object and nothing else."
)


class Words(click.Choice[str]):
    """One of `words`; a `renamed` word is refused with its new name."""

    def __init__(self, words: Sequence[str], renamed: Mapping[str, str]) -> None:
        super().__init__(words)
        self.renamed = renamed

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in self.renamed:
            self.fail(f"{value!r} is now called {self.renamed[value]!r}.", param, ctx)
        return super().convert(value, param, ctx)
