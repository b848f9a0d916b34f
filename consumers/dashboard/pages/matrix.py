"""The checks of a battery's readings as a matrix that explains itself: a row a check, in words; a column a reading."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from markupsafe import Markup, escape
from msgspec import Struct

from consumers.dashboard.moment import Moment
from consumers.dashboard.pages.links import event_link
from consumers.text import visible
from consumers.timeline import Line
from projections.verdicts.checks import NAMES
from projections.verdicts.words import CHECKS, why

COLUMNS: Final = 48
"""Readings shown at first: as many as fit a wide screen."""

NUMBERS: Final = {name: number for number, (name, _) in NAMES.items()}
SIGNS: Final = {"passed": "✓", "failed": "✗", "not_assessable": "?"}
_CELL: Final = {
    "passed": Markup('<td class="p">✓</td>'),
    "none": Markup("<td></td>"),
}


class MatrixRow(Struct, frozen=True, kw_only=True):
    """One check over the readings."""

    name: str
    number: int | None  # of the twelve
    words: str  # what it means that it passed
    cells: Markup
    failed: int
    open: int  # not assessable


class Matrix(Struct, frozen=True, kw_only=True):
    """The whole. ``months`` spans the columns' heads; ``heads`` are links to the readings."""

    months: tuple[tuple[str, int], ...]
    heads: Markup
    twelve: tuple[MatrixRow, ...]
    beside: tuple[MatrixRow, ...]
    columns: int
    left_out: int  # earlier readings


def matrix_of(lines: Sequence[Line], battery: Mapping[str, Any], moment: Moment, columns: int = COLUMNS) -> Matrix:
    """``lines`` in the chain's order; the newest ``columns`` judged readings are shown."""
    judged = [line for line in lines if line.verdict is not None]
    shown = judged[-columns:]
    names = {name for line in shown for name in (line.verdict or {})["checks"]}
    rows = [_row(name, shown, battery, moment) for name in sorted(names, key=_order)]
    return Matrix(
        months=tuple((month, len(list(each))) for month, each in groupby(line.time[:7] for line in shown)),
        heads=Markup("").join(_head(line, battery, moment) for line in shown),
        twelve=tuple(row for row in rows if row.number is not None),
        beside=tuple(row for row in rows if row.number is None),
        columns=len(shown),
        left_out=len(judged) - len(shown),
    )


def explained(verdict: Mapping[str, Any]) -> Iterator[tuple[int | None, str, str, str, str, str]]:
    """Every check of one reading: number, name, result, what passing means, why not, and the numbers asked about."""
    for name in sorted(verdict["checks"], key=_order):
        check = verdict["checks"][name]
        reasons = "; ".join(why(reason) for reason in check.get("reasons", ()))
        inputs = ", ".join(f"{key} {value}" for key, value in check.get("inputs", {}).items() if value is not None)
        yield NUMBERS.get(name), name, check["result"], CHECKS.get(name, name), visible(reasons), visible(inputs)


def _order(name: str) -> tuple[int, str]:
    return NUMBERS.get(name, len(NUMBERS) + 1), name


def _row(name: str, lines: Sequence[Line], battery: Mapping[str, Any], moment: Moment) -> MatrixRow:
    results = [(line, (line.verdict or {})["checks"].get(name)) for line in lines]
    return MatrixRow(
        name=name,
        number=NUMBERS.get(name),
        words=CHECKS.get(name, name),
        cells=Markup("").join(_cell(line, check, name, battery, moment) for line, check in results),
        failed=sum(check is not None and check["result"] == "failed" for _, check in results),
        open=sum(check is not None and check["result"] == "not_assessable" for _, check in results),
    )


def _cell(line: Line, check: Mapping[str, Any] | None, name: str, battery: Mapping[str, Any], moment: Moment) -> Markup:
    """A passed check is a quiet sign; any other leads to its reasons."""
    if check is None:
        return _CELL["none"]
    if check["result"] == "passed":
        return _CELL["passed"]
    reasons = "; ".join(why(reason) for reason in check.get("reasons", ()))
    word = "failed" if check["result"] == "failed" else "not assessable"
    label = f"{line.time[:10]}: {word}: {reasons or CHECKS.get(name, name)}"
    href = f"{event_link(moment, battery, line.event_id)}#check-{name}"
    return Markup('<td class="{}"><a href="{}" title="{}" aria-label="{}">{}</a></td>').format(
        check["result"][0], href, visible(label), visible(label), SIGNS[check["result"]]
    )


def _head(line: Line, battery: Mapping[str, Any], moment: Moment) -> Markup:
    verdict = line.verdict or {}
    results = {check["result"] for check in verdict["checks"].values()}
    worst = next(each for each in ("failed", "not_assessable", "passed") if each in results or each == "passed")
    label = f"reading of {line.time[:16].replace('T', ' ')} UTC, height {line.height}: {worst.replace('_', ' ')}"
    return Markup('<th scope="col" class="{}"><a href="{}" aria-label="{}" title="{}">{}</a></th>').format(
        worst[0], event_link(moment, battery, line.event_id), label, label, escape(line.time[8:10])
    )
