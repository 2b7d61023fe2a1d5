"""The decoding process: pictures in, reduced pictures and overlays out; scoring/decoder.py is its client.

Requests are lines of JSON on standard input; answers are lines of JSON on standard output, each followed by
`bytes` bytes. A request with `path` decodes a picture and returns it at the network's size; one with `cells`
draws them over that picture and returns the PNG in parts, the last one empty.
"""

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from edgepatho_runtime import device, image
from edgepatho_runtime.errors import ImageError
from edgepatho_runtime.image import Image, png
from edgepatho_runtime.scoring import overlay, scale
from edgepatho_runtime.scoring.cell import Cell


def main() -> None:
    """Answer requests until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the batch finishes its picture and then closes standard input
    with suppress(OSError):
        # Out of memory, the kernel kills this process, not the one that asks.
        Path("/proc/self/oom_score_adj").write_text("1000")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that a library prints may look like an answer
    held: Image | None = None
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if "path" in request:
            held = None  # frees it before the next is decoded
            held = _decode(request, answers)
        elif held is not None:
            _draw(held, request, answers)
            held = None
        answers.flush()


def _decode(request: dict[str, Any], answers: BinaryIO) -> Image | None:
    """Answer with the picture at the network's size; return it at its own size if it is to be kept."""
    limits = request["max_pixels"], device.free_bytes()
    network_px, factor = request["network_px"], request["scale"]
    try:
        picture = image.read(os.fsdecode(bytes.fromhex(request["path"])), *limits)
        size = request["size"] or scale.network_size(picture.height, picture.width, network_px, factor)
        seen = image.resize(picture, *size).rgb
    except ImageError as error:
        _answer(answers, b"", error=str(error))
        return None
    except MemoryError:
        _answer(answers, b"", error="it needs more memory than this device has free")
        return None
    assumed = scale.assumption(picture.height, picture.width, network_px, factor)
    facts = {"height": picture.height, "width": picture.width}
    note = ", ".join(text for text in (picture.note, assumed) if text)
    _answer(answers, seen, **facts, network_height=size[0], network_width=size[1], note=note)
    return picture if request["keep"] else None


def _draw(picture: Image, request: dict[str, Any], answers: BinaryIO) -> None:
    class Parts:
        """Sends whatever is written at once, as a part of the answer."""

        def write(self, data: Any) -> None:
            if data:
                _answer(answers, data)

    try:
        cells = [Cell(*values) for values in request["cells"]]
        classes, width, warning = (request[key] for key in ("classes", "network_width", "warning"))
        drawn = overlay.draw(picture, cells, classes, width, warning)
        png.write(Parts(), drawn, request["comment"])
        _answer(answers, b"")
    except MemoryError:
        _answer(answers, b"", error="its overlay needs more memory than this device has free")


def _answer(answers: BinaryIO, data: Any, **facts: Any) -> None:
    answers.write(json.dumps({"bytes": len(data), **facts}).encode() + b"\n")
    answers.write(data)
