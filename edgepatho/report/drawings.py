"""The charts drawn from the records; None where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from edgepatho.report import charts, figures
from edgepatho.report.bench_record import BenchRecord, BenchRow
from edgepatho.report.record import CompressRecord, Frontier

SERIES = {"edgepatho": "ours", "edgepatho-baseline": "baseline"}
SIZES = (
    ("original .tflite", "baseline.tflite", "bytes", "baseline"),
    ("original .tflite, deflated", "baseline.tflite", "deflated_bytes", "baseline"),
    ("int8 .tflite", "int8.tflite", "bytes", "peer"),
    ("compressed .tflite", "compressed.tflite", "bytes", "ours"),
    ("compressed .tflite, deflated", "compressed.tflite", "deflated_bytes", "ours"),
    ("compressed bundle", "model.epb", "bytes", "ours"),
)


def sizes(record: CompressRecord) -> Markup | None:
    """Return the file sizes of a compress folder as bars."""
    bars = [
        charts.Bar(label, size, figures.size(size), series)
        for label, name, kind, series in SIZES
        if (file := record.files.get(name)) and (size := getattr(file, kind)) is not None
    ]
    return charts.bars("File sizes", bars) if bars else None


def latency(bench: BenchRecord) -> Markup | None:
    """Return median latencies as bars; None for an emulated machine, whose times mean nothing."""
    bars = [
        charts.Bar(_name(row), row.median_ms, figures.ms(row.median_ms), _series(row), row.sd_ms or 0)
        for row in bench.rows
        if row.median_ms is not None and not row.error and not bench.device.emulated
    ]
    return charts.bars("Median latency", bars) if bars else None


def memory(bench: BenchRecord) -> Markup | None:
    """Return peak memory as bars."""
    bars = [
        charts.Bar(_name(row), size, figures.size(size), _series(row))
        for row in bench.rows
        if (size := row.peak_rss_over_python_bytes) is not None and not row.error
    ]
    return charts.bars("Peak memory", bars) if bars else None


def inside(record: CompressRecord | None, frontier: Frontier | None) -> list[tuple[str, Markup]]:
    """Return the charts that explain a compression and a sweep, each with its heading."""
    own = [] if record is None else [*_codebook(record), *_layers(record), *_training(record)]
    return [*own, *_frontier(frontier)]


def _codebook(record: CompressRecord) -> Iterator[tuple[str, Markup]]:
    codebook = record.codebook
    if codebook and codebook.values:
        drawn = charts.stems("Codebook", codebook.values, codebook.counts, "shared value")
        yield "Codebook: weights that share each value", drawn


def _layers(record: CompressRecord) -> Iterator[tuple[str, Markup]]:
    used = [(layer.name, layer.levels_used) for layer in record.layers if layer.levels_used is not None]
    if used:
        label = f"layers in order, {used[0][0]} to {used[-1][0]}"
        yield "Codebook values in use, layer by layer", charts.columns("Values in use", used, label)


def _training(record: CompressRecord) -> Iterator[tuple[str, Markup]]:
    history = record.training.history
    curves = {
        "training": [(entry.step, entry.train_mse) for entry in history if entry.train_mse is not None],
        "validation": [
            (entry.step, entry.validation_mse) for entry in history if entry.validation_mse is not None
        ],
    }
    curves = {name: points for name, points in curves.items() if len(points) > 1}
    if curves:
        drawn = charts.lines("Retraining", curves, "step")
        yield "Retraining: mean squared error of the heat maps", drawn


def _frontier(frontier: Frontier | None) -> Iterator[tuple[str, Markup]]:
    if frontier is None or not frontier.rows:
        return
    points = {
        method: [
            (row.bundle_bytes / 1e6, row.f1_delta_points) for row in frontier.rows if row.method == method
        ]
        for method in sorted({row.method for row in frontier.rows})
    }
    drawn = charts.scatter("Size against accuracy", points, "bundle, MB")
    yield "Size against accuracy: change of average F1 in points", drawn


def _series(row: BenchRow) -> str:
    return SERIES.get(row.engine, "peer")


def _name(row: BenchRow) -> str:
    name = row.name if len(row.name) <= 26 else f"{row.name[:25]}…"
    return f"{name}, {row.threads} thr."
