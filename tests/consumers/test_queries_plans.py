"""How PostgreSQL finds the rows: of one battery by indexes, whatever the fleet's size."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from consumers.queries import QUERIES
from consumers.queries.model import NOW, Moment
from consumers.queries.run import run
from projections.database import connect
from tests.consumers.rows import Tables, many
from tests.postgres import fresh_database

LARGE = {"readings", "verdicts", "events", "findings", "commitments"}
OF_ONE_BATTERY = [name for name, query in QUERIES.items() if query.parameter("battery")]


class Watched(psycopg.Cursor[Any]):
    """Remembers what was asked last."""

    last: tuple[Any, Any] = ("", None)

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        Watched.last = (query, params)
        return super().execute(query, params, **options)


@pytest.fixture(scope="module")
def fleet(postgres: Any) -> Iterator[Tables]:
    with connect(fresh_database(postgres)) as connection:
        made = Tables(connection)
        many(connection, 1_000, 30)
        yield made


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def scanned(tables: Tables, name: str, moment: Moment, **parameters: Any) -> set[str]:
    """Tables that are read from their first row to their last."""
    tables.connection.cursor_factory = Watched
    try:
        run(tables.connection, QUERIES[name], parameters, moment)
    finally:
        tables.connection.cursor_factory = psycopg.Cursor
    query, values = Watched.last
    row = tables.connection.execute(f"EXPLAIN (FORMAT JSON) {query}".encode(), values).fetchone()
    assert row is not None
    return {node["Relation Name"] for node in nodes(row[0][0]["Plan"]) if node["Node Type"] == "Seq Scan"}


@pytest.mark.parametrize("name", OF_ONE_BATTERY)
def test_what_is_asked_of_one_battery_is_found_by_indexes(fleet: Tables, name: str) -> None:
    assert not scanned(fleet, name, NOW, battery="urn:many:7") & LARGE
    assert not scanned(fleet, name, Moment(known_at=1), battery="urn:many:7") & LARGE


def test_a_fleet_s_question_reads_what_it_sums_up(fleet: Tables) -> None:
    """Or the test above would hold of anything."""
    assert "readings" in scanned(fleet, "soh-by-cycles", NOW)


def test_passports_are_found_among_all_events(fleet: Tables) -> None:
    assert "events" not in scanned(fleet, "shared-keys", NOW)
    assert "events" not in scanned(fleet, "completeness", NOW)
