"""From a rewritten graph to fused steps: a convolution takes along what follows it, concatenations vanish.

A step computes `max(x, slope * x)` of its sum, adds a map, applies an affine and another `max(x, slope * x)`,
in this order, each part only where the network has it.
"""

from edgepatho_runtime.plan.rewrite import UPSAMPLE, Node
from edgepatho_runtime.plan.steps import CONVOLUTIONS, Map, Step

MAX_SOURCES = 4  # EP_SOURCES in core.h


class Enlarged:
    """A map as if nearest-x2 enlarged; most readers can do that while they read."""

    def __init__(self, small: Map) -> None:
        self.small = small


class Joined:
    """Maps as if concatenated channel by channel; convolutions read them one after the other."""

    def __init__(self, parts: list[Map]) -> None:
        self.parts = parts


Value = Map | Enlarged | Joined


class Fuser:
    """Turns nodes into steps, one after the other, each node into a new step or the end of an earlier one."""

    def __init__(self, nodes: list[Node], image: Map, lanes: int, output: str) -> None:
        self.lanes = lanes
        self.image = image
        self.values: dict[str, Value] = {"image": image}
        self.steps: list[Step] = [Step("image", image, ["image"])]
        self.maker: dict[str, Step] = {}  # node -> the step whose end it is, so far
        self.uses: dict[str, int] = {output: 1}
        for node in nodes:
            for name in node["inputs"]:
                self.uses[name] = self.uses.get(name, 0) + 1
        for node in nodes:
            getattr(self, f"_{node['op']}")(node)
        self.result = self.map_of(output)

    # ---- maps ----

    def new_map(self, name: str, height: int, width: int, channels: int) -> Map:
        """Return a map of its own; an image that leaves nothing of it is a ValueError."""
        if height < 1 or width < 1:
            raise ValueError(f"The image is too small: nothing is left of it at {name}.")
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

    # ---- steps ----

    def start(self, node: Node, step: Step) -> Step:
        """Begin a step with `node`, whose output is the value of the node."""
        self.steps.append(step)
        self.maker[node["name"]] = step
        self.values[node["name"]] = step.output
        return step

    def ending_in(self, name: str) -> Step | None:
        """The step that ends in node `name`, if it can go on and nothing but the node at hand reads it."""
        step = self.maker.get(name)
        goes_on = step is not None and step.operation in (*CONVOLUTIONS, "elementwise")
        return step if goes_on and self.uses[name] == 1 else None

    def extend(self, node: Node, step: Step) -> None:
        """Let `step` go on through `node`."""
        step.nodes.append(node["name"])
        step.output.name = node["name"]
        self.maker[node["name"]] = step
        self.values[node["name"]] = step.output

    def elementwise(self, node: Node, name: str) -> Step:
        """A new step that begins as a copy of node `name`, enlarged on the way if it is an enlargement."""
        value = self.values[name]
        source = value.small if isinstance(value, Enlarged) else self.map_of(name)
        factor = 2 if isinstance(value, Enlarged) else 1
        output = self.new_map(node["name"], factor * source.height, factor * source.width, source.channels)
        return self.start(node, Step("elementwise", output, [node["name"]], [source], enlarged=factor == 2))

    def _image(self, node: Node) -> None:
        size = (self.image.height, self.image.width, self.image.channels)
        self.start(node, Step("image", self.new_map(node["name"], *size), [node["name"]]))

    def _conv2d(self, node: Node) -> None:
        parts = self.parts_of(node["inputs"][0])
        if len(parts) > MAX_SOURCES:
            parts = [self.map_of(node["inputs"][0])]
        if sum(part.channels for part in parts) != node["in_channels"]:
            raise ValueError(
                f"{node['name']} expects {node['in_channels']} input channels; build it for another size."
            )
        enlarged = bool(node.get("enlarged"))
        factor = 2 if enlarged else 1
        output = self.new_map(
            node["name"], factor * parts[0].height, factor * parts[0].width, node["out_channels"]
        )
        kind = "upsampled" if enlarged else "pointwise" if node["kernel"] == [1, 1] else "winograd"
        step = self.start(node, Step(kind, output, [node["name"]], parts))
        step.dilation = node["dilation"]
        step.weights = node.get("weights", node["name"])
        step.codebook = node.get("codebook")

    def _dense(self, node: Node) -> None:
        self._conv2d(dict(node, kernel=[1, 1], dilation=1))

    def _activation(self, node: Node, slope: float) -> None:
        name = node["inputs"][0]
        step = self.ending_in(name)
        if step and (step.takes_slope() or step.takes_post_slope()):
            self.extend(node, step)
        else:
            step = self.elementwise(node, name)
        if step.takes_slope():
            step.slope = slope
        else:
            step.post_slope = slope

    def _relu(self, node: Node) -> None:
        self._activation(node, 0.0)

    def _leaky_relu(self, node: Node) -> None:
        self._activation(node, node["slope"])

    def _affine(self, node: Node) -> None:
        name = node["inputs"][0]
        weights = node.get("weights", node["name"])
        step = self.ending_in(name)
        if step and step.takes_post():
            step.post = weights
            self.extend(node, step)
        else:
            self.elementwise(node, name).affine = weights

    def _add(self, node: Node) -> None:
        """The first operand whose step can still add takes the other one in."""
        one, other = node["inputs"]
        for name, operand in ((one, other), (other, one)):
            step = self.ending_in(name)
            if step and step.takes_add():
                step.add, step.add_enlarged = self._operand(operand)
                self.extend(node, step)
                return
        step = self.elementwise(node, one)
        step.add, step.add_enlarged = self._operand(other)

    def _operand(self, name: str) -> tuple[Map, bool]:
        value = self.values[name]
        if isinstance(value, Enlarged):
            return value.small, True
        if isinstance(value, Joined):
            first = value.parts[0]
            if all(part is first for part in value.parts) and first.channels == first.stored:
                return first, False  # the core repeats the channels of a narrower map
        return self.map_of(name), False

    def _concat(self, node: Node) -> None:
        parts = [part for name in node["inputs"] for part in self.parts_of(name)]
        self.values[node["name"]] = Joined(parts)

    def _upsample2_nearest(self, node: Node) -> None:
        self.values[node["name"]] = Enlarged(self.map_of(node["inputs"][0]))

    def _maxpool2(self, node: Node) -> None:
        source = self.map_of(node["inputs"][0])
        output = self.new_map(node["name"], source.height // 2, source.width // 2, source.channels)
        self.start(node, Step("maxpool", output, [node["name"]], [source]))

    def _flatten(self, node: Node) -> None:
        source = self.map_of(node["inputs"][0])
        output = self.new_map(node["name"], 1, 1, source.height * source.width * source.channels)
        self.start(node, Step("copy", output, [node["name"]], [source]))


assert UPSAMPLE == "upsample2_nearest"  # the method above is found by this name


def ordered(steps: list[Step], result: Map) -> list[Step]:
    """The steps that `result` needs, each as late as possible: right before the first that reads its map.

    Of what a step reads, the added map comes first and then what takes the most steps, so that a branch is
    finished before the next one begins and little waits meanwhile.
    """
    makers: dict[Map, list[Step]] = {}
    behind: dict[Map, int] = {}  # length of the longest chain of steps that ends in a map
    for step in steps:
        makers.setdefault(step.output, []).append(step)
        behind[step.output] = 1 + max((behind.get(source, 0) for source in step.reads), default=0)
    done: list[Step] = []
    seen: set[Step] = set()
    stack: list[tuple[Step, bool]] = [(step, False) for step in reversed(makers[result])]
    while stack:
        step, complete = stack.pop()
        if complete:
            done.append(step)
        elif step not in seen:
            seen.add(step)
            stack.append((step, True))
            before = sorted(step.sources, key=lambda source: -behind[source])
            for needed in reversed([step.add, *before] if step.add else before):
                stack.extend((maker, False) for maker in reversed(makers[needed]))
    return done
