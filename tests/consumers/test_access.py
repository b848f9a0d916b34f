"""Who may see what, and the record of what was asked, on a real PostgreSQL with its roles."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from psycopg import errors, sql

from consumers.access import PROFILES, Asked, Asking, NotAllowed, ask, asking_as, list_questions, may_ask, record
from consumers.queries import QUERIES
from consumers.queries import run as module
from consumers.queries.model import BadParameter, Moment, NothingOfThatName
from consumers.queries.run import run
from indexer.errors import ConfigurationError
from projections.database import Connection, connect
from projections.errors import DatabaseUnwell, SchemaMismatch
from tests.consumers.rows import Tables

HOSTILE = "Ada'); DROP TABLE questions;--\x1b[31m\x00\ud800"


@pytest.fixture
def tables(database: str) -> Iterator[Tables]:
    with connect(database) as connection:
        made = Tables(connection)
        for number in range(6):
            made.battery(f"b{number}", 0, model="M", manufacturer="Maker")
            for reading in range(3):
                made.reading(f"b{number}", 100 * reading, 9_900 - reading, reading, temp_max_c=20, temp_min_c=10)
        yield made


def as_role(url: str, role: str) -> Connection:
    connection = connect(url)
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    return connection


def somebody(profile: str) -> Asking:
    return asking_as("Ada", profile)


def given(name: str) -> dict[str, str]:
    return {"battery": "b1"} if any(each.required for each in QUERIES[name].parameters) else {}


@pytest.mark.parametrize("role", ["cellwitness_reader", "cellwitness_auditor"])
@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_gets_what_it_may_see_and_nothing_else_and_all_is_recorded(
    database: str, tables: Tables, role: str, profile: str
) -> None:
    asking = somebody(profile)
    with as_role(database, role) as connection:
        for name, query in QUERIES.items():
            if not may_ask(asking.profile, query):
                with pytest.raises(NotAllowed, match="may not ask"):
                    ask(connection, asking, query, given(name))
                continue
            answer = ask(connection, asking, query, given(name), form="json")
            whole = run(tables.connection, query, answer.parameters | given(name))
            assert {column.data for column in answer.columns} <= asking.profile.data
            assert [c for c in query.columns if c.data in asking.profile.data] == list(answer.columns)
            assert all(len(row) == len(answer.columns) for row in answer.rows)
            places = [query.columns.index(column) for column in answer.columns]
            assert answer.rows == [tuple(row[place] for place in places) for row in whole.rows]
            assert (answer.profile, answer.legal_basis, answer.asked_by) == (profile, asking.legal_basis, "Ada")
    questions = list_questions(tables.connection)
    assert [each.what for each in reversed(questions)] == list(QUERIES)
    for each in questions:
        allowed = may_ask(asking.profile, QUERIES[each.what])
        assert each.outcome == ("answered" if allowed else "refused")
        assert (each.step == 1) == allowed
        assert (each.who, each.profile, each.legal_basis) == ("Ada", profile, asking.legal_basis)


def test_the_public_is_told_of_no_single_battery(tables: Tables) -> None:
    public = somebody("public")
    assert {name for name, query in QUERIES.items() if may_ask(public.profile, query)} == {
        "soh-by-cycles",
        "temperature-outliers",
        "soh-increases",
    }
    for least in (None, 1, "1", 3):
        answer = ask(tables.connection, public, QUERIES["temperature-outliers"], {"least_batteries": least})
        assert answer.parameters["least_batteries"] == 5
        assert len(answer.rows) == 1
    tables.connection.execute("DELETE FROM readings WHERE battery_key IN (SELECT battery_key FROM batteries LIMIT 2)")
    assert ask(tables.connection, public, QUERIES["temperature-outliers"], {"least_batteries": 1}).rows == []
    assert ask(tables.connection, somebody("auditor"), QUERIES["temperature-outliers"], {}).rows
    with pytest.raises(BadParameter, match="whole number"):
        ask(tables.connection, public, QUERIES["temperature-outliers"], {"least_batteries": "many"})


def test_what_fails_is_recorded_with_its_reason(tables: Tables) -> None:
    asking = asking_as(HOSTILE, "auditor", "contract ' 14 \ud800")
    query = QUERIES["evidence"]
    with pytest.raises(NothingOfThatName):
        ask(tables.connection, asking, query, {"battery": "nobody' OR true --"}, Moment(as_of_slot=5))
    with pytest.raises(BadParameter):
        ask(tables.connection, asking, query, {"battery": "b1", "limit": "0"})
    newest, oldest = list_questions(tables.connection, who=asking.who)
    assert oldest.outcome == newest.outcome == "failed"
    assert "no battery" in str(oldest.reason)
    assert "limit" in str(newest.reason)
    assert (oldest.as_of_slot, oldest.step) == (5, None)
    assert oldest.parameters == {"battery": "nobody' OR true --"}
    assert oldest.who.startswith("Ada'); DROP TABLE questions;--")


def test_no_record_no_answer(tables: Tables) -> None:
    tables.connection.execute("ALTER TABLE cellwitness_people.questions RENAME TO elsewhere")
    with pytest.raises(SchemaMismatch):
        ask(tables.connection, somebody("auditor"), QUERIES["silent"], {})


def test_the_record_is_added_to_and_nothing_more(database: str, tables: Tables) -> None:
    table = "cellwitness_people.questions"
    columns = "who, profile, legal_basis, what, parameters, finality, outcome, format"
    values = "'a', 'b', 'c', 'd', '{}', 'final', 'answered', 'csv'"
    assert list_questions(tables.connection) == []
    asked = Asked(what="battery", parameters={"battery": b"\x00", "n": 2**90, "at": None}, form="html")
    for role in ("cellwitness_reader", "cellwitness_auditor"):
        with as_role(database, role) as connection:
            record(connection, somebody("surveillance"), asked, "answered", rows=1)
            for statement in (
                f"UPDATE {table} SET who = 'nobody'",
                f"DELETE FROM {table}",
                f"TRUNCATE {table}",
                f"INSERT INTO {table} ({columns}, at) VALUES ({values}, now())",
                f"INSERT INTO {table} ({columns}, role) VALUES ({values}, 'another')",
            ):
                with pytest.raises(errors.InsufficientPrivilege):
                    connection.execute(statement.encode())
    for role in ("cellwitness_reader", "cellwitness_alerter", "cellwitness_writer"):
        with as_role(database, role) as connection, pytest.raises(errors.InsufficientPrivilege):
            connection.execute(f"SELECT * FROM {table}".encode())
    with as_role(database, "cellwitness_alerter") as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(f"INSERT INTO {table} (who) VALUES ('a')".encode())
    with as_role(database, "cellwitness_auditor") as connection:
        found = list_questions(connection)
    assert len(found) == 2
    assert found[0].parameters == {"battery": "00", "n": str(2**90), "at": None}
    assert found[0].role


def test_the_record_survives_tables_that_are_built_anew(tables: Tables) -> None:
    ask(tables.connection, somebody("auditor"), QUERIES["silent"], {})
    tables.connection.execute("DROP SCHEMA cellwitness CASCADE")
    assert len(list_questions(tables.connection)) == 1


def test_who_asks_and_by_which_right_must_be_said() -> None:
    for wrong in (("", "auditor", "a"), ("a", "auditor", " "), ("a", "king", "b"), ("a" * 501, "auditor", "b")):
        with pytest.raises(ConfigurationError):
            asking_as(*wrong)
    for profile in PROFILES.values():
        assert asking_as("a", profile.name).legal_basis == profile.bases[0]


def test_a_query_reads_and_never_writes(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for who may write: PostgreSQL refuses it within a query's transaction."""
    monkeypatch.setitem(module._SQL, "silent", "DELETE FROM readings RETURNING 1")
    with pytest.raises(DatabaseUnwell, match="read-only transaction"):
        run(tables.connection, replace(QUERIES["silent"], reads=()), {})
    assert tables.connection.execute("SELECT count(*) FROM readings").fetchone() == (18,)
