"""What must not leave a trace in the tables: crashes of the worker and the database, and workers that fight."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from deploy.postgres import EmbeddedPostgres
from indexer.log.port import Batch, Log, LogDamaged, LogEmpty
from indexer.log.urls import open_log
from projections.batch import RetractionOfUnknown
from projections.database import Connection, connect
from projections.digest import TableDigest, table_digests
from projections.errors import DatabaseUnwell, OtherLog, OwnershipLost, SchemaMismatch
from projections.migrate import migrate
from projections.run import Worker
from projections.status import consistent_step
from projections.store import Store, identity_of
from tests.postgres import database_url, fresh_database
from tests.projections.chain import Life, TestChain, walk
from tests.projections.conftest import MakeChain
from tests.projections.tables import project

PROJECT = [sys.executable, "-c", "from deploy.cli import main; main()", "project", "--until-caught-up"]


def digests(url: str) -> tuple[TableDigest, ...]:
    with connect(url) as connection:
        return table_digests(connection)


@pytest.fixture
def chain(make_chain: MakeChain) -> TestChain:
    made = make_chain("log.db", Life(11, 4, hostile=True))
    walk(made, 60)
    return made


@pytest.fixture
def opened(database: str) -> Iterator[Connection]:
    with connect(database) as connection:
        migrate(connection)
        yield connection


MakeStore = Callable[[list[int]], Store]


@pytest.fixture
def store_of(database: str, chain: TestChain) -> Iterator[MakeStore]:
    """Makes stores that own partitions of the chain's log."""
    with ExitStack() as stack:

        def make(partitions: list[int]) -> Store:
            store = Store(stack.enter_context(connect(database)), identity_of(chain.log))
            store.take(partitions)
            return store

        yield make


def next_batches(log: Log, store: Store, records: int = 1) -> dict[int, Batch]:
    return {
        partition: batch
        for partition, checkpoint in store.checkpoints.items()
        if (batch := log.read(partition, checkpoint.next_offset, records)).records
    }


def test_a_worker_killed_at_any_moment_leaves_the_tables_of_an_undisturbed_run(
    postgres: EmbeddedPostgres, make_chain: MakeChain
) -> None:
    chain = make_chain("log.db", Life(5, 4))
    walk(chain, 250, transactions=2)
    quiet, disturbed = fresh_database(postgres), fresh_database(postgres)
    project(chain.log, quiet)
    command = [*PROJECT, "--log", chain.url, "--db", disturbed, "--batch-records", "2"]
    choose = random.Random(1)
    killed = 0
    for _ in range(6):
        worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            worker.wait(choose.uniform(0.7, 1.6))
        except subprocess.TimeoutExpired:
            killed += 1
            worker.kill()
            worker.wait()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert killed > 0
    assert digests(disturbed) == digests(quiet)


def test_a_database_killed_in_mid_batch_leaves_the_tables_of_an_undisturbed_run(
    postgres: EmbeddedPostgres, chain: TestChain
) -> None:
    quiet = fresh_database(postgres)
    project(chain.log, quiet)
    with tempfile.TemporaryDirectory(prefix="cellwitness-test-") as folder:
        Path(folder).chmod(0o711)
        server = EmbeddedPostgres(Path(folder) / "postgres")
        with server.use():
            url = database_url(server, "cellwitness")

            def connected() -> Connection:
                server.start()
                return connect(url)

            done = threading.Event()
            worker = Worker(chain.log, connected, batch_records=1)

            def work() -> None:
                worker.run(until_caught_up=True)
                done.set()

            thread = threading.Thread(target=work)
            thread.start()
            choose = random.Random(2)
            kills = 0
            while kills < 3 and not done.wait(choose.uniform(0.05, 0.5)):
                if pid := server.pid():
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
            thread.join(120)
            assert done.is_set()
            assert kills > 0
            assert digests(url) == digests(quiet)


def test_a_zombie_writes_nothing_after_another_took_its_partition(
    chain: TestChain, opened: Connection, store_of: MakeStore
) -> None:
    zombie = store_of([0, 1, 2])
    zombie.apply(next_batches(chain.log, zombie, 5))
    late = next_batches(chain.log, zombie, 5)
    heir = store_of([1])
    before = table_digests(opened)
    with pytest.raises(OwnershipLost) as lost:
        zombie.apply(late)
    assert lost.value.partitions == {1}
    assert table_digests(opened) == before
    zombie.drop({1})
    zombie.apply(next_batches(chain.log, zombie, 5))
    heir.apply(next_batches(chain.log, heir, 5))


def test_a_zombie_finds_its_partition_taken_and_not_the_log_damaged(
    chain: TestChain, opened: Connection, store_of: MakeStore
) -> None:
    """What the heir already projected does not follow from the zombie's batch: that is no fault of the log."""
    del opened
    zombie = store_of([0, 1, 2])
    late = next_batches(chain.log, zombie, 40)
    heir = store_of([0, 1, 2])
    heir.apply(next_batches(chain.log, heir, 60))
    with pytest.raises(OwnershipLost) as lost:
        zombie.apply(late)
    assert lost.value.partitions == {0, 1, 2}


def test_the_checkpoint_moves_in_the_transaction_that_writes_the_rows(
    chain: TestChain, opened: Connection, store_of: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault between the two leaves neither."""
    store = store_of([0, 1, 2])
    store.apply(next_batches(chain.log, store, 5))
    before, stood = table_digests(opened), dict(store.checkpoints)

    def fault(*_: object) -> int:
        raise DatabaseUnwell("the connection broke")

    monkeypatch.setattr(store, "_advance", fault)
    batches = next_batches(chain.log, store, 5)
    with pytest.raises(DatabaseUnwell):
        store.apply(batches)
    assert table_digests(opened) == before
    again = store_of([0, 1, 2])
    assert {at: each.next_offset for at, each in again.checkpoints.items()} == {
        at: each.next_offset for at, each in stood.items()
    }
    again.apply(next_batches(chain.log, again, 5))


def test_a_batch_that_ends_on_records_seen_before_goes_on_after_the_last_new_one(
    chain: TestChain, postgres: EmbeddedPostgres, store_of: MakeStore, opened: Connection
) -> None:
    """A producer's repetition may come long after the original, and be the last that a reader gets for a while."""
    store = store_of([0, 1, 2])
    first = next_batches(chain.log, store, 1)
    store.apply(first)
    second = next_batches(chain.log, store, 30)
    repeated = {
        partition: replace(batch, records=(*batch.records, *first[partition].records))
        for partition, batch in second.items()
    }
    store.apply(repeated)
    while batches := next_batches(chain.log, store, 1000):
        store.apply(batches)
    quiet = fresh_database(postgres)
    project(chain.log, quiet)
    assert table_digests(opened) == digests(quiet)


def test_two_workers_on_two_sets_of_partitions_write_what_one_does(
    chain: TestChain, postgres: EmbeddedPostgres
) -> None:
    one, two = fresh_database(postgres), fresh_database(postgres)
    project(chain.log, one)

    def share(partitions: list[int]) -> None:
        with closing(open_log(chain.url)) as log:
            project(log, two, partitions=partitions, batch_records=3)

    threads = [threading.Thread(target=share, args=(each,)) for each in ([0], [1, 2])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert digests(one) == digests(two)


def test_of_two_that_are_told_the_same_partitions_the_newer_goes_on_and_the_first_ends(
    chain: TestChain, postgres: EmbeddedPostgres
) -> None:
    url = fresh_database(postgres)
    ended: list[BaseException] = []
    started = threading.Event()

    def first() -> None:
        try:
            with closing(open_log(chain.url)) as log:
                told = {"partitions": [0, 1, 2], "batch_records": 1, "progress": lambda _: started.set()}
                Worker(log, lambda: connect(url), **told).run()  # type: ignore[arg-type]  # of many types
        except OwnershipLost as error:
            ended.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    assert started.wait(30)
    project(chain.log, url, partitions=[0, 1, 2])
    chain.forward(chain.make())
    thread.join(30)
    assert len(ended) == 1
    project(chain.log, url)
    quiet = fresh_database(postgres)
    project(chain.log, quiet)
    assert digests(url) == digests(quiet)


def test_a_connection_lost_between_two_batches_is_taken_up_at_the_checkpoint(
    chain: TestChain, postgres: EmbeddedPostgres
) -> None:
    url, quiet = fresh_database(postgres), fresh_database(postgres)
    connections: list[Connection] = []

    def connected() -> Connection:
        connections.append(connect(url))
        return connections[-1]

    rounds = 0

    def cut(_: object) -> None:
        nonlocal rounds
        rounds += 1
        if rounds % 7 == 0:
            with connect(url) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (connections[-1].info.backend_pid,))

    Worker(chain.log, connected, batch_records=5, progress=cut).run(until_caught_up=True)
    project(chain.log, quiet)
    assert len(connections) > 2
    assert digests(url) == digests(quiet)


def test_a_database_that_fails_again_while_partitions_are_taken_back_leaves_the_worker_its_own(
    chain: TestChain, postgres: EmbeddedPostgres
) -> None:
    url, quiet = fresh_database(postgres), fresh_database(postgres)
    connections: list[Connection] = []
    faults = ExitStack()

    def connected() -> Connection:
        connections.append(connect(url))
        connections[-1].execute("SET lock_timeout = '50ms'")
        return connections[-1]

    def fail(_: object) -> None:
        if len(connections) == 1:
            blocker = faults.enter_context(connect(url))
            faults.enter_context(blocker.transaction())
            blocker.execute("LOCK TABLE checkpoints IN EXCLUSIVE MODE")
            blocker.execute("SELECT pg_terminate_backend(%s)", (connections[0].info.backend_pid,))

    def pause(_: float) -> None:
        if len(connections) > 2:
            faults.close()

    with faults:
        Worker(chain.log, connected, batch_records=5, progress=fail, pause=pause).run(until_caught_up=True)
    project(chain.log, quiet)
    assert len(connections) > 2
    assert digests(url) == digests(quiet)


def test_a_gap_in_a_partition_stops_the_worker(chain: TestChain, opened: Connection, store_of: MakeStore) -> None:
    store = store_of([0])
    batch = next_batches(chain.log, store, 1)[0]
    damaged = replace(batch, records=tuple(replace(each, seq=each.seq + 1) for each in batch.records))
    before = table_digests(opened)
    with pytest.raises(LogDamaged, match="sequence number 0 is missing"):
        store.apply({0: damaged})
    assert table_digests(opened) == before


def test_records_seen_before_move_the_offset_alone(chain: TestChain, opened: Connection, store_of: MakeStore) -> None:
    store = store_of([0, 1, 2])
    batches = next_batches(chain.log, store, 30)
    store.apply(batches)
    before = table_digests(opened)
    store.apply(batches)
    assert table_digests(opened) == before


def test_a_retraction_of_an_event_never_had_stops_the_worker(
    chain: TestChain, opened: Connection, store_of: MakeStore
) -> None:
    store = store_of([0, 1, 2])
    retracting = False
    while not retracting:
        batches = next_batches(chain.log, store)
        partition, batch = next(
            ((p, b) for p, b in batches.items() if any(each.kind == "retraction" for each in b.records)), (0, None)
        )
        if batch is None:
            store.apply(batches)
            continue
        retracting = True
        strange = tuple(
            replace(each, retracts="00" * 32) if each.kind == "retraction" else each for each in batch.records
        )
        before = table_digests(opened)
        with pytest.raises(RetractionOfUnknown, match="0000"):
            store.apply({partition: replace(batch, records=strange)})
        assert table_digests(opened) == before


def test_tables_of_one_log_refuse_another(chain: TestChain, postgres: EmbeddedPostgres, make_chain: MakeChain) -> None:
    url = fresh_database(postgres)
    project(chain.log, url)
    other = make_chain("other.db", Life(1, 1), magic=43)
    with pytest.raises(OtherLog, match=r"magic 42.*magic 43"):
        project(other.log, url)


def test_tables_of_another_shape_are_refused(chain: TestChain, database: str, opened: Connection) -> None:
    opened.execute("ALTER TABLE readings DROP COLUMN soc_bp")
    with pytest.raises(SchemaMismatch, match="soc_bp"):
        project(chain.log, database)


def test_a_database_that_is_away_is_tried_again_and_then_given_up(chain: TestChain) -> None:
    worker = Worker(chain.log, lambda: connect("postgresql:///x?host=/nonexistent"))
    with pytest.raises(DatabaseUnwell):
        worker.run(until_caught_up=True, give_up_after_seconds=0.2)


def test_a_log_that_is_not_there_is_waited_for_only_by_who_follows_it(tmp_path: Path, database: str) -> None:
    with closing(open_log(f"sqlite:{tmp_path / 'nothing.db'}")) as log, pytest.raises(LogEmpty):
        project(log, database)


def test_the_consistent_step_is_the_least_over_all_partitions(
    chain: TestChain, opened: Connection, store_of: MakeStore
) -> None:
    store = store_of([0, 1])
    store.apply(next_batches(chain.log, store))
    assert consistent_step(opened) == -1
    other = store_of([2])
    other.apply(next_batches(chain.log, other))
    assert consistent_step(opened) == 0
    while batches := next_batches(chain.log, store, 1000):
        store.apply(batches)
    assert consistent_step(opened) == 0


def test_a_worker_follows_a_growing_log_and_ends_in_order_on_sigterm(
    chain: TestChain, postgres: EmbeddedPostgres
) -> None:
    url = fresh_database(postgres)
    command = [each for each in PROJECT if each != "--until-caught-up"]
    worker = subprocess.Popen(
        [*command, "--log", chain.url, "--db", url, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with connect(url) as connection:
        migrate(connection)
        for _ in range(3):
            chain.forward(chain.make())
            deadline = time.monotonic() + 30
            while consistent_step(connection) < chain.end.spine.step:
                assert time.monotonic() < deadline
                time.sleep(0.02)
    worker.terminate()
    out, _ = worker.communicate(timeout=30)
    assert worker.returncode == 0
    assert json.loads(out)["step"] == chain.end.spine.step
