"""The retraining loop: early stopping, best state, resuming, and foreign or damaged states."""

import numpy as np
import pytest

from edgepatho.errors import InputError, UsageError
from edgepatho.model import graph as graphs
from edgepatho.model.shared import other_variables
from edgepatho.quantize.quantizer import Quantizer, share
from edgepatho.quantize.retrain import Budget, retrain
from edgepatho.quantize.shared_training import SharedTraining

BUDGET = Budget(steps=12, validate_every=3, patience=2)


@pytest.fixture
def training(small_model):
    shared = share(graphs.from_keras(small_model), Quantizer(k=16))
    shared.variables = other_variables(small_model)
    return SharedTraining(small_model, shared, codebook_rate=0.01, rate=0.01)


def scripted(*errors):
    """A validation that returns these errors in turn and records the codebook each time."""
    left = list(errors)
    return lambda: left.pop(0)


def codebook(training):
    return training.trained().codebooks["codebook"]


def test_the_best_state_is_restored(training, feed):
    seen = []

    def validate():
        seen.append(codebook(training))
        return [5.0, 3.0, 2.0, 4.0, 4.0][len(seen) - 1]

    run = retrain(training, feed, validate, BUDGET)
    assert [entry["step"] for entry in run.history] == [0, 3, 6, 9, 12]
    assert (run.best_step, run.best_mse) == (6, 2.0)
    assert np.array_equal(codebook(training), seen[2])
    assert not np.array_equal(seen[2], seen[4])


def test_it_stops_when_validation_no_longer_improves(training, feed):
    run = retrain(training, feed, scripted(5, 4, 4.5, 4.2), BUDGET)
    assert run.step == 9
    assert run.best_step == 3


def test_retraining_that_only_harms_keeps_the_initial_state(training, feed):
    before = codebook(training)
    run = retrain(training, feed, scripted(1, 2, 3), BUDGET)
    assert run.best_step == 0
    assert np.array_equal(codebook(training), before)


def test_a_nan_error_is_reported_as_divergence(training, feed):
    def broken(start):
        for images, labels in feed(start):
            yield images, labels * np.float32(np.nan)

    with pytest.raises(
        UsageError, match="diverged: the error is nan after 1 steps; lower the learning rates"
    ):
        retrain(training, broken, scripted(5), BUDGET)


def test_after_a_divergence_other_learning_rates_can_start(training, feed, tmp_path):
    def broken(start):
        for step, (images, labels) in enumerate(feed(start), start):
            yield images, labels * np.float32(np.nan if step == BUDGET.validate_every else 1)

    state = tmp_path / "state.npz"
    with pytest.raises(UsageError, match="diverged"):
        retrain(training, broken, scripted(5, 4), BUDGET, state=state, key={"options": "a"})
    assert not state.exists()


class Interrupted(BaseException):
    pass


def test_an_interrupted_run_resumes_exactly(training, small_model, feed, tmp_path):
    images, labels = next(feed(1000))
    pixels = (images * 255).astype(np.uint8)

    def validate():
        return training.mse(pixels, labels)

    start = [np.array(variable) for variable in training.variables()]

    def interrupted_feed(first):
        for step, batch in enumerate(feed(first), first):
            if step == 7:
                raise Interrupted
            yield batch

    whole = retrain(training, feed, validate, BUDGET)
    expected = codebook(training)
    for variable, value in zip(training.variables(), start, strict=True):
        variable.assign(value)
    state = tmp_path / "state.npz"
    with pytest.raises(Interrupted):
        retrain(training, interrupted_feed, validate, BUDGET, state=state, key={"options": "same"})
    for variable, value in zip(training.variables(), start, strict=True):
        variable.assign(value)
    resumed = retrain(training, feed, validate, BUDGET, state=state, key={"options": "same"})
    assert resumed.history[0] == whole.history[0]
    assert [entry["step"] for entry in resumed.history] == [entry["step"] for entry in whole.history]
    np.testing.assert_allclose(codebook(training), expected, rtol=1e-5)


def test_a_state_with_other_settings_is_refused(training, feed, tmp_path):
    state = tmp_path / "state.npz"
    retrain(training, feed, scripted(3, 2, 1, 1, 1), BUDGET, state=state, key={"options": "first"})
    with pytest.raises(InputError, match="belongs to a run with other options"):
        retrain(training, feed, scripted(3), BUDGET, state=state, key={"options": "second"})


def test_a_damaged_state_is_refused(training, feed, tmp_path):
    state = tmp_path / "state.npz"
    state.write_bytes(b"PK broken")
    with pytest.raises(InputError, match="not the state of a training"):
        retrain(training, feed, scripted(3), BUDGET, state=state, key={})
