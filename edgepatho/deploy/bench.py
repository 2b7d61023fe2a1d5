"""Benchmark a device with its `edgepatho-run bench`; verify the record and write its report here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgepatho.deploy import wheels
from edgepatho.deploy.job import Job, Result, run
from edgepatho.deploy.probe import check_fit, probe
from edgepatho.deploy.release import chosen_files
from edgepatho.deploy.releases import list_releases
from edgepatho.deploy.ssh import Remote, ScriptFailed
from edgepatho.errors import InputError
from edgepatho.files import sha256_of, write_aside
from edgepatho.text import printable

if TYPE_CHECKING:
    from edgepatho.report.bench_record import BenchRecord

MAX_RECORD_BYTES = 16 << 20  # of a record


def bring_what_is_missing(remote: Remote, job: Job) -> Result | None:
    """Deploy `job` unless the device's current release has all its files; return the result, None if it has.

    A release with additional files, such as the TFLite models, is kept: a benchmark removes nothing.
    """
    device = probe(remote)
    check_fit(device, remote.destination)
    wanted = chosen_files(job.folder, baseline=job.baseline, tflite=job.tflite)
    wanted.append(wheels.runtime_wheel(device, job.wheel))
    for release in list_releases(remote):
        there = set(release.parts.values())
        if (release.mark, release.state) == ("current", "whole") and {*map(sha256_of, wanted)} <= there:
            return None
    result = Result(remote.destination)
    run(result, job, remote)
    return result


def measure(remote: Remote, output: Path, settings: dict[str, int]) -> BenchRecord:
    """Measure the current release of the device, write the record to `output` and return it.

    `settings` are options of `edgepatho-run bench` by name. Raises InputError and writes nothing if the
    device's answer is not a record as described in docs/bench-record.md.
    """
    from edgepatho.report.bench_record import read_bench

    probe(remote)  # explains connection failures; below, ssh's own messages are shown
    options = [f"--{name}={value}" for name, value in settings.items()]
    try:
        answer = remote.run("bench", *options, show_progress=True, max_bytes=MAX_RECORD_BYTES)
    except ScriptFailed as error:
        answer = error.answer  # still a record, with an engine that failed
        if not answer:
            raise
    with write_aside(output) as aside:
        aside.write_text(answer, encoding="utf-8")
        try:
            return read_bench(aside)
        except InputError as error:
            reason = str(error).replace(str(aside), "its answer")
            raise InputError(f"{remote.destination} did not send a benchmark record: {reason}") from None


def render(record: Path, page: Path, folder: Path | None = None) -> None:
    """Write the report of a record, together with the compress folder's where there is one."""
    from edgepatho.report import html

    compressed = folder if folder is not None and (folder / "compress.json").exists() else None
    html.render(compressed, [record], page)


def lines(record: BenchRecord) -> list[str]:
    """Return one line for each engine; the times of an emulated device are marked as such."""
    clock = (
        "emulated, not a device's times"
        if record.device.emulated
        else record.device.model or record.device.machine
    )
    printed = [f"{record.settings.threads} threads, {record.settings.runs} runs; {clock}"]
    for row in record.rows:
        if row.error is not None or row.median_ms is None:
            printed.append(f"{row.name:24s} {row.error}")
        else:
            memory = (
                f"{row.peak_rss_over_python_bytes / 2**20:.1f} MiB" if row.peak_rss_over_python_bytes else ""
            )
            printed.append(f"{row.name:24s} median {row.median_ms:.1f} ms  {memory}".rstrip())
    return [printable(line) for line in printed]  # JSON can escape any character


def failed(record: BenchRecord) -> bool:
    """Return whether a row of our own runtime has no figures; a missing TFLite is not a failure."""
    return any(row.error is not None and row.engine.startswith("edgepatho") for row in record.rows)
