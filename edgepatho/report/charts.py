"""Charts as inline SVG.

Colours are the page's style variables, so one drawing serves dark mode, light mode and print.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH = 720
LABELS = 236  # width of the names beside horizontal bars
ROW = 30
PLOT_HEIGHT = 200
MARGIN = 64
SERIES = ("ours", "baseline", "peer", "other")  # style classes with a colour-blind palette


@dataclass(frozen=True)
class Bar:
    """One horizontal bar: its value, the value as printed, its series and its standard deviation."""

    label: str
    value: float
    shown: str
    series: str
    deviation: float = 0


def bars(title: str, items: Sequence[Bar]) -> Markup:
    """Return horizontal bars from zero, one per row, each with its value at the end."""
    top = max((bar.value + bar.deviation for bar in items), default=0) or 1
    room = WIDTH - LABELS - 96
    drawn = []
    for row, bar in enumerate(items):
        y = row * ROW
        length = max(bar.value / top * room, 1)
        drawn += [
            _tag("text", bar.label, x=LABELS - 10, y=y + 20, class_="name"),
            _tag("rect", x=LABELS, y=y + 6, width=length, height=ROW - 12, rx=2, class_=bar.series),
        ]
        end = LABELS + length
        if bar.deviation:
            low = LABELS + max(bar.value - bar.deviation, 0) / top * room
            end = LABELS + (bar.value + bar.deviation) / top * room
            drawn.append(
                _tag("path", d=f"M{low:.1f} {y + 15}H{end:.1f}M{end:.1f} {y + 11}v8", class_="spread")
            )
        drawn.append(_tag("text", bar.shown, x=end + 8, y=y + 20))
    return _figure(title, len(items) * ROW, drawn)


def lines(title: str, series: Mapping[str, Sequence[tuple[float, float]]], x_label: str) -> Markup:
    """Return one line per series over a common x axis; y starts at zero."""
    every = [point for points in series.values() for point in points]
    frame = _Frame((min(x for x, _ in every), max(x for x, _ in every)), (0, max(y for _, y in every) or 1))
    drawn = frame.axes(x_label)
    for index, (name, points) in enumerate(series.items()):
        path = "L".join(f"{frame.x(x):.1f} {frame.y(y):.1f}" for x, y in sorted(points))
        kind = SERIES[index % len(SERIES)]
        drawn.append(_tag("path", d=f"M{path}", class_=f"line {kind}"))
        drawn += _key(index, name, kind)
    return _figure(title, PLOT_HEIGHT + 44, drawn)


def columns(title: str, items: Sequence[tuple[str, float]], x_label: str) -> Markup:
    """Return one thin column per item, in order; the item's name and value show on hover."""
    frame = _Frame((0, max(len(items), 1)), (0, max((value for _, value in items), default=0) or 1))
    drawn = frame.axes(x_label, x_ticks=False)
    width = max(frame.x(1) - frame.x(0) - 2, 1)
    for index, (name, value) in enumerate(items):
        label = _tag("title", f"{name}: {value:,.4g}")
        y = frame.y(value)
        drawn.append(
            _tag("rect", label, x=frame.x(index) + 1, y=y, width=width, height=PLOT_HEIGHT - y, class_="ours")
        )
    return _figure(title, PLOT_HEIGHT + 44, drawn)


def stems(title: str, values: Sequence[float], counts: Sequence[int], x_label: str) -> Markup:
    """Return a stem of height `counts[i]` at each `values[i]`."""
    frame = _Frame((min(values), max(values)), (0, max(counts) or 1))
    drawn = frame.axes(x_label)
    path = "".join(
        f"M{frame.x(value):.1f} {PLOT_HEIGHT}V{frame.y(count):.1f}"
        for value, count in zip(values, counts, strict=True)
    )
    drawn.append(_tag("path", d=path, class_="stem ours"))
    return _figure(title, PLOT_HEIGHT + 44, drawn)


def scatter(title: str, series: Mapping[str, Sequence[tuple[float, float]]], x_label: str) -> Markup:
    """Return a scatter plot with one colour per series."""
    every = [point for points in series.values() for point in points]
    ys = [y for _, y in every]
    frame = _Frame((0, max(x for x, _ in every) or 1), (min(*ys, 0), max(*ys, 0) or 1))
    drawn = frame.axes(x_label)
    drawn.append(_tag("path", d=f"M{MARGIN} {frame.y(0):.1f}H{WIDTH - 12}", class_="axis"))
    for index, (name, points) in enumerate(series.items()):
        kind = SERIES[index % len(SERIES)]
        for x, y in points:
            label = _tag("title", f"{name}: {x:.3g}, {y:+.2f}")
            drawn.append(_tag("circle", label, cx=frame.x(x), cy=frame.y(y), r=4.5, class_=kind))
        drawn += _key(index, name, kind)
    return _figure(title, PLOT_HEIGHT + 44, drawn)


@dataclass(frozen=True)
class _Frame:
    """The plot area: maps data ranges to pixels."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.x_range
        return MARGIN + (value - low) / ((high - low) or 1) * (WIDTH - MARGIN - 12)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return PLOT_HEIGHT - (value - low) / ((high - low) or 1) * (PLOT_HEIGHT - 28)

    def axes(self, x_label: str, *, x_ticks: bool = True) -> list[Markup]:
        drawn = []
        for tick in _ticks(*self.y_range):
            y = self.y(tick)
            drawn.append(_tag("path", d=f"M{MARGIN} {y:.1f}H{WIDTH - 12}", class_="grid"))
            drawn.append(_tag("text", _number(tick), x=MARGIN - 8, y=y + 4, class_="tick left"))
        for tick in _ticks(*self.x_range) if x_ticks else ():
            drawn.append(_tag("text", _number(tick), x=self.x(tick), y=PLOT_HEIGHT + 18, class_="tick"))
        drawn.append(_tag("path", d=f"M{MARGIN} {PLOT_HEIGHT}H{WIDTH - 12}", class_="axis"))
        middle = (WIDTH + MARGIN) / 2
        drawn.append(_tag("text", x_label, x=middle, y=PLOT_HEIGHT + 38, class_="tick"))
        return drawn


def _ticks(low: float, high: float) -> list[float]:
    """Return about five round numbers from `low` to `high`."""
    if high <= low:
        return [low]
    raw = (high - low) / 5
    step = 10 ** math.floor(math.log10(raw))
    step *= next(factor for factor in (1, 2, 5, 10) if factor * step >= raw)
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)]


def _number(value: float) -> str:
    return f"{value:,.10g}" if abs(value) < 1e7 else f"{value:.3g}"


def _key(index: int, name: str, kind: str) -> list[Markup]:
    x = MARGIN + 8 + index * 160
    return [
        _tag("rect", x=x, y=4, width=12, height=12, rx=2, class_=kind),
        _tag("text", name, x=x + 18, y=14),
    ]


def _figure(title: str, height: float, drawn: Sequence[Markup]) -> Markup:
    return _tag("svg", *drawn, viewBox=f"0 0 {WIDTH} {height}", role="img", aria_label=title)


def _tag(name: str, *children: str | Markup, **attributes: str | float) -> Markup:
    """Return an SVG element; text and attributes are escaped, numbers rounded to a tenth of a pixel."""
    listed = Markup("").join(
        Markup(' {}="{}"').format(
            key.rstrip("_").replace("_", "-"), f"{value:.1f}" if isinstance(value, float) else value
        )
        for key, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(name, listed, Markup("").join(escape(c) for c in children))
