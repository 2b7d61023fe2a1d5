"""Settings given as text: each is one of a few words, checked when the settings are created."""

from __future__ import annotations

import typing
from typing import Any, Literal, get_args, get_origin

from edgepatho.errors import UsageError

Method = Literal["cws", "pws", "uq", "ecsq"]
CodebookScope = Literal["shared", "per-layer"]
PruneScope = Literal["layer", "global"]
Scale = Literal["none", "layer", "channel", "output"]
Solver = Literal["exact", "minibatch"]
RetrainingTarget = Literal["labels", "original"]
Split = Literal["train", "validation", "test"]
SplitBy = Literal["patient", "image"]
LabelMaps = Literal["true", "published"]


def check_choice(name: str, value: object, choices: Any) -> None:
    """Raise UsageError unless `value`, the setting `name`, is one of the words of the Literal `choices`."""
    words = get_args(choices)
    if value not in words:
        raise UsageError(f"{name} is {value!r}; expected {', '.join(words[:-1])} or {words[-1]}.")


def check_choices(settings: Any) -> None:
    """`check_choice` for every field of the dataclass `settings` whose type is a Literal."""
    for name, kind in typing.get_type_hints(type(settings)).items():
        if get_origin(kind) is Literal:
            check_choice(name, getattr(settings, name), kind)
