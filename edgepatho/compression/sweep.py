"""Many compressions of one network: a study on disk that workers share and that can be resumed.

Optuna's journal file keeps the points and their rows; every worker takes the next waiting point. Several
machines can share one file in a network folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgepatho.compression.hyperparameters import Hyperparameters
from edgepatho.errors import InputError, UserError
from edgepatho.files import canonical_json
from edgepatho.progress import Progress
from edgepatho.quantize.quantizer import Quantizer
from edgepatho.quantize.retrain import Budget

if TYPE_CHECKING:
    import optuna

NAME = "edgepatho"
VERSION = 2  # of the settings recorded for each point
Row = dict[str, Any]


@dataclass(frozen=True)
class Point:
    """One compression of a sweep; without a quantizer, the control: the original after the same steps."""

    quantizer: Quantizer | None = field(default_factory=Quantizer)
    budget: Budget = field(default_factory=Budget)
    hyperparameters: Hyperparameters = field(default_factory=Hyperparameters)

    @property
    def key(self) -> str:
        """All settings as text; equal points have equal keys."""
        return canonical_json(asdict(self))


def run(
    points: Sequence[Point],
    file: Path,
    about: dict[str, Any],
    measure: Callable[[Point], Row],
    *,
    reclaim: bool = False,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """Measure every point without a row in the study in `file`; return all rows, in the order of `points`.

    A point whose settings cannot be met has a row with `error`. An interrupted point is queued again; one
    whose worker was killed stays taken until `reclaim`, during which no other worker may run. `about` holds
    everything the rows depend on: a study with a different `about` raises InputError.
    """
    study = _study(file, about)
    if reclaim:
        _reclaim(study)
    _enqueue(study, points)
    progress = progress or Progress()
    progress.advance(sum(point.key in _rows(study) for point in points))
    by_key = {point.key: point for point in points}
    while _states(study, "WAITING"):
        trial = study.ask()
        point = by_key.get(trial.user_attrs.get("point", ""))
        if point is None or point.key in _rows(study):  # another worker took the last one
            study.tell(trial, state=_state("FAIL"))
            continue
        try:
            row = json.loads(json.dumps(measure(point), allow_nan=False))
        except UserError as error:
            row = {"error": str(error)}
        except BaseException:
            study.tell(trial, state=_state("FAIL"))
            _enqueue(study, [point])
            raise
        trial.set_user_attr("row", row)
        study.tell(trial, 0.0)
        progress.advance()
    rows = _rows(study)
    missing = sum(point.key not in rows for point in points)
    if missing:
        say(
            f"{missing} of {len(points)} points are taken by other workers or were left by one that was "
            "killed; if none is running, give the command again with --reclaim."
        )
    return [rows[point.key] for point in points if point.key in rows]


def _study(file: Path, about: dict[str, Any]) -> optuna.Study:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        study = optuna.create_study(
            study_name=NAME, storage=JournalStorage(JournalFileBackend(str(file))), load_if_exists=True
        )
        known = study.user_attrs.get("about")
    except (ValueError, KeyError, TypeError, AssertionError, OSError) as error:
        raise InputError(
            f"{file} is not the study of a sweep ({type(error).__name__}: {error}); give another folder."
        ) from None
    if known is not None and known.pop("study_version", 1) != VERSION:
        raise InputError(
            f"{file} is a study of another version, and only that version can resume it; give another folder."
        )
    if known is None:
        study.set_user_attr("about", about | {"study_version": VERSION})
    elif known != json.loads(json.dumps(about)):
        raise InputError(
            f"{file} is the study of another network or other tiles; give another folder for this sweep."
        )
    return study


def _enqueue(study: optuna.Study, points: Sequence[Point]) -> None:
    """Queue the points that are not measured, being measured or waiting."""
    known = set(_rows(study)) | {
        trial.user_attrs.get("point") for trial in _states(study, "WAITING", "RUNNING")
    }
    for point in points:
        if point.key not in known:
            study.enqueue_trial({}, user_attrs={"point": point.key})


def _reclaim(study: optuna.Study) -> None:
    for trial in _states(study, "RUNNING"):
        study.tell(trial.number, state=_state("FAIL"))


def _rows(study: optuna.Study) -> dict[str, Row]:
    return {
        trial.user_attrs["point"]: trial.user_attrs["row"]
        for trial in _states(study, "COMPLETE")
        if "row" in trial.user_attrs
    }


def _states(study: optuna.Study, *names: str) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False, states=tuple(_state(name) for name in names))


def _state(name: str) -> optuna.trial.TrialState:
    from optuna.trial import TrialState

    return TrialState[name]
