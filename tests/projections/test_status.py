"""What is said of tables that are behind, and why."""

import json
from contextlib import closing

import pytest

from indexer.log.urls import open_log
from projections.database import connect
from projections.migrate import migrate
from projections.run import Worker
from projections.sharing import Membership
from projections.status import read_status
from projections.store import PROJECTION, Store, identity_of
from tests.endtoend.processes import run
from tests.projections.chain import Life, TestChain, walk
from tests.projections.conftest import MakeChain
from tests.projections.tables import project


@pytest.fixture
def chain(make_chain: MakeChain) -> TestChain:
    made = make_chain("log.db", Life(11, 4))
    walk(made, 30)
    return made


def test_tables_at_the_end_of_the_log_are_caught_up_though_nobody_is_at_work(chain: TestChain, database: str) -> None:
    project(chain.log, database)
    with connect(database) as connection:
        found = read_status(connection, chain.log)
    assert found.caught_up
    assert found.consistent_step == found.log_step == chain.end.spine.step
    assert {each.held_back_by for each in found.partitions} == {None}
    assert found.held_back_by == ("no worker is at work: run `cellwitness project`",)


def test_each_partition_says_how_far_it_is_behind_and_who_holds_it(chain: TestChain, database: str) -> None:
    project(chain.log, database)
    chain.forward(chain.make(4))
    with connect(database) as connection, connect(database) as other:
        store, member = Store(connection, identity_of(chain.log)), Membership(connection, PROJECTION)
        member.look(store, 100.0)
        found = read_status(other, chain.log)
        assert not found.caught_up
        assert {each.worker for each in found.partitions} == {member.number}
        assert {each.held_back_by for each in found.partitions} == {f"worker {member.number} is at it"}
        assert all(each.lag_blocks == 4 for each in found.partitions)
        assert sum(each.lag_events for each in found.partitions) == 3 + sum(
            len(each.events) for each in chain.blocks[-4:]
        )
        assert any(each.lag_seconds > 1e6 for each in found.partitions), "the chain is of 2020"
        assert any("about" in each and "100/s" in each for each in found.held_back_by)
        other.execute("UPDATE workers SET heard_at = now() - interval '70 s'")
        assert any("was not heard for 7" in each for each in read_status(other, chain.log).held_back_by)
    with connect(database) as connection:
        found = read_status(connection, chain.log)
    assert {each.held_back_by for each in found.partitions} == {
        f"worker {member.number} is gone: its partitions are free for others"
    }


def test_the_command_ends_with_1_until_the_tables_have_caught_up(
    chain: TestChain, database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cwd")
    with connect(database) as connection:
        migrate(connection)
    asked = ("status", "--log", chain.url, "--db", database)
    before = run(folder, *asked)
    assert before.returncode == 1
    assert "`cellwitness project`" in before.stdout
    with closing(open_log(chain.url)) as log:
        Worker(log, lambda: connect(database)).run(until_caught_up=True)
    after = run(folder, *asked, "--json")
    assert after.returncode == 0, after.stderr
    assert json.loads(after.stdout)["caught_up"] is True
    shown = run(folder, *asked)
    assert "Caught up" in shown.stdout
