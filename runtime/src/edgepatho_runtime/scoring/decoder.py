"""The batch's side of the decoding process: a crash there costs only the picture being decoded."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from edgepatho_runtime import python
from edgepatho_runtime.errors import ImageError
from edgepatho_runtime.scoring.cell import Cell

CODE = "from edgepatho_runtime.scoring.decoding import main; main()"


class Seen(NamedTuple):
    """A picture's size, and the picture at the network's size: RGB uint8, contiguous."""

    height: int
    width: int
    network_height: int
    network_width: int
    note: str
    rgb: bytes


class Decoder:
    """A process that decodes pictures and draws overlays, started when needed and again after a crash.

    Any failure is an ImageError whose text continues a sentence that begins with the picture's name.
    """

    def __init__(self, max_pixels: int, network_px: int, scale: float | None) -> None:
        self._settings = {"max_pixels": max_pixels, "network_px": network_px, "scale": scale}
        self._process: subprocess.Popen[bytes] | None = None

    def decode(self, path: Path, keep: bool, size: tuple[int, int] | None = None) -> Seen:
        """Return a picture at `size` (height, width), or the one that the scale gives.

        With `keep` the process holds the picture for an overlay.
        """
        facts, rgb = self._ask(path=os.fsencode(path).hex(), keep=keep, size=size, **self._settings)
        return Seen(**{name: facts[name] for name in Seen._fields if name in facts}, rgb=rgb)

    def overlay(
        self, cells: list[Cell], classes: list[str], seen: Seen, warning: str = ""
    ) -> Iterator[bytes]:
        """Yield, in parts, the PNG of the last decoded picture with a ring around each cell.

        A `warning` follows the legend.
        """
        request = {"cells": cells, "classes": classes, "network_width": seen.network_width}
        _, part = self._ask(**request, warning=warning, comment=seen.note)
        while part:
            yield part
            _, part = self._answer()

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()  # it has nothing to save
            process.communicate()

    def _ask(self, **request: Any) -> tuple[dict[str, Any], bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                python.command(CODE),
                # One thread for numpy's libraries: each takes memory, and none is used.
                env={**python.environment(), "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libraries print there, even paths
            )
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._death() from None
        return self._answer()

    def _answer(self) -> tuple[dict[str, Any], bytes]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._death()
        facts: dict[str, Any] = json.loads(line)
        data = self._process.stdout.read(facts["bytes"])
        if len(data) < facts["bytes"]:
            raise self._death()
        if facts.get("error"):
            raise ImageError(facts["error"])
        return facts, data

    def _death(self) -> ImageError:
        """Return the error for a picture on which the process died."""
        process, self._process = self._process, None
        assert process is not None
        process.communicate()
        code = process.returncode
        if code == -signal.SIGKILL:
            return ImageError("the system killed its decoder, most likely for lack of memory")
        how = f"signal {-code}" if code < 0 else f"code {code}"
        return ImageError(f"its decoder ended with {how}, probably on damaged data; save it again")
