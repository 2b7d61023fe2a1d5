"""Console blocks of a Markdown page: what a reader types, and what the page says comes back.

    ```console
    $ edgepatho synth tiles
    4 synthetic tiles of 4 patients in tiles
    ```

A line that begins with "$ " is a command; the lines up to the next one are its output on stdout. A line
that is "..." stands for any lines. Numbers, hashes, classes and verdicts on pictures are not compared: they
differ with the machine and the data set.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HASH = re.compile(r"\b[0-9a-f]{12,64}\b")
NUMBER = re.compile(r"[+-]?\d[\d,.]*(?:e[+-]?\d+)?|–")  # a dash is a figure that a few tiles leave undefined
CLASS = re.compile(r"\b(low|middle|high)\b|no class: under 30 tumour cells")
VERDICT = re.compile(r" OUTSIDE TRAINING \(.*?\): do not rely on the index")
BARS = re.compile("[▁▂▃▄▅▆▇█]+")


@dataclass(frozen=True)
class Command:
    """A command of a page, its line there, and the lines that the page shows after it."""

    line: int
    text: str
    output: list[str]


def commands(page: Path) -> list[Command]:
    """Return the commands of all console blocks of `page` in order."""
    text, result = page.read_text(), []
    for block in BLOCK.finditer(text):
        if block[1] != "console":
            continue
        first = text.count("\n", 0, block.start()) + 2
        for number, line in enumerate(block[2].splitlines(), first):
            if line.startswith("$ "):
                result.append(Command(number, line[2:], []))
            else:
                result[-1].output.append(line)
    return result


def python_blocks(page: Path) -> list[str]:
    """Return the Python blocks of `page`."""
    return [block[2] for block in BLOCK.finditer(page.read_text()) if block[1] == "python"]


def masked(line: str) -> str:
    """Return a line without what data sets differ in: numbers, hashes, classes, verdicts, charts, widths."""
    for pattern, sign in ((VERDICT, ""), (HASH, "#"), (CLASS, "class"), (NUMBER, "0"), (BARS, "")):
        line = pattern.sub(sign, line)
    return " ".join(line.split())


def matches(documented: list[str], printed: list[str]) -> bool:
    """Return whether `printed` is what a page documents, "..." standing for any lines.

    A page that shows no output promises none: then anything may be printed.
    """
    if not documented:
        return True
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(masked(line)) + r"\n" for line in documented
    )
    return re.fullmatch(pattern, "".join(masked(line) + "\n" for line in printed)) is not None
