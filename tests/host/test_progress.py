"""Progress: lines at intervals if stderr is not a terminal, and messages that stay on screen."""

from __future__ import annotations

from edgepatho import progress as module
from edgepatho.progress import LINE_EVERY_S, progress


def test_without_a_terminal_lines_are_printed_at_intervals(capsys, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    with progress("compressing", 120) as shown:
        shown.note("measuring the original")
        clock[0] += LINE_EVERY_S
        shown.note("making the first step")
        for _ in range(32):
            clock[0] += LINE_EVERY_S / 16
            shown.advance()
    assert capsys.readouterr().err.splitlines() == [
        "compressing: 0 of 120, making the first step",
        "compressing: 16 of 120, making the first step",
        "compressing: 32 of 120, making the first step",
    ]


def test_messages_stay_on_screen(capsys):
    with progress("training") as shown:
        shown.say("Resuming at step 7 of 9.")
    assert capsys.readouterr().err == "Resuming at step 7 of 9.\n"
