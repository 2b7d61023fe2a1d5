"""The contents of bench.json (docs/bench-record.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from edgepatho.report.decode import Choice, decode, read_json_of
from edgepatho.report.quantities import Bytes, Celsius, Count, Milliseconds, Sha256, Version


@dataclass(frozen=True)
class BenchDevice:
    """Where a benchmark ran; null where the system did not say."""

    model: str | None
    machine: str
    cpu: str | None
    cores: Count
    memory_bytes: Bytes | None
    python: str
    kernel: str | None
    os: str | None
    emulated: bool
    throttled: bool | None = None
    governor: str | None = None
    temperature_c_start: Celsius | None = None
    temperature_c_end: Celsius | None = None


@dataclass(frozen=True)
class BenchImage:
    """The picture that every engine ran on."""

    name: str
    sha256: Sha256
    height: Count
    width: Count


@dataclass(frozen=True)
class BenchSettings:
    """The settings of every engine's run."""

    threads: Count
    warmup_runs: Count
    runs: Count
    image: BenchImage


@dataclass(frozen=True)
class BenchRow:
    """One engine with one file, in its own process; figures are null if `error` says why."""

    name: str
    engine: str
    version: str | None
    file: str
    precision: str
    threads: Count
    file_sha256: Sha256 | None = None
    file_bytes: Bytes | None = None
    init_ms: Milliseconds | None = None
    first_ms: Milliseconds | None = None
    warmup_mean_ms: Milliseconds | None = None
    median_ms: Milliseconds | None = None
    mean_ms: Milliseconds | None = None
    p95_ms: Milliseconds | None = None
    sd_ms: Milliseconds | None = None
    runs_ms: list[Milliseconds] = field(default_factory=list)
    peak_rss_bytes: Bytes | None = None
    peak_rss_over_python_bytes: Bytes | None = None
    arena_bytes: Bytes | None = None
    error: str | None = None


@dataclass(frozen=True)
class BenchRecord:
    """bench.json"""

    format: Annotated[str, Choice(("edgepatho-bench",))]
    version: Version
    device: BenchDevice
    settings: BenchSettings
    rows: list[BenchRow]
    warnings: list[str] = field(default_factory=list)


def read_bench(path: Path) -> BenchRecord:
    """Return the benchmark record in `path`; raises InputError."""
    return decode(BenchRecord, read_json_of(path, "edgepatho-bench"), path)
