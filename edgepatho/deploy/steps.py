"""A deploy as a list of named steps, each of which can be repeated after any interruption."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from edgepatho.deploy.probe import Device, probe
from edgepatho.deploy.release import Part, Release
from edgepatho.deploy.ssh import Remote, ScriptFailed
from edgepatho.errors import DeviceUnfit, RolledBack, UserError

# Exit codes of device_scripts/store.sh.
ABSENT_OR_DAMAGED = 10
CANNOT_STORE = 11
UPLOAD_DAMAGED = 12
SELF_TEST_FAILED = 13
HEALTH_CHECK_FAILED = 14

ATTEMPTS = 3  # a damaged release may be due to a damaged part: each needs one repair


@dataclass(frozen=True)
class Step:
    """One remote operation: its name, the equivalent shell command, and the call that performs it."""

    name: str
    command: str
    act: Callable[[Remote], str]


@dataclass
class Outcome:
    """What a deploy did; `changed` is False if the device was already on the release.

    `self_test` is the output of the self-test, `previous` the release before, "none" or "".
    """

    self_test: str = ""
    previous: str = ""
    changed: bool = True
    seconds: dict[str, float] = field(default_factory=dict)


def plan(release: Release, device: Device) -> list[Step]:
    """Return the steps that bring the device to the release, without those already done."""
    steps = []
    if release.id not in device.releases:
        steps += [_upload(part) for part in release.parts if part.sha256 not in device.parts]
        steps.append(_script("install", "install", *release.arguments))
    steps.append(_script("switch", "activate", release.id))
    if device.current != release.id:
        steps.append(_script("prune", "prune"))
    return steps


def deploy(
    remote: Remote,
    release: Release,
    device: Device,
    on_step: Callable[[str, float], None] = lambda name, seconds: None,
) -> Outcome:
    """Bring the device to the release and return what was done; `on_step` is called after each step.

    Raises DeviceUnfit if it cannot store the release, RolledBack if the release failed its self-test or
    health check, DeviceUnreachable if the connection broke; `current` is a complete release in all cases.
    """
    for repairs_left in reversed(range(ATTEMPTS)):
        try:
            return _perform(remote, release, device, on_step)
        except ScriptFailed as error:
            if not repairs_left or error.code not in (ABSENT_OR_DAMAGED, UPLOAD_DAMAGED):
                raise explained(error) from error
        # A file does not match its hash, or someone removed it: probe again and reinstall.
        present = probe(remote)
        device = replace(present, releases=present.releases - {release.id})
    raise AssertionError("the last attempt returns or raises")


def _perform(
    remote: Remote, release: Release, device: Device, on_step: Callable[[str, float], None]
) -> Outcome:
    steps = plan(release, device)
    outcome = Outcome(changed=len(steps) > 1)
    for step in steps:
        started = time.monotonic()
        try:
            answer = step.act(remote)
        except ScriptFailed as error:
            if step.name != "prune":
                raise
            answer = str(error)  # the device is on the new release; the next deploy prunes
        for line in answer.splitlines():
            if line.startswith("self-test"):
                outcome.self_test = line
            elif line.startswith("switched "):
                outcome.changed, outcome.previous = True, line.split()[1]
        outcome.seconds[step.name] = time.monotonic() - started
        on_step(step.name, outcome.seconds[step.name])
    return outcome


def _upload(part: Part) -> Step:
    command = f"ssh HOST sh -c '<store.sh + receive.sh>' receive.sh {part.sha256} < {part.name}"
    return Step(
        f"upload {part.name}", command, lambda remote: remote.put(part.source, "receive", part.sha256)
    )


def _script(name: str, script: str, *arguments: str) -> Step:
    command = f"cat store.sh {script}.sh | ssh HOST sh -s -- {' '.join(arguments)}".rstrip()
    return Step(name, command, lambda remote: remote.run(script, *arguments))


def explained(error: ScriptFailed) -> UserError:
    """Return the error with its proper exit code, and with advice if there is any."""
    if error.code in (SELF_TEST_FAILED, HEALTH_CHECK_FAILED):
        return RolledBack(str(error))
    if error.code == CANNOT_STORE:
        return DeviceUnfit(f"{error}. Check its disk (`df -h`), then deploy again.")
    return error
