"""Counts: columns over time, and rows from the left."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup
from msgspec import Struct

from consumers.dashboard.charts.axes import place_down, x_axis, y_axis
from consumers.dashboard.charts.scale import Scale, nice, time_ticks
from consumers.dashboard.charts.svg import chart, linked, percent, tag, together

COLUMNS_HEIGHT: Final = 150
ROW_HEIGHT: Final = 20
_BELOW: Final = 22


class Part(Struct, frozen=True):
    """One colour of a column or row."""

    class_: str  # passed, failed, not_assessable, rejected; critical, high, warning
    count: int


class Column(Struct, frozen=True):
    """All that was counted in one period, parts from the bottom up."""

    at: float  # where it begins, Unix seconds
    parts: tuple[Part, ...]
    words: str
    href: str


def columns(name: str, title: str, desc: str, series: Sequence[Column], until: float) -> Markup:
    """Stacked columns over time. ``until``: where the last one ends, Unix seconds."""
    low = series[0].at if series else until - 1
    across = Scale(low, max(until, low + 1))
    greatest = max((sum(part.count for part in column.parts) for column in series), default=1)
    scale, ticks = nice(Scale(0.0, max(greatest, 1)), 3)
    ticks = [each for each in ticks if each == int(each)]
    parts = [y_axis(scale, ticks, COLUMNS_HEIGHT)]
    for at, column in enumerate(series):
        end = series[at + 1].at if at + 1 < len(series) else until
        parts.append(_column(column, across, end, scale))
    where = [(across(each), words) for each, words in time_ticks(low, until, 5)]
    parts.append(x_axis(where, COLUMNS_HEIGHT, lines=False))
    return chart(title, desc, COLUMNS_HEIGHT + _BELOW, *parts, name=name)


def _column(column: Column, across: Scale, end: float, scale: Scale) -> Markup:
    left, width = across(column.at), across(end) - across(column.at)
    bottom, shapes = COLUMNS_HEIGHT * 1.0, []
    for part in column.parts:
        if not part.count:
            continue
        height = COLUMNS_HEIGHT - place_down(scale, part.count, COLUMNS_HEIGHT)
        bottom -= height
        shapes.append(
            tag(
                "rect",
                class_=f"fill {part.class_}",
                x=percent(left + 0.08 * width),
                width=percent(0.84 * width),
                y=bottom,
                height=max(height, 1.0),
            )
        )
    surface = tag("rect", class_="target", x=percent(left), y=0, width=percent(width), height=COLUMNS_HEIGHT)
    return linked(column.href, column.words, surface, together(shapes), stop=False)


def row(parts: Sequence[Part], greatest: int, title: str) -> Markup:
    """One bar from the left, for a cell of a table: its parts one after another. The width is ``greatest``."""
    left, shapes = 0.0, []
    for part in parts:
        share = part.count / max(greatest, 1)
        if part.count:
            shapes.append(
                tag(
                    "rect",
                    class_=f"fill {part.class_}",
                    x=percent(left),
                    y=3,
                    # The least that can be seen: one failed reading in a million must not vanish.
                    width=percent(max(share, 0.004)),
                    height=ROW_HEIGHT - 6,
                )
            )
        left += share
    return tag("svg", tag("title", title), *shapes, class_="bar", width="100%", height=ROW_HEIGHT, role="img")
