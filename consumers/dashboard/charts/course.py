"""A battery's course: lanes of intervals and marks over plots of values, all on one axis of time."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup
from msgspec import Struct

from consumers.dashboard.charts.axes import place_down, x_axis, y_axis
from consumers.dashboard.charts.marks import mark
from consumers.dashboard.charts.scale import Scale, nice, scale_of, time_ticks
from consumers.dashboard.charts.svg import CANVAS, area, chart, line, linked, percent, stretched, tag, thinned, together

LANE_HEIGHT: Final = 16
_TITLE: Final = 15
_BELOW: Final = 34
DOTS: Final = 400
"""Samples that are marked one by one; of more, only those that stand out."""


class Interval(Struct, frozen=True):
    """Something that lasted; ``begin`` and ``end`` in Unix seconds."""

    begin: float
    end: float
    class_: str
    words: str
    href: str


class Sign(Struct, frozen=True):
    """Something at a moment, as grave as ``severity`` says."""

    at: float
    severity: str
    words: str
    href: str


class Sample(Struct, frozen=True):
    """A value at a moment. ``low``: the other end where it is a range."""

    at: float
    value: float
    class_: str  # "": as any other; failed, aside, rejected, past
    words: str
    href: str
    low: float | None = None


class Lane(Struct, frozen=True):
    """A row of intervals and marks, without values."""

    title: str
    intervals: tuple[Interval, ...] = ()
    signs: tuple[Sign, ...] = ()


class Plot(Struct, frozen=True):
    """Values on a scale of their own."""

    title: str
    unit: str
    height: int
    samples: tuple[Sample, ...]
    least_span: float = 1.0


def course_height(lanes: int, plots: Sequence[int]) -> int:
    """Pixels that a course of so many lanes, and plots of such heights, takes."""
    return lanes * (_TITLE + LANE_HEIGHT + 4) + sum(height + _TITLE + 12 for height in plots) + _BELOW


def course_chart(  # noqa: PLR0913, PLR0917 - all that it shows
    name: str, title: str, desc: str, lanes: Sequence[Lane], plots: Sequence[Plot], span: tuple[float, float]
) -> Markup:
    """The whole picture. ``span``: from when to when, Unix seconds."""
    across = Scale(span[0], max(span[1], span[0] + 1))
    top, parts = 0.0, []
    height = course_height(len(lanes), [plot.height for plot in plots])
    where = [(across(at), words) for at, words in time_ticks(*span, 5)]
    parts.append(x_axis(where, height - _BELOW))
    for lane in lanes:
        parts.append(_lane(lane, across, top))
        top += _TITLE + LANE_HEIGHT + 4
    for plot in plots:
        parts.append(_plot(plot, across, top))
        top += plot.height + _TITLE + 12
    return chart(title, desc, height, *parts, name=name, class_="plot course")


def _lane(lane: Lane, across: Scale, top: float) -> Markup:
    parts = [tag("text", lane.title, class_="title", x=0, y=top + _TITLE - 4)]
    base = top + _TITLE
    parts.append(tag("rect", class_="lane", x=0, y=base, width="100%", height=LANE_HEIGHT))
    for each in lane.intervals:
        left, right = across(each.begin), across(each.end)
        shape = tag(
            "rect",
            class_=f"interval {each.class_}",
            x=percent(left),
            y=base + 3,
            width=percent(max(right - left, 0.0015)),
            height=LANE_HEIGHT - 6,
        )
        parts.append(linked(each.href, each.words, shape, stop=False))
    parts += [
        linked(each.href, each.words, mark(each.severity, percent(across(each.at)), base + LANE_HEIGHT / 2), stop=False)
        for each in lane.signs
    ]
    return together(parts)


def _plot(plot: Plot, across: Scale, top: float) -> Markup:
    base, samples = top + _TITLE, plot.samples
    steady = [each for each in samples if each.class_ in ("", "failed")]
    lows = (each.low for each in steady if each.low is not None)
    # What was put aside is drawn at the edge: one null frame must not flatten all the rest.
    scale, ticks = nice(scale_of([*(each.value for each in steady), *lows], least_span=plot.least_span), 3)
    parts = [
        tag("text", f"{plot.title}, {plot.unit}" if plot.unit else plot.title, class_="title", x=0, y=top + _TITLE - 4),
        y_axis(scale, ticks, plot.height, top=base),
    ]

    def path(value_of: str) -> list[tuple[float, float]]:
        return thinned(
            [
                (across(each.at) * CANVAS, place_down(scale, getattr(each, value_of), plot.height))
                for each in steady
                if getattr(each, value_of) is not None
            ]
        )

    lower = path("low")
    upper = path("value")
    ranged = area(upper, lower, "band inner") if lower and len(lower) == len(upper) else line(upper, "median")
    parts.append(tag("svg", stretched(plot.height, ranged), y=base, width="100%", height=plot.height))
    shown = samples if len(samples) <= DOTS else [each for each in samples if each.class_]
    for each in shown:
        y = base + place_down(scale, each.value, plot.height)
        parts.append(linked(each.href, each.words, _dot(each, percent(across(each.at)), y), stop=False))
    return together(parts)


def _dot(sample: Sample, x: str, y: float) -> Markup:
    """Failed: a cross; put aside, rejected or taken back: hollow."""
    if sample.class_ == "failed":
        cross = tag("path", class_="cross", d="M-4-4L4 4M-4 4L4-4")
        return tag("svg", cross, class_="at", x=x, y=y, width=1, height=1)
    return tag("circle", class_=f"dot {sample.class_}".strip(), cx=x, cy=y, r=2.6 if not sample.class_ else 4)
