"""Axes around a plot: text beside it in pixels, lines across it."""

from collections.abc import Iterable, Sequence
from typing import Final

from markupsafe import Markup

from consumers.dashboard.charts.scale import Scale, number
from consumers.dashboard.charts.svg import percent, tag, together

LABEL_DROP: Final = 16
"""Pixels from the plot's bottom to the base of the text below it."""


def y_axis(scale: Scale, ticks: Sequence[float], height: float, *, unit: str = "", top: float = 0.0) -> Markup:
    """Lines across with their numbers to the left; the unit stands beside the topmost one."""
    parts = []
    for tick in ticks:
        y = top + place_down(scale, tick, height)
        words = f"{number(tick)} {unit}".strip() if tick == ticks[-1] else number(tick)
        parts.append(tag("line", class_="grid", x1="0", x2="100%", y1=y, y2=y))
        parts.append(tag("text", words, class_="tick end", x="-6", y=y + 4))
    return together(parts)


def x_axis(at: Iterable[tuple[float, str]], bottom: float, *, top: float = 0.0, lines: bool = True) -> Markup:
    """Ticks at shares of the width, with text below. Those at the edges are written inwards."""
    parts = []
    for share, words in at:
        across = percent(share)
        if lines:
            parts.append(tag("line", class_="grid", x1=across, x2=across, y1=top, y2=bottom))
        place = "tick start" if share < 0.03 else "tick end" if share > 0.97 else "tick middle"
        parts.append(tag("text", words, class_=place, x=across, y=bottom + LABEL_DROP))
    parts.append(tag("line", class_="axis", x1="0", x2="100%", y1=bottom, y2=bottom))
    return together(parts)


def place_down(scale: Scale, value: float, height: float) -> float:
    """Pixels from the plot's top."""
    return (1.0 - scale(value)) * height
