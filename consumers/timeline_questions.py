"""What is asked of a battery's tables: how much of its timeline, and each question's text for it."""

from functools import cache
from typing import Any, Final, LiteralString

from msgspec import Struct
from psycopg import Cursor, sql

from consumers.lives import Row
from consumers.plain_rows import plain_cursor
from projections.database import Connection, load_queries

QUERIES: Final = load_queries("consumers", "queries.sql")
_NOW: Final = sql.SQL("known_until_step IS NULL")
_BEFORE: Final = sql.SQL(
    "(height, transaction_index, event_index)"
    " < (%(before_height)s::bigint, %(before_transaction)s::integer, %(before_event)s::integer)"
)
# Written so that each half fits one of the two partial indexes of a table.
_AFTER_STEP: Final = sql.SQL(
    "known_from_step <= %(step)s AND (known_until_step IS NULL"
    " OR (known_until_step IS NOT NULL AND known_until_step > %(step)s))"
)


def known(as_of_step: int | None) -> sql.SQL:
    """A condition on a row's span of knowledge: that it holds now, or held after the step in the parameter ``step``."""
    return _NOW if as_of_step is None else _AFTER_STEP


class Part(Struct, frozen=True, kw_only=True):
    """How much of a timeline is asked for. What nobody looks at need not be read: readings' events, with their bytes,
    and checks are nine tenths of it.
    """

    lines: int | None = None  # the newest so many; None: all
    bodies: int | None = None  # with readings' events of the newest so many; None: of all lines
    checks: bool = True  # with each reading's checks
    course: bool = True  # with the state of health of every reading, those of earlier lines too
    before: tuple[int, int, int] | None = None  # only what came before this height, transaction and event of it

    def bounds(self, as_of_slot: int | None) -> dict[str, int | None]:
        """Of the questions. Up to a slot it takes all events to say what the rows were."""
        part = self if as_of_slot is None else WHOLE
        places = zip(("before_height", "before_transaction", "before_event"), part.before or (None,) * 3, strict=True)
        return {"slot": as_of_slot, "lines": part.lines, "bodies": part.bodies, **dict(places)}


WHOLE: Final = Part()


class Questions:
    """Questions in a pipeline: each is on its way when it is made, and waits for its answer when that is fetched."""

    def __init__(self, connection: Connection, parameters: dict[str, Any]) -> None:
        self._connection = connection
        self._parameters = parameters

    def __call__(self, name: str, *, checks: bool = True, **more: Any) -> Cursor[Row]:
        given = self._parameters
        query = _question(
            name, given["step"] is None, more.get("facts") is None, checks, given["before_height"] is None
        )
        return plain_cursor(self._connection).execute(query, given | more)

    def about(self, shown: list[Row], course: list[Row], part: Part) -> dict[str, Cursor[Row]]:
        """What is said of the lines that are shown."""
        here = {row["fact"] for row in shown}
        answered = {row["commitment"] for row in course if row["fact"] in here}
        facts = None if part.lines is None else [bytes.fromhex(fact) for fact in here | answered if fact]
        about = {
            "readings": self("readings", facts=facts),
            "commitments": self("commitments", facts=facts),
            "verdicts": self("verdicts", facts=facts, checks=part.checks),
            "findings": self("findings", facts=facts),
        }
        if before := [bytes.fromhex(fact) for fact in answered - here if fact]:
            about["minted_at"] = self("minted_at", answered=before)
        return about


@cache
def _question(name: str, now: bool, whole: bool, checks: bool, newest: bool) -> bytes:
    # What is not asked for is left out of the text: to a plan made once, a parameter that is null says nothing.
    query: LiteralString = QUERIES[name]
    of = sql.SQL("true" if whole else "fact = ANY (%(facts)b)")
    before = sql.SQL("true") if newest else _BEFORE
    more = sql.SQL(", checks" if checks else "")
    return sql.SQL(query).format(known=_NOW if now else _AFTER_STEP, of=of, before=before, checks=more).as_bytes(None)
