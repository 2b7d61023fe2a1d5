"""Results for people: lines and tables on stdout."""

from typing import Any

from edgepatho_runtime.files import printable

Row = list[str]
WARNING = "do not rely on the index"  # on a picture outside training
NO_CLASS = "no class: under 30 tumour cells"


def aligned(rows: list[Row]) -> str:
    """Return rows as lines, the first column left-aligned and the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def field_line(entry: dict[str, Any]) -> str:
    """Return one picture's result as one line."""
    name = printable(entry["image"])
    if entry["error"] is not None:
        return printable(entry["error"])
    size = "{height} x {width} px seen at {network_height} x {network_width}".format(**entry)
    note = f", {printable(entry['note'])}" if entry["note"] else ""
    verdict = f"   {printable(entry['verdict'])}" if entry["verdict"] else ""
    return f"{name}: {_scores(entry)}{verdict}   ({size}{note}, {entry['seconds']:.2f} s)"


def pooled_line(pooled: dict[str, Any]) -> str:
    """Return the result of all pictures together as one line."""
    line = f"all {pooled['fields']} pictures: {_scores(pooled)}"
    if pooled["ki67_interval_95"] is not None:
        low, high = pooled["ki67_interval_95"]
        line += f"; Ki-67 between {100 * low:.1f} and {100 * high:.1f} % (95 % interval over fields)"
    if pooled["outside"]:
        line += f"; {pooled['outside']} of {pooled['fields']} pictures OUTSIDE TRAINING: {WARNING}"
    return line


def info_text(path: str, facts: dict[str, Any]) -> str:
    """Return a bundle's facts for people."""
    books = ", ".join(f"{name} of {size}" for name, size in facts["codebooks"].items())
    sizes = ", ".join(f"{name} {size:,}" for name, size in facts["stored_bytes"].items() if size)
    lines = [
        ("file", f"{path}, {facts['file_bytes']:,} bytes"),
        ("bundle", f"{facts['sha256']} (SHA-256 of its content, as used in records)"),
        ("sha256sum", f"{facts['sha256sum']} (of the file)"),
        ("network", f"{facts['nodes']} nodes, {facts['layers']} layers, {facts['weights']:,} weights"),
        ("shared", f"{facts['shared_layers']} layers by {books}" if books else "none: the weights are fp32"),
        ("bytes", sizes),
        ("memory", f"{facts['weights_in_memory_bytes']:,} bytes, {facts['fp32_weights_bytes']:,} in fp32"),
        ("runs on", ", ".join(facts["isa"])),
        *((section, _pairs(facts[section])) for section in ("scoring", "provenance", "accuracy")),
        *((section, _pairs(_shown(part))) for section, part in facts["parts"].items()),
    ]
    return "\n".join(f"{name:<11}{printable(value)}" for name, value in lines if value)


def plan_text(totals: dict[str, Any], rows: list[list[Any]]) -> str:
    """Return the plan as a table with its totals below."""
    head = ["step", "operation", "output", "MACs", "output bytes", "scratch bytes"]
    body = [[*map(str, row[:3]), *(f"{value:,}" for value in row[3:])] for row in rows]
    end = (
        f"{totals['height']} x {totals['width']} px, {totals['steps']} steps, {totals['macs']:,} MACs, "
        f"{totals['arena_bytes']:,} bytes held, {totals['isa']}, {totals['threads']} threads"
    )
    return aligned([head, *body]) + "\n" + end


def bench_text(record: dict[str, Any]) -> str:
    """Return a benchmark's record as a table, with failed rows as sentences below."""
    facts, settings = record["device"], record["settings"]
    emulated = " (EMULATED: not a device's times)" if facts["emulated"] else ""
    title = f"{printable(facts['model'] or facts['machine'])}, {printable(facts['cpu'])}{emulated}; "
    title += f"{settings['threads']} threads, {settings['warmup_runs']} warm-up and {settings['runs']} runs, "
    title += f"{settings['image']['height']} x {settings['image']['width']} px, times in ms"
    head = ["", "precision", "init", "first", "warm-up", "median", "mean", "p95", "sd", "peak MB", "file MB"]
    keys = ("init_ms", "first_ms", "warmup_mean_ms", "median_ms", "mean_ms", "p95_ms", "sd_ms")
    body, failed = [], []
    for row in record["rows"]:
        if row["error"] is not None:
            failed.append(f"{printable(row['name'])} ({printable(row['file'])}): {printable(row['error'])}")
            continue
        times = [f"{row[key]:.1f}" if row[key] is not None else "-" for key in keys]
        sizes = [f"{row['peak_rss_over_python_bytes'] / 1e6:.1f}", f"{row['file_bytes'] / 1e6:.2f}"]
        body.append([printable(row["name"]), row["precision"], *times, *sizes])
    end = "Peak memory is in excess of an idle Python's."
    return "\n".join([title, aligned([head, *body]), end, *failed])


def profile_text(record: dict[str, Any]) -> str:
    """Return a profile as one table for each bundle: a line a step, two columns a thread count."""
    texts = []
    for bundle in record["bundles"]:
        profiles = bundle["profiles"]
        head, end = ["step", "operation", "output", "multiply-adds"], ["all", "", ""]
        end.append(f"{bundle['multiply_adds']:,}")
        for profile in profiles:
            head += [f"ms, {profile['threads']} thread" + "s" * (profile["threads"] > 1), "share"]
            end += [f"{profile['time_ms']:.3f}", "100.0 %"]
        body = []
        for steps in zip(*(profile["steps"] for profile in profiles), strict=True):
            step = steps[0]
            size = " x ".join(map(str, step["output"]))
            row = [printable(step["step"]), step["operation"], size, f"{step['multiply_adds']:,}"]
            for timed in steps:
                row += [f"{timed['time_ms']:.3f}", f"{100 * timed['share']:.1f} %"]
            body.append(row)
        title = f"{printable(bundle['file'])}, {bundle['isa']}, {bundle['precision']}"
        texts.append(f"{title}, median of {bundle['runs']} runs\n{aligned([head, *body, end])}")
    return "\n\n".join(texts)


def _scores(result: dict[str, Any]) -> str:
    """Return counts and indices with their numerators and denominators."""
    counts = result["counts"]
    parts = [", ".join(f"{count} {name}" for name, count in counts.items())]
    if result["ki67_index"] is not None:
        tumour = counts["immunopositive"] + counts["immunonegative"]
        share = f"{counts['immunopositive']}/{tumour}"
        parts.append(f"Ki-67 {100 * result['ki67_index']:.1f} % ({share}) {result['ki67_class'] or NO_CLASS}")
    if result["til_score"] is not None:
        share = f"{counts['til']}/{sum(counts.values())}"
        parts.append(f"TIL {100 * result['til_score']:.1f} % ({share}) {result['til_class'] or NO_CLASS}")
    return "   ".join(parts)


def _shown(part: dict[str, Any]) -> dict[str, Any]:
    """Return an optional object without an envelope's table of colours, which only a program reads."""
    return {key: value for key, value in part.items() if key != "colours"}


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())
