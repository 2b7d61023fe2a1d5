"""The file and function that an address of a guest program belongs to."""

from __future__ import annotations

import bisect
import subprocess
from functools import cache
from pathlib import Path

from benchmarks.arm.counts import Mapping
from benchmarks.arm.tools import find_llvm


def locate(address: int, mappings: list[Mapping]) -> tuple[str, str]:
    """Return (file name, symbol) of the code at `address`; "?" where unknown."""
    index = bisect.bisect_right(mappings, address, key=lambda mapping: mapping.start) - 1
    if index < 0 or address >= mappings[index].end:
        return "?", "?"
    path = mappings[index].path
    loaded_at = next(mapping.start for mapping in mappings if mapping.path == path)
    addresses, names, linked_at = _symbols(path)
    place = bisect.bisect_right(addresses, address - loaded_at + linked_at) - 1
    return Path(path).name, names[place] if place >= 0 else "?"


@cache
def _symbols(path: str) -> tuple[list[int], list[str], int]:
    """Return the sorted addresses and names of an ELF file's code symbols, and its lowest linked address."""
    symbols = set()
    for table in (["--dynamic"], []):
        for line in _lines("llvm-nm", *table, "--defined-only", path):
            fields = line.split(None, 2)
            # $x and $d only mark code and data
            if len(fields) == 3 and fields[1] in "tTwWiV" and not fields[2].startswith("$"):
                symbols.add((int(fields[0], 16), fields[2]))
    headers = (line.split() for line in _lines("llvm-readelf", "--program-headers", "--wide", path))
    loads = [int(fields[2], 16) for fields in headers if fields[:1] == ["LOAD"]]
    ordered = sorted(symbols)
    return [address for address, _ in ordered], [name for _, name in ordered], min(loads, default=0)


def _lines(program: str, *arguments: str) -> list[str]:
    done = subprocess.run([find_llvm(program), *arguments], capture_output=True, text=True)
    return done.stdout.splitlines()
