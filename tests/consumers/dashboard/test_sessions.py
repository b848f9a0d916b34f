"""A browser stays logged in through restarts and before several dashboards, and nobody else does."""

import asyncio
import hashlib
import itertools
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg import errors, sql
from starlette.types import Receive, Scope, Send

from consumers.dashboard import sessions as sessions_module
from consumers.dashboard.gate import Gate, Rules
from consumers.dashboard.people import Person, TokenFile
from consumers.dashboard.sessions import COOKIE, GREATEST_SECONDS, IDLE_SECONDS, Kept, Sessions
from consumers.dashboard.tables import RoleMissing, Tables
from deploy.dashboard import LOCAL
from projections.database import Connection, connect
from projections.errors import DatabaseUnwell
from projections.roles import ROLES
from tests.consumers.dashboard.running import PATIENCE_SECONDS, Dashboard, serving
from tests.consumers.dashboard.test_attacks import csrf_of
from tests.consumers.dashboard.test_door import PAGE

SESSIONS = "cellwitness_people.sessions"


@contextmanager
def visiting(url: str, cookie: str = "") -> Iterator[httpx.Client]:
    headers = PAGE | ({"Cookie": f"{COOKIE}={cookie}"} if cookie else {})
    with httpx.Client(base_url=url, headers=headers, timeout=PATIENCE_SECONDS) as client:
        yield client


def logged_in(dashboard: Dashboard) -> str:
    """The cookie of a new session."""
    with visiting(dashboard.url) as browser:
        answer = browser.post("/login", data={"token": dashboard.token("analyst")})
        assert answer.status_code == 303
        return answer.cookies[COOKIE]


def comes_in(url: str, cookie: str) -> bool:
    with visiting(url, cookie) as browser:
        answer = browser.get("/system")
        assert answer.status_code == 200 or answer.headers["location"].startswith("/login"), answer.text
        return answer.status_code == 200


def execute(dashboard: Dashboard, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(connect(dashboard.database)) as connection:
        cursor = connection.execute(query.encode(), values)
        return cursor.fetchall() if cursor.description else []


def key(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()


def test_a_session_outlasts_a_restart_and_its_forms_with_it(closed: Dashboard) -> None:
    cookie = logged_in(closed)
    with visiting(closed.url, cookie) as browser:
        csrf = csrf_of(browser.get("/system").text)
    with (
        serving(closed.database, closed.tokens, require_login=True) as restarted,
        visiting(restarted, cookie) as browser,
    ):
        assert "the analyst, analyst" in browser.get("/system").text
        assert browser.post("/access", data={"csrf": csrf, "legal_basis": "Art. 14(4)"}).status_code == 303
    with visiting(closed.url, cookie) as browser:  # and each of several dashboards knows what was said to another
        assert "Art. 14(4)" in browser.get("/access").text


def test_who_logs_out_is_out_at_every_dashboard_at_once(closed: Dashboard) -> None:
    cookie = logged_in(closed)
    with serving(closed.database, closed.tokens, require_login=True) as other:
        assert comes_in(other, cookie)
        with visiting(closed.url, cookie) as browser:
            browser.post("/logout", data={"csrf": csrf_of(browser.get("/system").text)})
        assert not comes_in(other, cookie)
        assert not comes_in(closed.url, cookie)
    assert execute(closed, f"SELECT FROM {SESSIONS} WHERE cookie_sha256 = %s", key(cookie)) == []


@pytest.mark.parametrize("how", ["revoked", "logged out"])
def test_who_is_out_hears_no_more_news(closed: Dashboard, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.dashboard.app.ADMITTED_SECONDS", 0.2)
    monkeypatch.setattr("consumers.dashboard.feed.MARK_SECONDS", 0.3)
    token = closed.token("viewer")
    with visiting(closed.url) as browser:
        browser.post("/login", data={"token": token})
        csrf = csrf_of(browser.get("/system").text)
        with browser.stream("GET", "/api/v1/events") as news:
            lines = news.iter_lines()
            marks = (line for line in lines if line == "event: mark")
            for _ in range(5):  # it goes on while he is in
                next(marks)
            if how == "revoked":
                assert closed.tokens.revoke(token[3:15])
            else:
                with visiting(closed.url, browser.cookies[COOKIE]) as other:
                    assert other.post("/logout", data={"csrf": csrf}).status_code == 303
            assert len(list(itertools.islice(marks, 60))) < 60, "news go on"


def test_whoever_reads_the_table_can_neither_come_in_nor_send_a_form(closed: Dashboard) -> None:
    cookie = logged_in(closed)
    with visiting(closed.url, cookie) as browser:
        csrf = csrf_of(browser.get("/system").text)
    ((row,),) = execute(closed, f"SELECT to_jsonb(s) FROM {SESSIONS} AS s WHERE cookie_sha256 = %s", key(cookie))
    assert cookie not in str(row)
    assert csrf not in str(row)
    for guess in (key(cookie).hex(), row["cookie_sha256"], row["who"], "x" * 43):
        assert not comes_in(closed.url, guess)


@pytest.mark.parametrize(
    ("came_by", "who"), [("loopback", ""), ("proxy", "eve"), ("token", "000000000000"), ("token", "")]
)
def test_a_row_that_somebody_wrote_gives_no_right(closed: Dashboard, came_by: str, who: str) -> None:
    cookie = secrets.token_urlsafe(32)
    execute(
        closed,
        f"INSERT INTO {SESSIONS} (cookie_sha256, came_by, who, legal_basis) VALUES (%s, %s, %s, 'x')",
        key(cookie),
        came_by,
        who,
    )
    assert not comes_in(closed.url, cookie)


def test_who_comes_in_unasked_at_one_dashboard_does_not_at_another(closed: Dashboard) -> None:
    with serving(closed.database, closed.tokens) as unguarded, visiting(unguarded) as browser:
        cookie = browser.get("/system").cookies[COOKIE]
        assert comes_in(unguarded, cookie)
    assert not comes_in(closed.url, cookie)


@pytest.mark.parametrize(("column", "seconds"), [("seen_at", IDLE_SECONDS), ("began_at", GREATEST_SECONDS)])
def test_a_session_ends_when_it_was_idle_or_went_on_for_too_long(
    closed: Dashboard, column: str, seconds: float
) -> None:
    cookie = logged_in(closed)
    move = f"UPDATE {SESSIONS} SET {column} = now() - make_interval(secs => %s) WHERE cookie_sha256 = %s"
    execute(closed, move, seconds - 60, key(cookie))
    assert comes_in(closed.url, cookie)
    execute(closed, move, seconds + 1, key(cookie))
    assert not comes_in(closed.url, cookie)


def test_use_keeps_a_session_from_being_idle(closed: Dashboard) -> None:
    cookie = logged_in(closed)
    execute(closed, f"UPDATE {SESSIONS} SET seen_at = now() - interval '50 minutes'")
    assert comes_in(closed.url, cookie)
    query = f"SELECT seen_at > now() - interval '1 minute' FROM {SESSIONS} WHERE cookie_sha256 = %s"
    assert execute(closed, query, key(cookie)) == [(True,)]


def test_sessions_are_forgotten_when_they_are_over_or_too_many(
    closed: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sessions_module._LIMITS, "kept", 3)
    with Tables(lambda: closed.database) as tables:
        cookies = [Sessions(tables.doorkeeping).begin(LOCAL, legal_basis="x")[0] for _ in range(6)]
    found = [bytes(each) for (each,) in execute(closed, f"SELECT cookie_sha256 FROM {SESSIONS}")]
    assert len(found) == 4  # three, and the one for which room was made
    assert key(cookies[-1]) in found


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"cellwitness_owner", "cellwitness_doorkeeper"}))
def test_nobody_but_the_doorkeeper_sees_or_makes_sessions(closed: Dashboard, role: str) -> None:
    for statement in (
        f"SELECT who FROM {SESSIONS}",
        f"INSERT INTO {SESSIONS} DEFAULT VALUES",
        f"UPDATE {SESSIONS} SET seen_at = now()",
        f"DELETE FROM {SESSIONS}",
    ):
        assert _is_refused(closed, role, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT FROM cellwitness.events",
        "SELECT FROM cellwitness_people.alert_acts",
        "SELECT FROM cellwitness_people.questions",
        f"UPDATE {SESSIONS} SET who = 'eve'",
        f"TRUNCATE {SESSIONS}",
        "CREATE TABLE cellwitness_people.mine ()",
    ],
)
def test_the_doorkeeper_keeps_the_door_and_nothing_else(closed: Dashboard, statement: str) -> None:
    assert _is_refused(closed, "cellwitness_doorkeeper", statement)


def _is_refused(dashboard: Dashboard, role: str, statement: str) -> bool:
    with closing(connect(dashboard.database)) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(statement.encode())
    return True


def test_while_the_database_is_away_only_a_session_that_is_known_goes_on(closed: Dashboard) -> None:
    def door(kept: Kept) -> Person | None:
        return LOCAL if kept.came_by == "loopback" else None

    with Tables(lambda: closed.database) as tables:
        away = False

        @contextmanager
        def lend() -> Iterator[Connection]:
            if away:
                raise DatabaseUnwell("PostgreSQL: gone for a test")
            with tables.doorkeeping() as connection:
                yield connection

        sessions = Sessions(lend)
        known, begun = sessions.begin(LOCAL, legal_basis="x")
        stranger, _ = Sessions(lend).begin(LOCAL, legal_basis="x")
        away = True
        found = sessions.find(known, door)
        assert found is not None
        assert found.csrf == begun.csrf
        assert sessions.find(known, lambda _: None) is None  # a token revoked meanwhile is
        for cookie in (stranger, "made up"):
            with pytest.raises(DatabaseUnwell):
                sessions.find(cookie, door)


def test_a_login_that_may_not_keep_the_door_is_told_what_to_do(
    closed: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.dashboard.tables.DOORKEEPER", "cellwitness_nobody")
    with pytest.raises(RoleMissing, match="cellwitness db roles"), Tables(lambda: closed.database):
        pass


def test_cookies_that_somebody_makes_up_cost_the_database_no_more_than_an_address_may(
    closed: Dashboard, tmp_path: Path
) -> None:
    asked = 0

    async def nobody(scope: Scope, _: Receive, __: Send) -> None:
        pytest.fail(f"{scope['path']} was let in")

    async def guess(gate: Gate, times: int) -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://localhost") as browser:
            return [
                (await browser.get("/api/v1/status", headers={"Cookie": f"{COOKIE}=made-up-{number}"})).status_code
                for number in range(times)
            ]

    with Tables(lambda: closed.database) as tables:

        @contextmanager
        def lend() -> Iterator[Connection]:
            nonlocal asked
            asked += 1
            with tables.doorkeeping() as connection:
                yield connection

        rules = Rules(requests_per_second=0.001, requests_at_once=5)
        gate = Gate(nobody, rules=rules, tokens=TokenFile(tmp_path / "none.json"), sessions=Sessions(lend), page=str)
        assert asyncio.run(guess(gate, 12)) == [401] * 5 + [429] * 7
    assert asked == 5
