"""Workers that divide the partitions: by the rule alone, and as threads on a real PostgreSQL."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.postgres import EmbeddedPostgres
from indexer.log.urls import open_log
from projections.database import Connection, connect
from projections.digest import table_digests
from projections.errors import OwnershipLost
from projections.migrate import migrate
from projections.run import Progress, Worker
from projections.sharing import Membership, Moves, Peer, moves
from projections.status import consistent_step
from projections.store import PROJECTION, Store, identity_of
from tests.postgres import fresh_database
from tests.projections.chain import Life, TestChain, walk
from tests.projections.conftest import MakeChain
from tests.projections.tables import project

PARTITIONS = 12


def settled(peers: list[Peer], owners: dict[int, int | None], rounds: int) -> dict[int, int | None]:
    """Owners after everybody who lives has moved so many times, in the order of the numbers."""
    owners = dict(owners)
    for _ in range(rounds):
        for peer in peers:
            if not peer.alive or peer.pinned:
                continue
            held = {at for at, owner in owners.items() if owner == peer.worker}
            made = moves(peer.worker, peers, owners, held)
            assert all(owners[at] == peer.worker for at in made.give)
            assert all(owners[at] is None or not living(peers, owners[at]) for at in made.take), "nobody is robbed"
            owners |= dict.fromkeys(made.give, None) | dict.fromkeys(made.take, peer.worker)
    return owners


def living(peers: list[Peer], worker: int | None) -> bool:
    return any(each.worker == worker and each.alive for each in peers)


@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=6),
    st.lists(st.one_of(st.none(), st.integers(0, 7)), min_size=1, max_size=PARTITIONS),
)
def test_any_division_becomes_fair_and_then_rests(kinds: list[tuple[bool, bool]], who: list[int | None]) -> None:
    """Whoever is there and had what: two moves of each later nothing is free, and shares differ by one at most."""
    peers = [Peer(number, pinned, alive) for number, (pinned, alive) in enumerate(kinds)]
    before = dict(enumerate(who))
    sharing = [each.worker for each in peers if each.alive and not each.pinned]
    after = settled(peers, before, 2)
    if not sharing:
        assert after == before
        return
    pinned = {each.worker for each in peers if each.alive and each.pinned}
    divided = [at for at, owner in before.items() if owner not in pinned]
    assert all(after[at] == owner for at, owner in before.items() if owner in pinned)
    counts = [sum(after[at] == worker for at in divided) for worker in sharing]
    assert sum(counts) == len(divided)
    assert max(counts) - min(counts) <= 1
    assert settled(peers, after, 1) == after


def test_what_is_ours_by_name_only_is_taken_anew() -> None:
    """An answer that got lost: the tables say that a partition is ours, and we have no checkpoint of it."""
    assert moves(1, [Peer(1, False, True)], {0: 1, 1: 1}, {0}) == Moves(frozenset(), frozenset({1}))


@pytest.fixture
def chain(make_chain: MakeChain) -> TestChain:
    made = make_chain("log.db", Life(11, 6), partitions=PARTITIONS)
    walk(made, 30)
    return made


@contextmanager
def member(url: str, chain: TestChain, *, pinned: bool = False) -> Iterator[tuple[Connection, Store, Membership]]:
    with connect(url) as connection:
        migrate(connection)
        yield connection, Store(connection, identity_of(chain.log)), Membership(connection, PROJECTION, pinned=pinned)


def test_a_newcomer_gets_half_and_a_dead_worker_leaves_all_at_once(chain: TestChain, database: str) -> None:
    with member(database, chain) as (_, one, first):
        first.look(one, None)
        assert len(one.checkpoints) == PARTITIONS
        with member(database, chain) as (_, two, second):
            assert second.look(two, None).take == frozenset(), "nothing is free yet"
            first.look(one, None)
            second.look(two, None)
            assert len(one.checkpoints) == len(two.checkpoints) == PARTITIONS // 2
            assert not one.checkpoints.keys() & two.checkpoints.keys()
        # The connection's end is all that the others see of a kill -9.
        deadline = time.monotonic() + 30
        while len(one.checkpoints) < PARTITIONS:
            assert time.monotonic() < deadline
            first.look(one, None)


def test_a_silent_worker_loses_its_partitions_and_woken_writes_nothing(
    chain: TestChain, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as life:
        _, zombie, paused = life.enter_context(member(database, chain))
        paused.look(zombie, None)
        late = {at: chain.log.read(at, 0, 50) for at in zombie.checkpoints}
        connection, heir, other = life.enter_context(member(database, chain))
        other.look(heir, None)
        assert not heir.checkpoints
        monkeypatch.setattr("projections.sharing.SILENT_SECONDS", 0.0)
        other.look(heir, None)
        monkeypatch.undo()
        assert len(heir.checkpoints) == PARTITIONS
        before = table_digests(connection)
        with pytest.raises(OwnershipLost) as lost:
            zombie.apply(late)
        assert lost.value.partitions == frozenset(range(PARTITIONS))
        assert table_digests(connection) == before
        zombie.drop(lost.value.partitions)
        paused.look(zombie, None)
        other.look(heir, None)
        paused.look(zombie, None)
        assert len(zombie.checkpoints) == len(heir.checkpoints) == PARTITIONS // 2


def test_a_worker_paused_inside_a_transaction_is_robbed_only_once_its_session_was_ended(
    chain: TestChain, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are locked: who waited for them would wait for as long as it sleeps."""
    with ExitStack() as life:
        stuck, one, paused = life.enter_context(member(database, chain))
        paused.look(one, None)
        _, heir, other = life.enter_context(member(database, chain))
        stuck.execute("BEGIN")
        stuck.execute("SELECT FROM checkpoints FOR UPDATE")
        monkeypatch.setattr("projections.sharing.SILENT_SECONDS", 0.0)
        other.look(heir, None)
        assert not heir.checkpoints
        monkeypatch.setattr("projections.sharing.STUCK_SECONDS", 0.0)
        deadline = time.monotonic() + 30
        while len(heir.checkpoints) < PARTITIONS:
            assert time.monotonic() < deadline
            other.look(heir, None)
        stuck.close()


def test_a_worker_whose_batch_waits_for_a_stuck_one_ends_its_session(
    chain: TestChain, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both add the same rows of what they share: who only waited would never look around, and nobody would end it."""
    walk(chain, 20)
    monkeypatch.setattr("projections.sharing.SILENT_SECONDS", 0.0)
    monkeypatch.setattr("projections.sharing.STUCK_SECONDS", 1.0)
    monkeypatch.setattr("projections.sharing.LOCK_SECONDS", 0.2)
    with ExitStack() as life:
        stuck, one, paused = life.enter_context(member(database, chain))
        paused.look(one, None)
        stuck.execute("BEGIN")
        batches = {at: chain.log.read(at, each.next_offset, 1_000) for at, each in one.checkpoints.items()}
        one.apply({at: each for at, each in batches.items() if at % 2 and each.records})
        retries: list[float] = []
        thread = threading.Thread(target=lambda: waiting(chain.url, database, retries), daemon=True)
        thread.start()
        thread.join(60)
        alive = thread.is_alive()
        stuck.close()
        assert not alive, "it waits for ever"
        assert retries, "or it never waited"
    with connect(database) as connection:
        assert consistent_step(connection) == chain.end.spine.step


def waiting(url: str, database: str, retries: list[float]) -> None:
    with closing(open_log(url)) as log:
        Worker(log, lambda: connect(database), pause=retries.append).run(until_caught_up=True)


def test_many_workers_at_once_write_what_one_does(chain: TestChain, postgres: EmbeddedPostgres) -> None:
    """Threads that come and go while the log grows: each ends on its own, the last with everything."""
    alone, shared = fresh_database(postgres), fresh_database(postgres)
    stop = threading.Event()
    failed: list[BaseException] = []
    shares: dict[int, tuple[int, ...]] = {}

    def work(number: int) -> None:
        def note(progress: Progress) -> None:
            shares[number] = progress.partitions

        try:
            with closing(open_log(chain.url)) as log:
                Worker(log, lambda: connect(shared), batch_records=20, stop=stop.is_set, progress=note).run()
        except BaseException as error:  # noqa: BLE001  # the test's own thread raises it
            failed.append(error)

    with ExitStack() as life:
        life.callback(stop.set)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60
        while sorted(map(len, shares.values())) != [4, 4, 4]:
            assert time.monotonic() < deadline, shares
            assert not failed
            time.sleep(0.05)
        walk(chain, 10)
        with connect(shared) as connection:
            while consistent_step(connection) < chain.end.spine.step:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join(60)
    assert not failed
    project(chain.log, alone)
    with connect(alone) as one, connect(shared) as other:
        assert table_digests(one) == table_digests(other)
        assert other.execute("SELECT count(*) FROM workers").fetchone() == (0,), "each said that it goes"


def test_partitions_given_by_hand_are_not_divided(chain: TestChain, database: str) -> None:
    with member(database, chain, pinned=True) as (_, by_hand, pinned), member(database, chain) as (_, one, sharing):
        by_hand.take([0, 1, 2], pinned.number)
        pinned.look(by_hand, None)
        sharing.look(one, None)
        assert sorted(one.checkpoints) == list(range(3, PARTITIONS))
