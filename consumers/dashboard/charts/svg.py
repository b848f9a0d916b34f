"""SVG elements as escaped text, and the frame that every chart has in common."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

from markupsafe import Markup, escape

CANVAS: Final = 1000.0
"""Units across of the stretched canvas that holds paths: they can't be given in percentages."""

_SPECIAL: Final = re.compile(r"[&<>\"']")

Point = tuple[float, float]
Value = str | float | int | None


def tag(name: str, /, *inside: Markup | str, **attributes: Value) -> Markup:
    """An element. ``class_`` and ``stroke_width`` are written ``class`` and ``stroke-width``; None leaves one out."""
    said = "".join([f' {_written(name)}="{_plain(value)}"' for name, value in attributes.items() if value is not None])
    within = "".join([each if isinstance(each, Markup) else _escaped(each) for each in inside])
    return Markup(f"<{name}{said}>{within}</{name}>" if within else f"<{name}{said}/>")  # noqa: S704  # escaped above


def together(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)


def chart(title: str, desc: str, height: int, *inside: Markup, name: str, class_: str = "plot") -> Markup:
    """A whole chart. ``name`` is its id on the page; ``title`` and ``desc`` are what a screen reader says of it."""
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", desc, id=f"{name}-desc"),
        *inside,
        class_=class_,
        width="100%",
        height=height,
        role="group",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
    )


def stretched(height: float, *inside: Markup) -> Markup:
    """Paths in units of the canvas, stretched over the width; CSS keeps their lines from being stretched too."""
    return tag(
        "svg",
        *inside,
        class_="stretched",
        width="100%",
        height=height,
        viewBox=f"0 0 {CANVAS:.0f} {height:g}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def line(points: Sequence[Point], class_: str) -> Markup:
    """A line through points of the canvas; nothing through fewer than two."""
    return tag("path", class_=class_, d=_path(points)) if len(points) > 1 else Markup("")


def area(upper: Sequence[Point], lower: Sequence[Point], class_: str) -> Markup:
    """The area between two lines over the same places."""
    if len(upper) < 2:
        return Markup("")
    return tag("path", class_=class_, d=_path([*upper, *reversed(lower)]) + "Z")


def linked(href: str, label: str, *inside: Markup, stop: bool = True) -> Markup:
    """What leads somewhere. ``stop``: the keyboard stops here; a chart of many marks has a table beside it instead."""
    return tag("a", tag("title", label), *inside, href=href, aria_label=label, tabindex=None if stop else -1)


def thinned(points: Sequence[Point], columns: int = 1200) -> list[Point]:
    """M4: of each of so many columns the first, least, greatest and last point, so a line looks the same with fewer.

    ``points`` are in order across.
    """
    if len(points) <= 4 * columns:
        return list(points)
    left, right = points[0][0], points[-1][0]
    width = (right - left) / columns or 1.0
    kept: list[Point] = []
    column: list[Point] = []
    number = 0
    for point in points:
        if (at := int((point[0] - left) / width)) != number and column:
            kept += _outline(column)
            column, number = [], at
        column.append(point)
    return kept + _outline(column)


def _outline(column: list[Point]) -> list[Point]:
    marks = {0, len(column) - 1}
    marks.add(min(range(len(column)), key=lambda at: column[at][1]))
    marks.add(max(range(len(column)), key=lambda at: column[at][1]))
    return [column[at] for at in sorted(marks)]


def percent(share: float) -> str:
    """A share of the width."""
    return f"{100 * share:.2f}%"


def _path(points: Iterable[Point]) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _plain(value: str | float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else _escaped(str(value))


def _escaped(text: str) -> str:
    """A chart has thousands of texts, and few of them have anything to escape."""
    return str(escape(text)) if _SPECIAL.search(text) else text


@cache
def _written(attribute: str) -> str:
    return attribute.rstrip("_").replace("_", "-")
