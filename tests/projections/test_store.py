import itertools
import random
from contextlib import closing

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deploy.postgres import EmbeddedPostgres
from indexer.log.copy import copy_log
from indexer.log.urls import open_log
from projections.database import connect
from projections.digest import table_digests
from tests.kafka import new_log
from tests.postgres import fresh_database
from tests.projections.chain import Life, walk
from tests.projections.conftest import MakeChain
from tests.projections.tables import all_records, expected_at, project, rows_at

_FILES = itertools.count()


@settings(
    max_examples=20, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), batch=st.sampled_from([1, 7, 60, 100_000]), partitions=st.sampled_from([1, 3]))
def test_tables_at_every_step_equal_the_fold_of_the_log_up_to_it(
    postgres: EmbeddedPostgres, make_chain: MakeChain, seed: int, batch: int, partitions: int
) -> None:
    """Invariant I8, for steps inside a batch too."""
    chain = make_chain(f"{next(_FILES)}.db", Life(seed, 3, hostile=True), partitions=partitions)
    walk(chain, 14)
    url = fresh_database(postgres)
    progress = project(chain.log, url, batch_records=batch)
    records = all_records(chain.log)
    with connect(url) as connection:
        for step in range(chain.end.spine.step + 1):
            assert rows_at(connection, step) == expected_at(records, step)
        assert rows_at(connection, None) == expected_at(records, chain.end.spine.step)
    assert progress.step == chain.end.spine.step
    assert progress.caught_up


@pytest.mark.parametrize("seed", range(4))
def test_where_batches_end_leaves_no_trace(postgres: EmbeddedPostgres, make_chain: MakeChain, seed: int) -> None:
    """All versions, closed ones too, are those of any other cut of the log, also of one that follows it live."""
    chain = make_chain("log.db", Life(seed, 3, hostile=True))
    live = fresh_database(postgres)
    for _ in range(6):
        walk(chain, 4)
        project(chain.log, live, batch_records=random.Random(seed).choice([1, 5, 1000]))
    digests = []
    for url, batch in ((live, 10), (fresh_database(postgres), 1), (fresh_database(postgres), 100_000)):
        project(chain.log, url, batch_records=batch)
        with connect(url) as connection:
            digests.append(table_digests(connection))
    assert digests[0] == digests[1] == digests[2]


def test_rows_written_beside_the_fold_are_those_written_after_it(
    postgres: EmbeddedPostgres, make_chain: MakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = make_chain("log.db", Life(7, 5, hostile=True))
    walk(chain, 30)
    digests = []
    for worth_a_thread in (0, 1_000_000):
        monkeypatch.setattr("projections.store.WORTH_A_THREAD_RECORDS", worth_a_thread)
        url = fresh_database(postgres)
        project(chain.log, url)
        with connect(url) as connection:
            digests.append(table_digests(connection))
    assert digests[0] == digests[1]


@pytest.mark.parametrize("depth", [1, 5, 20])
def test_undone_blocks_leave_what_they_would_have_left_had_they_never_been(
    postgres: EmbeddedPostgres, make_chain: MakeChain, depth: int
) -> None:
    """What holds now, after a fork is undone, is what holds where it never happened; only the past differs."""
    disturbed = make_chain("disturbed.db", Life(7, 3))
    quiet = make_chain("quiet.db", Life(7, 3))
    common, fork, rest = disturbed.make(25), [], []
    for chain in (disturbed, quiet):
        chain.forward(common)
    fork = disturbed.make(depth)
    disturbed.forward(fork)
    url = fresh_database(postgres)
    project(disturbed.log, url)
    disturbed.back(depth)
    rest = disturbed.make(3)
    for chain in (disturbed, quiet):
        chain.forward(rest)
    other = fresh_database(postgres)
    project(disturbed.log, url)
    project(quiet.log, other)
    with connect(url) as one, connect(other) as two:
        assert [each.now for each in table_digests(one)] != []
        now, never = rows_at(one, None), rows_at(two, None)
        assert now == never
        assert [each.rows_all for each in table_digests(one)] != [each.rows_all for each in table_digests(two)]


def test_tables_from_a_log_on_kafka_are_those_from_the_file(
    postgres: EmbeddedPostgres, make_chain: MakeChain, kafka_servers: str
) -> None:
    chain = make_chain("log.db", Life(5, 3, hostile=True))
    walk(chain, 25)
    with closing(open_log(new_log(kafka_servers, chain.log.opened().network))) as log:
        copy_log(chain.log, log)
        digests = []
        for source in (chain.log, log):
            url = fresh_database(postgres)
            project(source, url, batch_records=7)
            with connect(url) as connection:
                digests.append(table_digests(connection))
    assert digests[0] == digests[1]
