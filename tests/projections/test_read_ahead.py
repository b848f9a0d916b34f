"""What is read ahead is what would be read, from one thread at a time, and is thrown away without harm."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from typing import Any

import pytest

from deploy.postgres import EmbeddedPostgres
from indexer.log.copy import copy_log
from indexer.log.port import Batch, Log, LogDamaged, LogUnavailable
from indexer.log.urls import open_log
from projections import run
from projections.database import Connection, connect
from projections.digest import TableDigest, table_digests
from projections.read_ahead import ReadAhead, Wanted
from projections.rebuild import Rebuild
from projections.run import Worker
from tests.kafka import new_log
from tests.postgres import fresh_database
from tests.projections.chain import Life, TestChain, walk
from tests.projections.conftest import MakeChain
from tests.projections.tables import project


class WatchedLog:
    """A log that tells when two threads use it, and fails when a test says so."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._used = threading.Lock()
        self.reads: list[tuple[str, Wanted]] = []  # thread's name
        self.fail: Callable[[Wanted], None] = lambda _: None

    def read(self, partition: int, offset: int, limit: int) -> Batch:
        with self._alone():
            wanted = Wanted(partition, offset, limit)
            self.reads.append((threading.current_thread().name, wanted))
            self.fail(wanted)
            return self._log.read(partition, offset, limit)

    @property
    def ahead(self) -> list[Wanted]:
        return [wanted for thread, wanted in self.reads if thread.startswith("read-ahead")]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        assert self._used.acquire(blocking=False), "two threads use one log"
        try:
            yield
        finally:
            self._used.release()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._log, name)

        def watched(*arguments: Any) -> Any:
            with self._alone():
                return method(*arguments)

        return watched


@pytest.fixture
def chain(make_chain: MakeChain) -> TestChain:
    made = make_chain("log.db", Life(11, 9))
    walk(made, 40)
    return made


@pytest.fixture
def watched(chain: TestChain) -> WatchedLog:
    return WatchedLog(chain.log)


def digests(url: str) -> tuple[TableDigest, ...]:
    with connect(url) as connection:
        return table_digests(connection)


def quiet_digests(chain: TestChain, postgres: EmbeddedPostgres) -> tuple[TableDigest, ...]:
    """Of tables that were written without reading ahead."""
    url = fresh_database(postgres)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "WORTH_READING_AHEAD_RECORDS", 1 << 60)
        project(chain.log, url)
    return digests(url)


def no_thread_is_left() -> bool:
    return not [each for each in threading.enumerate() if each.name.startswith("read-ahead")]


@pytest.mark.parametrize("batch_records", [1, 7, 40, 100_000])
def test_tables_are_the_same_and_no_record_is_read_twice(
    chain: TestChain, watched: WatchedLog, postgres: EmbeddedPostgres, batch_records: int
) -> None:
    url = fresh_database(postgres)
    project(watched, url, batch_records=batch_records)
    assert digests(url) == quiet_digests(chain, postgres)
    assert watched.ahead
    whole = [wanted for _, wanted in watched.reads if chain.log.read(wanted.partition, wanted.offset, 1).records]
    assert len(whole) == len(set(whole))
    assert no_thread_is_left()


def test_a_log_of_a_file_and_one_on_kafka_are_read_ahead_alike(
    make_chain: MakeChain, postgres: EmbeddedPostgres, kafka_servers: str
) -> None:
    chain = make_chain("log.db", Life(5, 3, hostile=True))
    walk(chain, 25)
    with closing(open_log(new_log(kafka_servers, chain.log.opened().network))) as log:
        copy_log(chain.log, log)
        watched = WatchedLog(log)
        url = fresh_database(postgres)
        project(watched, url, batch_records=30)
    assert watched.ahead
    assert digests(url) == quiet_digests(chain, postgres)


def test_a_fault_of_the_other_thread_comes_as_what_it_is_and_passes(
    chain: TestChain, watched: WatchedLog, postgres: EmbeddedPostgres
) -> None:
    pauses: list[float] = []
    failed: list[Wanted] = []

    def fail(wanted: Wanted) -> None:
        if threading.current_thread().name.startswith("read-ahead") and len(failed) < 3:
            failed.append(wanted)
            raise LogUnavailable("the broker is away")

    watched.fail = fail
    url = fresh_database(postgres)
    project(watched, url, batch_records=7, pause=pauses.append)
    assert len(failed) == 3
    assert len(pauses) >= 3
    assert digests(url) == quiet_digests(chain, postgres)


def test_damage_that_the_other_thread_meets_stops_the_worker_after_what_is_sound(
    chain: TestChain, watched: WatchedLog, postgres: EmbeddedPostgres
) -> None:
    damage = LogDamaged("a record is missing", partition=1, seq=7)

    def fail(wanted: Wanted) -> None:
        if wanted.offset > 5 and wanted.partition == 1:
            raise damage

    watched.fail = fail
    url = fresh_database(postgres)
    with pytest.raises(LogDamaged) as raised:
        project(watched, url, batch_records=7)
    assert raised.value is damage
    assert no_thread_is_left()
    watched.fail = lambda _: None
    project(watched, url)
    assert digests(url) == quiet_digests(chain, postgres)


def test_what_was_read_for_partitions_that_another_took_is_thrown_away(
    chain: TestChain, watched: WatchedLog, postgres: EmbeddedPostgres
) -> None:
    url = fresh_database(postgres)
    rounds = 0

    def take(_: object) -> None:
        """Another worker takes all, projects some of it, and leaves."""
        nonlocal rounds
        rounds += 1
        if rounds in (2, 4):
            other = open_log(chain.url)
            Worker(other, lambda: connect(url), partitions=range(3), batch_records=7, stop=_after(rounds)).run()
            other.close()

    project(watched, url, batch_records=7, progress=take)
    assert rounds > 4
    assert digests(url) == quiet_digests(chain, postgres)


def _after(looks: int) -> Callable[[], bool]:
    left = [looks]

    def stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    return stop


def test_what_was_read_for_tables_that_a_rebuild_replaced_is_thrown_away(
    chain: TestChain, watched: WatchedLog, postgres: EmbeddedPostgres
) -> None:
    url = fresh_database(postgres)
    swapped = False

    def swap_once(_: object) -> None:
        nonlocal swapped
        if not swapped:
            swapped = True
            log = open_log(chain.url)
            with Rebuild(log, lambda schema: connect(url, schema=schema)) as rebuild:
                rebuild.prepare()
                assert rebuild.load()
                assert rebuild.swap()
            log.close()

    project(watched, url, batch_records=7, progress=swap_once)
    assert swapped
    assert digests(url) == quiet_digests(chain, postgres)


def test_a_stop_and_a_broken_connection_leave_no_thread_and_no_half_batch(
    chain: TestChain, watched: WatchedLog, postgres: EmbeddedPostgres
) -> None:
    url = fresh_database(postgres)
    connections: list[Connection] = []

    def connected() -> Connection:
        connections.append(connect(url))
        return connections[-1]

    def cut(_: object) -> None:
        if len(connections) < 4:
            with connect(url) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (connections[-1].info.backend_pid,))

    Worker(watched, connected, batch_records=7, progress=cut, stop=_after(9)).run()
    assert len(connections) > 1
    assert no_thread_is_left()
    project(watched, url)
    assert digests(url) == quiet_digests(chain, postgres)


def test_so_much_is_read_ahead_and_no_more(chain: TestChain, watched: WatchedLog) -> None:
    first = [Wanted(partition, 0, 10) for partition in range(3)]
    for records, size, reads in ((1, 1 << 30, 1), (1 << 30, 1, 1), (1 << 30, 1 << 30, 3)):
        watched.reads.clear()
        ahead = ReadAhead(watched, most_records=records, most_bytes=size)
        done = threading.Event()
        watched.fail = lambda wanted, done=done: done.set() if wanted == first[-1] else None  # type: ignore[misc]
        with ahead.beside(first):
            done.wait(0.5 if reads < 3 else 60)
        assert watched.ahead == first[:reads]
        assert [ahead.read(each) for each in first] == [chain.log.read(each.partition, 0, 10) for each in first]
        assert len(watched.reads) == 3


def test_nothing_is_kept_of_what_failed_or_was_not_asked_for(watched: WatchedLog) -> None:
    ahead = ReadAhead(watched, most_records=1 << 30)
    wanted = Wanted(0, 0, 10)
    for broken in (True, False):
        with pytest.raises(ZeroDivisionError) if broken else nullcontext(), ahead.beside([wanted]):
            while not watched.ahead:
                threading.Event().wait(0.01)
            if broken:
                raise ZeroDivisionError
        if not broken:
            with ahead.beside([]):
                pass
        watched.reads.clear()
        ahead.read(wanted)
        assert watched.ahead == []
        assert len(watched.reads) == 1
        watched.reads.clear()
