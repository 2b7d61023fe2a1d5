"""Benchmark a device: `edgepatho-run bench` there, the verified record and its report here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgepatho.deploy.ssh import Remote
from edgepatho.files import write_aside

if TYPE_CHECKING:
    from edgepatho.report.record import BenchRecord


def measure(host: str, output: Path, settings: dict[str, int], interactive: bool = False) -> BenchRecord:
    """Measure the current release of `host`, write the record to `output` and return it.

    `settings` are options of `edgepatho-run bench` by name. Raises InputError, with nothing written, if
    what the device sent is not a record as docs/bench-record.md describes it.
    """
    from edgepatho.report.record import read_bench

    options = [f"--{name}={value}" for name, value in settings.items()]
    with Remote(host, interactive=interactive) as remote:
        answer = remote.run("bench", *options, show_progress=True)
    with write_aside(output) as aside:
        aside.write_text(answer[answer.find("{") :], encoding="utf-8")  # after a login script's greeting
        return read_bench(aside)


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
    return found
