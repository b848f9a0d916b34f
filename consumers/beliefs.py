"""What was believed of a battery until a rollback took it back, and the evidence behind one event, standing or not.

Reads, never writes.
"""

from datetime import datetime
from typing import Any, Final, LiteralString

import msgspec
from msgspec import Raw, Struct
from psycopg import sql
from psycopg.rows import dict_row

from consumers.timeline import asking, plain
from consumers.timeline_questions import known
from projections.database import Connection, load_queries

SHOWN: Final = 200
"""Events taken back that one answer holds: somebody who asks about more asks the log."""

_QUERIES: Final = load_queries("consumers", "beliefs.sql")


class Belief(Struct, frozen=True, kw_only=True):
    """An event that was on the chain as far as we knew, until a rollback."""

    type: str
    fact: str
    event_id: str
    slot: int
    height: int
    block: str
    time: str
    transaction: str
    known_from_step: int
    taken_back_at_step: int
    believed_from: datetime | None  # by the database's clock; None where that was not kept
    believed_until: datetime | None
    rolled_back_to_height: int | None
    soh_bp: int | None  # of a reading, as it was believed
    cycle_count: int | None
    counter: int | None
    rejected: bool | None
    ledger: str | None  # its verdicts then
    crypto: str | None
    binding: str | None
    plausibility: str | None
    stands_as: str | None  # event id of the same fact where it stands now; None: it never came back
    stands_height: int | None
    stands_slot: int | None
    stands_since_step: int | None


class Evidence(Struct, frozen=True, kw_only=True):
    """One statement of a fact, with what was made of it."""

    event: dict[str, Any]
    body: Raw  # JSON, as in the log
    until_step: int | None  # taken back at this step
    reading: dict[str, Any] | None
    verdict: dict[str, Any] | None
    findings: list[dict[str, Any]]


def read_beliefs(
    connection: Connection,
    deployment: str,
    battery_key: str,
    as_of_step: int | None = None,
    *,
    as_of_slot: int | None = None,
) -> list[Belief]:
    """What was taken back, the newest rollback first. Raises SchemaMismatch, DatabaseUnwell."""
    parameters = {
        "deployment": deployment,
        "battery_key": bytes.fromhex(battery_key),
        "step": as_of_step,
        "slot": as_of_slot,
        "limit": SHOWN,
    }
    query: LiteralString = _QUERIES["retracted"]
    with asking(), connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql.SQL(query).format(known=known(as_of_step)), parameters)
        return msgspec.convert([plain(row) for row in rows], list[Belief])


def read_evidence(connection: Connection, deployment: str, battery_key: str, event_id: str) -> Evidence | None:
    """An event by its id (32 bytes, hex), whether it stands or was taken back; None where there is none."""
    parameters = {
        "deployment": deployment,
        "battery_key": bytes.fromhex(battery_key),
        "event_id": bytes.fromhex(event_id),
    }
    with asking(), connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

        def rows(name: str) -> list[dict[str, Any]]:
            return cursor.execute(_QUERIES[name], parameters).fetchall()

        found = rows("event")
        if not found:
            return None
        body, until = Raw(found[0].pop("body")), found[0]["known_until_step"]
        reading, verdict = rows("reading_of"), rows("verdict_of")
        return Evidence(
            event=plain(found[0]),
            body=body,
            until_step=until,
            reading=plain(reading[0]) if reading else None,
            verdict=plain(verdict[0]) if verdict else None,
            findings=[plain(row) for row in rows("findings_in")],
        )
