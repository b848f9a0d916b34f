"""What a real Alertmanager holds, after forks, after its own restarts, after repeats."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.alerting.config import Alerting
from consumers.alerting.routes import Route
from consumers.alerting.sinks import Alertmanager as Sink
from tests.alertmanager import Alertmanager, alertmanager
from tests.consumers.alerting.desk import Desk, alerting
from tests.endtoend.processes import wait_until
from tests.postgres import database, postgres

__all__ = ["database", "postgres"]


@pytest.fixture
def desk(database: str, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path / "log.db")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Alertmanager]:
    with alertmanager(tmp_path) as made:
        yield made


def given(manager: Alertmanager, **more: Any) -> Alerting:
    return alerting(pager=Sink(url=manager.url, timeout_seconds=10.0, **more))


def firing(manager: Alertmanager) -> set[str]:
    return {alert["labels"]["alert"] for alert in manager.alerts()}


def wait_for(manager: Alertmanager, alerts: set[str]) -> None:
    wait_until(lambda: firing(manager) == alerts, "Alertmanager to hold what it was told")


def test_what_stands_fires_with_its_labels_and_what_was_taken_back_does_not(desk: Desk, manager: Alertmanager) -> None:
    to = given(manager)
    desk.plan(to)
    desk.send(to)
    standing = {each.alert: each for each in desk.standing()}
    wait_for(manager, set(standing))
    for alert in manager.alerts():
        of = standing[alert["labels"]["alert"]]
        assert (alert["labels"]["severity"], alert["labels"]["rule"]) == (of.severity, of.rule)
        assert alert["labels"]["battery"] == of.battery
        assert alert["status"]["state"] == "active"
        assert alert["annotations"]["stage"] in ("provisional", "confirmed", "final")
    desk.chain.back(len(desk.chain.blocks) - 3)
    desk.project()
    desk.plan(to)
    desk.send(to)
    wait_for(manager, set())


def test_an_alertmanager_that_lost_everything_is_told_again_what_fires_and_only_that(
    desk: Desk, manager: Alertmanager
) -> None:
    to = given(manager, refresh_seconds=0.001)
    desk.plan(to)
    desk.send(to)
    closed = desk.standing()[0].alert
    desk.do("close", closed, "seen")
    desk.plan(to)
    desk.send(to)
    left = {each.alert for each in desk.standing()} - {closed}
    wait_for(manager, left)
    manager.kill()
    desk.send(to)  # nobody is there; nothing is lost
    manager.start()
    assert firing(manager) == set()
    desk.send(to)
    wait_for(manager, left)
    assert set(desk.states()) == {"sent"}


def test_a_storm_in_one_message_is_taken_apart_again(desk: Desk, manager: Alertmanager) -> None:
    """An alert of a message with others is resolved without them."""
    route = Route(name="all", sinks=("pager",), provisional=True, group_seconds=0.001)
    to = alerting(route, pager=Sink(url=manager.url, refresh_seconds=0.001))
    desk.plan(to)
    (message,) = desk.plan(to)
    assert len(message.notices) == len(desk.standing())
    desk.send(to)
    closed = desk.standing()[0].alert
    desk.do("close", closed, "seen")
    desk.plan(to)
    desk.plan(to)
    desk.send(to)
    wait_for(manager, {each.alert for each in desk.standing()} - {closed})
    desk.send(to)
    desk.send(to)
    wait_for(manager, {each.alert for each in desk.standing()} - {closed})


def test_what_alertmanager_refuses_is_seen_as_refused(desk: Desk, manager: Alertmanager) -> None:
    to = given(manager)
    desk.plan(to)
    with desk.connect() as connection:
        connection.execute("UPDATE cellwitness_people.alert_sends SET body = '[{\"labels\": {}}]'")
    desk.send(to)
    assert desk.states() == {"failed": len(desk.standing())}
    (error, *_) = desk.rows("SELECT last_error FROM cellwitness_people.alert_sends")
    assert "status 400" in error["last_error"]
