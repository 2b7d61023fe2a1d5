"""The fixtures' float64 reference, and every instruction set of this processor."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgepatho_runtime.network import available_isas

sys.path.append(str(Path(__file__).parents[2] / "fixtures"))


@pytest.fixture(params=available_isas())
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each one in turn, forced by EDGEPATHO_ISA."""
    monkeypatch.setenv("EDGEPATHO_ISA", request.param)
    return str(request.param)
