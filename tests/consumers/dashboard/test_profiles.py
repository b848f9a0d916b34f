"""What an access profile keeps back is absent from answers, wherever it might stand."""

import re
from typing import Any

import pytest

from consumers.access import PROFILES
from consumers.dashboard.withheld import FIELDS
from projections.database import connect
from tests.consumers.dashboard.running import Dashboard

ON_THE_CHAIN = {
    "slot", "height", "block", "time", "deployment", "known_from_step", "known_until_step", "rule", "number",
    "rule_version", "severity", "values", "thresholds", "alert", "first_fact", "first_slot", "first_height",
    "first_block", "first_time", "last_fact", "last_slot", "last_height", "last_block", "last_time", "type",
}  # fmt: skip
"""Where something stands, and what a finding or an alert says of itself: they come within fields that are kept back."""


def names_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for inner in value.values() for name in names_in(inner)}
    return {name for inner in value for name in names_in(inner)} if isinstance(value, list) else set()


def test_every_column_of_the_tables_has_a_kind(opened: Dashboard) -> None:
    with connect(opened.database) as connection:
        columns = connection.execute(
            "SELECT DISTINCT column_name FROM information_schema.columns WHERE table_schema = 'cellwitness' AND"
            " table_name IN ('events', 'batteries', 'commitments', 'readings', 'verdicts', 'findings', 'alerts')"
        ).fetchall()
    assert {name for (name,) in columns} - FIELDS.keys() - ON_THE_CHAIN == set()


@pytest.mark.parametrize("profile", PROFILES)
def test_no_answer_has_a_field_that_is_not_for_the_profile(closed: Dashboard, profile: str) -> None:
    seen = PROFILES[profile].data
    with closed.client(closed.token("admin", profile="auditor")) as admin:
        battery = admin.get("/api/v1/batteries").json()["batteries"][0]
        alert = admin.get("/api/v1/alerts").json()["alerts"][0]["alert"]
        one = f"/api/v1/batteries/{battery['deployment']}/{battery['battery_key']}"
        event = admin.get(one).json()["lines"][-1]["event_id"]
    answered = 0
    with closed.client(closed.token("viewer", profile=profile)) as client:
        for path in (
            "/api/v1/status", "/api/v1/steps", "/api/v1/fleet", "/api/v1/batteries", one, f"{one}/series",
            f"{one}/beliefs", f"{one}/events/{event}", "/api/v1/alerts", f"/api/v1/alerts/{alert}",
        ):  # fmt: skip
            answer = client.get(path)
            assert answer.status_code in (200, 403), answer.text
            if answer.status_code == 200:
                answered += 1
                kept_back = {name for name in names_in(answer.json()) if FIELDS.get(name, "model") not in seen}
                assert kept_back == set(), path
        pages = {
            path: client.get(path, headers={"Accept": "text/html"}).status_code for path in ("/", "/alerts", "/system")
        }
    assert answered >= 2
    assert pages["/system"] == 200
    assert (pages["/"] == 200) == ({"condition", "finding", "identity"} <= seen)


def test_queries_leave_columns_out_and_refuse_what_would_say_nothing(closed: Dashboard) -> None:
    with closed.client(closed.token("viewer", profile="legitimate-interest")) as client:
        listed = {each["name"]: each["allowed"] for each in client.get("/api/v1/queries").json()["queries"]}
        refused = next(name for name, allowed in listed.items() if not allowed)
        answer = client.get(f"/api/v1/queries/{refused}")
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:cellwitness:problem:not-for-your-profile")
        page = client.get(f"/queries/{refused}", headers={"Accept": "text/html"})
        assert "you may not ask this" in page.text


def test_what_is_asked_is_recorded_with_its_legal_basis(closed: Dashboard) -> None:
    def questions() -> list[tuple[Any, ...]]:
        with connect(closed.database) as connection:
            return connection.execute(
                "SELECT who, profile, legal_basis, what, outcome FROM cellwitness_people.questions"
                " ORDER BY question_number"
            ).fetchall()

    before = len(questions())
    with closed.client(closed.token("viewer", profile="surveillance")) as client:
        assert client.get("/api/v1/queries/silent").status_code == 200
        battery = client.get("/api/v1/batteries").json()["batteries"][0]
        client.get(f"/api/v1/batteries/{battery['deployment']}/{battery['battery_key']}")
    asked = questions()[before:]
    assert ("the viewer", "surveillance", "a test", "silent", "answered") in asked
    assert ("the viewer", "surveillance", "a test", "timeline", "answered") in asked


def test_a_session_says_its_basis_and_an_auditor_reads_the_record(closed: Dashboard) -> None:
    with closed.client(Accept="text/html") as browser:
        browser.post("/login", data={"token": closed.token("auditor", profile="auditor"), "legal_basis": "audit 7"})
        browser.get("/queries/silent")
        page = browser.get("/access")
        assert "audit 7" in page.text
        assert re.search(r"<td>silent</td>", page.text)
    with closed.client(closed.token("viewer"), Accept="text/html") as viewer:
        assert "<td>silent</td>" not in viewer.get("/access").text
