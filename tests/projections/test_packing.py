from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.packing import HEADER, NULL, PACKERS, TRAILER, row_prefix, storable_json, storable_text

INT8 = st.integers(-(2**63), 2**63 - 1)
ROWS = st.lists(
    st.tuples(
        st.binary(max_size=40).map(bytes.hex),
        st.text(max_size=20),
        st.lists(st.text(max_size=5), max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers() | st.booleans(), max_size=3),
        st.datetimes().map(lambda each: each.replace(microsecond=0, year=max(each.year, 1900)).isoformat() + "Z"),
        INT8,
        st.integers(-(2**31), 2**31 - 1),
        st.integers(-(10**60), 10**60) | st.sampled_from([0, 9_999, 10_000, -10_000, 10**4000]),
        st.none() | st.booleans(),
    ),
    max_size=5,
)
TYPES = ("bytea", "text", "_text", "jsonb", "timestamptz", "int8", "int4", "numeric", "bool")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_what_is_packed_is_what_postgresql_reads(database: str, rows: list[tuple[Any, ...]]) -> None:
    packers = [PACKERS[name] for name in TYPES]
    with psycopg.connect(database) as connection:
        connection.execute("SET timezone TO 'UTC'")
        columns = ", ".join(f"c{place} {name.replace('_text', 'text[]')}" for place, name in enumerate(TYPES))
        connection.execute(f"CREATE TEMPORARY TABLE packed (number serial, {columns})".encode())
        names = ", ".join(f"c{place}" for place in range(len(TYPES)))
        with connection.cursor().copy(f"COPY packed ({names}) FROM STDIN (FORMAT binary)".encode()) as copy:
            copy.write(HEADER)
            for row in rows:
                values = (NULL if value is None else pack(value) for pack, value in zip(packers, row, strict=True))
                copy.write(row_prefix(len(TYPES)) + b"".join(values))
            copy.write(TRAILER)
        found = connection.execute(f"SELECT {names} FROM packed ORDER BY number".encode()).fetchall()
    assert [
        (a.hex(), b, tuple(c), d, e.strftime("%Y-%m-%dT%H:%M:%SZ"), f, g, int(h), i)
        for a, b, c, d, e, f, g, h, i in found
    ] == [
        (a, storable_text(b), tuple(map(storable_text, c)), storable_json(d), e, f, g, h, i)
        for a, b, c, d, e, f, g, h, i in rows
    ]


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "x\udfffy"])
def test_characters_that_postgresql_refuses_become_replacement_characters(text: str) -> None:
    assert "\N{REPLACEMENT CHARACTER}" in storable_text(text)
    storable_text(text).encode()


@pytest.mark.parametrize("value", ["a\x00b", "\ud800", "\\u0000", "é\u2028", 2**70, -(10**400), True, None, ("x", 1)])
def test_json_is_packed_as_postgresql_can_store_it_whatever_the_chain_says(database: str, value: Any) -> None:
    told = {"k": value, str(value): [value]}
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TEMPORARY TABLE packed (c jsonb)")
        with connection.cursor().copy("COPY packed FROM STDIN (FORMAT binary)") as copy:
            copy.write(HEADER + row_prefix(1) + PACKERS["jsonb"](told) + TRAILER)
        assert connection.execute("SELECT c FROM packed").fetchone() == (storable_json(told),)
