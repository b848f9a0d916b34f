"""The pages on the twenty-five queries: what there is to ask, and each as a form with its answer."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from msgspec import Struct

from consumers.access import PROFILES, Asking, ask, asking_as, may_ask, visible_columns
from consumers.dashboard.charts.answer import answer_chart
from consumers.dashboard.charts.scale import number
from consumers.dashboard.layout import Layout, Page, Viewer
from consumers.dashboard.moment import Moment, asked_at
from consumers.queries import QUERIES, find_query
from consumers.queries.model import Answer, BadParameter, Query
from consumers.queries.run import sql_of
from consumers.text import visible
from consumers.timeline import Finality
from projections.database import Connection

ROWS_SHOWN: Final = 500
"""In the table of a page; downloads have all."""

OWN: Final = ("ask", "finality", "format", "query")
"""Parameters of the page beside the query's."""

_FINALITY: Final[dict[str, Finality]] = {"pending": "pending", "confirmed": "confirmed", "final": "final"}


class Cell(Struct, frozen=True):
    """One value as a table shows it."""

    text: str
    number: bool = False


def queries(layout: Layout, connection: Connection, moment: Moment, query: Mapping[str, str], viewer: Viewer) -> Page:
    """What there is to ask."""
    del connection, query
    profile = _asking(viewer).profile
    groups = {"surveillance": "Market surveillance", "audit": "Compliance and audit"}
    listed = [
        (title, [(each, may_ask(profile, each)) for each in QUERIES.values() if each.audience == audience])
        for audience, title in groups.items()
    ]
    body = layout.part("queries.html", groups=listed, profile=profile, moment=moment)
    return Page(title="Queries", section="queries", body=body)


def query(layout: Layout, connection: Connection, moment: Moment, query: Mapping[str, str], viewer: Viewer) -> Page:
    """One query: its meaning and form; and its answer, where it was asked or asks for nothing."""
    asked = find_query(query["query"])
    asking = _asking(viewer)
    finality = read_finality(query.get("finality", ""))
    given = given_of(asked, query)
    answer: Answer | None = None
    if may_ask(asking.profile, asked) and ("ask" in query or not any(each.required for each in asked.parameters)):
        answer = ask(connection, asking, asked, given, asked_at(moment, finality), form="page")
    downloads, again = _links(asked, given, moment, finality, answer)
    body = layout.part(
        "query.html",
        query=asked,
        allowed=may_ask(asking.profile, asked),
        allowing=[each.title for each in PROFILES.values() if may_ask(each, asked)],
        hidden=[c.name for c in asked.columns if c not in visible_columns(asking.profile, asked)],
        asking=asking,
        given=given,
        finality=finality,
        finalities=list(_FINALITY),
        moment=moment,
        answer=answer,
        rows=[[_cell(value) for value in row] for row in answer.rows[:ROWS_SHOWN]] if answer else [],
        shown=ROWS_SHOWN,
        chart=answer_chart(answer, "chart") if answer else None,
        sql=sql_of(asked, asked_at(moment, finality)),
        downloads=downloads,
        again=again,
    )
    return Page(title=asked.title, section="queries", body=body)


def read_finality(text: str) -> Finality:
    """Empty: everything. Raises BadParameter."""
    if text and text not in _FINALITY:
        raise BadParameter("finality", f"{text[:40]!r}: write one of {', '.join(_FINALITY)}")
    return _FINALITY[text or "pending"]


def given_of(asked: Query, query: Mapping[str, str]) -> dict[str, str]:
    """The query's own parameters as an address has them; empty ones, as a form sends them, are not given."""
    others = {*OWN, "as_of_slot", "as_of_step", "known_at", "min_step"}
    known = {each.name for each in asked.parameters}
    return {name: text for name, text in query.items() if text.strip() and (name in known or name not in others)}


def _asking(viewer: Viewer) -> Asking:
    return asking_as(viewer.name, viewer.profile, viewer.legal_basis or None)


def _links(
    asked: Query, given: Mapping[str, str], moment: Moment, finality: Finality, answer: Answer | None
) -> tuple[dict[str, str], str]:
    """Where the same answer is to be had as a file, and the address that gives it again, whatever comes later."""
    more = dict(given) | ({} if finality == "pending" else {"finality": finality})
    fixed = moment
    if answer is not None and moment.as_of_step is None and moment.known_at is None and answer.holds.step >= 0:
        fixed = Moment(as_of_slot=moment.as_of_slot, as_of_step=answer.holds.step)
    path = f"/api/v1/queries/{quote(asked.name)}"
    downloads = {form: fixed.link(path, **more, format=form) for form in ("csv", "parquet", "json")}
    return downloads, fixed.link(f"/queries/{quote(asked.name)}", **more, ask="yes")


def _cell(value: Any) -> Cell:
    match value:
        case None:
            return Cell("")
        case bool():
            return Cell("yes" if value else "no")
        case int() | Decimal():
            return Cell(_number(value), number=True)
        case bytes():
            return Cell(value.hex())
        case datetime():
            return Cell(f"{value:%Y-%m-%d %H:%M:%S}")
        case list():
            return Cell(visible(", ".join(map(str, value))))
        case _:
            return Cell(visible(str(value)))


def _number(value: int | Decimal) -> str:
    if not -(10**15) < value < 10**15:
        return visible(str(value))[:100]
    return number(float(value)) if isinstance(value, Decimal) else f"{value:,}".replace(",", "\u202f")
