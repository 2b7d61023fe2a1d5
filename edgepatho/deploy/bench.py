"""Benchmark a device: `edgepatho-run bench` there, the verified record and its report here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgepatho.deploy import wheels
from edgepatho.deploy.job import Job, Result, run
from edgepatho.deploy.probe import check_fit, probe
from edgepatho.deploy.release import chosen_files
from edgepatho.deploy.releases import list_releases
from edgepatho.deploy.ssh import Remote, ScriptFailed, printable
from edgepatho.errors import InputError
from edgepatho.files import sha256_of, write_aside

if TYPE_CHECKING:
    from edgepatho.report.bench_record import BenchRecord

RECORD_BYTES = 16 << 20  # the most that a record may have


def bring_what_is_missing(remote: Remote, job: Job) -> Result | None:
    """Deploy `job` unless the device's current release holds its files; return the result, None if it does.

    A release that holds more, such as the TFLite files, stays: a benchmark takes nothing away.
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

    `settings` are options of `edgepatho-run bench` by name. Raises InputError, with nothing written, if
    what the device sent is not a record as docs/bench-record.md describes it.
    """
    from edgepatho.report.bench_record import read_bench

    probe(remote)  # what keeps ssh from connecting is explained here; below, ssh speaks for itself
    options = [f"--{name}={value}" for name, value in settings.items()]
    try:
        answer = remote.run("bench", *options, show_progress=True, most_bytes=RECORD_BYTES)
    except ScriptFailed as error:
        answer = error.answer  # a record with an engine that failed is a record
        if not answer:
            raise
    with write_aside(output) as aside:
        aside.write_text(answer, encoding="utf-8")
        try:
            return read_bench(aside)
        except InputError as error:
            reason = str(error).replace(str(aside), "its answer")
            raise InputError(f"{remote.destination} sent no benchmark record: {reason}") from None


def render(record: Path, page: Path, folder: Path | None = None) -> None:
    """Write the report of a record, together with the compress folder's where there is one."""
    from edgepatho.report import html

    compressed = folder if folder is not None and (folder / "compress.json").exists() else None
    html.render(compressed, [record], page)


def lines(record: BenchRecord) -> list[str]:
    """Return one line for each engine; the times of an emulated device are called what they are."""
    clock = (
        "emulated, no device's time"
        if record.device.emulated
        else record.device.model or record.device.machine
    )
    found = [f"{record.settings.threads} threads, {record.settings.runs} runs; {clock}"]
    for row in record.rows:
        if row.error is not None or row.median_ms is None:
            found.append(f"{row.name:24s} {row.error}")
        else:
            memory = (
                f"{row.peak_rss_over_python_bytes / 2**20:.1f} MiB" if row.peak_rss_over_python_bytes else ""
            )
            found.append(f"{row.name:24s} median {row.median_ms:.1f} ms  {memory}".rstrip())
    return [printable(line) for line in found]  # JSON can spell any character


def failed(record: BenchRecord) -> bool:
    """Return whether our own runtime has no figures in some row; a missing TFLite is no failure."""
    return any(row.error is not None and row.engine.startswith("edgepatho") for row in record.rows)
