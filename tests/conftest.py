"""Shared by all tests: quiet TensorFlow, what is skipped, and what may be skipped in CI."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable

import needs
import numpy as np
import pytest
from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# One thread: TensorFlow then gives the same bits at every run (docs/decisions.md).
for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(name, "1")

settings.register_profile("any machine", settings.default, deadline=None)
settings.load_profile("any machine")  # a first call imports, and the machine may be busy

# A suite that was started in the background ignores Ctrl-C, and so would every program it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

VIRTUAL_PI = "boots the virtual Pi: run `make test-pi`"
SKIPPED_IN_CI_TOO = (
    needs.BENCH_GROUP,  # a gigabyte of packages
    VIRTUAL_PI,  # takes longer than all the rest together
    "tflite_runtime is not installed",  # its last release is for Python 3.11
    "this machine has no IPv6 loopback",  # as in most containers
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with slow tests first: none of several processes then ends long after the others."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Seed each test alike; `@pytest.mark.needs("shellcheck")` skips it where that program is missing."""
    _seed()  # Keras' initial weights must not depend on the tests before: a network may be all zeros
    for mark in item.iter_markers("needs"):
        _require(*mark.args)
    if item.get_closest_marker("pi") and os.environ.get("EDGEPATHO_PI") != "1":
        pytest.skip(VIRTUAL_PI)


def _seed() -> None:
    random.seed(0)  # Keras takes its seeds from here
    np.random.seed(0)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture(scope="session")
def require() -> Callable[..., None]:
    """A function for fixtures that skips the test where one of these programs of needs.NEEDS is missing."""
    return _require


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """In CI a skipped test is a failure, or a machine that lacks a program would pass for want of tests."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        reason = _reason(report)
        if reason not in SKIPPED_IN_CI_TOO:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} may not be skipped in CI: {reason}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the skipped tests by reason, and print the one command that installs what is missing."""
    reasons = Counter(map(_reason, terminalreporter.stats.get("skipped", [])))
    if not reasons:
        return
    terminalreporter.section("skipped")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:5d} {reason}")
    command = needs.command(reasons)
    if command:
        terminalreporter.line(f"This installs all that is missing: {command}")


def _require(*names: str) -> None:
    missing = needs.lacking(names)
    if missing:
        pytest.skip(missing)


def _reason(report: pytest.TestReport) -> str:
    return report.longrepr[2].removeprefix("Skipped: ")
