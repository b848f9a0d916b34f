"""Names from the chain and parameters from people attack: SQL, spreadsheets, terminals, plans and patience."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from consumers.access import ask, asking_as
from consumers.queries import QUERIES, find_query
from consumers.queries import run as module
from consumers.queries.formats import FORMATS, write
from consumers.queries.model import Answer, BadParameter, Parameter, Query
from consumers.queries.parameters import check_parameters
from consumers.queries.run import TooSlow, run, sql_of
from indexer.errors import CellwitnessError, ConfigurationError
from projections.database import connect
from tests.consumers.rows import Tables
from tests.postgres import fresh_database

ATTACKS = (
    "'; DROP TABLE readings; --",
    "' OR '1'='1",
    '"; SELECT pg_sleep(10); --',
    "%(step)s",
    "%s %d %%",
    "{known}",
    "\\'; --",
    "x\x00y",
    "\ud800",
    "a" * 100_000,
    "$1",
    "0x" + "f" * 10_000,
    "1e999999999",
    "NaN",
    "-1",
    "9" * 5_000,
    "٣",
)
NAMES = (
    "=cmd|'/c calc'!A1",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1+1",
    "\uff1d1+1",
    'quote " , comma\nline',
    "\x1b[31mred\u202e",
    "nul\x00",
    "<script>alert(1)</script>",
    "",
)


@pytest.fixture(scope="module")
def hostile(postgres: Any) -> Iterator[Tables]:
    with connect(fresh_database(postgres)) as connection:
        made = Tables(connection)
        for name in NAMES[:-1]:
            made.battery(name, 0, model=name, manufacturer=name)
            fact = made.reading(name, 100, 9_000, 10**300, counter=2**80)
            made.finding(name, fact, 100, "R25", early=1, late=2, model_median=3, text=name)
        yield made


def answer_of(tables: Tables, name: str) -> Answer:
    query = QUERIES[name]
    return run(tables.connection, query, {each.name: NAMES[0] for each in query.parameters if each.required})


def asked(query: Query, parameter: Parameter, value: Any) -> dict[str, Any]:
    required = {each.name: NAMES[0] for each in query.parameters if each.required}
    return required | {parameter.name: value}


@pytest.mark.parametrize("name", QUERIES)
def test_no_parameter_becomes_sql(hostile: Tables, name: str) -> None:
    """Each attack through each parameter is refused in words, or answered as the name that it is."""
    query = QUERIES[name]
    counts = "SELECT (SELECT count(*) FROM readings), (SELECT count(*) FROM batteries), (SELECT count(*) FROM findings)"
    before = hostile.connection.execute(counts).fetchone()
    whole = len(answer_of(hostile, name).rows)
    for parameter in query.parameters:
        for attack in ATTACKS:
            try:
                answer = run(hostile.connection, query, asked(query, parameter, attack), timeout_seconds=8)
            except CellwitnessError as refused:
                words, refuses = str(refused), isinstance(refused, ConfigurationError)
            else:
                assert len(answer.rows) <= whole
                assert parameter.kind != "text" or name == "completeness" or not answer.rows, (parameter.name, attack)
                continue
            assert refuses or "no battery" in words
            assert len(words) < 1_000
    assert hostile.connection.execute(counts).fetchone() == before


def test_a_name_that_attacks_is_found_as_itself(hostile: Tables) -> None:
    for name in NAMES[:-1]:
        if "\x00" in name or name.strip() != name:
            continue
        answer = run(hostile.connection, QUERIES["knees"], {"model": name})
        assert [row[2] for row in answer.rows] == [name]


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_answer_gives_the_same_bytes(hostile: Tables, form: Any) -> None:
    for name in QUERIES:
        first, second = (written(answer_of(hostile, name), form) for _ in range(2))
        assert first == second
        assert first


def written(answer: Answer, form: Any) -> bytes:
    out = io.BytesIO()
    write(answer, form, out)
    return out.getvalue()


def test_no_cell_of_csv_is_a_formula_and_numbers_stay_numbers(hostile: Tables) -> None:
    answer = run(hostile.connection, QUERIES["knees"], {})
    text = written(answer, "csv").decode()
    lines = list(csv.reader(io.StringIO(text, newline="")))
    body = [line for line in lines if not line[0].startswith("# ")]
    assert len(body) == 1 + len(answer.rows)
    for row, said in zip(answer.rows, body[1:], strict=True):
        for value, cell in zip(row, said, strict=True):
            if isinstance(value, str):
                assert cell.lstrip(" ")[:1] not in tuple("=+-@\t\r\n\uff1d")
                assert cell in (value, f"'{value}")
    negative = run(hostile.connection, QUERIES["passport-against-readings"], {})
    assert b"rows" in written(negative, "csv")


def test_a_terminal_gets_no_control_character(hostile: Tables) -> None:
    for name in ("knees", "accepted-implausible", "evidence"):
        table = written(answer_of(hostile, name), "table")
        assert all(line.isprintable() for line in table.decode().splitlines())


def test_numbers_of_any_size_are_whole_in_json_and_said_to_be_missing_in_parquet(hostile: Tables) -> None:
    answer = run(hostile.connection, QUERIES["knees"], {})
    document = json.loads(written(answer, "json"))
    assert {row["cycles"] for row in document["data"]} == {10**300}
    assert {row["model"] for row in document["data"]} == {name.replace("\x00", "\ufffd") for name in NAMES[:-1]}
    assert document["holds"]["step"] == 1
    assert document["rules"]["rule_set"] == 1
    assert document["rules"]["versions"]["R25"] == 1
    table = parquet.read_table(io.BytesIO(written(answer, "parquet")))
    assert table.column("cycles").to_pylist() == [None] * len(answer.rows)
    about = json.loads(table.schema.metadata[b"cellwitness"])
    assert about["beyond_64_bits"] == {"cycles": len(answer.rows)}
    assert table.column("soh").to_pylist() == [90.0] * len(answer.rows)
    assert table.schema.field("soh").metadata[b"unit"] == b"%"
    assert table.column("battery_key").to_pylist() == [row[4] for row in answer.rows]


def test_every_output_says_where_it_holds_what_judged_and_by_which_right(hostile: Tables) -> None:
    asking = asking_as("Ada =1+1", "auditor", "contract 14")
    for name in ("knees", "completeness"):
        answer = ask(hostile.connection, asking, QUERIES[name], {})
        for form in ("table", "csv"):
            text = written(answer, form).decode()
            for word in ("step 1", "slot 400000000", "rule set 1", "auditor", "contract 14", "62" * 32):
                assert word in text, (form, word)
        assert json.loads(written(answer, "json"))["access"] == {
            "who": "Ada =1+1",
            "profile": "auditor",
            "legal_basis": "contract 14",
        }


def test_a_query_that_takes_too_long_is_given_up(hostile: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module._SQL, "silent", "SELECT pg_sleep(60)")
    with pytest.raises(TooSlow, match=r"longer than 0\.2 s"):
        run(hostile.connection, QUERIES["silent"], {}, timeout_seconds=0.2)
    assert hostile.connection.execute("SHOW statement_timeout").fetchone() == ("0",)


def test_a_limit_says_that_there_is_more(hostile: Tables) -> None:
    some = run(hostile.connection, QUERIES["knees"], {"limit": 3})
    assert (len(some.rows), some.truncated) == (3, True)
    every = run(hostile.connection, QUERIES["knees"], {"limit": len(NAMES) - 1})
    assert (len(every.rows), every.truncated) == (len(NAMES) - 1, False)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_parameter_is_of_its_type_or_refused_by_its_name(data: st.DataObject) -> None:
    query = data.draw(st.sampled_from(list(QUERIES.values())))
    parameter = data.draw(st.sampled_from(query.parameters))
    value = data.draw(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.binary(), st.none()))
    of = ""
    checked: dict[str, Any] = {}
    try:
        checked = check_parameters(query, asked(query, parameter, value))
    except BadParameter as refused:
        of = refused.parameter
    assert of in ("", parameter.name)
    if of:
        return
    found: Any = checked[parameter.name]
    types: dict[str, tuple[type, ...]] = {
        "integer": (int,),
        "step": (int,),
        "number": (Decimal, int),
        "boolean": (bool,),
        "hex": (bytes,),
    }
    if parameter.least is not None and found is not None:
        assert parameter.least <= found
        assert parameter.greatest is None or found <= parameter.greatest
    assert found is None or isinstance(found, types.get(parameter.kind, (str,)))
    if parameter.choices:
        assert found in parameter.choices


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'silent'"):
        find_query("silen")
    with pytest.raises(BadParameter, match="did you mean 'days'"):
        check_parameters(QUERIES["silent"], {"dayz": 3})
    assert find_query("25").name == "completeness"
    for wrong in ("0", "26", "²", "-1", "x" * 5_000):
        with pytest.raises(ConfigurationError):
            find_query(wrong)


def test_the_sql_holds_nothing_but_names_of_parameters() -> None:
    for query in QUERIES.values():
        text = sql_of(query)
        assert "{" not in text
        assert text.count("%(") == text.replace("%%", "").count("%")
