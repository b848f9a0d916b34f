"""The present as it comes, and the past as it was: news, the mark, and what is different."""

import contextlib
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psycopg
import pytest

from consumers.client import Client, ServerUnwell
from consumers.dashboard.freshness import BEHIND_BLOCKS, Mark, judge
from deploy.postgres import EmbeddedPostgres
from projections.counts import count_fleet
from projections.database import connect
from tests.consumers.dashboard.running import PATIENCE_SECONDS, Dashboard, running
from tests.postgres import fresh_database

NOW = datetime(2026, 5, 3, 14, 2, tzinfo=UTC)
PAGE = {"Accept": "text/html"}


class Listener:
    """A browser that listens, as a thread."""

    def __init__(self, url: str) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self._url = url
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(ServerUnwell), Client(self._url) as client:  # the server ends before its listeners
            for event in client.events():
                self.heard.append(event)
                if len(self.heard) > 500:
                    return

    def has(self, kind: str, **said: Any) -> bool:
        return any(name == kind and said.items() <= data.items() for name, data in list(self.heard))


def wait_for(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.fixture
def own(postgres: EmbeddedPostgres, tmp_path: Path) -> Any:
    with running(fresh_database(postgres), tmp_path, blocks=12) as dashboard:
        yield dashboard


def test_a_step_an_alert_and_a_rollback_reach_who_listens(own: Dashboard) -> None:
    listener = Listener(own.url)
    wait_for(lambda: listener.has("mark", state="stale"), "the first mark")
    before = {alert["alert"] for alert in own.get("/api/v1/alerts").json()["alerts"]}
    own.chain.forward(own.chain.make(25))
    own.project()
    step = own.get("/api/v1/status").json()["holds"]["step"]
    wait_for(lambda: listener.has("step", step=step), "the step")
    raised = {alert["alert"] for alert in own.get("/api/v1/alerts").json()["alerts"]} - before
    assert raised
    for alert in raised:
        wait_for(lambda alert=alert: listener.has("alert", alert=alert, what="raised"), "an alert")  # type: ignore[misc]
    own.chain.back(25)
    own.project()
    wait_for(lambda: listener.has("rollback"), "the rollback")
    for alert in raised:
        wait_for(lambda alert=alert: listener.has("alert", alert=alert, what="withdrawn"), "withdrawn")  # type: ignore[misc]
    withdrawn = own.get("/api/v1/alerts", withdrawn="yes").json()["alerts"]
    assert raised <= {alert["alert"] for alert in withdrawn}


def test_fifty_listen_and_the_database_hears_of_one(own: Dashboard) -> None:
    listeners = [Listener(own.url) for _ in range(50)]
    wait_for(lambda: all(each.has("mark", state="stale") for each in listeners), "fifty first marks")
    own.chain.forward(own.chain.make(1))
    own.project()
    step = own.get("/api/v1/status").json()["holds"]["step"]
    wait_for(lambda: all(each.has("step", step=step) for each in listeners), "fifty times the step")
    with psycopg.connect(own.database) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cellwitness-listener'"
            " AND datname = current_database()"
        ).fetchone()
    assert row == (1,)


def mark(**said: Any) -> Mark:
    healthy: dict[str, Any] = {
        "step": 5, "slot": 100, "height": 50, "block": "ab", "final_height": 1, "tip_height": 50, "age_seconds": 1.0,
        "workers": 1, "parked_events": 0,
    }  # fmt: skip
    return Mark(**(healthy | said))


@pytest.mark.parametrize(
    ("said", "trouble", "state"),
    [
        ({}, (), "fresh"),
        ({"age_seconds": 301.0}, (), "stale"),
        ({"age_seconds": 301.0, "workers": 3}, (), "stale"),
        ({"workers": 0}, (), "stale"),
        ({"tip_height": 51 + BEHIND_BLOCKS}, (), "behind"),
        ({"tip_height": 51 + BEHIND_BLOCKS, "age_seconds": 1e6}, (), "stale"),
        ({}, ("the database is away",), "unknown"),
    ],
)
def test_a_frozen_mark_is_never_healthy(said: dict[str, Any], trouble: tuple[str, ...], state: str) -> None:
    found = judge(mark(**said), NOW, stale_seconds=300, trouble=trouble)
    assert found.state == state
    assert found.healthy == (state == "fresh") == (not found.reasons)


def test_before_anything_was_projected_nothing_is_called_fresh() -> None:
    assert judge(None, NOW, stale_seconds=300).state == "empty"


def test_a_mark_that_stops_turns_stale_on_pages_in_news_and_in_health(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    with running(fresh_database(postgres), tmp_path, blocks=3, stale_seconds=1.0) as dashboard:
        listener = Listener(dashboard.url)
        wait_for(lambda: listener.has("mark", state="stale"), "no worker, and no step for a second")
        with dashboard.client(**PAGE) as browser:
            assert 'data-state="stale"' in browser.get("/system").text
        ready = dashboard.get("/health/ready")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert ready.json()["reasons"]
        assert dashboard.get("/health/live").status_code == 200


def test_when_the_database_goes_away_pages_say_so_and_come_back(own: Dashboard) -> None:
    listener = Listener(own.url)
    wait_for(lambda: listener.has("mark", state="stale"), "the feed looks")
    with psycopg.connect(own.database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'cellwitness-%'"
            " AND datname = current_database()"
        )
    wait_for(lambda: listener.has("mark", state="unknown"), "the mark is not known")
    own.chain.forward(own.chain.make(1))
    own.project()
    wait_for(lambda: own.get("/api/v1/status").status_code == 200, "answers again")
    step = own.get("/api/v1/status").json()["holds"]["step"]
    wait_for(lambda: any(name == "step" and data["step"] == step for name, data in list(listener.heard)), "news again")


def test_every_page_at_a_past_moment_says_so_and_keeps_it_in_its_links(opened: Dashboard) -> None:
    step = opened.get("/api/v1/status").json()["holds"]["step"]
    battery = opened.get("/api/v1/batteries").json()["batteries"][0]
    one = f"/batteries/{battery['deployment']}/{battery['battery_key']}"
    known_at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    with opened.client(**PAGE) as browser:
        for path in ("/", "/alerts", "/batteries", one, "/queries", "/queries/silent"):
            for moment in ({"as_of_step": step}, {"as_of_slot": 50}, {"known_at": known_at}):
                answer = browser.get(path, params=moment)
                assert answer.status_code == 200, (path, moment)
                assert "You look at the past" in answer.text
                name = next(iter(moment))
                assert re.search(rf'<a href="/alerts\?[^"]*{name}=', answer.text), (path, moment)


def test_what_is_different_now_names_what_was_taken_back(own: Dashboard) -> None:
    own.chain.forward(own.chain.make(20))
    own.project()
    then = own.get("/api/v1/status").json()["holds"]["step"]
    battery = own.get("/api/v1/batteries").json()["batteries"][0]
    one = f"/batteries/{battery['deployment']}/{battery['battery_key']}"
    lines = own.get(f"/api/v1{one}", limit=1000).json()["lines"]
    own.chain.back(15)
    own.project()
    with own.client(**PAGE) as browser:
        page = browser.get("/diff", params={"path": one, "as_of_step": then}).text
        now = {line["fact"] for line in own.get(f"/api/v1{one}", limit=1000).json()["lines"]}
        gone = [line for line in lines if line["fact"] not in now]
        assert gone
        assert f"Gone: stood then, and does not now: {len(gone)}" in page
        fleet = browser.get("/diff", params={"path": "/", "as_of_step": then}).text
        assert "What is different now" in fleet
        assert "readings" in fleet


def test_a_fleet_that_takes_long_to_count_says_so_at_once_and_is_there_when_it_is_counted(own: Dashboard) -> None:
    with psycopg.connect(own.database) as other:
        other.execute("LOCK TABLE cellwitness.readings IN ACCESS EXCLUSIVE MODE")
        with own.client(**PAGE) as client:
            for path in ("/", "/?as_of_slot=100", "/batteries"):
                told = client.get(path)
                assert told.status_code == HTTPStatus.ACCEPTED
                assert "being counted" in told.text
        other.rollback()
        with own.client(**PAGE) as client:
            for path, words in (("/", "State of health"), ("/?as_of_slot=100", "survivors"), ("/batteries", "urn:")):
                wait_for(lambda path=path: client.get(path).status_code == HTTPStatus.OK, path)  # type: ignore[misc]
                assert words.lower() in client.get(path).text.lower()


def test_a_counted_fleet_reads_no_reading(own: Dashboard) -> None:
    with connect(own.database) as connection:
        assert count_fleet(connection) is not None
    with psycopg.connect(own.database) as other:
        other.execute("LOCK TABLE cellwitness.readings, cellwitness.verdicts, cellwitness.events")
        assert own.get("/").status_code == HTTPStatus.OK
        assert own.get("/api/v1/fleet").status_code == HTTPStatus.OK
