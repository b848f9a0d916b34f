"""State of health against cycles of one model: quantiles of its readings, and each battery where it stands now."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup
from msgspec import Struct

from consumers.dashboard.charts.axes import place_down, x_axis, y_axis
from consumers.dashboard.charts.marks import mark
from consumers.dashboard.charts.scale import Scale, nice, number, ticks
from consumers.dashboard.charts.svg import CANVAS, Point, area, chart, line, linked, percent, stretched, tag, together

HEIGHT: Final = 132
_BELOW: Final = 22


class Slice(Struct, frozen=True):
    """Quantiles of readings with about as many cycles: 5, 25, 50, 75 and 95 %, in percent of health."""

    cycles: float
    soh: tuple[float, float, float, float, float]
    words: str  # what it says, for whoever points at it
    href: str


class Stand(Struct, frozen=True):
    """A battery at its newest reading."""

    cycles: float
    soh: float
    severity: str | None  # of the gravest that was found about it
    words: str
    href: str


def fade_chart(  # noqa: PLR0913, PLR0917 - all that one panel shows
    name: str, title: str, slices: Sequence[Slice], stands: Sequence[Stand], soh: Scale, cycles_high: float
) -> Markup:
    """One panel. ``soh`` and ``cycles_high`` are shared by panels, so that they can be compared by eye."""
    across = Scale(0.0, max(cycles_high, 1.0))

    def points(quantile: int) -> list[Point]:
        return [(across(s.cycles) * CANVAS, place_down(soh, s.soh[quantile], HEIGHT)) for s in slices]

    low, quarter, median, upper, high = map(points, range(5))
    y_scale, y_ticks = nice(soh, 3)
    del y_scale
    parts = [
        y_axis(soh, [each for each in y_ticks if soh.low <= each <= soh.high], HEIGHT, unit="%"),
        x_axis([(across(each), number(each)) for each in ticks(across, 3)], HEIGHT, lines=False),
        stretched(
            HEIGHT,
            area(high, low, "band outer"),
            area(upper, quarter, "band inner"),
            line(median, "median"),
        ),
        together(_slice(each, across, slices, at) for at, each in enumerate(slices)),
        # The gravest last: on top.
        together(
            _stand(each, across, soh) for each in sorted(stands, key=lambda each: _RANK.get(each.severity or "", 0))
        ),
    ]
    desc = f"{title}: median and quantiles of state of health in percent against cycles; a mark is a battery now."
    return chart(title, desc, HEIGHT + _BELOW, *parts, name=name)


_RANK: Final = {"warning": 1, "high": 2, "critical": 3}


def _slice(each: Slice, across: Scale, slices: Sequence[Slice], at: int) -> Markup:
    """An area to point at: halfway to the neighbours, and as far beyond the last."""
    left = across((slices[at - 1].cycles + each.cycles) / 2) if at else 0.0
    right = across((slices[at + 1].cycles + each.cycles) / 2) if at + 1 < len(slices) else 1.0
    if at and at + 1 == len(slices):
        right = across(each.cycles + (each.cycles - slices[at - 1].cycles) / 2)
    surface = tag("rect", class_="target", x=percent(left), y=0, width=percent(max(right - left, 0.0)), height=HEIGHT)
    return linked(each.href, each.words, surface, stop=False)


def _stand(each: Stand, across: Scale, soh: Scale) -> Markup:
    x, y = percent(across(each.cycles)), place_down(soh, each.soh, HEIGHT)
    return linked(each.href, each.words, mark(each.severity, x, y), stop=False)
