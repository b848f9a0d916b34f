"""The past: an answer about it is the answer that was given then, or that tables would give which saw no more."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.queries import QUERIES
from consumers.queries.model import NOW, Moment, Query
from consumers.queries.run import run
from consumers.timeline import StepNotReached
from deploy.postgres import EmbeddedPostgres
from projections.database import Connection, connect
from tests.consumers.labelled import BLOCKS_IN_A_STEP, Labelled, blocks_of, logged
from tests.consumers.told import answered
from tests.postgres import fresh_database
from tests.projections.chain import TestChain, walk
from tests.projections.judged_chain import DevnetLife, judging
from tests.projections.tables import project

STEPS_SEEN = 9
# How deep something is, and which step told it, depends on what was known and not on the slot that is asked about.
OF_KNOWLEDGE = {
    "evidence": {"finality", "known_from_step"},
    "known-then": {"known_from_step", "known_from"},
    "inclusion": {"depth_blocks", "deep_enough", "is_final"},
    "alerts-by-month": {"provisional", "confirmed", "final"},
}
OF_STEPS = {"blocks seen", "step missing", "rollback"}


def asked(query: Query, battery: str) -> dict[str, Any]:
    """Parameters by which the query has the most to say."""
    given: dict[str, Any] = {"days": 0} if query.parameter("days") else {}
    if query.parameter("battery") and any(each.required for each in query.parameters):
        given["battery"] = battery
    return given


def said(connection: Connection, query: Query, moment: Moment, battery: str, **more: Any) -> list[dict[str, Any]]:
    return answered(connection, query.name, moment, **asked(query, battery) | more)


@pytest.fixture(scope="module")
def shorter(
    postgres: EmbeddedPostgres, frauds: Labelled, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, int, int]:
    """Tables that saw the chain's first part alone: their URL, the step and the slot that they end with."""
    url = fresh_database(postgres)
    blocks = blocks_of(frauds.made)[: STEPS_SEEN * BLOCKS_IN_A_STEP]
    with logged(tmp_path_factory.mktemp("shorter"), url, "weak", blocks):
        return url, STEPS_SEEN, blocks[-1].entry.slot


@pytest.fixture(scope="module")
def battery(shorter: tuple[str, int, int]) -> str:
    with connect(shorter[0]) as connection:
        query = "SELECT battery_id_text FROM batteries WHERE known_until_step IS NULL ORDER BY readings_submitted DESC"
        row = connection.execute(query).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("name", QUERIES)
def test_as_of_a_step_it_is_what_tables_say_that_hold_no_more(
    frauds: Labelled, shorter: tuple[str, int, int], battery: str, name: str
) -> None:
    url, step, _ = shorter
    more = {"compare_with": step} if name == "known-then" else {}
    with connect(frauds.url) as all_of_it, connect(url) as less:
        then = said(less, QUERIES[name], NOW, battery, **more)
        again = said(all_of_it, QUERIES[name], Moment(known_at=step), battery, **more)
    if name == "known-then":  # when a step came to be known is the tables' own
        then, again = ([row | {"known_from": None} for row in rows] for rows in (then, again))
    assert again == then


@pytest.mark.parametrize("name", QUERIES)
def test_as_of_a_slot_it_is_what_tables_say_that_saw_the_chain_so_far(
    frauds: Labelled, shorter: tuple[str, int, int], battery: str, name: str
) -> None:
    url, _, slot = shorter
    with connect(frauds.url) as all_of_it, connect(url) as less:
        then = said(less, QUERIES[name], NOW, battery)
        again = said(all_of_it, QUERIES[name], Moment(as_of_slot=slot), battery)
    left_out = OF_KNOWLEDGE.get(name, set())

    def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        kept = [row for row in rows if name != "completeness" or row["kind"] not in OF_STEPS]
        return [{column: value for column, value in row.items() if column not in left_out} for row in kept]

    assert plain(again) == plain(then)


def test_nearly_every_query_says_something_of_this_chain(frauds: Labelled, battery: str) -> None:
    """Or the tests above compare nothing. Some need what this devnet has not: old cars, two of a model, waste."""
    with connect(frauds.url) as connection:
        silent = {name for name, query in QUERIES.items() if not said(connection, query, NOW, battery)}
    assert silent <= {"below-floor", "fast-fading", "knees", "after-the-end", "unknown-passports"}


@pytest.mark.parametrize("seed", [2, 4])
def test_through_forks_an_answer_never_changes_with_what_came_later(database: str, tmp_path: Path, seed: int) -> None:
    """Every query, at every step that was the last one once: asked again, the same."""
    chain = TestChain(tmp_path / "log.db", DevnetLife(seed, 3))
    known: list[tuple[int, int, str, list[dict[str, Any]]]] = []
    battery = str(chain.make(1)[0].events[0].event.battery_key)  # the first one to be registered
    with connect(database) as connection:
        for _ in range(4):
            walk(chain, 5)
            chain.forward(chain.make(6))
            project(chain.log, database, judging=judging())
            step = chain.end.spine.step
            slot = chain.blocks[len(chain.blocks) // 2].entry.slot
            for name, query in QUERIES.items():
                more = {"compare_with": step} if name == "known-then" else {}
                known.append((step, -1, name, said(connection, query, Moment(known_at=step), battery, **more)))
                moment = Moment(known_at=step, as_of_slot=slot, finality="confirmed")
                known.append((step, slot, name, said(connection, query, moment, battery, **more)))
        for step, slot, name, then in known:
            more = {"compare_with": step} if name == "known-then" else {}
            moment = Moment(known_at=step) if slot < 0 else Moment(known_at=step, as_of_slot=slot, finality="confirmed")
            assert said(connection, QUERIES[name], moment, battery, **more) == then, (step, slot, name)
        assert len([rows for *_, rows in known if rows]) > 60
        with pytest.raises(StepNotReached):
            run(connection, QUERIES["silent"], {}, Moment(known_at=chain.end.spine.step + 1))
    chain.close()


def test_what_was_known_then_shows_what_a_fork_took_back(database: str, tmp_path: Path) -> None:
    chain = TestChain(tmp_path / "log.db", DevnetLife(2, 1))
    chain.forward(chain.make(12))
    step = chain.end.spine.step
    gone = {bytes.fromhex(each.event.transaction) for block in chain.back(4) for each in block.events}
    project(chain.log, database, judging=judging())
    assert gone
    query = QUERIES["known-then"]
    with connect(database) as connection:
        battery = str(chain.blocks[0].events[0].event.battery_key)
        rows = said(connection, query, Moment(known_at=step), battery)
        assert {row["transaction"] for row in rows if row["standing"] == "only then"} == gone
        assert {row["ended_by_step"] for row in rows if row["standing"] == "only then"} == {step + 1}
        assert all(row["ended_by_step"] is None for row in rows if row["standing"] == "both")
        later = said(connection, query, NOW, battery, compare_with=step)
        assert {row["transaction"] for row in later if row["standing"] == "only later"} == gone
    chain.close()


def test_a_moment_is_a_step_and_a_finality_is_a_depth(frauds: Labelled) -> None:
    counts: dict[str, int] = {}
    with connect(frauds.url) as connection:
        for finality in ("pending", "confirmed", "final"):
            answer = run(connection, QUERIES["failed-signatures"], {}, Moment(finality=finality))
            counts[finality] = sum(row[3] for row in answer.rows)
            assert answer.finality == finality
        now = datetime.now(UTC) + timedelta(minutes=1)
        by_time = run(connection, QUERIES["silent"], {}, Moment(known_at=now))
        assert by_time.holds == run(connection, QUERIES["silent"], {}).holds
        holds = by_time.holds
    heights = [block.entry.height for block in frauds.chain.blocks for each in block.events]
    readings = [
        block.entry.height
        for block in frauds.chain.blocks
        for each in block.events
        if each.event.__class__.__name__.startswith("Reading")
    ]
    assert heights
    assert holds.height is not None
    assert holds.final_height is not None
    assert counts["pending"] == len(readings)
    assert counts["confirmed"] == sum(height <= holds.height - 15 for height in readings)
    assert counts["final"] == sum(height <= holds.final_height for height in readings)
    assert counts["pending"] > counts["confirmed"] > counts["final"]
