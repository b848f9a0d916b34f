"""Marks that differ by shape as well as by colour: who sees no colours must tell them apart too."""

from typing import Final

from markupsafe import Markup

from consumers.dashboard.charts.svg import tag

_SHAPES: Final = {
    # Around (0, 0), some 10 px wide. The same shapes as the signs of the chips: ◆ ▲ !
    "critical": "M0-6.5L6.5 0L0 6.5L-6.5 0Z",
    "high": "M0-6L6 5H-6Z",
    "warning": "M-4.5-4.5H4.5V4.5H-4.5Z",
}


def mark(severity: str | None, x: str, y: float, class_: str = "") -> Markup:
    """A mark at a share of the width (such as ``12.5%``) and ``y`` pixels down. Without a severity: a small dot."""
    shape = _SHAPES.get(severity or "")
    if shape is None:
        return tag("circle", class_=f"dot {class_}".strip(), cx=x, cy=y, r=3.5)
    # A path has no x of its own in percent: a nested svg has.
    path = tag("path", class_=f"mark {severity} {class_}".strip(), d=shape)
    return tag("svg", path, class_="at", x=x, y=y, width=1, height=1)
