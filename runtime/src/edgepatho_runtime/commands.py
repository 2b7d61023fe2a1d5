"""The commands of `edgepatho-run`: each takes parsed options, prints its results and returns an exit code."""

import argparse
import sys
from contextlib import suppress
from pathlib import Path

from edgepatho_runtime import errors
from edgepatho_runtime.digest import sha256
from edgepatho_runtime.errors import UnfitError
from edgepatho_runtime.files import json_text, printable

NOTICE = "Research use only, not for diagnosis."


def score(options: argparse.Namespace) -> int:
    """Score pictures one by one; a bad file gets one line on stderr and the others are scored."""
    from edgepatho_runtime import bundle, tables
    from edgepatho_runtime.scoring import batch, folders, overlay
    from edgepatho_runtime.scoring.score import Scorer

    _check_precision(options.precision)
    pictures = folders.expand(options.images, options.anonymize)
    paths = pictures.paths
    for sentence in pictures.notes:
        print(f"Warning: {printable(sentence)}", file=sys.stderr)
    settings = options.threads, options.precision, options.scale, options.thresholds
    scorer = Scorer(bundle.read(options.bundle), *settings)
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
    work = batch.Batch(scorer, options.output, options.anonymize, options.max_pixels)
    with work, batch.stoppable() as stopped:
        for path in paths:
            try:
                entry = work.score(path)
            except OSError:  # a full disk: keep the record of what is done if it still fits
                if options.output is not None:
                    with suppress(OSError):
                        batch.write_record(options.output, work.record(complete=False))
                raise
            if entry["error"] is not None:
                print(f"Error: {tables.field_line(entry)}", file=sys.stderr)
            elif not options.json:
                print(tables.field_line(entry), flush=True)
            if stopped:
                break
    if work.taken_over:
        text = f"{work.taken_over} of {len(work.images)} pictures were already scored with the same settings."
        print(f"Note: {text}", file=sys.stderr)
    record = work.record(complete=len(work.images) == len(paths))
    if options.output is not None:
        batch.write_record(options.output, record)
    if options.json:
        print(json_text(record), end="")
    else:
        if options.output is not None:
            print(f"Rings: {printable(overlay.legend(scorer.scoring['classes']))}.")
        if record["pooled"]["fields"] > 1:
            print(tables.pooled_line(record["pooled"]))
        if record["envelope"] is None:
            print("The bundle has no envelope: pictures were not compared with those of training.")
        print(_notice(record["bundle"]["trained_on"]))
    if stopped and not record["complete"]:
        done = f"Interrupted after {len(work.images)} of {len(paths)} pictures."
        print(f"Error: {done}", file=sys.stderr)
        return errors.INTERRUPTED
    return errors.BAD_INPUT if any(entry["error"] for entry in work.images) else errors.DONE


def info(options: argparse.Namespace) -> int:
    """Describe a bundle and, with --plan, how this device runs it."""
    from edgepatho_runtime import bundle, tables
    from edgepatho_runtime import info as bundle_info

    loaded = bundle.read(options.bundle)
    facts = bundle_info.describe(loaded) | {"sha256sum": sha256(options.bundle.read_bytes()).hexdigest()}
    if not options.plan:
        text = json_text(facts) if options.json else tables.info_text(str(options.bundle), facts) + "\n"
        print(text, end="")
        return errors.DONE
    _check_precision(options.precision)
    totals, rows = bundle_info.plan_of(loaded, options.threads, options.precision)
    if options.json:
        print(json_text({**facts, "plan": {**totals, "rows": rows}}), end="")
    else:
        print(tables.info_text(str(options.bundle), facts) + "\n\n" + tables.plan_text(totals, rows))
    return errors.DONE


def selftest(options: argparse.Namespace) -> int:
    """Run a bundle's golden picture and compare the output with the golden one."""
    from edgepatho_runtime import bundle
    from edgepatho_runtime import selftest as golden

    _check_precision(options.precision)
    result = golden.run(bundle.read(options.bundle), options.threads, options.precision)
    if options.json:
        print(json_text(result), end="")
    else:
        print(
            f"self-test {'passed' if result['passed'] else 'FAILED'}: "
            f"largest error {result['max_error']:.3g} of at most {result['limit']:.3g}, "
            f"answer up to {result['largest_magnitude']:.4g}; "
            f"{result['precision']}, {result['isa']}, {result['threads']} threads, "
            f"{result['height']} x {result['width']} px in {result['seconds']:.3f} s"
        )
    if not result["passed"]:
        raise UnfitError("This device does not compute the bundle's golden output; do not use its results.")
    return errors.DONE


def bench(options: argparse.Namespace) -> int:
    """Measure bundles and TFLite files, each in a process of its own."""
    from edgepatho_runtime import tables
    from edgepatho_runtime.bench import contender, profile
    from edgepatho_runtime.bench import record as benchmark
    from edgepatho_runtime.files import write_text

    _check_precision(options.precision)
    settings = benchmark.Settings(options.threads, options.warmup, options.runs, options.precision)
    todo = contender.tasks(options.paths, options.tflite)
    if options.json not in (None, "-"):  # first: a missing folder must not cost the measurements
        Path(options.json).parent.mkdir(parents=True, exist_ok=True)
    measure = profile.run if options.profile else benchmark.run
    record = measure(todo, settings, options.image, lambda text: print(text, file=sys.stderr))
    if options.json == "-":
        print(json_text(record), end="")
    else:
        print(tables.profile_text(record) if options.profile else tables.bench_text(record))
        if options.json is not None:
            write_text(Path(options.json), json_text(record))
    for sentence in record["warnings"]:
        print(f"Warning: {printable(sentence)}", file=sys.stderr)
    if options.profile:
        return errors.DONE
    own = [row for row in record["rows"] if row["engine"].startswith("edgepatho")]
    return errors.FAILED if any(row["error"] for row in own) else errors.DONE


def _check_precision(precision: str) -> None:
    """Raise UnfitError, before any work, if this processor does not support `precision`."""
    from edgepatho_runtime.network import isa_for

    try:
        isa_for(precision)
    except ValueError as error:
        raise UnfitError(str(error)) from None


def _notice(trained_on: object) -> str:
    return f"Network trained on {printable(trained_on)}. {NOTICE}" if trained_on else NOTICE
