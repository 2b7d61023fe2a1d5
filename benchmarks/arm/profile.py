"""Where an arm64 program spends its estimated cycles.

python -m benchmarks.arm.profile --cpu a72 [--whole] [--top N] -- PROGRAM ARGUMENTS...
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import click

from benchmarks.arm.boards import BOARDS
from benchmarks.arm.counts import InstructionCounts, count
from benchmarks.arm.cycles import Estimate, estimate
from benchmarks.arm.symbols import locate
from benchmarks.arm.sysroot import userland
from edgepatho.errors import UserError


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--cpu", type=click.Choice(list(BOARDS)), default="a72", show_default=True)
@click.option(
    "--whole", is_flag=True, help="Count all of the program, not only close(-1001) to close(-1002)."
)
@click.option("--threads", is_flag=True, help="Count exactly even if the program has threads (slower).")
@click.option("--caches", is_flag=True, help="Simulate the board's data caches too (slower).")
@click.option("--top", default=12, show_default=True, help="Functions to list.")
@click.option("--code", default=0, help="Costliest blocks to list with their code.")
@click.option("--python-path", multiple=True, type=click.Path(path_type=Path), help="Guest's PYTHONPATH.")
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
def main(
    cpu: str,
    whole: bool,
    threads: bool,
    caches: bool,
    top: int,
    code: int,
    python_path: tuple[Path, ...],
    program: tuple[str, ...],
) -> None:
    """Estimate the cycles of an arm64 PROGRAM on one core; `python` is the lab's own."""
    try:
        system, board = userland(), BOARDS[cpu]
        counts = count(
            system,
            board,
            list(program),
            python_path=python_path,
            region=not whole,
            threads=threads,
            caches=caches,
        )
        click.echo(counts.output, nl=False)
        click.echo(f"instructions  {counts.instructions:15,d}")
        for level, crossed in ((2, counts.beyond_l2_bytes), (3, counts.beyond_l3_bytes)):
            if crossed is not None:
                click.echo(f"beyond L{level}     {crossed:15,d}  bytes fetched and written back")
        if board.mca_cpu is None:
            return
        result = estimate(counts, board.mca_cpu)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"cycles        {result.cycles:15,d}  ({cpu}, one core, no stalls)")
    _print_profile(result, counts, top, code)


def _print_profile(result: Estimate, counts: InstructionCounts, top: int, code: int) -> None:
    total = sum(cycles * run.count for cycles, run in result.runs) or 1
    by_symbol: dict[tuple[str, str], float] = defaultdict(float)
    for cycles, run in result.runs:
        by_symbol[locate(run.address, counts.mappings)] += cycles * run.count
    for (file, symbol), cycles in sorted(by_symbol.items(), key=lambda item: -item[1])[:top]:
        click.echo(f"{cycles / total:7.2%}  {file}  {symbol}")
    costliest = sorted(result.runs, key=lambda timed: -timed[0] * timed[1].count)
    for cycles, run in costliest[:code]:
        place = " ".join(locate(run.address, counts.mappings))
        click.echo(f"\n{place}: {cycles * run.count / total:.2%}, {run.count} x {cycles:.2f} cycles")
        click.echo("\n".join(f"    {line}" for line in run.assembly))


if __name__ == "__main__":
    main()
