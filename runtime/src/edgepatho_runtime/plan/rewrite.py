"""Exact rewrites of a network's graph that reduce its computation; each pass maps nodes to nodes.

Nearest x2 enlargement turns one pixel into four equal ones. Pixelwise operations commute with it, and so does
a 3x3 convolution of even dilation d: its taps are d apart in the enlarged map, d/2 apart in the map itself,
and zeros outside stay zeros outside. (For odd d above 1 the taps of a pixel's four copies fall on different
pixels, so it does not commute.) A 3x3 convolution of dilation 1 reads at most two different pixels per row,
for which the core has its own form.

Nodes are those of docs/bundle-format.md with two additions: `weights` names the tensors of a renamed node,
`enlarged` marks a convolution that reads its input as if enlarged.
"""

from typing import Any

Node = dict[str, Any]

PIXELWISE = ("affine", "leaky_relu", "relu")
UPSAMPLE = "upsample2_nearest"


def rewritten(nodes: list[Node], output: str, image: str = "image") -> list[Node]:
    """Apply all passes in order and drop nodes that the output does not need. `image` names the input."""
    nodes = absorb_upsampling(postpone_upsampling(pair_sums(nodes)))
    return reachable(repeat_head(nodes, image), output)


def pair_sums(nodes: list[Node]) -> list[Node]:
    """Split sums of three or more into sums of two, adding enlarged maps to each other first: a + (b + c)."""
    upsampled = {node["name"] for node in postpone_upsampling(nodes) if node["op"] == UPSAMPLE}
    paired: list[Node] = []
    for node in nodes:
        if node["op"] != "add" or len(node["inputs"]) < 3:
            paired.append(node)
            continue
        *rest, last = sorted(node["inputs"], key=lambda name: name in upsampled)
        for depth, name in reversed(list(enumerate(rest))):
            pair = node["name"] if depth == 0 else f"{node['name']}.{depth}"
            paired.append({"name": pair, "op": "add", "inputs": [name, last]})
            last = pair
    return paired


def postpone_upsampling(nodes: list[Node]) -> list[Node]:
    """Move enlargements after the nodes that commute with them, halving those nodes' dilations.

    A moved node is renamed `<name>.small`; the enlargement after it takes its name.
    """
    source_of: dict[str, str] = {}  # enlargement -> what it enlarges
    moved: list[Node] = []
    for node in nodes:
        small = [source_of.get(name) for name in node["inputs"]]
        if node["op"] != UPSAMPLE and None not in small and _commutes(node):
            before = dict(
                node, name=f"{node['name']}.small", inputs=small, weights=node.get("weights", node["name"])
            )
            if node["op"] == "conv2d" and node["kernel"] != [1, 1]:
                before["dilation"] = node["dilation"] // 2
            moved.append(before)
            node = {"name": node["name"], "op": UPSAMPLE, "inputs": [before["name"]]}
        if node["op"] == UPSAMPLE:
            source_of[node["name"]] = node["inputs"][0]
        moved.append(node)
    return moved


def _commutes(node: Node) -> bool:
    if node["op"] == "conv2d":
        return bool(node["kernel"] == [1, 1] or node["dilation"] % 2 == 0)
    return node["op"] in (*PIXELWISE, "add", "concat")


def absorb_upsampling(nodes: list[Node]) -> list[Node]:
    """Let a 3x3 convolution of dilation 1 after an enlargement read the small map."""
    source_of = {node["name"]: node["inputs"][0] for node in nodes if node["op"] == UPSAMPLE}
    absorbed = []
    for node in nodes:
        if node["op"] == "conv2d" and node["kernel"] == [3, 3] and node["dilation"] == 1:
            source = source_of.get(node["inputs"][0])
            if source is not None:
                node = dict(node, inputs=[source], enlarged=True)
        absorbed.append(node)
    return absorbed


def repeat_head(nodes: list[Node], image: str = "image") -> list[Node]:
    """Recompute the input of the first maxpool for late readers, if it takes at most two convolutions.

    It is the largest map and would stay in memory from the first step to the last, which costs more than the
    arithmetic (docs/kernels.md). Repeated nodes are named `<name>.again`.
    """
    pool = next((node for node in nodes if node["op"] == "maxpool2"), None)
    if pool is None:
        return nodes
    kept = pool["inputs"][0]
    head = reachable(nodes[: nodes.index(pool)], kept)
    late = [node for node in nodes if node is not pool and kept in node["inputs"]]
    if not head or not late or sum(node["op"] == "conv2d" for node in head) > 2:
        return nodes
    again = {image: f"{image}.again"} | {node["name"]: f"{node['name']}.again" for node in head}
    copies: list[Node] = [{"name": again[image], "op": "image", "inputs": []}]
    for node in head:
        inputs = [again[name] for name in node["inputs"]]
        copies.append(
            dict(node, name=again[node["name"]], inputs=inputs, weights=node.get("weights", node["name"]))
        )
    repeated = []
    for node in nodes:
        if node in late:
            repeated += copies
            copies = []
            node = dict(node, inputs=[again[kept] if name == kept else name for name in node["inputs"]])
        repeated.append(node)
    return repeated


def reachable(nodes: list[Node], output: str) -> list[Node]:
    """The nodes that `output` depends on."""
    needed = {output}
    kept = []
    for node in reversed(nodes):
        if node["name"] in needed:
            needed.update(node["inputs"])
            kept.append(node)
    return kept[::-1]
