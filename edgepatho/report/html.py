"""The report: one HTML page that needs nothing else, no script, no network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from edgepatho import __version__
from edgepatho.files import canonical_json, write_aside
from edgepatho.report import charts, figures
from edgepatho.report.accuracy import CLASSES
from edgepatho.report.pictures import ki67_percent, overlay_pairs
from edgepatho.report.record import (
    BenchRecord,
    BenchRow,
    CompressRecord,
    Frontier,
    read_bench,
    read_compress,
    read_frontier,
)

MARKS = (("immunopositive", "#D55E00"), ("immunonegative", "#0072B2"), ("TIL", "#009E73"))
MODELS = ("original", "control", "compressed")
SERIES = {"edgepatho": "ours", "edgepatho-baseline": "baseline"}
MISSING = "—"


def render(compress: Path | None, benches: Sequence[Path], output: Path) -> None:
    """Write the page for a compress folder (or its compress.json) and benchmark records.

    Equal records give equal bytes: the page holds no time stamp and no path. A frontier.json in the
    folder is drawn too. Raises InputError before anything is written if a record or picture is damaged.
    """
    record = None if compress is None else read_compress(compress)
    page: dict[str, Any] = {
        "record": record,
        "synthetic": record is not None and record.accuracy.synthetic,
        "benches": [_bench(read_bench(path), record) for path in benches],
        "charts": {},
        "sources": ", ".join([*(["compress.json"] if record else []), *(path.name for path in benches)]),
    }
    if compress is not None and record is not None:
        folder = compress if compress.is_dir() else compress.parent
        frontier = folder / "frontier.json"
        page["pairs"] = overlay_pairs(folder, record)
        page.update(_compression(record))
        page["charts"] = _charts(record, read_frontier(frontier) if frontier.exists() else None)
    records = [bench["record"] for bench in page["benches"]]
    page["verdict"] = figures.verdict(record, records)
    page["comparisons"] = [
        *(figures.compressed(record) if record else []),
        *(line for bench in records for line in figures.measured(bench)),
    ]
    html = _template().render(page)
    with write_aside(output) as aside:
        aside.write_text(html, encoding="utf-8", newline="\n")


def _template() -> Any:
    import jinja2
    from markupsafe import Markup

    templates = resources.files("edgepatho.report") / "templates"
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(
        css=Markup((templates / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - ours
        version=__version__,
        classes=CLASSES,
        marks=MARKS,
        mib=_or_missing(figures.mib),
        ms=_or_missing(figures.ms),
        plural=figures.plural,
        ki67=ki67_percent,
    )
    return environment.from_string((templates / "report.html.j2").read_text(encoding="utf-8"))


def _or_missing(shown: Callable[[float], str]) -> Callable[[float | None], str]:
    return lambda value: MISSING if value is None else shown(value)


def _compression(record: CompressRecord) -> dict[str, Any]:
    """Return the tables of size and accuracy."""
    rows = [(name, row) for name in MODELS if (row := record.accuracy.of(name))]
    return {
        "sizes": [
            (name, record.files.get(tflite), record.files.get(bundle))
            for name, tflite, bundle in (
                ("original", "baseline.tflite", "baseline.epb"),
                ("compressed", "compressed.tflite", "model.epb"),
                ("full int8, for comparison", "int8.tflite", ""),
            )
        ],
        "accuracy_rows": rows,
        "seed_rows": [
            (name, row.seed_protocol)
            for name, row in rows
            if row.seed_protocol and row.seed_protocol.average_f1 is not None
        ],
        "command": _facts({key: value for key, value in record.command.items() if key != "line"}),
        "protocol": _facts(record.accuracy.protocol),
        "scoring": _facts(record.scoring),
        "versions": _facts(record.versions),
        "skipped": [layer for layer in record.layers if layer.skipped],
    }


def _charts(record: CompressRecord, frontier: Frontier | None) -> dict[str, Any]:
    drawn: dict[str, Any] = {"sizes": _size_chart(record)}
    if record.codebook and record.codebook.values:
        drawn["codebook"] = charts.stems(
            "Histogram of the codebook", record.codebook.values, record.codebook.counts, "shared value"
        )
    used = [(layer.name, layer.levels_used) for layer in record.layers if layer.levels_used is not None]
    if used:
        drawn["layers"] = charts.columns(
            "Codebook values in use by layer", used, f"layers in order, {used[0][0]} to {used[-1][0]}"
        )
    entries = record.training.history
    history = {
        "training": [(e.step, e.train_mse) for e in entries if e.train_mse is not None],
        "validation": [(e.step, e.validation_mse) for e in entries if e.validation_mse is not None],
    }
    history = {name: points for name, points in history.items() if len(points) > 1}
    if history:
        drawn["training"] = charts.lines("Mean squared error while retraining", history, "step")
    if frontier and frontier.rows:
        methods = sorted({row.method for row in frontier.rows})
        drawn["frontier"] = charts.scatter(
            "Bundle size against change of F1",
            {
                method: [
                    (row.bundle_bytes / figures.MIB, row.f1_delta_points)
                    for row in frontier.rows
                    if row.method == method
                ]
                for method in methods
            },
            "bundle, MiB",
        )
    return drawn


def _size_chart(record: CompressRecord) -> Any:
    entries = (
        ("original .tflite", "baseline.tflite", "bytes", "baseline"),
        ("original .tflite, deflated", "baseline.tflite", "deflated_bytes", "baseline"),
        ("int8 .tflite", "int8.tflite", "bytes", "peer"),
        ("compressed .tflite", "compressed.tflite", "bytes", "ours"),
        ("compressed .tflite, deflated", "compressed.tflite", "deflated_bytes", "ours"),
        ("compressed bundle", "model.epb", "bytes", "ours"),
    )
    items = [
        charts.Bar(label, size, figures.mib(size), series)
        for label, name, field, series in entries
        if (file := record.files.get(name)) and (size := getattr(file, field)) is not None
    ]
    return charts.bars("File sizes", items) if items else ""


def _bench(bench: BenchRecord, record: CompressRecord | None) -> dict[str, Any]:
    """Return what the page shows of one benchmark; an emulated machine gets no latency chart."""
    latency, memory = [], []
    for row in bench.rows:
        series = SERIES.get(row.engine, "peer")
        time, size = row.median_ms, row.peak_rss_over_python_bytes
        if time is not None and not row.error and not bench.device.emulated:
            latency.append(charts.Bar(_bar_name(row), time, figures.ms(time), series, row.sd_ms or 0))
        if size is not None and not row.error:
            memory.append(charts.Bar(_bar_name(row), size, figures.mib(size), series))
    return {
        "record": bench,
        "name": figures.device_name(bench.device),
        "caveats": figures.caveats(record, bench),
        "latency": charts.bars("Median latency", latency) if latency else None,
        "memory": charts.bars("Peak memory", memory) if memory else None,
        "facts": _device_facts(bench),
    }


def _bar_name(row: BenchRow) -> str:
    name = row.name if len(row.name) <= 26 else f"{row.name[:25]}…"
    return f"{name}, {row.threads} thr."


def _device_facts(bench: BenchRecord) -> list[tuple[str, str]]:
    device = bench.device
    known = {True: "yes", False: "no", None: "unknown"}
    temperatures = [device.temperature_c_start, device.temperature_c_end]
    return [
        ("processor", f"{device.cpu or 'unknown'}, {figures.plural(device.cores, 'core')}, {device.machine}"),
        ("memory", MISSING if device.memory_bytes is None else figures.mib(device.memory_bytes)),
        ("system", ", ".join(filter(None, [device.os, device.kernel, f"Python {device.python}"]))),
        ("temperature", " to ".join("unknown" if t is None else f"{t:.1f} °C" for t in temperatures)),
        ("governor", device.governor or "unknown"),
        ("throttled", known[device.throttled]),
        ("emulated", known[device.emulated]),
    ]


def _facts(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Return free values as a reader would write them."""
    return [(key.replace("_", " "), _shown(value)) for key, value in sorted(values.items())]


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(_shown(item) for item in value)
    return value if isinstance(value, str) else canonical_json(value)
