"""The outbox in PostgreSQL: what was said, what is held, what waits to be sent."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg.rows import dict_row

from consumers.alerting.messages import Said
from consumers.alerting.notices import Notice, Outbox, Target, Told
from consumers.alerting.plan import Plan
from consumers.alerting.routes import Route
from consumers.timeline import asking
from projections.database import Connection, load_queries

QUERIES: Final = load_queries("consumers.alerting", "alerting.sql")
_LOCK: Final = int.from_bytes(blake2b(b"cellwitness alerting", digest_size=8).digest(), signed=True)
_decode: Final = msgspec.json.Decoder(Said).decode


class Waiting(Struct, frozen=True):
    """A message that may be tried now."""

    key: str
    body: bytes
    attempts: int  # so far
    now: float  # Unix time, the database's


def take_lead(connection: Connection) -> bool:
    """Whether this connection is the one alerter of its database, until it is closed or lost."""
    with asking():
        return connection.execute(QUERIES["lock"], {"lock": _LOCK}).fetchone() == (True,)


def read_outbox(connection: Connection, routes: Mapping[str, Route]) -> Outbox:
    """All that the plan asks of it. In a transaction of the caller's, for one moment of everything."""
    trios = connection.execute(QUERIES["told"]).fetchall()
    held = [key for (key,) in connection.execute(QUERIES["held"])]
    notices = _notices(connection, {key for trio in trios for key in trio if key is not None} | set(held))
    told: dict[Target, Told] = {}
    for newest, last, bound in trios:
        told[notices[newest].target] = Told(
            newest=notices[newest],
            last=None if last is None else notices[last],
            bound=None if bound is None else notices[bound].said,
        )
    recent: dict[tuple[str, str], list[datetime]] = {}
    for route in routes.values():
        if route.throttle is not None:
            asked = {"route": route.name, "minutes": route.throttle.minutes}
            for name, sink, made_at in connection.execute(QUERIES["recent"], asked):
                recent.setdefault((name, sink), []).append(made_at)
    return Outbox(told=told, held=[notices[key] for key in held], recent=recent)


def _notices(connection: Connection, keys: set[bytes]) -> dict[bytes, Notice]:
    found: dict[bytes, Notice] = {}
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(QUERIES["notices"], {"keys": list(keys)}):
            target = (row.pop("alert"), row.pop("route"), row.pop("sink"))
            found[bytes.fromhex(row["key"])] = Notice(**row | {"said": _decode(row["said"]), "target": target})
    return found


def write_plan(connection: Connection, plan: Plan) -> None:
    """All of a plan or nothing: in a transaction of the caller's."""
    with connection.cursor() as cursor:
        cursor.executemany(QUERIES["add_notice"], [_row(notice) for notice in plan.notices])
        cursor.executemany(
            QUERIES["drop_notice"], [{"key": bytes.fromhex(key), "why": why} for key, why in plan.dropped]
        )
        cursor.executemany(
            QUERIES["add_message"],
            [
                {"key": bytes.fromhex(each.key), "route": each.route, "sink": each.sink, "body": each.body}
                for each in plan.messages
            ],
        )
        cursor.executemany(
            QUERIES["bind"],
            [
                {"key": bytes.fromhex(each.key), "notices": [bytes.fromhex(notice) for notice in each.notices]}
                for each in plan.messages
            ],
        )


def _row(notice: Notice) -> dict[str, Any]:
    alert, route, sink = notice.target
    return {
        "key": bytes.fromhex(notice.key),
        "alert": bytes.fromhex(alert),
        "route": route,
        "sink": sink,
        "turn": notice.turn,
        "episode": notice.episode,
        "kind": notice.kind,
        "severity": notice.severity,
        "said": msgspec.json.encode(notice.said),
        "log": notice.log,
        "step": notice.step,
        "height": notice.height,
        "noted_at": notice.noted_at,
    }


def next_message(connection: Connection, sink: str) -> Waiting | None:
    """The next message to a sink that may be tried; None where all wait, or none is there."""
    with asking():
        row = connection.execute(QUERIES["next"], {"sink": sink}).fetchone()
    return None if row is None else Waiting(row[0].hex(), row[1], row[2], row[3])


def mark(connection: Connection, key: str, state: str, error: str | None = None, after_seconds: float = 0.0) -> None:
    """Notes what became of an attempt: sent, failed, or waiting for the next one."""
    parameters = {"key": bytes.fromhex(key), "state": state, "error": error, "after_seconds": after_seconds}
    with asking():
        connection.execute(QUERIES["mark"], parameters)


def last_said(connection: Connection, sink: str) -> list[Said]:
    """What a sink took last of everything that still counts, oldest first."""
    with asking():
        return [_decode(said) for (said,) in connection.execute(QUERIES["firing"], {"sink": sink})]
