"""Alerts as they stood at a moment of the past. What people did about them since is no part of it."""

from typing import Any, Final, LiteralString

from psycopg import sql
from psycopg.rows import dict_row

from consumers.alerts import FINDINGS_SHOWN, Alert, Selection, Story, alert_of
from consumers.timeline import Holds, asking, plain, where_it_holds
from consumers.timeline_questions import known
from projections.database import Connection, load_queries
from projections.rules.catalogue import RULES

_QUERIES: Final = load_queries("consumers", "alerts_then.sql")


def list_alerts_then(
    connection: Connection, selection: Selection, as_of_step: int | None, as_of_slot: int | None
) -> tuple[Holds, list[Alert]]:
    """Alerts that stood, the gravest first: all that are selected, whatever the limit, so that they can be counted.

    Neither ``states`` nor ``withdrawn`` narrows them: no state is known of then.
    """
    with asking(), connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        holds = where_it_holds(cursor, as_of_step, as_of_slot)
        parameters = {"step": as_of_step, "slot": as_of_slot}
        rows = [plain(row) for row in cursor.execute(_composed("list_then", as_of_step), parameters)]
    return holds, [alert for alert in (alert_of(row, holds) for row in rows) if _fits(alert, selection)]


def read_story_then(
    connection: Connection, holds: Holds, alert: Alert, as_of_step: int | None, as_of_slot: int | None
) -> Story:
    """What had been found, and stood then."""
    of_fleet = RULES[alert.rule].scope == "fleet" or alert.subject_kind != "battery"
    parameters: dict[str, Any] = {
        "alert": bytes.fromhex(alert.alert),
        "battery_key": bytes.fromhex(alert.subject),
        "deployment": alert.deployment,
        "rule": alert.rule,
        "step": as_of_step,
        "slot": as_of_slot,
        "limit": FINDINGS_SHOWN,
    }
    name = "fleet_findings_then" if of_fleet else "findings_then"
    with asking(), connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_composed(name, as_of_step), parameters)
        return Story(alert, holds, [plain(row) | {"known_until_step": None} for row in rows], [])


def _composed(name: str, as_of_step: int | None) -> sql.Composed:
    query: LiteralString = _QUERIES[name]
    return sql.SQL(query).format(known=known(as_of_step))


def _fits(alert: Alert, selection: Selection) -> bool:
    search = selection.search.strip().lower()
    words = f"{alert.rule} {alert.name} {alert.battery or ''}".lower()
    return (
        (not selection.severities or alert.severity in selection.severities)
        and selection.deployment in (None, alert.deployment)
        and selection.rule in (None, alert.rule)
        and selection.battery in (None, alert.subject, alert.battery)
        and alert.alert.startswith(selection.name.lower())
        and (search in words or alert.alert.startswith(search) or alert.subject.startswith(search))
    )
