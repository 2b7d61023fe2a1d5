"""Several hosts at once: a live table of progress, a result for each, and one exit code."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from edgepatho.deploy.job import Result
from edgepatho.errors import InputError, UserError

AT_ONCE = 8  # hosts; more would share the same uplink


def read_inventory(path: Path) -> list[str]:
    """Return the hosts of an inventory file, which is TOML with one key: hosts = ["pi@pi5.local", ...].

    Users, ports, keys and jump hosts belong in ~/.ssh/config, where other tools find them too.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as TOML: {error}.") from error
    hosts = content.pop("hosts", None)
    if content:
        raise InputError(f"{path} holds {min(content)!r}; an inventory holds only hosts.")
    if not isinstance(hosts, list) or not hosts or not all(isinstance(host, str) for host in hosts):
        raise InputError(
            f'{path} does not hold a list of hosts; write hosts = ["pi@pi5.local", "pi@pi4.local"].'
        )
    return hosts


def run_all(hosts: list[str], work: Callable[[Result, Callable[[str], None]], None]) -> Iterator[Result]:
    """Yield a result for each host, in their order; `work(result, on_step)` fills it in.

    A failing host does not stop the others: its result holds the reason and what was done before.
    """

    def one(host: str) -> Result:
        result = Result(host)
        try:
            work(result, lambda step: on_step(host, step))
        except UserError as error:
            result.error, result.exit_code = str(error), error.exit_code
        except Exception as error:  # a bug that one host triggers must not stop the others
            result.error, result.exit_code = f"{host}: unexpected {error!r}", 1
        return result

    with _live_table(hosts) as on_step, ThreadPoolExecutor(min(AT_ONCE, len(hosts))) as pool:
        yield from pool.map(one, hosts)


def exit_code(results: list[Result]) -> int:
    """Return 0 if all hosts are done, else the code of those that failed; the highest if they differ."""
    return max(result.exit_code for result in results)


@contextmanager
def _live_table(hosts: list[str]) -> Iterator[Callable[[str, str], None]]:
    if not sys.stderr.isatty() or "NO_COLOR" in os.environ:
        yield lambda host, step: None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    last = dict.fromkeys(hosts, "waiting")

    def table() -> Table:
        grid = Table("host", "last step")
        for host, step in last.items():
            grid.add_row(host, step)
        return grid

    with Live(table(), console=Console(stderr=True), transient=True) as live:

        def on_step(host: str, step: str) -> None:
            last[host] = step
            live.update(table())

        yield on_step
