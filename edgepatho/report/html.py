"""The report: one self-contained HTML page, without scripts or network access."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from edgepatho import __version__, palette
from edgepatho.classes import CLASSES
from edgepatho.data.split import shared_patients_warning
from edgepatho.files import write_aside
from edgepatho.rates import rate
from edgepatho.report import command_line, drawings, figures, words
from edgepatho.report.accuracy import ModelScores
from edgepatho.report.bench_record import BenchRecord, read_bench
from edgepatho.report.pictures import ki67_percent, overlay_pairs
from edgepatho.report.record import CompressRecord, read_compress, read_frontier

MODELS = ("original", "control", "compressed")
FRONTIER = "frontier.json"
MISSING = "—"


def render(
    compress: Path | None, benches: Sequence[Path], output: Path, frontier: Path | None = None
) -> dict[str, Any]:
    """Write the page for a compress folder (or its compress.json), benchmarks and a sweep's frontier.json.

    Return its verdict and comparisons, JSON-ready. Equal records give equal bytes: the page holds no
    timestamp and no path. A frontier.json in the compress folder is drawn too. Raises InputError before
    anything is written if a record or picture is damaged.
    """
    record = None if compress is None else read_compress(compress)
    sources = [*([Path("compress.json")] if record else []), *benches, *([frontier] if frontier else [])]
    page: dict[str, Any] = {
        "record": record,
        "synthetic": record is not None and record.accuracy.synthetic,
        "shared_patients": shared_patients_warning(record.accuracy.shared_patients) if record else None,
        "benches": [_bench(read_bench(path), record) for path in benches],
        "sources": ", ".join(path.name for path in sources),
    }
    if compress is not None and record is not None:
        folder = compress if compress.is_dir() else compress.parent
        if frontier is None and (folder / FRONTIER).exists():
            frontier = folder / FRONTIER
        page["pairs"] = overlay_pairs(folder, record)
        page.update(_compression(record))
    page["inside"] = drawings.inside(record, read_frontier(frontier) if frontier else None)
    records = [bench["record"] for bench in page["benches"]]
    page["verdict"] = figures.verdict(record, records)
    page["comparisons"] = [
        *(figures.compressed(record) if record else []),
        *(line for bench in records for line in figures.measured(bench)),
    ]
    if frontier is not None and not record and not records:
        page["verdict"] = ["A sweep: how small the network gets, and what that costs."]
    html = _template().render(page)
    with write_aside(output) as aside:
        aside.write_text(html, encoding="utf-8", newline="\n")
    return {"verdict": page["verdict"], "comparisons": [asdict(line) for line in page["comparisons"]]}


def _template() -> Any:
    import jinja2
    from markupsafe import Markup

    templates = resources.files("edgepatho.report") / "templates"
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(
        css=Markup(_series() + (templates / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - ours
        version=__version__,
        classes=CLASSES,
        names=words.NAMES,
        rate_of=lambda scores, name: MISSING if scores is None else rate(asdict(scores), name, 3),
        marks=[(words.NAMES[name], colour) for name, colour in palette.CELLS.items()],
        size=_or_missing(figures.size),
        digits=_or_missing(figures.digits),
        figure=_or_missing(figures.figure),
        plural=figures.plural,
        ki67=ki67_percent,
    )
    return environment.from_string((templates / "report.html.j2").read_text(encoding="utf-8"))


def _series() -> str:
    """The chart colours as style variables."""
    light, dark = (
        " ".join(f"--{name}: {colour};" for name, colour in series.items())
        for series in (palette.SERIES, palette.SERIES_ON_DARK)
    )
    return f":root {{ {light} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"


def _or_missing(shown: Callable[[float], str]) -> Callable[[float | None], str]:
    return lambda value: MISSING if value is None else shown(value)


def _compression(record: CompressRecord) -> dict[str, Any]:
    """Return the tables of size and accuracy."""
    rows = [(name, row) for name in MODELS if (row := record.accuracy.of(name))]
    return {
        "size_chart": drawings.sizes(record),
        "sizes": [
            (name, record.files.get(tflite), record.files.get(bundle))
            for name, tflite, bundle in (
                ("original", "baseline.tflite", "baseline.epb"),
                ("compressed", "compressed.tflite", "model.epb"),
                ("full int8, for comparison", "int8.tflite", ""),
            )
        ],
        "accuracy_rows": rows,
        "unseen_rows": _unseen_rows(record, rows),
        "published_rows": [
            (name, row.seed_protocol)
            for name, row in rows
            if row.seed_protocol and row.seed_protocol.average_f1 is not None
        ],
        "command_line": command_line.of(record),
        "command": words.facts(record.command),
        "protocol": words.facts(record.accuracy.protocol),
        "scoring": words.facts(record.scoring),
        "versions": words.facts(record.versions),
        "skipped": [layer for layer in record.layers if layer.skipped],
    }


def _unseen_rows(
    record: CompressRecord, same: list[tuple[str, ModelScores]]
) -> list[tuple[str, list[tuple[str, ModelScores]]]]:
    """Return the rows of the same laboratories and of each unseen one, by model; none without unseen ones."""
    unseen = [
        (
            f"{each.laboratory}, {figures.tiles(each)} of {figures.plural(each.patients, 'patient')}",
            [(row.model, row) for name in MODELS for row in each.rows if row.model == name],
        )
        for each in record.accuracy.unseen
    ]
    return [("same laboratories", same), *unseen] if unseen else []


def _bench(bench: BenchRecord, record: CompressRecord | None) -> dict[str, Any]:
    """Return what the page shows for one benchmark."""
    return {
        "record": bench,
        "name": figures.device_name(bench.device),
        "caveats": figures.caveats(record, bench),
        "latency": drawings.latency(bench),
        "memory": drawings.memory(bench),
        "facts": _device_facts(bench),
    }


def _device_facts(bench: BenchRecord) -> list[tuple[str, str]]:
    device = bench.device
    known = {True: "yes", False: "no", None: "unknown"}
    temperatures = [device.temperature_c_start, device.temperature_c_end]
    return [
        ("processor", f"{device.cpu or 'unknown'}, {figures.plural(device.cores, 'core')}, {device.machine}"),
        ("memory", MISSING if device.memory_bytes is None else figures.size(device.memory_bytes)),
        ("system", ", ".join(filter(None, [device.os, device.kernel, f"Python {device.python}"]))),
        ("temperature", " to ".join("unknown" if t is None else f"{t:.1f} °C" for t in temperatures)),
        ("governor", device.governor or "unknown"),
        ("throttled", known[device.throttled]),
        ("emulated", known[device.emulated]),
    ]
