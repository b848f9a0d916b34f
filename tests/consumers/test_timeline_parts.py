"""A part of a timeline says what the whole says of the same lines, and its sums are of the whole."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from psycopg.rows import dict_row

from consumers.plain_rows import plain_cursor
from consumers.timeline import Line, plain, read_timeline
from consumers.timeline_questions import Part
from projections.database import Connection, connect
from projections.rows import TABLES
from tests.consumers.labelled import Labelled


def batteries(connection: Connection) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT deployment, encode(battery_key, 'hex') FROM batteries WHERE known_until_step IS NULL ORDER BY 2"
    ).fetchall()


def without_checks(line: Line) -> Line:
    said = None if line.verdict is None else {name: value for name, value in line.verdict.items() if name != "checks"}
    return msgspec.structs.replace(line, verdict=said)


@pytest.mark.parametrize("lines", [1, 2, 7, 10_000])
def test_the_newest_lines_are_those_of_the_whole_and_sums_are_of_the_whole(frauds: Labelled, lines: int) -> None:
    with connect(frauds.url) as connection:
        found = batteries(connection)
        assert found
        for battery in found:
            whole = read_timeline(connection, *battery)
            part = read_timeline(connection, *battery, part=Part(lines=lines))
            assert whole is not None
            assert part is not None
            assert part.lines == whole.lines[-lines:]
            assert part.earlier == max(len(whole.lines) - lines, 0)
            assert (part.summary, part.soh_bp, part.battery) == (whole.summary, whole.soh_bp, whole.battery)
            assert (part.alerts, part.holds, whole.earlier) == (whole.alerts, whole.holds, 0)


@pytest.mark.parametrize("at_step", [None, 0.5, 0.9])
def test_sums_that_postgresql_makes_are_those_of_all_rows(frauds: Labelled, at_step: float | None) -> None:
    """Frauds repeat counters, go back, and say two things under one number."""
    faults = 0
    with connect(frauds.url) as connection:
        ((last,),) = connection.execute("SELECT max(step) FROM steps").fetchall()
        step = None if at_step is None else int(last * at_step)
        for battery in batteries(connection):
            whole = read_timeline(connection, *battery, step)
            part = read_timeline(connection, *battery, step, part=Part(lines=5, course=False))
            assert (whole is None) == (part is None)
            if whole is not None and part is not None:
                assert part.lines == whole.lines[-5:]
                assert (part.summary, part.soh_bp) == (whole.summary, [])
                faults += sum(each.regressions + each.duplicates + each.gaps for each in whole.summary.counters)
    assert faults


def test_going_from_line_to_earlier_lines_shows_each_once(frauds: Labelled) -> None:
    with connect(frauds.url) as connection:
        ((slot,),) = connection.execute("SELECT max(slot) FROM steps").fetchall()
        for then in (None, int(slot)):
            for battery in batteries(connection)[:4]:
                whole = read_timeline(connection, *battery, as_of_slot=then)
                assert whole is not None
                before: tuple[int, int, int] | None = None
                found: list[Line] = []
                earlier = len(whole.lines)
                while earlier:
                    asked = Part(lines=7, course=False, before=before)
                    part = read_timeline(connection, *battery, as_of_slot=then, part=asked)
                    assert part is not None
                    found = part.lines + found
                    earlier = part.earlier
                    assert earlier == len(whole.lines) - len(found)
                    before = (found[0].height, found[0].transaction_index, found[0].event_index)
                assert found == whole.lines


def test_the_same_holds_of_the_past(frauds: Labelled) -> None:
    with connect(frauds.url) as connection:
        ((step, slot),) = connection.execute("SELECT max(step), max(slot) / 2 FROM steps").fetchall()
        for battery in batteries(connection):
            for then in ({"as_of_step": step // 2}, {"as_of_slot": int(slot)}):
                whole = read_timeline(connection, *battery, **then)
                part = read_timeline(connection, *battery, **then, part=Part(lines=3))
                assert (whole is None) == (part is None)
                if whole is not None and part is not None:
                    assert part.lines == whole.lines[-3:]
                    assert (part.summary, part.earlier) == (whole.summary, max(len(whole.lines) - 3, 0))


def test_what_was_not_asked_for_is_not_there_and_all_else_is(frauds: Labelled) -> None:
    bodies = 4
    left_out = 0
    with connect(frauds.url) as connection:
        for battery in batteries(connection):
            whole = read_timeline(connection, *battery)
            part = read_timeline(connection, *battery, part=Part(bodies=bodies, checks=False))
            assert whole is not None
            assert part is not None
            for at, (line, told) in enumerate(zip(whole.lines, part.lines, strict=True)):
                old = line.type.startswith("reading") and at < len(whole.lines) - bodies
                left_out += old
                assert bytes(told.event) == (b"null" if old else bytes(line.event))
                assert msgspec.structs.replace(told, event=line.event) == without_checks(line)
    assert left_out


def test_a_row_is_said_as_ever_however_it_comes(frauds: Labelled) -> None:
    """In binary and by an expression, or as psycopg gives it and value by value."""
    with connect(frauds.url) as connection:
        for table in TABLES:
            query = f"SELECT * FROM {table.name} LIMIT 200".encode()
            with connection.cursor(row_factory=dict_row) as cursor:
                expected = [
                    row | ({"body": bytes.fromhex(row["body"])} if "body" in row else {})
                    for row in map(plain, cursor.execute(query))
                ]
            assert plain_cursor(connection).execute(query).fetchall() == expected


def test_numbers_from_the_chain_are_whole_whatever_their_size(frauds: Labelled) -> None:
    query = (
        "SELECT 18446744073709551617::numeric AS huge, NULL::numeric AS none, '\\x00ff'::bytea AS raw, %s AS at,"
        ' \'{"counter": 340282366920938463463374607431768211456, "far": 1e400, "half": 0.5}\'::jsonb AS said'
    )
    with connect(frauds.url) as connection:
        row = plain_cursor(connection).execute(query, [datetime(2026, 11, 26, 4, 5, 6, 7, UTC)]).fetchone()
    assert row == {
        "huge": 2**64 + 1,
        "none": None,
        "raw": "00ff",
        "at": "2026-11-26T04:05:06.000007Z",
        "said": {"counter": 2**128, "far": int(Decimal("1e400")), "half": 0.5},
    }
