"""The API against its own description, by whoever writes anything into it; and against what the pages say."""

import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

from consumers.client import Client
from consumers.dashboard.openapi import describe
from consumers.dashboard.routes import ENDPOINTS
from tests.consumers.dashboard.running import Dashboard

OPERATIONS = sorted(
    (method.upper(), path)
    for path, methods in describe(ENDPOINTS)["paths"].items()
    for method in methods
    if path != "/api/v1/events"
)

EXCLUDED = [
    not_a_server_error,  # 503 is an answer: come again
    positive_data_acceptance,  # no schema says which cursors are ours, or that a battery's name is known
]


@pytest.fixture(scope="module")
def schema(opened: Dashboard) -> Any:
    return schemathesis.openapi.from_url(f"{opened.url}/api/v1/openapi.json")


def test_the_description_is_an_openapi_document_and_its_schemas_are_schemas(opened: Dashboard) -> None:
    said = opened.get("/api/v1/openapi.json").json()
    assert said["openapi"].startswith("3.1")
    for schema in said["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    assert len(said["paths"]) == len(describe(ENDPOINTS)["paths"]) >= 35


@pytest.mark.long
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_whatever_is_written_into_an_address_is_answered_by_the_schema(
    opened: Dashboard, schema: Any, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No 500, and no answer that the description does not name."""
    monkeypatch.setattr("consumers.dashboard.server.MIN_STEP_SECONDS", 0.05)
    operation = schema[path][method]

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        answer = case.call(base_url=opened.url)
        assert answer.status_code != 500, answer.text
        case.validate_response(answer, excluded_checks=EXCLUDED)
        if answer.status_code >= 400:
            assert answer.headers["content-type"][0] == "application/problem+json"
        if answer.status_code == 400 and method == "GET":
            assert answer.json()["parameter"]

    ask()


BAD = (
    ("/api/v1/alerts?limit=0", "limit"),
    ("/api/v1/alerts?limit=1e3", "limit"),
    ("/api/v1/alerts?limit=null", "limit"),
    ("/api/v1/alerts?limit=5&limit=6", "limit"),
    ("/api/v1/alerts?state=opened", "state"),
    ("/api/v1/alerts?sort=up", "sort"),
    ("/api/v1/alerts?cursor=bm9uZQ", "cursor"),
    ("/api/v1/alerts?deployment=%00", "deployment"),
    ("/api/v1/batteries?as_of_slot=-1", "as_of_slot"),
    ("/api/v1/batteries?as_of_slot=99999999999999999999", "as_of_slot"),
    ("/api/v1/batteries/demo/zz", "battery_key"),
    ("/api/v1/queries/silent?silent_months=none", "silent_months"),
    ("/api/v1/queries/silent?format=xml", "format"),
)


@pytest.mark.parametrize(("path", "parameter"), BAD)
def test_every_bad_input_is_told_what_to_do(opened: Dashboard, path: str, parameter: str) -> None:
    answer = opened.get(path)
    said = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert said["parameter"] == parameter
    assert parameter in said["detail"] or "key" in said["detail"]


def test_a_part_follows_a_part_until_all_is_told_once(opened: Dashboard) -> None:
    with Client(opened.url) as client:
        battery = client.batteries()["batteries"][0]
        one = (battery["deployment"], battery["battery_key"])
        whole = client.timeline(*one, limit=1000)
        parts = list(client.pages(client.timeline, *one, limit=7))
        assert [line["event_id"] for part in parts for line in part["lines"]] == [
            line["event_id"] for line in whole["lines"]
        ]
        alerts = client.alerts(limit=1000)["alerts"]
        found = [alert for part in client.pages(client.alerts, limit=3) for alert in part["alerts"]]
        assert found == alerts


def test_every_answer_says_where_it_holds(opened: Dashboard) -> None:
    with Client(opened.url) as client:
        now = client.status()["holds"]
        assert {now["step"], now["slot"], now["block"]}.isdisjoint({None})
        earlier = client.batteries(as_of_step=now["step"] - 1)["holds"]
        assert earlier["step"] == now["step"] - 1
        assert client.fleet(as_of_slot=5)["holds"]["as_of_slot"] == 5
        assert client.fleet(min_step=now["step"])["holds"]["step"] == now["step"]


def test_a_step_that_is_not_reached_is_waited_for_and_then_refused(opened: Dashboard, monkeypatch: Any) -> None:
    monkeypatch.setattr("consumers.dashboard.server.MIN_STEP_SECONDS", 0.2)
    answer = opened.get("/api/v1/batteries", min_step=10**6)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:cellwitness:problem:step-not-reached")
    assert answer.headers["retry-after"]
    assert opened.get("/api/v1/batteries", as_of_step=10**6).status_code == 404


def test_the_same_answer_is_not_sent_twice(opened: Dashboard) -> None:
    first = opened.get("/api/v1/batteries")
    with opened.client(**{"If-None-Match": first.headers["etag"]}) as client:
        again = client.get("/api/v1/batteries")
    assert (again.status_code, again.content) == (304, b"")


def test_pages_say_what_the_api_says(opened: Dashboard) -> None:
    with opened.client(Accept="text/html") as browser, Client(opened.url) as client:
        fleet, home = client.fleet(), browser.get("/").text
        for model in fleet["models"]:
            assert model["model"] is None or model["model"] in home
        for alert in client.alerts()["alerts"]:
            page = browser.get(f"/alerts/{alert['alert']}").text
            assert alert["rule"] in page
            assert alert["name"] in page
        for battery in client.batteries()["batteries"]:
            one = (battery["deployment"], battery["battery_key"])
            page = browser.get(f"/batteries/{one[0]}/{one[1]}").text
            readings = [line for line in client.timeline(*one, limit=1000)["lines"] if line["reading"]]
            assert battery["battery_key"] in page
            assert all(str(line["slot"]) in re.sub(r"[\u202f,]", "", page) for line in readings[-5:])
        for step in client.steps(kind="rollback")["steps"]:
            assert f"{step['step']:,}" in browser.get("/system").text


def test_the_csv_the_json_and_the_page_of_a_query_have_the_same_rows(opened: Dashboard) -> None:
    with opened.client(Accept="text/html") as browser, Client(opened.url) as client:
        said = client.query("findings-by-rule")
        csv = client.query_file("findings-by-rule", "csv").decode()
        assert len([line for line in csv.splitlines() if line and not line.startswith("#")]) == len(said["data"]) + 1
        assert client.query_file("findings-by-rule", "parquet")[:4] == b"PAR1"
        page = browser.get("/queries/findings-by-rule").text
        for row in said["data"]:
            assert row["rule"] in page
        link = re.search(r'href="(/queries/findings-by-rule\?[^"]*as_of_step=[^"]*)"', page)
        assert link
        assert browser.get(link[1].replace("&amp;", "&")).status_code == 200
