"""A quantizer with its settings, applied to a whole network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, get_args

import numpy as np

from edgepatho.choices import CodebookScope, Method, PruneScope, Scale, Solver, check_choices
from edgepatho.errors import InputError, UsageError
from edgepatho.model.shared import Float32, SharedModel
from edgepatho.quantize import cws, ecsq, prune, pws, uq
from edgepatho.quantize.quantized import MAX_LEVELS, Quantized

if TYPE_CHECKING:
    from edgepatho.model.graph import Graph

METHODS = get_args(Method)
DEFAULT_K = 256


@dataclass(frozen=True)
class Quantizer:
    """The settings of weight sharing; `layers` overrides k per layer, None skips a layer.

    Raises UsageError for settings that are out of range or cannot be combined.
    """

    method: Method = "cws"
    k: int = DEFAULT_K
    bits: float | None = None
    prune: float = 0
    prune_scope: PruneScope = "layer"
    codebook: CodebookScope = "shared"
    scale: Scale = "none"
    solver: Solver = "exact"
    seed: int = 0
    layers: Mapping[str, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choices(self)
        prune.check(self.prune)
        for k in (self.k, *(k for k in self.layers.values() if k is not None)):
            if not 2 <= k <= MAX_LEVELS:
                raise UsageError(f"k = {k} is outside 2 to {MAX_LEVELS}, the range of an index.")
        if self.bits is not None and self.method != "ecsq":
            raise UsageError(
                f"--bits works only with ecsq; {self.method} has no entropy term: give -k instead."
            )
        if self.bits is not None and not 0 < self.bits <= 16:
            raise UsageError(f"--bits {self.bits:g} is outside 0 to 16 bits per weight.")
        if self.solver != "exact" and self.method != "cws":
            raise UsageError(f"--solver {self.solver} works only with cws; {self.method} has one solver.")


def share(graph: Graph, settings: Quantizer, sensitivity: Mapping[str, float] | None = None) -> SharedModel:
    """Return `graph` with the kernels of its convolution and dense layers shared according to `settings`.

    The scale "output" needs the `sensitivity` of each layer (`sensitivity.of_layers`): the squared error of
    a scaled weight is then a squared error of the output. Deterministic for a given `settings.seed`. Raises
    UsageError for settings that cannot be met, InputError for weights that are not finite.
    """
    layers = _layers(graph, settings)
    kernels = {layer: graph.kernels[layer] for layer in layers}
    for layer, kernel in kernels.items():
        if not np.isfinite(kernel).all():
            raise InputError(f"layer {layer} holds NaN or infinite weights; all must be finite numbers.")
    kernels = prune.pruned(kernels, settings.prune, settings.prune_scope)
    scales = _scales(kernels, settings.scale, sensitivity)
    codebook_of = {layer: _codebook_name(layer, settings) for layer in layers}
    groups = {
        name: [layer for layer in layers if codebook_of[layer] == name]
        for name in dict.fromkeys(codebook_of.values())
    }
    weights = [
        np.concatenate([(kernels[layer] / scales[layer]).ravel() for layer in members])
        for members in groups.values()
    ]
    ks = [settings.layers.get(members[0]) or settings.k for members in groups.values()]
    quantized = dict(zip(groups, _quantize(weights, ks, settings), strict=True))
    indices = {}
    for name, members in groups.items():
        ends = np.cumsum([kernels[layer].size for layer in members])
        for layer, index in zip(members, np.split(quantized[name].index, ends[:-1]), strict=True):
            indices[layer] = index.reshape(kernels[layer].shape)
    skipped = {layer: kernel for layer, kernel in graph.kernels.items() if layer not in kernels}
    return SharedModel(
        replace(graph, kernels=skipped),
        {name: each.codebook for name, each in quantized.items()},
        {layer: indices[layer] for layer in layers},
        codebook_of,
        scales,
    )


def distortion(graph: Graph, shared: SharedModel) -> float:
    """Return the mean squared error of the shared layers' weights, in squared weight units."""
    errors = [graph.kernels[layer].astype(np.float64) - shared.kernel(layer) for layer in shared.indices]
    return sum(float(np.sum(e**2)) for e in errors) / sum(e.size for e in errors)


def notes(graph: Graph, shared: SharedModel, settings: Quantizer) -> list[str]:
    """Return one sentence for each property of the result that does not follow from its settings."""
    sentences = []
    for layer in shared.graph.kernels:
        sentences.append(f"{layer} was skipped: its weights are untouched.")
    for layer in shared.indices:
        if not graph.kernels[layer].any():
            sentences.append(f"{layer} holds only zeros: it is stored as one level, 0.")
    for name, codebook in shared.codebooks.items():
        members = [layer for layer in shared.indices if shared.codebook_of[layer] == name]
        distinct = np.unique(np.concatenate([graph.kernels[layer].ravel() for layer in members])).size
        k = settings.layers.get(members[0]) or settings.k
        if settings.scale == "none" and distinct < k:
            sentences.append(
                f"{name} has {codebook.size} levels, not k = {k}: its {len(members)} layer(s) hold only "
                f"{distinct} distinct weights."
            )
    return sentences


def _quantize(groups: list[Float32], ks: list[int], settings: Quantizer) -> list[Quantized]:
    """Quantize each group of weights [n] with its own codebook; pruned weights stay zero."""
    pruned = settings.prune > 0
    match settings.method:
        case "cws":
            solver = settings.solver
            return [
                cws.quantize(w, k, keep_zero=pruned, solver=solver) for w, k in zip(groups, ks, strict=True)
            ]
        case "pws":
            seeds = range(settings.seed, settings.seed + len(ks))
            return [
                pws.quantize(w, k, keep_zero=pruned, seed=s)
                for w, k, s in zip(groups, ks, seeds, strict=True)
            ]
        case "uq":
            return [uq.quantize(w, k) for w, k in zip(groups, ks, strict=True)]
        case "ecsq":
            if settings.bits is not None:
                return ecsq.quantize_jointly(groups, ks, bits=settings.bits, keep_zero=pruned)
            return [ecsq.quantize(w, k, keep_zero=pruned) for w, k in zip(groups, ks, strict=True)]


def _layers(graph: Graph, settings: Quantizer) -> list[str]:
    """The layers to share, in the order of the graph."""
    ordered = [node["name"] for node in graph.nodes if node["name"] in graph.kernels]
    unknown = [layer for layer in settings.layers if layer not in graph.kernels]
    if unknown:
        raise UsageError(f"there is no layer {unknown[0]} with weights; the layers are {', '.join(ordered)}.")
    layers = [layer for layer in ordered if settings.layers.get(layer, settings.k) is not None]
    if not layers:
        raise UsageError("there are no weights to share: every layer is skipped.")
    return layers


def _codebook_name(layer: str, settings: Quantizer) -> str:
    """A layer with its own k has its own codebook."""
    own = settings.codebook == "per-layer" or layer in settings.layers
    return f"codebook.{layer}" if own else "codebook"


def _scales(
    kernels: Mapping[str, Float32], kind: Scale, sensitivity: Mapping[str, float] | None
) -> dict[str, Float32]:
    """What each kernel is divided by before its values are shared: one number, or one per output channel."""
    if kind == "output":
        if sensitivity is None:
            raise UsageError("--scale output needs the layers' sensitivities, which are measured on tiles.")
        floor = 1e-12 * max(sensitivity.values())
        roots = {layer: max(sensitivity[layer], floor) ** -0.5 for layer in kernels}
        middle = np.exp(np.mean(np.log(list(roots.values()))))  # keeps scaled weights near their own size
        return {layer: np.array(root / middle, np.float32) for layer, root in roots.items()}
    return {layer: _root_mean_square(kernel, kind) for layer, kernel in kernels.items()}


def _root_mean_square(kernel: Float32, kind: Scale) -> Float32:
    """RMS of the kernel ("layer") or each output channel ("channel"); 1 where it is 0, and for "none"."""
    if kind == "none":
        return np.array(1, np.float32)
    axes = tuple(range(kernel.ndim - 1)) if kind == "channel" else None
    rms = np.sqrt(np.mean(kernel.astype(np.float64) ** 2, axis=axes))
    return np.where(rms > 0, rms, 1).astype(np.float32)
