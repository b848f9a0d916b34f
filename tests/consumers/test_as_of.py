"""The past by its two coordinates: where the chain stood, and what was known of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumers.as_of import NothingKnownThen, step_known_at
from consumers.timeline import Timeline, read_timeline
from projections.database import Connection, connect
from projections.rebuild import Rebuild
from tests.endtoend.processes import run
from tests.projections.chain import DEPLOYMENT, Life, TestChain, battery_id, key_of, walk
from tests.projections.conftest import MakeChain
from tests.projections.tables import project

KEYS = [key_of(battery_id(number)) for number in range(3)]


def said(timeline: Timeline | None) -> Any:
    """What a timeline says of the chain, without how and when it came to be known."""
    if timeline is None:
        return None

    def plain(row: dict[str, Any] | None) -> Any:
        return row and {name: value for name, value in row.items() if not name.startswith("known_")}

    lines = [
        (line.event_id, bytes(line.event), plain(line.reading), plain(line.commitment), [plain(e) for e in line.ended])
        for line in timeline.lines
    ]
    return plain(timeline.battery), lines


def slots(connection: Connection) -> dict[int, int]:
    """Step -> slot at which the chain then stood."""
    return dict(connection.execute("SELECT step, slot FROM steps").fetchall())


def test_without_forks_what_the_chain_said_up_to_a_slot_is_what_was_known_when_it_stood_there(
    database: str, make_chain: MakeChain
) -> None:
    chain = make_chain("log.db", Life(5, 3, hostile=True))
    for _ in range(25):
        chain.forward(chain.make(1, 3))
    project(chain.log, database)
    compared = 0
    with connect(database) as connection:
        for step, slot in slots(connection).items():
            for key in KEYS:
                then = said(read_timeline(connection, DEPLOYMENT, key, step))
                assert said(read_timeline(connection, DEPLOYMENT, key, as_of_slot=slot)) == then
                compared += then is not None
    assert compared > 30


@pytest.mark.parametrize("seed", range(3))
def test_both_coordinates_together_never_change_with_what_came_later(
    database: str, make_chain: MakeChain, seed: int
) -> None:
    """Through forks: asked again after the chain went another way, the answer is the same."""
    chain = make_chain("log.db", Life(seed, 3))
    walk(chain, 12)
    project(chain.log, database)
    with connect(database) as connection:
        step, places = chain.end.spine.step, sorted(set(slots(connection).values()))
        before = {
            (key, slot): said(read_timeline(connection, DEPLOYMENT, key, step, as_of_slot=slot))
            for key in KEYS
            for slot in places
        }
        assert all(
            said(read_timeline(connection, DEPLOYMENT, key, as_of_slot=max(places)))
            == said(read_timeline(connection, DEPLOYMENT, key))
            for key in KEYS
        )
        walk(chain, 12)
        project(chain.log, database)
        for (key, slot), then in before.items():
            assert said(read_timeline(connection, DEPLOYMENT, key, step, as_of_slot=slot)) == then


def test_a_moment_is_answered_by_the_step_that_the_tables_held_then_also_after_a_rebuild(
    database: str, make_chain: MakeChain
) -> None:
    chain = make_chain("log.db", Life(2, 3))
    walk(chain, 10)
    project(chain.log, database)
    with connect(database) as connection:
        step = chain.end.spine.step
        (between,) = connection.execute("SELECT clock_timestamp()").fetchone() or (None,)
        assert isinstance(between, datetime)
        walk(chain, 10)
        project(chain.log, database)
        assert step_known_at(connection, between) == step
        assert step_known_at(connection, between + timedelta(days=1)) == chain.end.spine.step
        with pytest.raises(NothingKnownThen):
            step_known_at(connection, between - timedelta(days=1))
    with Rebuild(chain.log, lambda schema: connect(database, schema=schema)) as work:
        work.prepare()
        assert work.load()
        assert work.swap()
    with connect(database) as connection:
        assert step_known_at(connection, between) == step


def test_the_command_takes_steps_times_and_slots(
    database: str, make_chain: MakeChain, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cwd")
    chain: TestChain = make_chain("log.db", Life(2, 3))
    walk(chain, 20)
    project(chain.log, database)
    asked = ("timeline", battery_id(0).decode(), "--db", database)
    slot = chain.blocks[-3].entry.slot
    shown = run(folder, *asked, "--as-of-slot", str(slot))
    assert shown.returncode == 0, shown.stderr
    assert f"up to slot {slot}" in shown.stdout
    now = datetime.now(UTC).isoformat()
    assert run(folder, *asked, "--known-at", now, "--json").stdout
    assert run(folder, *asked, "--known-at", "2001-01-01").returncode == 1
    assert run(folder, *asked, "--known-at", "yesterday").returncode == 2
    assert run(folder, *asked, "--known-at", "100000").returncode == 3
    assert run(folder, *asked, "--as-of-slot", "0").returncode == 1
