"""Answers about the past: which step was known at a moment, and what the chain said of a battery up to a slot."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict

from indexer.errors import OperatorMustAct
from projections.database import Connection, load_queries
from projections.errors import translated
from projections.facts import Fact, decode_body
from projections.packing import storable_json
from projections.rows import BATTERIES, COMMITMENTS, READINGS
from projections.timeline import EMPTY, fold

_QUERIES: Final = load_queries("consumers", "queries.sql")


class NothingKnownThen(OperatorMustAct):
    """The tables do not say what was known at that moment."""

    exit_code = 1


class Refolded(Struct, frozen=True):
    """Rows of a battery as they stood when the chain had come to a slot, as JSON can say them."""

    battery: dict[str, Any]
    readings: list[dict[str, Any]]  # in the chain's order
    commitments: list[dict[str, Any]]


def step_known_at(connection: Connection, moment: datetime) -> int:
    """The last step that the tables held at a moment, by the database's clock. Of a rebuilt table: the first time.

    Where workers share partitions it is partition 0's: another may have come to the step a moment sooner or later.
    Raises NothingKnownThen, DatabaseUnwell, SchemaMismatch.
    """
    with translated():
        row = connection.execute(_QUERIES["step_known_at"], {"moment": moment}).fetchone()
    if row is None:
        raise NothingKnownThen(
            f"the tables do not say what was known at {moment.isoformat()}: that is before their first step, or before"
            " such moments were kept"
        )
    return int(row[0])


def refold(events: Iterable[dict[str, Any]]) -> Refolded | None:
    """Folds a battery's events, plain rows of the query ``events``, in the chain's order. None where there are none.

    A row in the tables says what is true at the chain's end. What it said at a slot is the fold of the events up to it.
    """
    state = EMPTY
    readings: dict[str, dict[str, Any]] = {}
    commitments: dict[str, dict[str, Any]] = {}
    battery: dict[str, Any] | None = None
    for row in events:
        state, puts = fold(state, _fact(row))
        for put in puts:
            said: dict[str, Any] = storable_json(asdict(put.row))
            if put.table == BATTERIES:
                battery = said
            elif put.table == READINGS:
                readings[said["fact"]] = said
            elif put.table == COMMITMENTS:
                commitments[said["fact"]] = said
    return None if battery is None else Refolded(battery, list(readings.values()), list(commitments.values()))


def _fact(row: dict[str, Any]) -> Fact:
    event_id = row["event_id"]
    event = decode_body(row["body"], f"event {event_id} in the tables")
    return Fact(event, row["fact"], event_id, row["slot"], row["height"], row["block"], row["time"])
