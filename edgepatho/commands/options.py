"""Options and types that several commands share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from edgepatho import strictjson
from edgepatho.classes import CLASSES
from edgepatho.errors import InputError, UsageError

MOST_HEAT = 255
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
thresholds_option = click.option(
    "--thresholds",
    metavar="P,N,T|CONFIG.json",
    help="Thresholds of the three classes, 0 to 255, or a configuration of PathoNet's code that has them.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as one JSON object and nothing else."
)


def numbers(option: str, text: str | None, count: int, most: float) -> tuple[float, ...] | None:
    """Return the `count` numbers above 0 and up to `most` in `text`, separated by commas; UsageError."""
    if text is None:
        return None
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != count or not all(0 < value <= most for value in values):
        raise UsageError(
            f"{option} is {text!r}; expected {count} numbers above 0 and up to {most:g}, separated by commas."
        )
    return values


def thresholds_of(text: str | None) -> tuple[float, ...] | None:
    """Return the thresholds given as P,N,T or as the path of a configuration of PathoNet's code.

    Raises UsageError for neither, InputError for a file that is not such a configuration.
    """
    if text is None or not text.lower().endswith(".json"):
        return numbers("--thresholds", text, len(CLASSES), MOST_HEAT)
    try:
        about = strictjson.loads(Path(text).read_bytes())
    except OSError as error:
        raise InputError(f"{text} cannot be read ({error.strerror}); give PathoNet's eval.json.") from None
    except ValueError as error:
        raise InputError(f"{text} is not a configuration in JSON: {error}.") from None
    found = about.get("thresholds") if isinstance(about, dict) else None
    values = found if isinstance(found, list) else []
    fits = all(type(each) in (int, float) and 0 < each <= MOST_HEAT for each in values)
    if len(values) != len(CLASSES) or not fits:
        raise InputError(
            f"{text} has no `thresholds` of {len(CLASSES)} numbers above 0 and up to {MOST_HEAT}; give the "
            "configuration with which the network was evaluated."
        )
    return tuple(float(each) for each in values)


class Words(click.Choice[str]):
    """One of `words`; a `renamed` word is refused with its new name."""

    def __init__(self, words: Sequence[str], renamed: Mapping[str, str]) -> None:
        super().__init__(words)
        self.renamed = renamed

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in self.renamed:
            self.fail(f"{value!r} is now called {self.renamed[value]!r}.", param, ctx)
        return super().convert(value, param, ctx)
