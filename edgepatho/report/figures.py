"""What compression changed: figures, ratios in words, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgepatho.report.accuracy import Accuracy, UnseenLaboratory
from edgepatho.report.bench_record import BenchDevice, BenchRecord, BenchRow
from edgepatho.report.record import CompressRecord

PEERS = ("litert", "tflite-runtime")
SAME = "the same"
CHANGING = ("ondemand", "powersave", "schedutil", "conservative")  # governors


@dataclass(frozen=True)
class Comparison:
    """One line of the table original | compressed | ratio, ready to print.

    `rival` is what the compressed network was measured against. `outcome` says what happened
    ("1.21× slower") and `better` whether that is good; `better` is None where nothing changed.
    """

    what: str
    rival: str
    note: str
    before: str
    after: str
    outcome: str
    better: bool | None


def compressed(record: CompressRecord) -> list[Comparison]:
    """Return the effect of compression on file size and accuracy."""
    lines = []
    if {"baseline.epb", "model.epb"} <= record.files.keys():
        before, after = record.files["baseline.epb"].bytes, record.files["model.epb"].bytes
        outcome, better = ratio(before, after, "smaller", "larger")
        note = "bundle on the device: baseline.epb, model.epb"
        lines.append(Comparison("file", "original", note, size(before), size(after), outcome, better))
    accuracy = record.accuracy
    original, ours, control = map(accuracy.of, ("original", "compressed", "control"))
    if ours and not accuracy.labelled and ours.agreement is not None:
        outcome, better = points(1, ours.agreement)
        note = f"F1 against the cells of the original, {tiles(accuracy)} without labels"
        shown = f"{ours.agreement:.3f}"
        lines.append(Comparison("agreement", "original", note, "1.000", shown, outcome, better))
    if original and ours and original.average_f1 is not None and ours.average_f1 is not None:
        outcome, better = points(original.average_f1, ours.average_f1)
        patients = plural(accuracy.patients, "patient")
        note = f"immunopositive and immunonegative, {tiles(accuracy)} of {patients}"
        if control and control.average_f1 is not None:
            note += f"; control {control.average_f1:.3f}"
        before_f1, after_f1 = f"{original.average_f1:.3f}", f"{ours.average_f1:.3f}"
        lines.append(Comparison("average F1", "original", note, before_f1, after_f1, outcome, better))
    return lines


def tiles(accuracy: Accuracy | UnseenLaboratory) -> str:
    """Return the number of tiles in words, and whether they are synthetic."""
    return plural(accuracy.tiles, f"{'synthetic ' if accuracy.synthetic else ''}tile")


def measured(bench: BenchRecord) -> list[Comparison]:
    """Return the memory and latency of the index map against each rival in the benchmark.

    Rivals are the uncompressed network in the same runtime and the fastest TFLite engine of each
    precision, at the same number of threads. Latency is left out where the device was emulated.
    """
    ours = _fastest(bench, ("edgepatho",), "fp32")
    rivals = [
        ("the uncompressed network", _fastest(bench, ("edgepatho-baseline",), "fp32")),
        ("TFLite fp32", _fastest(bench, PEERS, "fp32")),
        ("TFLite int8", _fastest(bench, PEERS, "int8")),
    ]
    lines = []
    for rival, row in rivals:
        if ours is None or row is None:
            continue
        note = f"{row.name}, {plural(row.threads, 'thread')}, {device_name(bench.device)}"
        if row.peak_rss_over_python_bytes is not None and ours.peak_rss_over_python_bytes is not None:
            before, after = row.peak_rss_over_python_bytes, ours.peak_rss_over_python_bytes
            outcome, better = ratio(before, after, "smaller", "larger")
            lines.append(Comparison("peak memory", rival, note, size(before), size(after), outcome, better))
        if row.median_ms is not None and ours.median_ms is not None and not bench.device.emulated:
            outcome, better = ratio(row.median_ms, ours.median_ms, "faster", "slower")
            before_ms, after_ms = ms(row.median_ms), ms(ours.median_ms)
            lines.append(Comparison("inference", rival, note, before_ms, after_ms, outcome, better))
    return lines


def verdict(record: CompressRecord | None, benches: Sequence[BenchRecord]) -> list[str]:
    """Return the sentences at the head of the page, computed from the figures."""
    sentences = []
    if record is not None:
        parts = [
            f"{line.what} is {line.outcome} ({line.before} to {line.after})" for line in compressed(record)
        ]
        if parts:
            sentences.append(f"Compressed, the {' and '.join(parts)}, on {tiles(record.accuracy)}.")
    for bench in benches:
        name = device_name(bench.device)
        lines = measured(bench)
        clauses = [_clause(what, lines) for what in dict.fromkeys(line.what for line in lines)]
        if clauses:
            threads = plural(bench.settings.threads, "thread")
            sentences.append(f"On {name} with {threads}, {'; '.join(clauses)}.")
        else:
            sentences.append(f"On {name}, there was nothing to compare.")
        if bench.device.emulated:
            sentences.append(f"{name} was emulated, so no latency is given.")
    if not benches:
        sentences.append("Latency and memory were not measured.")
    return sentences


def _clause(what: str, lines: Sequence[Comparison]) -> str:
    """Return one quantity against all its rivals, as part of a sentence."""
    chosen = [line for line in lines if line.what == what]
    outcomes = [f"{line.outcome} {'as' if line.outcome == SAME else 'than'} {line.rival}" for line in chosen]
    return f"{what} is {chosen[0].after}, {', '.join(outcomes)}"


def caveats(record: CompressRecord | None, bench: BenchRecord) -> list[str]:
    """Return the benchmark's own warnings and the report's, one sentence each."""
    device = bench.device
    sentences = list(bench.warnings)
    said = " ".join(bench.warnings)
    if device.emulated and "emulated" not in said:
        sentences.append("This machine was emulated: its wall times say nothing about a device.")
    if device.throttled and "throttled" not in said:
        sentences.append("The processor was throttled (heat or power): these latencies are not comparable.")
    if device.governor in CHANGING and "governor" not in said:
        sentences.append(f"The governor {device.governor} changes the clock between runs.")
    known = {file.sha256 for file in record.files.values()} if record else set()
    for row in bench.rows:
        if row.error:
            sentences.append(f"{row.name} did not run: {row.error}")
        elif known and row.file_sha256 and row.file_sha256 not in known:
            sentences.append(f"{row.name} ran a {row.file} from another compression.")
    return list(dict.fromkeys(sentences))


def ratio(before: float, after: float, lower: str, higher: str) -> tuple[str, bool | None]:
    """Return in words how many times lower or higher `after` is, and whether it is lower (better)."""
    low, high = sorted((before, after))
    if high <= low * 1.005:
        return SAME, None
    word = lower if after < before else higher
    if low == 0:
        return word, after < before
    return f"{high / low:,.2f}× {word}", after < before


def points(before: float, after: float) -> tuple[str, bool | None]:
    """Return in words the change between two fractions in percentage points, and whether it is a rise."""
    difference = (after - before) * 100
    if abs(difference) < 0.05:
        return SAME, None
    return f"{abs(difference):.1f} points {'higher' if difference > 0 else 'lower'}", difference > 0


def digits(value: float) -> str:
    """Return a quantity with about three significant digits."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def size(count: float) -> str:
    """Return bytes as kB or MB (thousands) with about three significant digits."""
    return f"{digits(count / 1e6)} MB" if count >= 1e6 else f"{digits(count / 1e3)} kB"


def figure(value: float) -> str:
    """Return a number of any magnitude: three decimals, or scientific notation if very large."""
    return f"{value:.3f}" if value < 1e6 else f"{value:.2e}"


def ms(value: float) -> str:
    """Return milliseconds with about three significant digits."""
    return f"{digits(value)} ms"


def device_name(device: BenchDevice) -> str:
    """Return the name of the board, else of the processor, else of the architecture."""
    return device.model or device.cpu or device.machine


def plural(number: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _fastest(bench: BenchRecord, engines: tuple[str, ...], precision: str) -> BenchRow | None:
    """Return the fastest row that ran with the benchmark's number of threads."""
    rows = [
        row
        for row in bench.rows
        if row.engine in engines
        and row.precision == precision
        and row.threads == bench.settings.threads
        and not row.error
    ]
    return min(rows, key=lambda row: row.median_ms or float("inf"), default=None)
