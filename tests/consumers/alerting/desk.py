"""A chain with alerts, its tables, and an alerter over them whose steps the test takes one by one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row

from consumers.alerting.bundles import Message
from consumers.alerting.config import Alerting
from consumers.alerting.routes import Route
from consumers.alerting.sender import Sender
from consumers.alerting.sinks import AnySink, Webhook
from consumers.alerting.watch import plan_once
from consumers.alerts import Act, ActName, Alert, Selection, do_act, find_alert, list_alerts
from projections.database import Connection, connect
from tests.consumers.alerting.receivers import SECRET
from tests.projections.chain import TestChain
from tests.projections.judged_chain import DevnetLife, judging
from tests.projections.tables import project


def webhook(url: str, **more: Any) -> Webhook:
    return Webhook(url=url, secret=SECRET, timeout_seconds=5.0, **more)


def alerting(*routes: Route, **sinks: AnySink) -> Alerting:
    named = routes or (Route(name="all", sinks=tuple(sinks), provisional=True),)
    return Alerting(routes={route.name: route for route in named}, sinks=sinks)


class Desk:
    """Everything but the processes."""

    def __init__(self, url: str, path: Path) -> None:
        self.url = url
        self.chain = TestChain(path, DevnetLife(2))
        self.chain.forward(self.chain.make(30))
        self.project()

    def project(self) -> None:
        project(self.chain.log, self.url, judging=judging())

    def connect(self) -> Connection:
        return connect(self.url)

    def standing(self) -> list[Alert]:
        with self.connect() as connection:
            return list_alerts(connection, Selection(limit=None))[1]

    def do(self, act: ActName, alert: str, why: str) -> None:
        with self.connect() as connection:
            holds, (found,) = find_alert(connection, alert)
            do_act(connection, holds, found, Act(act, "Ada", why))

    def plan(self, given: Alerting) -> tuple[Message, ...]:
        with self.connect() as connection:
            made = plan_once(connection, given.routing())
        assert made is not None
        return made.messages

    def send(self, given: Alerting, *names: str) -> int:
        """Each sink's sender takes one step after another until nothing may be tried. Returns how many attempts."""
        attempts = 0
        for name in names or tuple(given.sinks):
            sender = Sender(name, given.sinks[name], self.connect)
            with self.connect() as connection:
                while sender.step(connection):
                    attempts += 1
        return attempts

    def rows(self, query: str) -> list[dict[str, Any]]:
        with self.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query.encode()).fetchall()

    def states(self) -> dict[str, int]:
        query = "SELECT state, count(*) FROM cellwitness_people.alert_sends GROUP BY state"
        return {row["state"]: row["count"] for row in self.rows(query)}

    def make_due(self) -> None:
        """As if the waits between attempts were over."""
        with self.connect() as connection:
            connection.execute("UPDATE cellwitness_people.alert_sends SET next_try_at = now()")


def final(messages: Iterable[dict[str, Any]]) -> dict[str, str]:
    """What a receiver that drops repeats believes: of each alert its last status."""
    seen: set[str] = set()
    state: dict[str, str] = {}
    for each in messages:
        if each["key"] not in seen:
            seen.add(each["key"])
            state[each["alert"]] = each["status"]
    return state
