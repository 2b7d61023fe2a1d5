"""A small bundle to be modified, built byte by byte from docs/bundle-format.md alone."""

from __future__ import annotations

import copy
import hashlib
import json
import struct
from typing import Any

ORDER = ["F32", "U16", "U8"]
SCORING: dict[str, Any] = {
    "classes": ["immunopositive", "immunonegative", "til"],
    "thresholds": [60, 55, 40],
    "min_distance_px": 5,
    "network_size_px": 256,
    "ki67_cutoffs": [0.16, 0.30],
    "til_cutoffs": [0.10, 0.60],
}


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


class Recipe:
    """The parts of a bundle file, which may be changed before `build()`."""

    def __init__(self, nodes: list[dict[str, Any]], tensors: dict[str, tuple[str, list[int], bytes]]) -> None:
        self.graph: dict[str, Any] = {
            "input": {"name": "image", "channels": 3, "divisor": 255},
            "nodes": nodes,
            "output": nodes[-1]["name"],
        }
        self.tensors = tensors
        self.coding: dict[str, Any] = {}
        self.scoring: dict[str, Any] = copy.deepcopy(SCORING)
        self.provenance: dict[str, Any] = {"research_use_only": True}
        self.metadata: dict[str, Any] = {"format": "edgepatho", "version": "1"}
        self.entries: dict[str, Any] = {}  # overrides parts of the header
        self.tail = b""

    def build(self) -> bytes:
        """Return the file with its correct digest."""
        order = sorted(self.tensors, key=lambda name: (ORDER.index(self.tensors[name][0]), name))
        header: dict[str, Any] = {}
        payload = b""
        for name in order:
            dtype, shape, data = self.tensors[name]
            header[name] = {
                "dtype": dtype,
                "shape": shape,
                "data_offsets": [len(payload), len(payload) + len(data)],
            }
            payload += data
        header["__metadata__"] = {
            "graph": canonical(self.graph),
            "coding": canonical(self.coding),
            "scoring": canonical(self.scoring),
            "provenance": canonical(self.provenance),
            "accuracy": "{}",
            "file_sha256": "0" * 64,
            **self.metadata,
        }
        header.update(self.entries)
        text = canonical(header).encode()
        return sealed(text + b" " * (-len(text) % 8), payload + self.tail)


def sealed(header: bytes, payload: bytes) -> bytes:
    """Return a file of this header and payload, its digest replacing 64 zeros."""
    data = struct.pack("<Q", len(header)) + header + payload
    mark = b'"file_sha256":"'
    at = data.find(mark) + len(mark)
    if data[at : at + 64] != b"0" * 64:
        return data
    return data[:at] + hashlib.sha256(data).hexdigest().encode() + data[at + 64 :]


def tiny(codebook: tuple[float, ...] = (0.0, 0.5, -0.5)) -> Recipe:
    """A 1x1 convolution with a shared codebook, an affine, a relu; 3 channels, a 16 x 16 golden input."""
    golden = bytes(range(256)) * 3  # [16, 16, 3]
    return Recipe(
        nodes=[
            {
                "name": "mix",
                "op": "conv2d",
                "inputs": ["image"],
                "in_channels": 3,
                "out_channels": 3,
                "kernel": [1, 1],
                "dilation": 1,
                "stride": 1,
                "padding": "same",
                "codebook": "codebook",
            },
            {"name": "tune", "op": "affine", "inputs": ["mix"], "channels": 3},
            {"name": "heat", "op": "relu", "inputs": ["tune"]},
        ],
        tensors={
            "codebook": ("F32", [len(codebook)], floats(*codebook)),
            "mix.scale": ("F32", [3], floats(1, 1, 1)),
            "mix.shift": ("F32", [3], floats(0, 0, 0)),
            "tune.scale": ("F32", [3], floats(2, 2, 2)),
            "tune.shift": ("F32", [3], floats(0, 0, 0)),
            "golden.output": ("F32", [4, 4, 3], floats(*_tiny_answer(golden))),
            "golden.input": ("U8", [16, 16, 3], golden),
            # [block][input channel][tap][pair of lanes]: low nibble lane 2j, high nibble lane 2j + 1
            "mix.index": ("U8", [1, 3, 1, 4], bytes([0x21, 0, 0, 0, 0x10, 1, 0, 0, 0x01, 2, 0, 0])),
        },
    )


def _tiny_answer(golden: bytes) -> list[float]:
    """The tiny network's output with its first codebook, at every fourth pixel."""
    kernel = [[0.5, -0.5, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, -0.5]]  # [input channel][output channel]
    answer = []
    for row in range(0, 16, 4):
        for column in range(0, 16, 4):
            pixel = golden[3 * (16 * row + column) :][:3]
            for out in range(3):
                answer.append(max(0.0, 2 * sum(pixel[i] / 255 * kernel[i][out] for i in range(3))))
    return answer


def identity() -> Recipe:
    """A network whose heat maps are the picture itself: red, green and blue in 0..255, one class each."""
    recipe = tiny((0.0, 1.0))
    golden = recipe.tensors["golden.input"][2]
    pixels = [3 * (16 * row + column) for row in range(0, 16, 4) for column in range(0, 16, 4)]
    answer = [float(golden[at + channel]) for at in pixels for channel in range(3)]
    recipe.tensors |= {
        "mix.index": ("U8", [1, 3, 1, 4], bytes([0x01, 0, 0, 0, 0x10, 0, 0, 0, 0, 0x01, 0, 0])),
        "mix.scale": ("F32", [3], floats(255, 255, 255)),
        "tune.scale": ("F32", [3], floats(1, 1, 1)),
        "golden.output": ("F32", [4, 4, 3], floats(*answer)),
    }
    recipe.provenance = {"trained_on": "nothing", "research_use_only": True}
    return recipe
