"""Alerts as people work on them, by the command, on a real PostgreSQL."""

import json
import time
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from consumers.alerts import (
    Act,
    ActName,
    Alert,
    Selection,
    State,
    Story,
    do_act,
    find_alert,
    list_alerts,
    read_story,
)
from deploy import housekeeping as module
from deploy.devnet.deployment import Terms, profile_toml
from deploy.devnet.network import Network
from deploy.housekeeping import Housekeeping
from projections.database import Connection, connect
from projections.status import consistent_step
from tests.deploy.test_timeline import run
from tests.postgres import database, postgres
from tests.projections.chain import TestChain
from tests.projections.judged_chain import DevnetLife, judging
from tests.projections.tables import project

__all__ = ["database", "postgres"]


class Desk:
    """A chain, its tables, and the command over them."""

    def __init__(self, url: str, path: Path) -> None:
        self.url = url
        self.chain = TestChain(path, DevnetLife(2))
        self.chain.forward(self.chain.make(30))
        self.project()

    def project(self) -> None:
        project(self.chain.log, self.url, judging=judging())

    def alerts(self, *states: State, withdrawn: bool = False) -> list[Alert]:
        selection = Selection(states=states or ("open", "acknowledged"), withdrawn=withdrawn)
        with connect(self.url, read_only=True) as connection:
            return list_alerts(connection, selection)[1]

    def do(self, act: ActName, alert: str, why: str) -> None:
        with connect(self.url) as connection:
            holds, (found,) = find_alert(connection, alert)
            do_act(connection, holds, found, Act(act, "Ada [bold]\x1b[31m", why))

    def show(self, alert: str) -> Story:
        with connect(self.url, read_only=True) as connection:
            holds, (found,) = find_alert(connection, alert)
            return read_story(connection, holds, found)


@pytest.fixture
def desk(database: str, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path / "log.db")


def test_an_alert_says_what_it_means_what_led_to_it_and_how_deep_that_is(desk: Desk) -> None:
    alert = desk.alerts()[0]
    shown = run("alerts", "show", alert.alert[:8], "--db", desk.url)
    assert shown.returncode == 0, shown.stderr
    for word in (alert.rule, "What led to it", "against", "transaction", "Holds at step", alert.stage):
        assert word in shown.stdout
    story = desk.show(alert.alert)
    assert len(story.findings) == alert.findings
    assert all(finding["values"] for finding in story.findings)


def test_the_command_lists_shows_and_records(desk: Desk) -> None:
    alert = desk.alerts()[0]
    listed = run("alerts", "ls", "--db", desk.url)
    assert alert.alert[:10] in listed.stdout
    done = run("alerts", "close", alert.alert, "--db", desk.url, "--why", "papers seen", "--who", "Ada", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["why"] == "papers seen"
    closed = json.loads(run("alerts", "ls", "--db", desk.url, "--state", "closed", "--json").stdout)["alerts"]
    assert [(each["alert"], each["who"]) for each in closed] == [(alert.alert, "Ada")]


def test_what_people_did_is_kept_through_a_rebuild(desk: Desk) -> None:
    first, second = (each.alert for each in desk.alerts()[:2])
    desk.do("ack", first, "asked the workshop")
    desk.do("note", first, "they call back")
    desk.do("close", second, "papers seen")
    before = {alert.alert: alert.state for alert in desk.alerts("closed", "acknowledged")}
    assert before == {first: "acknowledged", second: "closed"}
    with connect(desk.url) as connection:
        connection.execute("DROP SCHEMA cellwitness CASCADE")
    desk.project()
    after = {alert.alert: alert.state for alert in desk.alerts("closed", "acknowledged")}
    assert after == before
    acts = desk.show(first).acts
    assert [(act["act"], act["why"]) for act in acts] == [("ack", "asked the workshop"), ("note", "they call back")]
    assert all(act["who"].startswith("Ada") and act["at"] for act in acts)
    assert "\x1b" not in run("alerts", "show", first, "--db", desk.url).stdout


def test_a_closed_alert_opens_again_for_what_nobody_knew_of_and_not_for_what_a_fork_moved(desk: Desk) -> None:
    names = [alert.alert for alert in desk.alerts()]
    for name in names:
        desk.do("close", name, "seen")
    assert desk.alerts() == []
    gone = desk.chain.back(4)
    desk.chain.forward(desk.chain.reinclude(gone[:1]) if gone[0].events else gone)
    desk.project()
    assert {alert.alert for alert in desk.alerts()} == set()
    desk.chain.forward(desk.chain.make(40))
    desk.project()
    reopened = desk.alerts()
    assert {alert.alert for alert in reopened} & set(names)


def test_an_alert_that_the_chain_takes_back_is_withdrawn_with_the_reason(desk: Desk) -> None:
    before = {alert.alert for alert in desk.alerts()}
    desk.chain.back(len(desk.chain.blocks) - 3)
    desk.project()
    withdrawn = desk.alerts(withdrawn=True)
    assert before == {alert.alert for alert in withdrawn} | {alert.alert for alert in desk.alerts()}
    assert withdrawn
    for alert in withdrawn:
        assert alert.stage == "withdrawn"
        assert "rolled the chain back" in (alert.withdrawn or "")
    story = desk.show(withdrawn[0].alert)
    assert all(finding["known_until_step"] is not None for finding in story.findings)


def test_a_name_that_fits_none_or_several_is_said(desk: Desk) -> None:
    missing = run("alerts", "show", "00000000000000000000", "--db", desk.url)
    assert missing.returncode == 1
    assert "no alert" in missing.stderr
    wrong = run("alerts", "ack", "xyz", "--db", desk.url, "--why", "x")
    assert wrong.returncode == 2, wrong.stderr
    unsaid = run("alerts", "close", desk.alerts()[0].alert, "--db", desk.url, "--why", "  ")
    assert unsaid.returncode == 2
    assert "reason" in unsaid.stderr


def test_project_judges_by_the_profile_it_is_given(database: str, tmp_path: Path) -> None:
    chain = TestChain(tmp_path / "log.db", DevnetLife(2))
    chain.forward(chain.make(30))
    chain.close()
    (tmp_path / "devnet.toml").write_text(profile_toml(Network(), Terms()))
    arguments = ("project", "--log", chain.url, "--db", database, "--until-caught-up")
    done = run(*arguments, "--profile", str(tmp_path / "devnet.toml"))
    assert done.returncode == 0, done.stderr
    found = json.loads(run("alerts", "ls", "--db", database, "--json").stdout)
    assert found["alerts"]
    battery = found["alerts"][0]["subject"]
    shown = run("timeline", battery, "--db", database, "--checks")
    assert shown.returncode == 0, shown.stderr
    for word in (
        "LCBP",
        "✓✓",
        "ALERT",
        "The submitter was paid the reward",
        "max_age_slots",
        "readings by key",
        "age: 0",
    ):
        assert word in shown.stdout
    told = json.loads(run("timeline", battery, "--db", database, "--json").stdout)
    judged = [line["verdict"] for line in told["lines"] if line["verdict"] is not None]
    assert len(judged) == told["summary"]["verdicts"]["crypto"]["passed"] > 0
    assert all(len(verdict["checks"]) >= 12 for verdict in judged)
    refused = run(*arguments)
    assert refused.returncode == 4
    assert "--profile" in refused.stderr


def test_a_worker_counts_open_alerts_and_judges_fleets_when_they_are_due(desk: Desk) -> None:
    keeping = Housekeeping(lambda: connect(desk.url), judging(), fleet_minutes=60, whole=lambda: True)
    keeping.round()
    desk.do("close", desk.alerts()[0].alert, "papers seen")
    keeping.round()
    open_now = [alert.severity for alert in desk.alerts()]
    for severity in ("warning", "high", "critical"):
        assert REGISTRY.get_sample_value("cellwitness_alerts_open", {"severity": severity}) == open_now.count(severity)
    with connect(desk.url) as connection:
        assert connection.execute("SELECT count(*) FROM fleet_runs").fetchone() == (1,)
        assert connection.execute("SELECT step FROM fleet_counted").fetchone() == (consistent_step(connection),)


def test_a_worker_counts_the_fleet_while_tables_fill_and_rests_longer_than_it_works(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[Connection] = []

    def count(connection: Connection) -> None:
        counted.append(connection)
        time.sleep(0.5)

    monkeypatch.setattr(module, "count_fleet", count)
    keeping = Housekeeping(lambda: connect(desk.url), None, fleet_minutes=60, whole=lambda: False)
    for _ in range(5):
        keeping.round()
    assert len(counted) == 1
