"""From a rewritten graph to fused steps: convolutions absorb what follows them, concatenations disappear.

A step computes `max(x, slope * x)` of its sum, adds a map, applies an affine and another `max(x, slope * x)`,
in this order; each part is optional.
"""

from collections.abc import Callable

from edgepatho_runtime.plan.rewrite import Node
from edgepatho_runtime.plan.steps import CONVOLUTIONS, MAX_SOURCES, Map, Step


class Enlarged:
    """A map to be read as nearest-x2 enlarged; most readers enlarge it on the fly."""

    def __init__(self, small: Map) -> None:
        self.small = small


class Joined:
    """Maps to be read as concatenated along channels; convolutions read them in turn."""

    def __init__(self, parts: list[Map]) -> None:
        self.parts = parts


Value = Map | Enlarged | Joined


def fuse(nodes: list[Node], image: Map, lanes: int, output: str) -> tuple[list[Step], Map]:
    """Return the steps that compute `nodes` from `image`, and the map that holds node `output`."""
    fusion = Fusion(image, lanes)
    for name in [output, *(name for node in nodes for name in node["inputs"])]:
        fusion.uses[name] = fusion.uses.get(name, 0) + 1
    for node in nodes:
        OPERATIONS[node["op"]](fusion, node)
    result = fusion.map_of(output)
    return fusion.steps, result


class Fusion:
    """The steps so far; each node either started a step or was appended to one."""

    def __init__(self, image: Map, lanes: int) -> None:
        self.lanes = lanes
        self.image = image
        self.values: dict[str, Value] = {image.name: image}
        self.steps: list[Step] = [Step("image", image, [image.name])]
        self.maker: dict[str, Step] = {}  # node -> the step that ends with it
        self.uses: dict[str, int] = {}  # node -> its number of readers

    def new_map(self, name: str, height: int, width: int, channels: int) -> Map:
        """Return a new map; ValueError if the image is too small for it."""
        if height < 1 or width < 1:
            raise ValueError(f"The image is too small: the output of {name} would be empty.")
        return Map(name, height, width, channels, self.lanes)

    def map_of(self, name: str) -> Map:
        """The value of a node as a map in memory; an enlargement or concatenation is carried out once."""
        value = self.values[name]
        if isinstance(value, Enlarged):
            small = value.small
            value = self.new_map(name, 2 * small.height, 2 * small.width, small.channels)
            self.steps.append(Step("elementwise", value, [name], [small], enlarged=True))
        elif isinstance(value, Joined):
            first, start = value.parts[0], 0
            joined = self.new_map(name, first.height, first.width, sum(part.channels for part in value.parts))
            for part in value.parts:
                step = Step("copy", joined, [name], [part])
                step.output_start = start
                self.steps.append(step)
                start += part.channels
            value = joined
        self.values[name] = value
        return value

    def parts_of(self, name: str) -> list[Map]:
        """Return the maps that make up a node, several for a concatenation not carried out."""
        value = self.values[name]
        return value.parts if isinstance(value, Joined) else [self.map_of(name)]

    def start(self, node: Node, step: Step) -> Step:
        """Start a step with `node`, whose value is the step's output."""
        self.steps.append(step)
        self.maker[node["name"]] = step
        self.values[node["name"]] = step.output
        return step

    def ending_in(self, name: str) -> Step | None:
        """The step that ends with node `name`, if it can be extended and has no other reader."""
        step = self.maker.get(name)
        extendable = step is not None and step.operation in (*CONVOLUTIONS, "elementwise")
        return step if extendable and self.uses[name] == 1 else None

    def extend(self, node: Node, step: Step) -> None:
        """Append `node` to `step`."""
        step.nodes.append(node["name"])
        step.output.name = node["name"]
        self.maker[node["name"]] = step
        self.values[node["name"]] = step.output

    def elementwise(self, node: Node, name: str) -> Step:
        """A new elementwise step that reads node `name`, enlarging it on the fly if needed."""
        value = self.values[name]
        source = value.small if isinstance(value, Enlarged) else self.map_of(name)
        factor = 2 if isinstance(value, Enlarged) else 1
        output = self.new_map(node["name"], factor * source.height, factor * source.width, source.channels)
        return self.start(node, Step("elementwise", output, [node["name"]], [source], enlarged=factor == 2))

    def operand(self, name: str) -> tuple[Map, bool]:
        """The map that a step adds for node `name`, and whether to enlarge it on the fly."""
        value = self.values[name]
        if isinstance(value, Enlarged):
            return value.small, True
        if isinstance(value, Joined):
            first = value.parts[0]
            if all(part is first for part in value.parts) and first.channels == first.stored:
                return first, False  # the core repeats the channels of a narrower map
        return self.map_of(name), False


def _image(fusion: Fusion, node: Node) -> None:
    size = (fusion.image.height, fusion.image.width, fusion.image.channels)
    fusion.start(node, Step("image", fusion.new_map(node["name"], *size), [node["name"]]))


def _conv2d(fusion: Fusion, node: Node) -> None:
    parts = fusion.parts_of(node["inputs"][0])
    if len(parts) > MAX_SOURCES:
        parts = [fusion.map_of(node["inputs"][0])]
    if sum(part.channels for part in parts) != node["in_channels"]:
        raise ValueError(
            f"{node['name']} expects {node['in_channels']} input channels and gets "
            f"{sum(part.channels for part in parts)} at this image size; give an image of another size."
        )
    enlarged = bool(node.get("enlarged"))
    factor = 2 if enlarged else 1
    output = fusion.new_map(
        node["name"], factor * parts[0].height, factor * parts[0].width, node["out_channels"]
    )
    kind = "upsampled" if enlarged else "pointwise" if node["kernel"] == [1, 1] else "winograd"
    step = fusion.start(node, Step(kind, output, [node["name"]], parts))
    step.dilation = node["dilation"]
    step.weights = node.get("weights", node["name"])
    step.codebook = node.get("codebook")


def _dense(fusion: Fusion, node: Node) -> None:
    _conv2d(fusion, dict(node, kernel=[1, 1], dilation=1))


def _activation(fusion: Fusion, node: Node, slope: float) -> None:
    name = node["inputs"][0]
    step = fusion.ending_in(name)
    if step and (step.takes_slope() or step.takes_post_slope()):
        fusion.extend(node, step)
    else:
        step = fusion.elementwise(node, name)
    if step.takes_slope():
        step.slope = slope
    else:
        step.post_slope = slope


def _relu(fusion: Fusion, node: Node) -> None:
    _activation(fusion, node, 0.0)


def _leaky_relu(fusion: Fusion, node: Node) -> None:
    _activation(fusion, node, node["slope"])


def _affine(fusion: Fusion, node: Node) -> None:
    name = node["inputs"][0]
    weights = node.get("weights", node["name"])
    step = fusion.ending_in(name)
    if step and step.takes_post():
        step.post = weights
        fusion.extend(node, step)
    else:
        fusion.elementwise(node, name).affine = weights


def _add(fusion: Fusion, node: Node) -> None:
    """Append the sum to the step of the first operand that can still add; the other operand is added."""
    one, other = node["inputs"]
    for name, operand in ((one, other), (other, one)):
        step = fusion.ending_in(name)
        if step and step.takes_add():
            step.add, step.add_enlarged = fusion.operand(operand)
            fusion.extend(node, step)
            return
    step = fusion.elementwise(node, one)
    step.add, step.add_enlarged = fusion.operand(other)


def _concat(fusion: Fusion, node: Node) -> None:
    parts = [part for name in node["inputs"] for part in fusion.parts_of(name)]
    fusion.values[node["name"]] = Joined(parts)


def _upsample2_nearest(fusion: Fusion, node: Node) -> None:
    fusion.values[node["name"]] = Enlarged(fusion.map_of(node["inputs"][0]))


def _maxpool2(fusion: Fusion, node: Node) -> None:
    source = fusion.map_of(node["inputs"][0])
    output = fusion.new_map(node["name"], source.height // 2, source.width // 2, source.channels)
    fusion.start(node, Step("maxpool", output, [node["name"]], [source]))


def _flatten(fusion: Fusion, node: Node) -> None:
    source = fusion.map_of(node["inputs"][0])
    output = fusion.new_map(node["name"], 1, 1, source.height * source.width * source.channels)
    fusion.start(node, Step("copy", output, [node["name"]], [source]))


OPERATIONS: dict[str, Callable[[Fusion, Node], None]] = {
    "image": _image,
    "conv2d": _conv2d,
    "dense": _dense,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "affine": _affine,
    "add": _add,
    "concat": _concat,
    "upsample2_nearest": _upsample2_nearest,
    "maxpool2": _maxpool2,
    "flatten": _flatten,
}
