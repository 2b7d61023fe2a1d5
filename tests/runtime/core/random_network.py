"""Networks for the tests of planner and core: built node by node or at random, with a float64 reference."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy_network

Shape = tuple[int, int, int]
CODEBOOK_SIZES = {"index4": 13, "index8": 200, "index16": 700}


class Builder:
    """A graph under construction; every method adds a node and returns its name."""

    def __init__(self, seed: int, size: tuple[int, int] = (16, 16)) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[dict[str, Any]] = []
        self.kernels: dict[str, np.ndarray] = {}
        self.affines: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.shapes: dict[str, Shape] = {"image": (*size, 3)}
        self.codebook_of: dict[str, tuple[str, np.ndarray]] = {}  # name of the codebook, indices

    def add(self, op: str, inputs: list[str], shape: Shape, **fields: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append({"name": name, "op": op, "inputs": inputs, **fields})
        self.shapes[name] = shape
        return name

    def conv(self, source: str, out: int, kernel: int = 3, dilation: int = 1) -> str:
        height, width, channels = self.shapes[source]
        name = self.add(
            "conv2d", [source], (height, width, out), in_channels=channels, out_channels=out,
            kernel=[kernel, kernel], dilation=dilation, stride=1, padding="same",
        )  # fmt: skip
        spread = 1 / np.sqrt(kernel * kernel * channels)
        self.kernels[name] = self.rng.normal(0, spread, (kernel, kernel, channels, out)).astype(np.float32)
        self.affines[name] = self.pair(out)
        return name

    def dense(self, source: str, out: int) -> str:
        channels = self.shapes[source][2]
        name = self.add("dense", [source], (1, 1, out), in_channels=channels, out_channels=out)
        self.kernels[name] = self.rng.normal(0, channels**-0.5, (1, 1, channels, out)).astype(np.float32)
        self.affines[name] = self.pair(out)
        return name

    def pair(self, channels: int) -> tuple[np.ndarray, np.ndarray]:
        scale, shift = self.rng.uniform(0.5, 1.5, channels), self.rng.normal(0, 0.3, channels)
        return scale.astype(np.float32), shift.astype(np.float32)

    def affine(self, source: str) -> str:
        name = self.add("affine", [source], self.shapes[source], channels=self.shapes[source][2])
        self.affines[name] = self.pair(self.shapes[source][2])
        return name

    def activation(self, source: str) -> str:
        if self.rng.random() < 0.5:
            return self.add("relu", [source], self.shapes[source])
        return self.add("leaky_relu", [source], self.shapes[source], slope=0.3)

    def plus(self, *sources: str) -> str:
        return self.add("add", list(sources), self.shapes[sources[0]])

    def concat(self, *sources: str) -> str:
        height, width, _ = self.shapes[sources[0]]
        return self.add("concat", list(sources), (height, width, sum(self.shapes[s][2] for s in sources)))

    def pool(self, source: str) -> str:
        height, width, channels = self.shapes[source]
        return self.add("maxpool2", [source], (height // 2, width // 2, channels))

    def up(self, source: str) -> str:
        height, width, channels = self.shapes[source]
        return self.add("upsample2_nearest", [source], (2 * height, 2 * width, channels))

    def flatten(self, source: str) -> str:
        return self.add("flatten", [source], (1, 1, int(np.prod(self.shapes[source]))))

    def graph(self) -> dict[str, Any]:
        source = {"name": "image", "channels": 3, "divisor": 255}
        return {"input": source, "nodes": self.nodes, "output": self.nodes[-1]["name"]}

    # ---- the reference ----

    def expected(self, image: np.ndarray) -> np.ndarray:
        result = numpy_network.output(self.graph(), self.kernels, self.affines, image)
        return result.reshape(1, 1, -1) if result.ndim == 1 else result

    def image(self) -> np.ndarray:
        return self.rng.integers(0, 256, self.shapes["image"], dtype=np.uint8)

    # ---- what the runtime reads ----

    def share(self, kind: str) -> None:
        """Round every kernel to a random codebook, one for all layers."""
        codebook = np.unique(self.rng.normal(0, 0.3, CODEBOOK_SIZES[kind]).astype(np.float32))
        self.codebook = codebook
        for node in self.nodes:
            if node["name"] in self.kernels:
                kernel = self.kernels[node["name"]]
                indices = np.abs(kernel[..., None] - codebook).argmin(-1)
                self.codebook_of[node["name"]] = ("codebook", indices)
                self.kernels[node["name"]] = codebook[indices]
                node["codebook"] = "codebook"

    def tensors(self) -> dict[str, Any]:
        """Tensors by name, with the fields `shape` and `data` of the bundle reader's."""
        arrays: dict[str, np.ndarray] = {}
        for name, kernel in self.kernels.items():
            if name in self.codebook_of:
                arrays["codebook"] = self.codebook
                arrays[f"{name}.index"] = _stored(self.codebook_of[name][1], len(self.codebook))
            else:
                arrays[f"{name}.weight"] = _blocked(kernel)
        for name, (scale, shift) in self.affines.items():
            arrays |= {f"{name}.scale": scale, f"{name}.shift": shift}
        return {
            name: SimpleNamespace(shape=a.shape, data=memoryview(a.tobytes())) for name, a in arrays.items()
        }

    def bundle(self) -> Any:
        return SimpleNamespace(graph=self.graph(), tensors=self.tensors())


def _blocked(kernel: np.ndarray) -> np.ndarray:
    """[ceil(out / 8)][in][taps][8], as docs/bundle-format.md says."""
    height, width, channels, out = kernel.shape
    blocked = np.zeros((-(-out // 8), channels, height * width, 8), kernel.dtype)
    for o in range(out):
        blocked[o // 8, :, :, o % 8] = kernel[..., o].reshape(-1, channels).T
    return blocked


def _stored(indices: np.ndarray, codebook_size: int) -> np.ndarray:
    blocked = _blocked(indices)
    if codebook_size > 256:
        return blocked.astype(np.uint16)
    if codebook_size > 16:
        return blocked.astype(np.uint8)
    return (blocked[..., 0::2] | blocked[..., 1::2] << 4).astype(np.uint8)


def random_network(seed: int, size: tuple[int, int] = (16, 16), length: int = 14) -> Builder:
    """A network of `length` random nodes and a last one that needs the newest of them."""
    b = Builder(seed, size)
    names = [b.conv("image", 8)]
    while len(b.nodes) < length:
        source = names[-1] if b.rng.random() < 0.6 else names[int(b.rng.integers(len(names)))]
        height, width, channels = b.shapes[source]
        alike = [name for name in names if b.shapes[name] == b.shapes[source]]
        same_size = [name for name in names if b.shapes[name][:2] == (height, width)]
        out = int(b.rng.choice([channels, 8, 16, 5, 12]))
        match b.rng.integers(10):
            case 0:
                names.append(b.conv(source, out, 1))
            case 1 | 2:
                names.append(b.conv(source, out, 3, int(b.rng.integers(1, 5))))
            case 3:
                names.append(b.activation(b.conv(source, channels)))
            case 4:
                names.append(b.activation(source))
            case 5:
                names.append(b.affine(source))
            case 6:
                names.append(b.plus(*b.rng.choice(alike, int(b.rng.integers(2, 4)))))
            case 7 if channels <= 40:
                names.append(b.concat(*b.rng.choice(same_size, int(b.rng.integers(2, 4)))))
            case 8 if min(height, width) >= 4:
                names.append(b.pool(source))
            case 9 if max(height, width) <= 24:
                names.append(b.up(source))
    b.conv(names[-1], 3, 1)
    return b
