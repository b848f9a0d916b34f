"""A battery's passport as the tables hold it: the keys that its readings are verified by. Reads, never writes."""

from collections.abc import Iterator
from typing import Any, Final, LiteralString

import msgspec
from msgspec import Struct
from psycopg import sql
from psycopg.rows import dict_row

from consumers.timeline import asking, battery_now, find_batteries, plain
from consumers.timeline_questions import known
from projections.database import Connection, load_queries
from projections.rules.passport import Passport, passport_from

_QUERIES: Final = load_queries("consumers", "queries.sql")


class Registered(Struct, frozen=True):
    """A passport with a key."""

    deployment: str
    key: str  # hex
    algorithm: int | None  # COSE number
    passport: Passport


class NamedKey(Struct, frozen=True):
    """A key from when a passport named it."""

    key: str  # hex
    algorithm: int | None  # COSE number
    slot: int
    time: str


def named_keys(
    connection: Connection,
    deployment: str,
    battery_key: str,
    as_of_step: int | None = None,
    *,
    as_of_slot: int | None = None,
) -> list[NamedKey]:
    """Of all its passports, one after the other. Raises SchemaMismatch, DatabaseUnwell."""
    asked: dict[str, Any] = {"deployment": deployment, "battery_key": bytes.fromhex(battery_key)}
    asked |= {"step": as_of_step, "slot": as_of_slot}
    query: LiteralString = _QUERIES["named_keys"]
    with asking(), connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql.SQL(query).format(known=known(as_of_step)), asked).fetchall()
    found = msgspec.convert([plain(row) for row in rows], list[NamedKey])
    return [each for at, each in enumerate(found) if not at or found[at - 1].key != each.key]


def registered(connection: Connection, battery: str) -> Iterator[Registered]:
    """The passports of the batteries of this id (text or hex) or key, one a deployment, if it names a key."""
    for deployment, key in find_batteries(connection, battery):
        row = battery_now(connection, deployment, key)
        if row is None or row["bms_public_key"] is None:
            continue
        known = {"battery_id": row["battery_id"], "registered_slot": row["registered_slot"]}
        passport = passport_from(row["metadata"] or {}, **known)
        yield Registered(deployment, row["bms_public_key"], row["bms_key_alg"], passport)
