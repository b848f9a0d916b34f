"""What people ask the outbox, and tell it: what waits and why, which route takes an alert, try it again."""

import time
from typing import Any

from msgspec import Struct
from psycopg.rows import dict_row

from consumers.alerting.config import Alerting
from consumers.alerting.messages import Said, render
from consumers.alerting.notices import KEY_BYTES, Routing, Told, digest
from consumers.alerting.outbox import QUERIES
from consumers.alerting.plan import next_for
from consumers.alerting.routes import Standing, why_not
from consumers.alerting.send import Outcome, send, trust
from consumers.alerting.sinks import envelope_of, kind_of
from consumers.alerting.watch import Seen, read_seen
from consumers.timeline import asking, plain
from indexer.errors import ConfigurationError
from projections.database import Connection


class Way(Struct, frozen=True, kw_only=True):
    """What one route does with one alert, for one of its sinks."""

    route: str
    sink: str
    takes: bool
    why: str
    told: str | None = None  # kind of the last notice
    next: str | None = None  # kind of the one that is due


class Explanation(Struct, frozen=True, kw_only=True):
    """Which routes take an alert, and what was said of it."""

    alert: str
    standing: bool
    severity: str | None
    confirmed_severity: str | None
    model: str | None
    ways: list[Way]
    story: list[dict[str, Any]]  # its notices with their messages, oldest first


def explain(connection: Connection, routing: Routing, alert: str) -> Explanation:
    """What becomes of an alert of this whole name."""
    with asking(), connection.transaction():
        seen = read_seen(connection, routing)
        with connection.cursor(row_factory=dict_row) as cursor:
            story = [plain(row) for row in cursor.execute(QUERIES["story"], {"alert": bytes.fromhex(alert)})]
    standing = next((each for each in seen.standing if each.alert.alert == alert), None) if seen else None
    return Explanation(
        alert=alert,
        standing=standing is not None,
        severity=standing.alert.severity if standing else None,
        confirmed_severity=standing.confirmed_severity if standing else None,
        model=standing.model if standing else None,
        ways=_ways(seen, standing, routing) if seen and standing else [],
        story=story,
    )


def _ways(seen: Seen, standing: Standing, routing: Routing) -> list[Way]:
    ways = []
    for route in routing.routes.values():
        for sink in route.sinks:
            told = seen.outbox.told.get((standing.alert.alert, route.name, sink))
            takes, why = _why(standing, route.name, routing, told)
            due = next_for(standing, route, told)
            ways.append(
                Way(
                    route=route.name,
                    sink=sink,
                    takes=takes,
                    why=why,
                    told=told.last.kind if told and told.last else None,
                    next=due.kind if due else None,
                )
            )
    return ways


def _why(standing: Standing, name: str, routing: Routing, told: Told | None) -> tuple[bool, str]:
    route, alert, confirmed = routing.routes[name], standing.alert, standing.confirmed_severity
    begins = told is None or told.open is None
    refusal = why_not(route, standing, alert.severity, to_begin=begins)
    deep = confirmed is not None and why_not(route, standing, confirmed, to_begin=begins) is None
    if refusal is not None and not deep:
        return False, refusal
    if alert.state == "closed":
        return False, f"a person closed it: {alert.why}"
    if deep:
        return True, f"it is {alert.stage}, {confirmed}, and fits all that the route names"
    if route.provisional:
        return True, "it is provisional, and the route asks for these, too"
    return False, "it fits, but is provisional: the route waits until its first finding is confirmed"


def list_sends(connection: Connection, states: tuple[str, ...], sink: str | None, limit: int) -> list[dict[str, Any]]:
    """Messages, newest first."""
    parameters = {"states": list(states) or None, "sink": sink, "limit": limit}
    with asking(), connection.cursor(row_factory=dict_row) as cursor:
        return [plain(row) for row in cursor.execute(QUERIES["list_sends"], parameters)]


def list_held(connection: Connection, sink: str | None, limit: int) -> list[dict[str, Any]]:
    """Notices that are in no message yet, oldest first."""
    with asking(), connection.cursor(row_factory=dict_row) as cursor:
        return [plain(row) for row in cursor.execute(QUERIES["list_held"], {"sink": sink, "limit": limit})]


def retry(connection: Connection, key: str | None, sink: str | None) -> list[str]:
    """Lets messages that failed, or wait, be tried now: by the beginning of a key, of one sink, or all."""
    with asking():
        return [found for (found,) in connection.execute(QUERIES["retry"], {"sink": sink, **_span(key)})]


def give_up(connection: Connection, key: str) -> list[str]:
    """Ends a message that failed or waits: it is never sent, and holds up its alert's later ones no more."""
    with asking():
        return [found for (found,) in connection.execute(QUERIES["give_up"], _span(key))]


def _span(key: str | None) -> dict[str, bytes | None]:
    if key is None:
        return {"low": None, "high": None}
    digits = key.lower()
    if not digits or len(digits) > 2 * KEY_BYTES or not all(each in "0123456789abcdef" for each in digits):
        raise ConfigurationError(f"{key[:80]!r} is no message's key: up to {2 * KEY_BYTES} hex digits")
    return {
        "low": bytes.fromhex(digits.ljust(2 * KEY_BYTES, "0")),
        "high": bytes.fromhex(digits.ljust(2 * KEY_BYTES, "f")),
    }


def send_test(alerting: Alerting, route: str, now: str) -> dict[str, Outcome]:
    """Sends a message marked as a test to each sink of a route, past the outbox. By sink, what became of it."""
    outcomes: dict[str, Outcome] = {}
    for name in alerting.routes[route].sinks:
        sink = alerting.sinks[name]
        key = digest("test", route, name, now)
        body = render(kind_of(sink), key, [_test_said(key, route, now)], envelope_of(sink))
        outcomes[name] = send(sink, trust(sink), key, body, time.time())
    return outcomes


def _test_said(key: str, route: str, now: str) -> Said:
    return Said(
        key=key,
        kind="confirmed",
        status="firing",
        stage="confirmed",
        severity="warning",
        alert="00" * 10,
        episode=1,
        route=route,
        rule="R00",
        rule_name="test",
        meaning="Somebody tries whether messages arrive. No battery is concerned.",
        deployment="test",
        battery="urn:test",
        subject="00" * 28,
        subject_kind="battery",
        findings=0,
        first_time=now,
        first_slot=0,
        first_height=0,
        last_time=now,
        last_slot=0,
        last_height=0,
        began_at=now,
        noted_at=now,
        test=True,
    )
