"""What is kept of a fleet's counts, carried on step by step, is what counting all of it gives."""

import itertools
import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql

from deploy.postgres import EmbeddedPostgres
from projections import counts
from projections.alone import FleetBusy, alone
from projections.counts import CYCLES, SUMS, Basis, Counted, basis_of, count_fleet, relation
from projections.database import Connection, connect
from projections.parked import waiting_batteries
from projections.rebuild import Rebuild
from projections.store import Store
from tests.postgres import fresh_database
from tests.projections.chain import Life, walk
from tests.projections.conftest import MakeChain
from tests.projections.judged_chain import DevnetLife, judging
from tests.projections.tables import project
from tests.projections.test_parking import a_fold_that_fails

_FILES = itertools.count()


def rows(connection: Connection, basis: Basis) -> dict[str, list[tuple[Any, ...]]]:
    """What is counted on this basis. Of hours without their slots: those are of every fork that was seen."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    names: tuple[Counted, ...] = ("stands", *SUMS)
    for name in names:
        query = sql.SQL("SELECT * FROM {} AS counted").format(relation(name, basis))
        said = connection.execute(query, basis.parameters()).fetchall()
        found[name] = sorted((row[:-2] if name == "hours" else row for row in said), key=repr)
    return found


def require_true(connection: Connection, step: int) -> Basis:
    """What is kept, carried on to a step, is what is counted from nothing. Returns on what basis."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        basis = basis_of(cursor, step)
        assert rows(connection, basis) == rows(connection, Basis(step))
        kept = {row[0]: row[-2:] for row in cursor.execute("SELECT * FROM fleet_hours").fetchall()}
        for *hour, first, last in cursor.execute(
            sql.SQL("SELECT * FROM {} AS counted").format(relation("hours", Basis(step))), Basis(step).parameters()
        ).fetchall():
            if hour[0] in kept and basis.counted == step:
                assert kept[hour[0]][0] <= first <= last <= kept[hour[0]][1]
    return basis


@pytest.mark.long
@pytest.mark.parametrize("judged", [False, True])
def test_counts_carried_on_through_any_walk_over_forks_are_those_of_all_rows(
    postgres: EmbeddedPostgres, make_chain: MakeChain, monkeypatch: pytest.MonkeyPatch, judged: bool
) -> None:
    # Of so few batteries many are touched: nevertheless none of it is counted from nothing.
    monkeypatch.setattr(counts, "MOST_TOUCHED", 10**6)
    by = judging() if judged else None
    carried_on = 0

    @settings(max_examples=8, deadline=None, phases=[Phase.generate])
    @given(seed=st.integers(0, 2**32))
    def walks(seed: int) -> None:
        nonlocal carried_on
        life = DevnetLife(seed, 4) if judged else Life(seed, 6, hostile=True)
        chain = make_chain(f"{next(_FILES)}.db", life)
        choose = random.Random(seed)
        url = fresh_database(postgres)
        with connect(url) as connection:
            for _ in range(7):
                walk(chain, choose.choice((1, 1, 2, 5)), transactions=choose.choice((1, 1, 3)))
                project(chain.log, url, judging=by)
                step = chain.end.spine.step
                carried_on += len(require_true(connection, step).touched)
                if choose.random() < 0.7:
                    count_fleet(connection)
                    assert require_true(connection, step) == Basis(step, None, step)
                require_true(connection, choose.randint(0, step))

    walks()
    assert carried_on > 20


def test_what_nothing_happened_to_is_not_counted_again(postgres: EmbeddedPostgres, make_chain: MakeChain) -> None:
    chain = make_chain("log.db", Life(3, 12))
    chain.forward(chain.make(20))
    url = fresh_database(postgres)
    project(chain.log, url)
    with connect(url) as connection:
        first = count_fleet(connection)
        assert first is not None
        assert first.batteries is None
        assert count_fleet(connection) is None
        chain.forward(chain.make(1, transactions=1))
        project(chain.log, url)
        again = count_fleet(connection)
        assert again is not None
        assert again.batteries == 1


def test_what_is_written_into_the_past_is_counted_from_nothing(
    postgres: EmbeddedPostgres, make_chain: MakeChain
) -> None:
    """Parked events that are handled after all come into the steps that they belong to, which were counted without."""
    chain = make_chain("log.db", Life(5, 4))
    for _ in range(25):
        chain.forward(chain.make(1, 3))
    url = fresh_database(postgres)
    with a_fold_that_fails(lambda fact: fact.height == 8):
        project(chain.log, url)
    step = chain.end.spine.step
    with connect(url) as connection:
        count_fleet(connection)
        before = rows(connection, require_true(connection, step))
        store = Store(connection, None)
        for each in waiting_batteries(connection):
            store.retry((each.battery_key, each.deployment))
        assert require_true(connection, step) == Basis(step)
        count_fleet(connection)
        assert rows(connection, require_true(connection, step)) != before


def test_counts_of_another_version_count_for_nothing(postgres: EmbeddedPostgres, make_chain: MakeChain) -> None:
    chain = make_chain("log.db", Life(3, 5))
    chain.forward(chain.make(20))
    url = fresh_database(postgres)
    project(chain.log, url)
    with connect(url) as connection:
        count_fleet(connection)
        connection.execute("UPDATE fleet_counted SET version = version - 1")
        connection.execute("UPDATE fleet_stands SET seen = seen + 1")
        assert require_true(connection, chain.end.spine.step) == Basis(chain.end.spine.step)
        count_fleet(connection)
        require_true(connection, chain.end.spine.step)


def test_of_several_at_once_one_counts(postgres: EmbeddedPostgres, make_chain: MakeChain) -> None:
    chain = make_chain("log.db", Life(3, 5))
    chain.forward(chain.make(5))
    url = fresh_database(postgres)
    project(chain.log, url)
    with (
        connect(url) as connection,
        connect(url) as other,
        alone(other, counts.LOCK, "counts"),
        pytest.raises(FleetBusy, match="another process"),
    ):
        count_fleet(connection)


def test_a_rebuild_counts_before_anybody_looks(postgres: EmbeddedPostgres, make_chain: MakeChain) -> None:
    chain = make_chain("log.db", Life(3, 5))
    walk(chain, 20)
    url = fresh_database(postgres)
    project(chain.log, url)
    with Rebuild(chain.log, lambda schema: connect(url, schema=schema)) as work:
        work.prepare()
        assert work.load()
        assert work.swap()
    with connect(url) as connection:
        assert require_true(connection, chain.end.spine.step).counted == chain.end.spine.step


def test_each_count_of_cycles_is_in_one_cell_which_is_no_wider_than_a_sixteenth() -> None:
    assert list(CYCLES) == sorted(set(CYCLES))
    for low, high in pairwise(CYCLES):
        assert high - low <= max(1, low // 16)
    assert CYCLES[0] == 0
    assert CYCLES[-1] > 100_000
