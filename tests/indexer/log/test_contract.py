"""The log's contract. Every engine passes all of it; what is special to one stands in its own file."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from indexer.log.audit import verify
from indexer.log.port import Fenced, Log, LogBusy, LogEmpty, accept
from indexer.log.records import Record, records_blob, records_digest
from tests.indexer.log.chains import Scribe, Tree, opened
from tests.indexer.log.conftest import OpenLog


def everything(log: Log, partition: int, limit: int = 100) -> Iterator[Record]:
    offset = 0
    while (batch := log.read(partition, offset, limit)).records:
        yield from batch.records
        offset = batch.next_offset


def grown(log: Log, blocks: int, partitions: int = 3, *, salt: int = 0) -> Scribe:
    """A log with so many blocks, one a step."""
    scribe = Scribe(log, partitions=partitions)
    for block in Tree().grow([], blocks, salt):
        scribe.forward([block])
    return scribe


def test_a_log_without_a_step_is_empty_and_not_an_error_to_wait_for(open_log: OpenLog) -> None:
    log = open_log()
    assert log.end() is None
    assert log.wait(-1, 0.01) is False
    for read in (log.opened, lambda: log.read(0, 0, 1), lambda: next(log.spine()), lambda: next(log.spine_backwards())):
        with pytest.raises(LogEmpty):
            read()


def test_a_writer_that_has_not_written_leaves_the_log_empty(open_log: OpenLog) -> None:
    with closing(open_log().writer()) as writer:
        assert writer.end is None
        assert open_log().end() is None
        with pytest.raises(LogEmpty):
            open_log().opened()


def test_what_was_appended_is_read_as_it_was(open_log: OpenLog, partitions: int) -> None:
    writer = open_log().writer()
    step = opened(partitions=partitions)
    stored = writer.append(step)
    log = open_log()
    assert writer.end == stored == log.end()
    assert log.opened() == step.spine
    for partition in range(partitions):
        assert log.read(partition, 0, 10).records == step.records[partition]
    writer.close()


def test_every_step_writes_to_every_partition_and_numbers_have_no_gap(open_log: OpenLog, partitions: int) -> None:
    scribe = grown(open_log(), 20, partitions)
    scribe.rollback(4)
    log = open_log()
    end = log.end()
    assert end is not None
    for partition in range(partitions):
        records = list(everything(log, partition))
        assert accept(-1, records) == records
        assert [record.seq for record in records] == list(range(len(records)))
        assert [record.step for record in records if record.kind == "marker"] == list(range(22))
        assert end.spine.partitions[partition].last_seq == records[-1].seq


def test_the_spine_holds_the_digests_of_what_was_written(open_log: OpenLog) -> None:
    grown(open_log(), 10)
    log = open_log()
    for stored in log.spine():
        for partition, said in enumerate(stored.spine.partitions):
            offset = log.offset_of_step(partition, stored.spine.step)
            records = log.read(partition, offset, 1).records
            assert records_digest(records_blob(records)) == said.digest
            assert (records[0].seq, records[-1].seq, len(records)) == (said.first_seq, said.last_seq, said.count)


def test_a_batch_is_whole_steps_whatever_its_limit(open_log: OpenLog) -> None:
    grown(open_log(), 30)
    log = open_log()
    for limit in (1, 2, 7, 1000):
        offset = 0
        records: list[Record] = []
        while (batch := log.read(1, offset, limit)).records:
            assert batch.records[-1].kind == "marker"
            before_last_step = [each for each in batch.records if each.step < batch.records[-1].step]
            assert len(before_last_step) < limit
            records += batch.records
            offset = batch.next_offset
        assert records == list(everything(log, 1))
        assert log.read(1, offset, limit).next_offset == offset


def test_an_offset_can_be_kept_and_read_from_later(open_log: OpenLog) -> None:
    scribe = grown(open_log(), 5)
    log = open_log()
    at_end = log.read(0, 0, 10_000).next_offset
    assert log.read(0, at_end, 10).records == ()
    scribe.forward([Tree().child(scribe.chain, 0)])
    assert {record.step for record in log.read(0, at_end, 10).records} == {6}


def test_a_steps_offset_is_where_its_records_begin(open_log: OpenLog) -> None:
    scribe = grown(open_log(), 8)
    log = open_log()
    for partition in range(3):
        for step in range(9):
            assert log.read(partition, log.offset_of_step(partition, step), 1).records[0].step == step
        after = log.offset_of_step(partition, 9)
        assert log.read(partition, after, 1).records == ()
    scribe.forward([Tree().child(scribe.chain, 0)])
    assert log.read(0, log.offset_of_step(0, 9), 1).records[0].step == 9


def test_a_new_writer_fences_the_old_one_before_it_reads(open_log: OpenLog) -> None:
    old = grown(open_log(), 3)
    new = open_log().writer()
    assert new.end == old.writer.end
    with pytest.raises(Fenced):
        old.forward([Tree().child(old.chain, 0)])
    assert open_log().end() == new.end
    new.close()


def test_a_zombies_append_is_invisible_and_the_new_writer_goes_on(open_log: OpenLog) -> None:
    zombie = grown(open_log(), 3)
    new = grown(open_log(), 0)
    new.chain = list(zombie.chain)
    new.forward([Tree().child(new.chain, 1)])
    end = open_log().end()
    for salt in (0, 1):
        with pytest.raises(Fenced):
            zombie.forward([Tree().child(zombie.chain, salt)])
    log = open_log()
    assert log.end() == end
    assert verify(log).sound


def test_a_fenced_writer_stays_fenced_even_if_nothing_was_written_after_it(open_log: OpenLog) -> None:
    old = grown(open_log(), 1)
    open_log().writer().close()
    for _ in range(2):
        with pytest.raises(Fenced):
            old.forward([Tree().child(old.chain, 0)])
    end = open_log().end()
    assert end is not None
    assert end.spine.step == 1


def test_a_step_that_does_not_follow_the_end_is_refused_and_the_writer_lives(open_log: OpenLog) -> None:
    scribe = grown(open_log(), 2)
    with pytest.raises(ValueError, match="step 0"):
        scribe.writer.append(opened())
    scribe.forward([Tree().child(scribe.chain, 0)])
    assert verify(open_log()).sound


def test_after_a_restart_the_log_goes_on_where_it_ended(open_log: OpenLog) -> None:
    scribe = grown(open_log(), 4)
    end = scribe.writer.end
    scribe.restart()
    assert scribe.writer.end == end
    scribe.forward(Tree().grow(scribe.chain, 2))
    report = verify(open_log())
    assert report.sound
    assert report.steps == 6


def test_step_numbers_are_never_used_again_across_forks(open_log: OpenLog) -> None:
    scribe = grown(open_log(), 4)
    scribe.rollback(2)
    scribe.forward([Tree().child(scribe.chain, 1)])
    scribe.rollback(1)
    scribe.restart()
    scribe.forward([Tree().child(scribe.chain, 0)])
    assert [stored.spine.step for stored in open_log().spine()] == list(range(9))


def test_the_spine_reads_the_same_both_ways_and_from_any_step(open_log: OpenLog) -> None:
    grown(open_log(), 600, 1)
    log = open_log()
    forwards = list(log.spine())
    assert len(forwards) == 601
    assert list(log.spine_backwards()) == forwards[::-1]
    assert list(log.spine(590)) == forwards[590:]
    assert list(log.spine(601)) == []


def test_waiting_ends_with_a_new_step_or_at_the_time_out(open_log: OpenLog) -> None:
    scribe = grown(open_log(), 1)
    log = open_log()
    assert log.wait(0, 0) is True
    assert log.wait(1, 0.02) is False
    later = threading.Timer(0.05, lambda: scribe.forward([Tree().child(scribe.chain, 0)]))
    later.start()
    assert log.wait(1, 10) is True
    later.join()


def test_one_follower_holds_the_lease(open_log: OpenLog) -> None:
    first, second = open_log(), open_log()
    with first.lease(), pytest.raises(LogBusy), second.lease():
        pass
    with second.lease():
        pass


def test_a_reader_beside_a_writer_sees_whole_steps_only(open_log: OpenLog) -> None:
    log = open_log()
    scribe = grown(log, 0, 3)
    faults: list[str] = []
    done = threading.Event()

    def read() -> None:
        reader = open_log()
        offsets, last_seqs, last_steps = [0] * 3, [-1] * 3, [-1] * 3
        while not (done.is_set() and min(last_steps) == 150):
            end = reader.end()
            assert end is not None
            for partition in range(3):
                batch = reader.read(partition, offsets[partition], 50)
                taken = accept(last_seqs[partition], batch.records)
                if taken and taken[-1].kind != "marker":
                    faults.append(f"a batch without its marker: {taken[-1]}")
                if taken:
                    offsets[partition] = batch.next_offset
                    last_seqs[partition], last_steps[partition] = taken[-1].seq, taken[-1].step
                elif last_steps[partition] < end.spine.step:
                    faults.append(f"step {end.spine.step} is in the spine, not in partition {partition}")
        reader.close()

    thread = threading.Thread(target=read)
    thread.start()
    for block in Tree().grow([], 150):
        scribe.forward([block])
    done.set()
    thread.join(60)
    assert not thread.is_alive()
    assert faults == []


def test_partitions_that_are_not_there_are_a_mistake(open_log: OpenLog) -> None:
    grown(open_log(), 1)
    for partition in (-1, 3):
        with pytest.raises(ValueError, match="partitions 0 to 2"):
            open_log().read(partition, 0, 1)
