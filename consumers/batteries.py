"""Batteries by what they have in common: of a model, with findings, read in some time, silent for long. Reads only."""

from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import asdict
from psycopg.rows import dict_row

from consumers.counted import Counts
from consumers.timeline import Holds, asking, plain, where_it_holds
from projections.database import Connection, load_queries

PAGE: Final = 50

_QUERIES: Final = load_queries("consumers", "batteries.sql")


class Wanted(Struct, frozen=True, kw_only=True):
    """Which batteries; None asks for nothing."""

    model: str | None = None
    no_passport: bool = False
    search: str | None = None  # part of an id or a model, or the first digits of a key
    rule: str | None = None
    severity: Literal["critical", "high", "warning"] | None = None
    never: bool = False  # read
    silent_days: tuple[int, int] | None = None  # newest reading at least and less than so many days ago
    read_from: int | None = None  # slots: with a reading from here
    read_to: int | None = None  # to here
    cycles_from: int | None = None  # with a reading of so many cycles
    cycles_to: int | None = None
    verdict: Literal["ledger", "crypto", "binding", "plausibility"] | None = None  # with a reading of this result in it
    result: Literal["passed", "failed", "not_assessable"] | None = None
    worth: Literal["passed", "failed", "rejected"] | None = None

    @property
    def of_readings(self) -> bool:
        """Whether something is asked of single readings."""
        asked = (self.read_from, self.read_to, self.cycles_from, self.cycles_to, self.verdict, self.worth)
        return any(each is not None for each in asked)


class Listed(Struct, frozen=True, kw_only=True):
    """A battery in a list, at its newest reading that counts."""

    deployment: str
    battery_key: str
    battery_id_text: str | None
    model: str | None
    chemistry: str | None
    status: str | None
    soh_bp: int | None
    cycle_count: int | None
    slot: int | None
    time: datetime | None
    readings: int  # that count
    critical: int
    high: int
    warning: int
    rules: tuple[str, ...]
    course: tuple[int, ...] = ()  # of the state of health, 1/100 percent, oldest first


class Batteries(Struct, frozen=True, kw_only=True):
    """A part of the list."""

    holds: Holds
    total: int
    batteries: tuple[Listed, ...]


def list_batteries(  # noqa: PLR0913 - which, when, and which part
    connection: Connection,
    wanted: Wanted,
    as_of_step: int | None = None,
    *,
    as_of_slot: int | None = None,
    offset: int = 0,
    limit: int = PAGE,
) -> Batteries:
    """The gravest first. Raises StepNotReached, SchemaMismatch, DatabaseUnwell."""
    with asking(), connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        holds = where_it_holds(cursor, as_of_step, as_of_slot)
        asked = Counts(cursor, _QUERIES, holds.step, as_of_slot, asdict(wanted) | {"limit": limit, "offset": offset})
        silent: dict[str, Any] = {"silent_from": None, "silent_to": None}
        if wanted.silent_days is not None:
            at = asked.rows("newest_time")[0]["max"]
            if at is not None:
                least, most = (timedelta(days=min(days, 10**5)) for days in wanted.silent_days)
                silent = {"silent_from": at - most, "silent_to": at - least}
        search = (wanted.search or "").strip().lower() or None
        found = asked.rows("list_batteries", **silent | {"search": search, "of_readings": wanted.of_readings})
        rows = [plain(row) for row in found]
        keys = [bytes.fromhex(row["battery_key"]) for row in rows]
        course = {
            (row["deployment"], row["battery_key"]): tuple(row["course"])
            for row in asked.rows("courses_of", listed=keys)
        }
    total = rows[0].pop("total") if rows else 0
    return Batteries(
        holds=holds,
        total=total,
        batteries=tuple(
            msgspec.convert(row | {"course": course.get((row["deployment"], row["battery_key"]), ())}, Listed)
            for row in rows
        ),
    )
