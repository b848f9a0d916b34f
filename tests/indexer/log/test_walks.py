"""Random walks over a tree of blocks: whatever way a chain was come by, the log holds that chain and proves sound."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.log.audit import audit_tail, verify
from indexer.log.canonical import canonical_lines
from indexer.log.port import Log
from indexer.log.sqlite import SqliteLog
from indexer.log.tail import read_tail
from tests.indexer.log.chains import Scribe, Tree, canonical_of, live_above, placed
from tests.indexer.log.memory import MemoryLog, MemoryStore

K = 5
Move = tuple[str, int, int]
moves: st.SearchStrategy[list[Move]] = st.lists(
    st.one_of(
        st.tuples(st.just("grow one by one"), st.integers(1, 4), st.integers(0, 1)),
        st.tuples(st.just("grow at once"), st.integers(1, 8), st.integers(0, 1)),
        st.tuples(st.just("back"), st.integers(1, K), st.just(0)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


def walk(scribe: Scribe, moves: list[Move]) -> None:
    tree = Tree()
    for what, count, salt in moves:
        match what:
            case "grow one by one":
                for _ in range(count):
                    scribe.forward([tree.child(scribe.chain, salt)])
            case "grow at once":
                scribe.forward(tree.grow(scribe.chain, count, salt))
            case "back":
                height = scribe.chain[-1].entry.height if scribe.chain else 0
                depth = min(count, height - max(scribe.final_height, 0), len(scribe.chain))
                if depth > 0:
                    scribe.rollback(depth)
            case _:
                scribe.restart()


def blocks_by(log: Log) -> Counter[tuple[str, str]]:
    """How often the log holds each (fact, block) as an event, checked to be numbered 1, 2, … in turn."""
    seen: Counter[tuple[str, str]] = Counter()
    for partition in range(3):
        offset = 0
        while (batch := log.read(partition, offset, 500)).records:
            offset = batch.next_offset
            for record in batch.records:
                if record.kind == "event":
                    seen[record.fact, record.block] += 1
                    assert record.incarnation == seen[record.fact, record.block]
    return seen


@settings(max_examples=150, deadline=None)
@given(moves)
def test_any_walk_over_forks_ends_as_the_chain_it_ends_on(moves: list[Move]) -> None:
    log = MemoryLog(MemoryStore())
    scribe = Scribe(log, k=K)
    walk(scribe, moves)
    height = scribe.chain[-1].entry.height if scribe.chain else 0
    assert list(canonical_lines(log, height)) == canonical_of(scribe.chain)
    final = [block for block in scribe.chain if block.entry.height <= scribe.final_height]
    assert list(canonical_lines(log, scribe.final_height)) == canonical_of(final)
    report = verify(log)
    assert report.fault is None
    assert report.retractions == sum(scribe.left.values())
    assert blocks_by(log) == scribe.applied
    audit_tail(log, 10)


@settings(max_examples=150, deadline=None)
@given(moves)
def test_after_any_walk_the_tail_tells_a_follower_all_it_needs(moves: list[Move]) -> None:
    log = MemoryLog(MemoryStore())
    scribe = Scribe(log, k=K)
    walk(scribe, moves)
    tail = read_tail(log)
    volatile = [block.entry for block in scribe.chain if block.entry.height >= scribe.final_height]
    assert list(tail.blocks) == volatile[::-1]
    assert set(tail.older) <= {block.entry for block in scribe.chain} - set(volatile)
    assert dict(tail.retracted) == {
        key: count for key, count in scribe.left.items() if scribe.heights[key[1]] > scribe.final_height
    }
    # What was kept from step to step is what the log says anew.
    assert scribe.reach.held == tail.held
    reached = {key: n for key, n in scribe.reach.retracted.items() if scribe.heights[key[1]] > scribe.final_height}
    assert reached == dict(tail.retracted)
    for height in range(max(scribe.final_height, 0), len(scribe.chain) + 1):
        above = [each for block in scribe.chain[height:] for each in placed(block)]
        live = live_above(log, height)
        assert scribe.reach.live_above(height) == live
        assert sorted(record.fact for _, record in live) == sorted(each.fact for each in above)
        for partition in range(3):
            seqs = [record.seq for where, record in live if where == partition]
            assert seqs == sorted(seqs)


@settings(max_examples=60, deadline=None)
@given(moves, st.lists(st.integers(1, 6), min_size=1))
def test_two_followers_of_one_chain_have_one_canonical_log(moves: list[Move], batches: list[int]) -> None:
    """One lived through the forks, the other came later and caught up in batches."""
    walker = Scribe(MemoryLog(MemoryStore()), k=K)
    walk(walker, moves)
    late = Scribe(MemoryLog(MemoryStore()), k=K, partitions=7)
    rest = list(walker.chain)
    for batch in batches * len(rest):
        if rest:
            late.forward(rest[:batch])
            del rest[:batch]
    height = min(walker.final_height, late.final_height)
    assert list(canonical_lines(walker.log, height)) == list(canonical_lines(late.log, height))


@settings(max_examples=25, deadline=None)
@given(moves)
def test_any_walk_holds_in_a_file_too(tmp_path_factory: pytest.TempPathFactory, moves: list[Move]) -> None:
    log = SqliteLog(tmp_path_factory.mktemp("walk") / "events.db")
    scribe = Scribe(log, k=K)
    walk(scribe, moves)
    assert list(canonical_lines(log, len(scribe.chain))) == canonical_of(scribe.chain)
    assert verify(log).fault is None
    scribe.writer.close()
    log.close()


def test_a_chain_left_and_taken_again_counts_its_incarnations() -> None:
    """A, B, A, B, A: each time the same block states the same fact anew, with an identity of its own."""
    log = MemoryLog(MemoryStore())
    scribe = Scribe(log, k=K)
    tree = Tree()
    scribe.forward(tree.grow([], 3))
    a, b = tree.grow(scribe.chain, 2, 0), tree.grow(scribe.chain, 2, 1)
    assert {number for block in a for number in block.transactions} & {n for block in b for n in block.transactions}
    for branch in (a, b, a, b):
        scribe.forward(branch)
        scribe.rollback(2)
    scribe.forward(a)
    incarnations = {record.incarnation for _, record in live_above(log, 3)}
    assert incarnations == {3}
    assert list(canonical_lines(log, 5)) == canonical_of(scribe.chain)
    assert verify(log).sound


def test_retractions_are_remembered_from_before_the_final_block_came_back() -> None:
    """The block at the final height was itself left and taken again: what stood on it the first time still counts."""
    log = MemoryLog(MemoryStore())
    scribe = Scribe(log, k=K)
    tree = Tree()
    a = tree.grow([], 4, 0)
    scribe.forward(a)  # heights 1 to 4
    scribe.rollback(4)
    scribe.forward(tree.grow([], 4, 1))
    scribe.rollback(4)
    for block in a:
        scribe.forward([block])
    scribe.forward(tree.grow(scribe.chain, 2))  # height 6: block 1 is final now
    assert scribe.final_height == 1
    scribe.rollback(4)
    for block in a[2:]:
        scribe.forward([block])
    assert {record.incarnation for _, record in live_above(log, 2)} == {3}
    assert verify(log).sound


def test_two_rollbacks_to_one_point_retract_each_event_once() -> None:
    log = MemoryLog(MemoryStore())
    scribe = Scribe(log, k=K)
    tree = Tree()
    scribe.forward(tree.grow([], 2))
    for salt in (0, 1):
        scribe.forward(tree.grow(scribe.chain, 2, salt))
        scribe.rollback(2)
    report = verify(log)
    assert report.fault is None
    assert report.rollbacks == 2
    assert list(canonical_lines(log, 2)) == canonical_of(scribe.chain)
