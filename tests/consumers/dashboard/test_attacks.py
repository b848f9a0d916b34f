"""What somebody tries who came in, or whose page a person who came in looks at."""

import concurrent.futures
import re
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from consumers.dashboard import tables as tables_module
from consumers.dashboard.gate import POLICY
from consumers.dashboard.limits import Limit
from consumers.dashboard.people import TokenFile
from consumers.dashboard.tables import RoleMissing, Tables
from deploy.postgres import EmbeddedPostgres
from projections.database import connect
from projections.errors import DatabaseRefuses, DatabaseUnwell, SchemaMismatch
from tests.consumers.dashboard.running import Dashboard, running
from tests.consumers.dashboard.test_door import PAGE, is_refused
from tests.postgres import fresh_database

INJECTIONS = (
    "' OR '1'='1",
    "x'; DROP TABLE cellwitness.events; --",
    "1; RESET ROLE",
    "\\'; SELECT pg_sleep(20); --",
    "%s %(step)s {known}",
    "$$; COPY events TO PROGRAM 'id'; $$",
)


def csrf_of(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def an_alert(dashboard: Dashboard) -> str:
    return str(dashboard.get("/api/v1/alerts").json()["alerts"][0]["alert"])


def test_every_answer_forbids_scripts_of_others_and_frames(opened: Dashboard) -> None:
    for path in ("/system", "/api/v1/status", "/nothing", "/static/0/none.js", "/login", "/health/live"):
        headers = opened.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in POLICY
    assert "frame-ancestors 'none'" in POLICY


def test_no_page_has_a_script_or_a_style_in_it(opened: Dashboard) -> None:
    for path in ("/system", "/login", "/nothing"):
        with opened.client(**PAGE) as client:
            page = client.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", page)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)


def test_another_name_for_this_machine_is_not_answered(opened: Dashboard) -> None:
    """A page of evil.example whose name is made to point here would else read everything: DNS rebinding."""
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "[::1].evil"):
        with opened.client(Host=host) as client:
            assert client.get("/api/v1/status").status_code in (400, 421)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_changes_nothing(opened: Dashboard, headers: dict[str, str]) -> None:
    alert = an_alert(opened)
    with opened.client(**PAGE) as browser:
        sent = browser.post(f"/alerts/{alert}/acts", data={"act": "close", "why": "evil"}, headers=headers)
        assert (sent.status_code, "another site" in sent.text) == (403, True)
        sent = browser.post(f"/api/v1/alerts/{alert}/acts", json={"act": "close", "why": "evil"}, headers=headers)
        assert is_refused(sent, 403, "other-site")
    assert opened.get(f"/api/v1/alerts/{alert}").json()["acts"] == []


def test_a_form_without_its_sessions_secret_changes_nothing(closed: Dashboard) -> None:
    with closed.client(**PAGE) as one, closed.client(**PAGE) as other:
        for browser in (one, other):
            browser.post("/login", data={"token": closed.token("analyst")})
        alert = one.get("/api/v1/alerts").json()["alerts"][0]["alert"]
        mine, theirs = csrf_of(one.get("/system").text), csrf_of(other.get("/system").text)
        for csrf in ("", theirs, mine[:-1], "\N{SNOWMAN}"):
            answer = one.post(f"/alerts/{alert}/acts", data={"csrf": csrf, "act": "note", "why": "forged"})
            assert answer.status_code == 403
        assert one.get(f"/api/v1/alerts/{alert}").json()["acts"] == []
        done = one.post(f"/alerts/{alert}/acts", data={"csrf": mine, "act": "note", "why": "papers seen"})
        assert (done.status_code, done.headers["location"]) == (303, f"/alerts/{alert}")
        (act,) = one.get(f"/api/v1/alerts/{alert}").json()["acts"]
        assert (act["who"], act["why"], act["act"]) == ("the analyst", "papers seen", "note")


def test_json_that_a_form_could_send_is_not_taken(opened: Dashboard) -> None:
    alert = an_alert(opened)
    with opened.client() as client:
        for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
            body = b'{"act": "close", "why": "evil"}'
            answer = client.post(f"/api/v1/alerts/{alert}/acts", content=body, headers={"Content-Type": kind})
            assert is_refused(answer, 415, "not-json")


def test_a_role_without_the_right_changes_nothing(closed: Dashboard) -> None:
    with closed.client(closed.token("viewer")) as viewer, closed.client(closed.token("auditor")) as auditor:
        alert = viewer.get("/api/v1/alerts").json()["alerts"][0]["alert"]
        for client in (viewer, auditor):
            answer = client.post(f"/api/v1/alerts/{alert}/acts", json={"act": "close", "why": "papers seen"})
            assert is_refused(answer, 403, "not-for-your-role")


def test_who_acts_is_who_came_in_whatever_he_says(closed: Dashboard) -> None:
    with closed.client(closed.token("analyst")) as client:
        alert = client.get("/api/v1/alerts").json()["alerts"][-1]["alert"]
        forged = client.post(f"/api/v1/alerts/{alert}/acts", json={"act": "ack", "why": "seen", "who": "Ada"})
        assert is_refused(forged, 400, "bad-body")
        done = client.post(f"/api/v1/alerts/{alert}/acts", json={"act": "ack", "why": "seen"})
        assert done.json()["who"] == "the analyst"


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_is_sent_is_never_a_part_of_sql(opened: Dashboard, text: str) -> None:
    before = opened.get("/api/v1/steps").json()["steps"]
    for path in (
        "/api/v1/alerts?battery=",
        "/api/v1/alerts?deployment=",
        "/api/v1/alerts?rule=",
        "/api/v1/alerts?cursor=",
        "/api/v1/steps?cursor=",
        "/system?known_at=",
        "/system?as_of_slot=",
    ):
        assert opened.get(path + quote(text, safe="")).status_code in (200, 400, 404)
    assert opened.get(f"/api/v1/batteries/{'x'}/{'00' * 28}").status_code == 404
    assert opened.get("/api/v1/steps").json()["steps"] == before


def test_a_reader_writes_nothing_and_an_alerter_only_acts(opened: Dashboard) -> None:
    with Tables(lambda: opened.database) as tables:
        for statement in (
            "DELETE FROM events",
            "UPDATE alerts SET severity = 'warning'",
            "INSERT INTO cellwitness_people.alert_acts DEFAULT VALUES",
            "CREATE TABLE mine (x int)",
            "COPY events TO PROGRAM 'cat'",
            "SELECT state FROM states",
            "SELECT pg_read_file('/etc/passwd')",
        ):
            with pytest.raises((SchemaMismatch, DatabaseRefuses, DatabaseUnwell)), tables.reading() as connection:
                connection.execute(statement)
        for statement in ("DELETE FROM cellwitness_people.alert_acts", "SELECT body FROM events", "DELETE FROM alerts"):
            with pytest.raises((SchemaMismatch, DatabaseRefuses)), tables.acting() as connection:
                connection.execute(statement)


def test_a_statement_that_takes_too_long_is_ended(opened: Dashboard) -> None:
    with Tables(lambda: opened.database, statement_seconds=0.2) as tables:
        with pytest.raises(DatabaseUnwell, match="statement timeout"), tables.reading() as connection:
            connection.execute("SELECT pg_sleep(60)")
        with tables.reading() as connection:  # and the connection is still good for others
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_reader_who_may_write_is_refused_at_the_start(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    url = fresh_database(postgres)
    with running(url, tmp_path, blocks=1):
        pass
    with connect(url) as connection:
        connection.execute("GRANT DELETE ON cellwitness.events TO cellwitness_reader")
    with pytest.raises(RoleMissing, match="events"), Tables(lambda: url):
        pass


def test_a_user_who_can_not_become_the_reader_is_told_what_to_do(
    opened: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables_module, "READER", "cellwitness_nobody")
    with pytest.raises(RoleMissing, match="cellwitness db roles"), Tables(lambda: opened.database):
        pass


def test_who_asks_too_often_has_to_wait_and_is_told_how_long() -> None:
    limit = Limit(per_second=2, burst=3)
    assert [limit.take("a", 0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert limit.take("a", 0.0) == pytest.approx(0.5)
    assert limit.take("b", 0.0) == 0.0
    assert limit.take("a", 0.6) == 0.0


def test_guessing_tokens_is_slowed_down(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    def one(file: TokenFile) -> None:
        file.add(name="A", role="viewer", profile="public", legal_basis="x", days=None)

    with running(fresh_database(postgres), tmp_path, blocks=1, tokens=one, require_login=True) as dashboard:
        with dashboard.client(**PAGE) as browser:
            statuses = [browser.post("/login", data={"token": f"guess {number}"}).status_code for number in range(40)]
        assert statuses.count(401) <= 25
        assert statuses[-1] == 429
        with dashboard.client("cw_000000000000_" + "A" * 43) as program:
            answer = program.get("/api/v1/status")
            assert is_refused(answer, 429, "too-often")
            assert int(answer.headers["retry-after"]) >= 1


def test_a_flood_is_refused_and_others_are_served(opened: Dashboard) -> None:
    with opened.client(**PAGE) as flooder, opened.client(**PAGE) as other:
        flooder.get("/system")
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda _: flooder.get("/health/live").status_code, range(1_500)))
        if time.monotonic() - began < 15:  # else the machine itself was slower than the limit
            assert 429 in statuses
        assert other.get("/system").status_code == 200


def test_a_person_who_is_not_let_in_reads_why_on_a_page_and_a_program_as_a_problem(opened: Dashboard) -> None:
    with opened.client(**PAGE) as browser:
        page = browser.get("/", headers={"Host": "<b>evil</b>"})
        assert page.status_code == 421
        assert page.headers["content-type"].startswith("text/html")
        assert "content-security-policy" in page.headers
        assert "&lt;b&gt;evil" in page.text
        assert "<b>" not in page.text
        assert is_refused(browser.get("/api/v1/status", headers={"Host": "evil"}), 421, "other-host")


def test_bodies_and_addresses_have_a_greatest_size(opened: Dashboard) -> None:
    alert = an_alert(opened)
    with opened.client() as client:
        answer = client.post(f"/api/v1/alerts/{alert}/acts", json={"act": "note", "why": "x" * 70_000})
        assert is_refused(answer, 413, "too-large")
        assert is_refused(client.get("/api/v1/alerts?deployment=" + "x" * 9_000), 414, "too-long")
        deep = client.post(
            f"/api/v1/alerts/{alert}/acts", content=b"[" * 60_000, headers={"Content-Type": "application/json"}
        )
        assert is_refused(deep, 400, "bad-body")


def test_a_file_outside_is_not_served(opened: Dashboard) -> None:
    digest = re.search(r"/static/([0-9a-f]+)/", opened.get("/login").text)
    assert digest
    for name in (
        "../server.py",
        "..%2Fserver.py",
        "%2e%2e/server.py",
        "/etc/passwd",
        "package.json",
        "live.js%00",
    ):
        assert opened.get(f"/static/{digest[1]}/{name}").status_code == 404
