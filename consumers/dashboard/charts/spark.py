"""A battery's course in a line of text."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from consumers.dashboard.charts.scale import Scale
from consumers.dashboard.charts.svg import CANVAS, line, tag, thinned

HEIGHT: Final = 20


def sparkline(values: Sequence[float], scale: Scale, title: str) -> Markup:
    """Values in order, evenly spaced, on a scale that all rows of a table share."""
    last = max(len(values) - 1, 1)
    points = [(at * CANVAS / last, 2 + (1 - scale(value)) * (HEIGHT - 4)) for at, value in enumerate(values)]
    return tag(
        "svg",
        tag("title", title),
        line(thinned(points, 100), "median"),
        class_="spark stretched",
        role="img",
        viewBox=f"0 0 {CANVAS:.0f} {HEIGHT}",
        preserveAspectRatio="none",
        width="100%",
        height=HEIGHT,
    )
