"""One deploy to one host, from the compress folder to the printed result."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from edgepatho.deploy import release, wheels
from edgepatho.deploy.probe import Device, check_fit, check_room, probe
from edgepatho.deploy.ssh import Remote
from edgepatho.deploy.steps import deploy, plan


@dataclass(frozen=True)
class Job:
    """What to deploy: a compress folder and its options."""

    folder: Path
    wheel: Path | None = None
    images: bool = True
    baseline: bool = True
    tflite: bool = False
    signing_key: Path | None = None

    def release_for(self, device: Device) -> release.Release:
        """Return the release of this job for a device's processor and Python."""
        files = release.chosen_files(self.folder, baseline=self.baseline, tflite=self.tflite)
        chosen = [wheels.runtime_wheel(device, self.wheel)]
        chosen += wheels.image_wheels(device) if self.images else []
        chosen += wheels.tflite_wheels(device) if self.tflite else []
        chosen = list(dict.fromkeys(chosen))  # both need numpy
        return release.build(files, chosen, signing_key=self.signing_key)


@dataclass
class Result:
    """The result for one host; on success `error` is empty and `exit_code` 0."""

    host: str
    device: str = ""
    release: str = ""
    previous: str = ""
    self_test: str = ""
    changed: bool = False
    bytes_sent: int = 0
    bytes_there_before: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    planned: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    error: str = ""
    exit_code: int = 0

    def to_json(self) -> dict[str, object]:
        """Return the fields as a JSON-ready dictionary."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{self.host}  {self.device}".rstrip()]
        lines += [f"  warning    {warning}" for warning in self.warnings]
        if self.planned:
            lines += [f"  would run  {command}" for command in self.planned]
        elif self.error:
            return f"Error: {self.error}"
        elif not self.changed:
            lines.append(
                f"  unchanged  release {self.release} is there and intact; nothing changed  {self._total()}"
            )
        else:
            uploads = [seconds for name, seconds in self.seconds.items() if name.startswith("upload")]
            before = (
                f", {self.bytes_there_before / 1e6:.1f} MB already there" if self.bytes_there_before else ""
            )
            lines.append(f"  checked    {self._fit()}  {self.seconds['check']:.1f} s")
            lines.append(f"  uploaded   {self.bytes_sent / 1e6:.1f} MB{before}  {sum(uploads):.1f} s")
            if "install" in self.seconds:
                seconds = f"{self.seconds['install']:.1f} s"
                lines.append(f"  installed  {self.release}, every file verified there  {seconds}")
            if self.self_test:
                lines.append(f"  self-test  {self.self_test.removeprefix('self-test ')}")
            undo = (
                f"  (edgepatho rollback {self.host} undoes this)" if self.previous not in ("", "none") else ""
            )
            lines.append(
                f"  switched   {self.previous or self.release} -> {self.release}{undo}  {self._total()}"
            )
        return "\n".join(lines)

    def _fit(self) -> str:
        free_gb = int(self.facts.get("free_kib") or 0) * 1024 / 1e9
        return f"64-bit, glibc {self.facts.get('glibc')}, {free_gb:.1f} GB free"

    def _total(self) -> str:
        return f"{sum(self.seconds.values()):.1f} s"


def run(
    result: Result,
    job: Job,
    remote: Remote,
    *,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda step: None,
) -> None:
    """Deploy `job` to the device and record in `result` what was done, or with `dry_run` what would be."""
    started = time.monotonic()
    on_step("connecting")
    device = probe(remote)
    check_fit(device, result.host)
    result.device, result.facts, result.warnings = device.describe(), device.facts, device.warnings()
    wanted = job.release_for(device)
    result.release = wanted.id
    if wanted.id not in device.releases:
        there = [part.size_bytes for part in wanted.parts if part.sha256 in device.parts]
        result.bytes_there_before = sum(there)
        check_room(device, result.host, wanted.installed_bytes, result.bytes_there_before)
    result.seconds["check"] = time.monotonic() - started
    on_step("check")
    if dry_run:
        host = shlex.quote(result.host)
        result.planned = [step.command.replace("HOST", host) for step in plan(wanted, device)]
        return

    def finished(step: str, seconds: float) -> None:
        result.seconds[step] = seconds
        on_step(step)

    try:
        outcome = deploy(remote, wanted, device, finished)
    finally:
        result.bytes_sent = remote.bytes_sent
    result.changed, result.previous = outcome.changed, outcome.previous
    result.self_test = outcome.self_test
