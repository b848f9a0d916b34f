"""The alerts as they are now, with all that a plan depends on, read in one moment; and the plan put into the outbox."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from psycopg.rows import dict_row

from consumers.alerting.notices import Outbox, Routing, Where
from consumers.alerting.outbox import QUERIES, read_outbox, write_plan
from consumers.alerting.plan import Plan, plan
from consumers.alerting.routes import Standing
from consumers.alerts import Alert, Selection, read_alerts
from consumers.timeline import CONFIRMED_DEPTH_BLOCKS, Holds, asking
from projections.database import Connection


class Seen(Struct, frozen=True, kw_only=True):
    """What the database says at one moment."""

    now: datetime
    where: Where
    standing: list[Standing]
    withdrawn: dict[str, str]  # alert -> why
    outbox: Outbox


def marks(connection: Connection) -> tuple[Any, ...]:
    """Differs when the tables, people's acts or the fleets' findings do, or while notices are held."""
    with asking():
        row = connection.execute(QUERIES["marks"]).fetchone()
    assert row is not None
    return row


def read_seen(connection: Connection, routing: Routing) -> Seen | None:
    """In a transaction of the caller's, of which it is the first. None where nothing was projected yet."""
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(QUERIES["where"]).fetchone()
    if row is None or row["log"] is None or row["step"] is None:
        return None
    now = row.pop("now")
    holds, alerts = read_alerts(connection, Selection(limit=None))
    outbox = read_outbox(connection, routing.routes)
    known = {alert.alert for alert in alerts}
    withdrawn: dict[str, str] = {}
    if any(told.open and alert not in known for (alert, _, _), told in outbox.told.items()):
        _, gone = read_alerts(connection, Selection(withdrawn=True, limit=None))
        withdrawn = {each.alert: each.withdrawn for each in gone if each.withdrawn}
    return Seen(
        now=now,
        where=Where(**row),
        standing=_standing(connection, holds, alerts),
        withdrawn=withdrawn,
        outbox=outbox,
    )


def plan_once(connection: Connection, routing: Routing) -> Plan | None:
    """Reads, plans and writes in one transaction: what is planned once is never planned again."""
    with asking(), connection.transaction():
        seen = read_seen(connection, routing)
        if seen is None:
            return None
        made = plan(seen.now, seen.where, seen.standing, seen.withdrawn, seen.outbox, routing)
        write_plan(connection, made)
    return made


def _standing(connection: Connection, holds: Holds, alerts: Sequence[Alert]) -> list[Standing]:
    deep = max(
        (holds.height or 0) - CONFIRMED_DEPTH_BLOCKS, holds.final_height if holds.final_height is not None else -1
    )
    partly: dict[str, str] = dict(connection.execute(QUERIES["confirmed"], {"height": deep}).fetchall())
    keys = [bytes.fromhex(each.subject) for each in alerts if each.subject_kind == "battery"]
    models = {
        (deployment, key): model for key, deployment, model in connection.execute(QUERIES["models"], {"keys": keys})
    }
    return [
        Standing(
            alert=each,
            model=models.get((each.deployment, each.subject)) if each.subject_kind == "battery" else None,
            confirmed_severity=each.severity if each.last_height <= deep else partly.get(each.alert),
        )
        for each in alerts
    ]
