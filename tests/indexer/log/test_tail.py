"""What a follower reads of the log's end."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from indexer.chain import ORIGIN, Point
from indexer.log.port import LogDamaged, LogEmpty
from indexer.log.records import BlockEntry
from indexer.log.sqlite import SqliteLog
from indexer.log.steps import forward_step, opened_step
from indexer.log.tail import DENSE_POINTS, read_tail
from tests.indexer.log.chains import Scribe, Tree, live_above, name
from tests.indexer.log.memory import MemoryLog, MemoryStore


def followed(blocks: int, *, k: int, batch: int = 1) -> Scribe:
    scribe = Scribe(MemoryLog(MemoryStore()), k=k)
    tree = Tree(most_transactions=0)
    for _ in range(blocks // batch):
        scribe.forward(tree.grow(scribe.chain[-1:], batch))
    return scribe


def test_a_log_without_a_step_has_no_tail() -> None:
    log = MemoryLog(MemoryStore())
    with pytest.raises(LogEmpty):
        read_tail(log)


def test_origin_is_offered_only_while_the_log_has_no_block() -> None:
    scribe = followed(0, k=5)
    assert read_tail(scribe.log).intersection() == (ORIGIN,)
    scribe.forward([Tree().child([], 0)])
    tail = read_tail(scribe.log)
    assert ORIGIN not in tail.intersection()
    assert tail.points == (scribe.chain[0].point, ORIGIN)  # but a node may still roll back to it


def test_a_log_that_begins_after_a_point_offers_that_point_while_it_is_in_reach() -> None:
    since = Point(1000, name("since"))
    log = MemoryLog(MemoryStore())
    writer = log.writer()
    step = opened_step(
        network="test", network_magic=1, security_parameter=5, deployments={}, since=since, height=70, partitions=2
    )
    writer.append(step)
    assert read_tail(log).points == read_tail(log).intersection() == (since,)
    for height in range(71, 80):
        end = writer.end
        assert end is not None
        assert (since in read_tail(log).intersection()) == (height <= 76)
        writer.append(
            forward_step(
                end,
                blocks=[BlockEntry(height, 1000 + height, name(height))],
                parent=name(height - 1),
                boundaries={},
                tip=ORIGIN,
                security_parameter=5,
                events=[],
                retracted={},
            )
        )


@pytest.mark.parametrize("batch", [1, 10, 100])
def test_points_are_the_chain_down_to_the_final_block(batch: int) -> None:
    scribe = followed(300, k=40, batch=batch)
    tail = read_tail(scribe.log)
    assert scribe.final_height == 260
    assert list(tail.points) == [block.point for block in scribe.chain[259:][::-1]]


@pytest.mark.parametrize("batch", [1, 10, 100])
def test_points_offered_are_dense_near_the_tip_then_doubling_then_a_few_beyond_k(batch: int) -> None:
    scribe = followed(6_000, k=2_160, batch=batch)
    tail = read_tail(scribe.log)
    slots = {block.point: 6_000 - block.entry.height for block in scribe.chain}
    depths = [slots[point] for point in tail.intersection() if isinstance(point, Point)]
    assert depths[: DENSE_POINTS + 1] == [*range(DENSE_POINTS), DENSE_POINTS - 1 + DENSE_POINTS]
    assert depths == sorted(depths)
    assert 2_160 in depths
    assert [depth for depth in depths if depth > 2_160] == [2_700, 3_240, 4_320]
    assert len(depths) < 32


def test_boundary_blocks_of_the_current_chain_are_remembered() -> None:
    scribe = followed(3, k=5)
    end = scribe.writer.end
    assert end is not None
    block, boundary = Tree(0).child(scribe.chain, 0), name("boundary")
    step = forward_step(
        end,
        blocks=[block.entry],
        parent=boundary,
        boundaries={block.entry.id: boundary},
        tip=ORIGIN,
        security_parameter=5,
        events=[],
        retracted={},
    )
    scribe.writer.append(step)
    scribe.chain.append(block)
    assert read_tail(scribe.log).boundaries == {block.entry.id: boundary}
    scribe.rollback(1)
    assert read_tail(scribe.log).boundaries == {}


def test_a_rollback_into_the_middle_of_a_batch_retracts_only_what_is_above() -> None:
    scribe = Scribe(MemoryLog(MemoryStore()), k=50)
    scribe.forward(Tree(5).grow([], 20))
    above = live_above(scribe.log, 13)
    assert {record.height for _, record in above} <= set(range(14, 21))
    assert len(above) == sum(len(block.events) for block in scribe.chain[13:]) > 0
    scribe.rollback(7)
    assert live_above(scribe.log, 13) == []
    assert len(live_above(scribe.log, 0)) == sum(len(block.events) for block in scribe.chain)


def test_a_tail_with_a_lost_record_is_not_rolled_back_by_guess(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "events.db")
    scribe = Scribe(log, k=50, partitions=1)
    scribe.forward(Tree(5).grow([], 20))
    scribe.forward(Tree(5).grow(scribe.chain, 1))
    with closing(sqlite3.connect(log.path)) as vandal, vandal:
        vandal.execute("DELETE FROM records WHERE position = 1")
    with pytest.raises(LogDamaged, match="missing"):
        live_above(log, 3)
