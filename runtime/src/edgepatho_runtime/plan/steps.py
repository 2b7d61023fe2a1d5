"""Maps in memory, and the steps that read and write them."""

MAX_SOURCES = 4  # EP_MAX_SOURCES in core.h
CONVOLUTIONS = ("pointwise", "winograd", "upsampled")


class Map:
    """A feature map; `stored` channels are those in memory, a multiple of the vector length."""

    def __init__(self, name: str, height: int, width: int, channels: int, lanes: int) -> None:
        self.name = name
        self.height = height
        self.width = width
        self.channels = channels
        self.stored = -(-channels // lanes) * lanes
        self.rows = height  # kept in memory at once; fewer if the planner streams it
        self.offset = 0  # in elements; set by the planner


class Step:
    """One operation of the core (EP_... in core.h, lower case) with the nodes that it computes.

    Plain classes here and elsewhere in the planner: importing dataclasses costs a megabyte of memory.
    """

    def __init__(
        self,
        operation: str,
        output: Map,
        nodes: list[str],
        sources: list[Map] | None = None,
        enlarged: bool = False,
    ) -> None:
        self.operation = operation
        self.output = output
        self.sources = sources or []
        self.nodes = nodes
        self.weights: str | None = None  # names the tensors <weights>.index or .weight, .scale, .shift
        self.codebook: str | None = None
        self.affine: str | None = None  # elementwise: names the tensors .scale, .shift that come first
        self.dilation = 1
        self.enlarged = enlarged  # elementwise: the source is read as if nearest-x2 enlarged
        self.output_start = 0  # copy: first channel written
        self.slope: float | None = None
        self.add: Map | None = None
        self.add_enlarged = False
        self.post: str | None = None  # names the tensors .scale, .shift of the affine after the sum
        self.post_slope: float | None = None

    @property
    def reads(self) -> list[Map]:
        return [*self.sources, *([self.add] if self.add else [])]

    def takes_slope(self) -> bool:
        return self.slope is None and self.add is None and self.post is None and self.post_slope is None

    def takes_post_slope(self) -> bool:
        return (self.add is not None or self.post is not None) and self.post_slope is None

    def takes_add(self) -> bool:
        return self.add is None and self.post is None and self.post_slope is None

    def takes_post(self) -> bool:
        return self.post is None and self.post_slope is None
