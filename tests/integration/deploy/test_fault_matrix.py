"""A sample of the fault matrix, small enough for every run; `make fault-matrix` checks all of it."""

from __future__ import annotations

import pytest
from fault_matrix import FAULTS, Case, Laboratory, cases

from edgepatho.deploy import ssh

pytestmark = pytest.mark.slow

SHARE = 97  # every 97th case: about twelve


def test_the_promise_is_kept_in_a_share_of_all_cases(laboratory: Laboratory):
    every = [
        case for operation in laboratory.starts for case in cases(operation, laboratory.survey(operation))
    ]
    assert {case.fault for case in every} == set(FAULTS)
    assert len(every) > 900
    for case in every[::SHARE]:
        laboratory.check(case)


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        ("install", "disk full"),
        ("activate", "reply lost"),
        ("activate", "cut before"),
        ("prune", "reply lost"),
    ],
)
def test_the_promise_is_kept_at_critical_points(laboratory: Laboratory, step: str, fault: str):
    names = [facts.name for facts in laboratory.survey("deploy")]
    laboratory.check(Case("deploy", names.index(step) + 1, fault, 0))


def test_the_matrix_would_notice_a_missing_sync(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch):
    """Without its syncs, the same deploy breaks at a power cut: the cases can fail."""
    original = ssh.device_script

    def without_sync(name: str) -> str:
        return original(name).replace(' sync "', ' : "').replace("-exec sync", "-exec true")

    steps = laboratory.survey("deploy")
    names = [facts.name for facts in steps]
    after_the_switch = Case("deploy", names.index("prune") + 1, "power cut", 1)
    laboratory.check(after_the_switch)
    monkeypatch.setattr(ssh, "device_script", without_sync)
    with pytest.raises(AssertionError, match=r"is not a whole release|current is absent"):
        laboratory.check(after_the_switch)
