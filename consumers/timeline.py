"""A battery's timeline as the tables hold it: now or as it was known after a step, whole or up to a slot of the chain.

Reads, never writes.
"""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, LiteralString

import msgspec
from msgspec import Raw, Struct
from psycopg import Cursor, sql
from psycopg.rows import dict_row

from consumers.as_of import refold
from consumers.lives import Minted, Row, Summary, age_of, effective_of, life_of, summary, sums_of, sums_said
from consumers.timeline_questions import QUERIES, WHOLE, Part, Questions, known
from indexer.errors import Retryable
from projections.database import Connection
from projections.errors import SchemaMismatch, translated

CONFIRMED_DEPTH_BLOCKS: Final = 15
"""Blocks on top of a block before it counts as confirmed: some five minutes, as exchanges ask of a deposit."""

NAMES_COMPARED: Final = 20_000
"""Batteries among which near matches of a wrong name are looked for."""

NEWEST_LINES: Final = 50
"""Of a long timeline what a person is shown first."""

Finality = Literal["pending", "confirmed", "final"]


class StepNotReached(Retryable):
    """The tables do not hold this step yet."""


class Holds(Struct, frozen=True):
    """Where an answer holds. All but the step are None where the tables don't know where that step stood."""

    step: int
    slot: int | None = None
    height: int | None = None
    block: str | None = None
    final_height: int | None = None
    tip_height: int | None = None
    as_of_slot: int | None = None  # asked for: only what the chain said up to this slot

    def finality(self, height: int) -> Finality:
        """Of a block that was on the chain then. Derived, never stored: it changes without an event."""
        if self.final_height is not None and height <= self.final_height:
            return "final"
        return "confirmed" if self.height is not None and self.height - height >= CONFIRMED_DEPTH_BLOCKS else "pending"


class Line(Struct, frozen=True):
    """One event of the timeline, with what the tables say of the reading or the commitment that it is about."""

    time: str
    slot: int
    height: int
    block: str
    transaction: str
    transaction_index: int
    event_index: int
    type: str
    event_id: str
    fact: str
    finality: Finality
    known_from_step: int
    event: Raw  # JSON, as in the log; null where it was not asked for
    reading: dict[str, Any] | None = None
    commitment: dict[str, Any] | None = None  # minted here
    ended: list[dict[str, Any]] = []  # commitments that ended here
    age: dict[str, Any] | None = None  # of a reading: an interval, see lives.age_of
    verdict: dict[str, Any] | None = None  # of a reading: four results, reasons and, if asked for, all checks
    findings: list[dict[str, Any]] = []  # what rules found here


class Timeline(Struct, frozen=True):
    """Everything known of a battery, in the chain's order."""

    battery: dict[str, Any]
    holds: Holds
    lines: list[Line]
    summary: Summary  # of all of it, whatever lines are there
    alerts: list[dict[str, Any]]  # that stand
    earlier: int = 0  # lines before these, which were not asked for
    soh_bp: list[int] = []  # of the readings that took effect, those of earlier lines too; 1/100 percent


def find_batteries(connection: Connection, battery: str, as_of_step: int | None = None) -> list[tuple[str, str]]:
    """Deployment and key of the batteries of this id (text, or hex) or key (28 bytes, hex)."""
    try:
        raw = bytes.fromhex(battery)
    except ValueError:
        raw = b""
    try:
        text = battery.encode(errors="surrogateescape")  # as the command line brings bytes that are no UTF-8
    except UnicodeEncodeError:
        text = b""  # half a surrogate pair: no id's
    found: list[tuple[str, str]] = []
    with asking():
        for battery_id in (text, raw):
            parameters = {"battery_id": battery_id, "battery_key": raw, "step": as_of_step}
            if battery_id:
                found += connection.execute(_query("find_batteries", as_of_step), parameters).fetchall()
    return list(dict.fromkeys(found))


def near_matches(connection: Connection, battery: str, as_of_step: int | None = None) -> list[str]:
    """Names of batteries that look like this one."""
    with asking():
        parameters = {"limit": NAMES_COMPARED, "step": as_of_step}
        names = [name for (name,) in connection.execute(_query("battery_names", as_of_step), parameters)]
    return difflib.get_close_matches(battery, names, n=5, cutoff=0.5)


def battery_now(connection: Connection, deployment: str, battery_key: str) -> dict[str, Any] | None:
    """A battery's row as it holds now; None where nothing is known of it."""
    parameters = {"deployment": deployment, "battery_key": bytes.fromhex(battery_key)}
    with asking(), connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_query("battery", None), parameters).fetchone()
    return None if row is None else plain(row)


def read_timeline(  # noqa: PLR0913 - whose, of when, and how much
    connection: Connection,
    deployment: str,
    battery_key: str,
    as_of_step: int | None = None,
    *,
    as_of_slot: int | None = None,
    part: Part = WHOLE,
) -> Timeline | None:
    """A battery's timeline; None where nothing is known of it.

    ``as_of_step``: with what was known after this step of the log, forks that were undone later included.
    ``as_of_slot``: up to this slot of the chain, as if nothing had come after it (without alerts, which sum up all that
    was found); both together: as it was known then. Raises StepNotReached, SchemaMismatch.
    """
    parameters = {"deployment": deployment, "battery_key": bytes.fromhex(battery_key), "step": as_of_step}
    parameters |= part.bounds(as_of_slot)
    with asking(), connection.pipeline(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")  # one moment for all answers
        ask = Questions(connection, parameters)
        is_summed = as_of_slot is None and not part.course
        asked = {name: ask(name) for name in (*_FIRST, *(_SUMMED if is_summed else _WHOLE))}
        position = asked["checkpoint"].fetchall()
        if not position:
            return None
        if as_of_step is not None:
            if as_of_step > position[0]["step"]:
                raise StepNotReached(f"the tables hold step {position[0]['step']}, not yet {as_of_step}")
            position = ask("step").fetchall() or [{"step": as_of_step}]
        holds = msgspec.convert(position[0] | {"as_of_slot": as_of_slot}, Holds)
        events = asked["events"].fetchall()[::-1]
        sought = events if part.before is None else [row for row in events if _place(row) < part.before]
        shown = sought if part.lines is None else sought[max(len(sought) - part.lines, 0) :]
        chain_slot = holds.slot if as_of_slot is None else as_of_slot
        lives: list[Row] = []
        if as_of_slot is None:
            battery = asked["battery"].fetchone()
            course = asked["newest_course" if is_summed else "course"].fetchall()
            lives = [] if is_summed else asked["lives"].fetchall()
        else:
            found = refold(events)
            battery = found.battery if found else None
            course, lives = (found.readings, found.commitments) if found else ([], [])
        if battery is None:
            return None
        about = ask.about(shown, course, part)
        if is_summed:
            about["count_lives"] = ask("count_lives", chain_slot=chain_slot)
        counts, bounding, alerts = (asked[name].fetchall() for name in ("count_verdicts", "of_the_operator", "alerts"))
        if as_of_slot is None:
            readings, commitments = about["readings"].fetchall(), about["commitments"].fetchall()
            in_all = sum(row["events"] for row in asked["count_events"])
        else:
            readings, commitments = course, lives
            in_all = len(sought)
        bodies = {row["fact"]: row["body"] for row in (*shown, *about.get("minted_at", ()))}
        said = _Said(
            _by_fact(readings),
            commitments,
            _by_fact(about["verdicts"].fetchall()),
            about["findings"].fetchall(),
            bodies,
        )
        sums = None
        if is_summed:
            said_of = (asked["counters"], asked["paid"], about["count_lives"])
            sums = sums_said(*(each.fetchall() for each in said_of))
    for row in (*lives, *commitments):
        row["life"] = life_of(row, chain_slot)
    slots = {row["transaction"]: (row["slot"], row["type"]) for row in bounding}
    return Timeline(
        battery,
        holds,
        _lines(shown, holds, said, slots),
        summary(battery, sums_of(course, lives) if sums is None else sums, counts),
        alerts,
        in_all - len(shown),
        [] if is_summed else [row["soh_bp"] for row in effective_of(course) if row["soh_bp"] is not None],
    )


_FIRST: Final = ("checkpoint", "battery", "events", "count_events", "count_verdicts", "of_the_operator", "alerts")
"""What is asked at once, without waiting for an answer; and for what it takes all readings of, or their sums."""

_WHOLE: Final = ("course", "lives")
_SUMMED: Final = ("newest_course", "counters", "paid")


class _Said(Struct, frozen=True):
    """What the tables say of lines beside the events."""

    readings: dict[str, Row]  # by fact
    commitments: list[Row]
    verdicts: dict[str, Row]  # by fact
    findings: list[Row]
    bodies: dict[str, bytes]  # by fact


def _place(row: Row) -> tuple[int, int, int]:
    """Of an event on the chain."""
    return row["height"], row["transaction_index"], row["event_index"]


def _lines(rows: list[Row], holds: Holds, said: _Said, slots: dict[str, tuple[int, str]]) -> list[Line]:
    minted = {row["fact"]: row for row in said.commitments}
    ended, findings = _by(said.commitments, "ended_fact"), _by(said.findings, "fact")
    lines: list[Line] = []
    for row in rows:
        fact = row["fact"]
        reading = said.readings.get(fact)
        answered = minted.get(reading["commitment"]) if reading is not None else None
        age = None
        if reading is not None and answered is not None:
            age = age_of(reading, answered, _MINTED.decode(said.bodies[answered["fact"]]), slots)
        lines.append(
            Line(
                **{name: row[name] for name in _OF_EVENT},
                finality=holds.finality(row["height"]),
                event=Raw(row["body"] or b"null"),
                reading=reading,
                commitment=minted.get(fact),
                ended=ended.get(fact, []),
                age=age,
                verdict=said.verdicts.get(fact),
                findings=findings.get(fact, []),
            )
        )
    return lines


_OF_EVENT: Final = (
    *("time", "slot", "height", "block", "transaction", "transaction_index", "event_index", "type"),
    *("event_id", "fact", "known_from_step"),
)


_MINTED: Final = msgspec.json.Decoder(Minted)


def _by_fact(rows: list[Row]) -> dict[str, Row]:
    return {row["fact"]: row for row in rows}


def _by(rows: list[dict[str, Any]], column: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row[column], []).append(row)
    return found


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON can say it: bytes as hex, numbers as integers, times as RFC 3339.

    Without the step that ended it: an answer about the past must stay the same whatever was learned after it.
    """
    return {name: _value(value) for name, value in row.items() if name != "known_until_step"}


def _value(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()
        case Decimal():
            return int(value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case _:
            return value


def _query(name: str, as_of_step: int | None) -> sql.Composed:
    query: LiteralString = QUERIES[name]
    return sql.SQL(query).format(known=known(as_of_step))


def where_it_holds(cursor: Cursor[dict[str, Any]], as_of_step: int | None, as_of_slot: int | None) -> Holds:
    """Of an answer about many batteries: what all partitions hold, or what was known after a step.

    Raises StepNotReached. The step is -1 where nothing was projected yet.
    """
    parameters = {"step": as_of_step}
    found = cursor.execute(QUERIES["least_checkpoint"]).fetchone()
    position = plain(found) if found else {"step": -1}
    if as_of_step is not None:
        if as_of_step > position["step"]:
            raise StepNotReached(f"the tables hold step {position['step']}, not yet {as_of_step}")
        found = cursor.execute(QUERIES["step"], parameters).fetchone()
        position = plain(found) if found else {"step": as_of_step}
    return msgspec.convert(position | {"as_of_slot": as_of_slot}, Holds)


@contextmanager
def asking() -> Iterator[None]:
    """Errors in our words; of a database without our tables in words that help."""
    try:
        with translated():
            yield
    except SchemaMismatch as mismatch:
        raise SchemaMismatch(f"{mismatch}: run `cellwitness project` on this database first") from mismatch
