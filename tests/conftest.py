"""Shared by all tests: quiet TensorFlow, and the ARM part that may not be skipped in CI."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

settings.register_profile("any machine", settings.default, deadline=None)
settings.load_profile("any machine")  # a first call imports, and the machine may be busy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`-m 'not arm'` is for a quick look; CI runs everything but the virtual Pi."""
    if os.environ.get("EDGEPATHO_PI") == "1":
        return
    skip = pytest.mark.skip(reason="boots the virtual Pi: run `make test-pi`")
    for item in items:
        if item.get_closest_marker("pi"):
            item.add_marker(skip)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """In CI a skipped ARM test is a failure: the ARM part is why the project exists."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and item.get_closest_marker("arm") and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} needs the ARM lab, which CI must provide: {call.excinfo}"
