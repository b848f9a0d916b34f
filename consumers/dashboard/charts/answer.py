"""An answer's chart, as its query proposes it: bars, lines or points, from the columns that whoever asks may see."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from markupsafe import Markup

from consumers.dashboard.charts.axes import place_down, x_axis, y_axis
from consumers.dashboard.charts.scale import nice, number, scale_of, ticks
from consumers.dashboard.charts.svg import CANVAS, chart, line, percent, stretched, tag, together
from consumers.queries.model import Answer

HEIGHT: Final = 220
BARS: Final = 40
"""Bars in one chart; of more rows the first, which are the ones that the query puts first."""

SERIES: Final = 8
"""Told apart by number in the legend; what is beyond shares the last."""

GREATEST: Final = 10**15
"""A claimed number beyond is not drawn."""

POINTS: Final = 4_000
_BELOW: Final = 24


def answer_chart(answer: Answer, name: str) -> Markup | None:
    """None where there is nothing to draw, or a column of it is not for whoever asked."""
    plan = answer.query.chart
    places = {column.name: at for at, column in enumerate(answer.columns)}
    if plan is None or not answer.rows or plan.x not in places or not set(plan.y) <= places.keys():
        return None
    unit = answer.columns[places[plan.y[0]]].unit
    by = places.get(plan.by) if plan.by else None
    found = [
        (row[places[plan.x]], [_float(row[places[y]]) for y in plan.y], None if by is None else row[by])
        for row in answer.rows
    ]
    found = [each for each in found if any(value is not None for value in each[1])]
    if not found:
        return None
    title = f"{answer.query.title}: {', '.join(plan.y)} by {plan.x}".replace("_", " ")
    if plan.kind in ("bar", "range"):
        return _bars(name, title, found[:BARS], unit, ranged=plan.kind == "range")
    return _points(name, title, found[:POINTS], unit, joined=plan.kind == "line")


_Row = tuple[Any, list[float | None], Any]


def _bars(name: str, title: str, rows: Sequence[_Row], unit: str, *, ranged: bool) -> Markup:
    values = [value for _, found, _ in rows for value in found if value is not None]
    scale, steps = nice(scale_of(values if ranged else [0.0, *values], room=0.02))
    width = 1 / len(rows)
    parts = [y_axis(scale, steps, HEIGHT, unit=unit), x_axis([], HEIGHT)]
    for at, (x, found, by) in enumerate(rows):
        words = f"{_words(x)}{'' if by is None else f', {_words(by)}'}: " + ", ".join(
            "none" if value is None else f"{number(value)} {unit}".strip() for value in found
        )
        known = [value for value in found if value is not None]
        spans = [(min(known), max(known))] if ranged else [(min(0.0, value), max(0.0, value)) for value in known]
        share = width / len(spans)
        for place, (low, high) in enumerate(spans):
            top = place_down(scale, high, HEIGHT)
            parts.append(
                tag(
                    "rect",
                    tag("title", words),
                    class_=f"bar series-{place}",
                    x=percent(at * width + place * share + 0.1 * share),
                    width=percent(0.8 * share),
                    y=top,
                    height=max(1.0, place_down(scale, low, HEIGHT) - top),
                )
            )
    if len(rows) <= 12:
        parts.append(x_axis([((at + 0.5) * width, _short(row[0])) for at, row in enumerate(rows)], HEIGHT, lines=False))
    desc = f"{title}, {len(rows)} bars; the table below has all numbers."
    return chart(title, desc, HEIGHT + _BELOW, *parts, name=name)


def _points(name: str, title: str, rows: Sequence[_Row], unit: str, *, joined: bool) -> Markup:
    labels = sorted({_words(row[0]) for row in rows})
    numeric = all(_float(row[0]) is not None for row in rows)
    place = {label: float(at) for at, label in enumerate(labels)}
    groups = {key: at for at, key in enumerate(dict.fromkeys(_words(row[2]) for row in rows))}

    def across_of(x: Any) -> float:
        return (_float(x) or 0.0) if numeric else place[_words(x)]

    across = scale_of([across_of(row[0]) for row in rows])
    scale, steps = nice(scale_of([value for row in rows for value in row[1] if value is not None], room=0.02))
    marks = [(each, number(each)) for each in ticks(across, 5)] if numeric else _some(labels, place)
    parts = [
        y_axis(scale, steps, HEIGHT, unit=unit),
        x_axis([(across(at), words) for at, words in marks], HEIGHT, lines=False),
    ]
    if joined:
        for group, at in groups.items():
            points = sorted(
                (across(across_of(x)) * CANVAS, place_down(scale, found[0], HEIGHT))
                for x, found, by in rows
                if _words(by) == group and found[0] is not None
            )
            parts.append(stretched(HEIGHT, line(points, f"course series-{min(at, SERIES - 1)}")))
    dots = (
        tag(
            "circle",
            tag("title", f"{_words(by)} at {_words(x)}: {number(value)} {unit}".strip()),
            class_=f"dot series-{min(groups[_words(by)], SERIES - 1)}",
            cx=percent(across(across_of(x))),
            cy=place_down(scale, value, HEIGHT),
            r=3,
        )
        for x, found, by in rows
        for value in found[:1]
        if value is not None
    )
    parts.append(together(dots))
    return chart(title, f"{title}; the table below has all numbers.", HEIGHT + _BELOW, *parts, name=name)


def _some(labels: list[str], place: dict[str, float]) -> list[tuple[float, str]]:
    every = max(1, len(labels) // 6)
    return [(place[label], _short(label)) for label in labels[::every]]


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return float(value) if -GREATEST < value < GREATEST else None


def _words(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bytes():
            return value.hex()
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case _:
            return str(value)


def _short(value: Any) -> str:
    words = _words(value)
    return words if len(words) <= 14 else f"…{words[-12:]}"
