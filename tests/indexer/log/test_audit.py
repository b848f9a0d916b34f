"""Faults that a writer could make: coherent bytes and digests, and yet no true story of a chain."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from indexer.chain import ORIGIN, Point
from indexer.events import ReportingAccountClosed, event_id, retraction_id
from indexer.log.audit import Fault, Report, audit_tail, verify
from indexer.log.partition import partition_of
from indexer.log.port import LogEmpty, Step
from indexer.log.records import BlockEntry, Forward, PartitionRange, Record, Rollback, records_blob, records_digest
from indexer.log.steps import forward_step, markers, place, rollback_step
from tests.indexer.log.chains import MAGIC, TIME, FakeBlock, Scribe, Tree, live_above, name, placed
from tests.indexer.log.memory import MemoryLog, MemoryStore

Records = list[list[Record]]


class Forger(Scribe):
    """Writes steps that were tampered with, and sealed again."""

    def __init__(self) -> None:
        super().__init__(MemoryLog(MemoryStore()), k=5, partitions=3)
        self.tree = Tree(most_transactions=8)
        for _ in range(8):
            self.forward(self.tree.grow(self.chain, 1))

    def honest_forward(self, blocks: Sequence[FakeBlock], **changes: Any) -> Step:
        end = self.writer.end
        assert end is not None
        arguments: dict[str, Any] = {
            "blocks": [block.entry for block in blocks],
            "parent": blocks[0].parent,
            "boundaries": {},
            "tip": ORIGIN,
            "security_parameter": self.k,
            "events": [each for block in blocks for each in placed(block)],
            "retracted": {},
        }
        return forward_step(end, **(arguments | changes))

    def honest_rollback(self, depth: int, **changes: Any) -> Step:
        end = self.writer.end
        assert end is not None
        to = self.chain[-depth - 1]
        arguments: dict[str, Any] = {
            "to": to.point,
            "to_height": to.entry.height,
            "left": self.chain[-1].entry,
            "depth_blocks": depth,
            "tip": ORIGIN,
            "live": live_above(self.log, to.entry.height),
        }
        return rollback_step(end, **(arguments | changes))

    def write(self, step: Step, tamper: Callable[[Records], None] | None = None, **spine: Any) -> Fault:
        """Appends the step, sealed again after changes to records or spine, and says what verify finds."""
        end = self.writer.end
        assert end is not None
        records = [list(each[:-1]) for each in step.records]
        if tamper:
            tamper(records)
        draft = replace(step.spine, **spine)
        sealed: Records = []
        for partition, (group, marker) in enumerate(zip(records, markers(draft, [0] * len(records)), strict=True)):
            first = end.spine.partitions[partition].last_seq + 1
            whole = [*group, marker]
            sealed.append([replace(record, seq=first + at) for at, record in enumerate(whole)])
        blobs = tuple(records_blob(group) for group in sealed)
        ranges = tuple(
            PartitionRange(group[0].seq, group[-1].seq, len(group), records_digest(blob))
            for group, blob in zip(sealed, blobs, strict=True)
        )
        self.writer.append(Step(replace(draft, partitions=ranges), tuple(map(tuple, sealed)), blobs))
        fault = verify(self.log).fault
        assert fault is not None
        assert fault.step == draft.step
        return fault


@pytest.fixture
def forger() -> Forger:
    return Forger()


def first(records: Records) -> tuple[int, Record]:
    return next((partition, group[0]) for partition, group in enumerate(records) if group)


def change(**fields: Any) -> Callable[[Records], None]:
    """Alters the first record, with an id that follows from the change."""

    def tamper(records: Records) -> None:
        partition, record = first(records)
        changed = replace(record, **fields)
        if record.kind == "event" and "id" not in fields:
            changed = replace(changed, id=event_id(changed.fact, changed.block, changed.incarnation))
        records[partition][0] = changed

    return tamper


EVENT_FAULTS: dict[str, tuple[Callable[[Records], None], str]] = {
    "an id of nothing": (change(id="ab" * 32), "id does not follow"),
    "another fact": (change(fact="ab" * 32), "its fact is"),
    "a second incarnation of what was never retracted": (change(incarnation=2), "incarnation 2 after 0"),
    "a block that is not the step's": (change(block="ab" * 32), "not one of the step's"),
    "another height": (change(height=3), "not one of the step's"),
    "another slot": (change(slot=3), "not one of the step's"),
    "a type that its body does not have": (change(type="reading_submitted"), "not what its body says"),
    "a subject that its body does not have": (change(subject="me"), "not what its body says"),
    "a body that is no event": (change(body=Raw(b"{}")), "not an event"),
    "a retraction in a forward step": (change(kind="retraction"), "a retraction in a forward step"),
    "a target in an event": (change(retracts="ab" * 32), "in a forward step"),
    "a marker among the events": (change(kind="marker"), "marker"),
}


@pytest.mark.parametrize("case", EVENT_FAULTS)
def test_an_event_that_can_not_be_is_named(forger: Forger, case: str) -> None:
    tamper, words = EVENT_FAULTS[case]
    fault = forger.write(forger.honest_forward(forger.tree.grow(forger.chain, 3)), tamper)
    assert words in fault.what
    assert fault.seq is not None


def test_an_event_in_a_partition_that_is_not_its_keys_is_named(forger: Forger) -> None:
    def tamper(records: Records) -> None:
        partition, record = first(records)
        records[partition].pop(0)
        records[(partition + 1) % 3].insert(0, record)

    fault = forger.write(forger.honest_forward(forger.tree.grow(forger.chain, 3)), tamper)
    assert "its key belongs to partition" in fault.what


def test_events_out_of_the_chains_order_are_named(forger: Forger) -> None:
    fault = forger.write(
        forger.honest_forward(forger.tree.grow(forger.chain, 3)),
        lambda records: max(records, key=len).reverse(),
    )
    assert "chain's order" in fault.what


def test_a_live_fact_stated_again_in_its_block_is_named(forger: Forger) -> None:
    def tamper(records: Records) -> None:
        partition, record = first(records)
        again = replace(record, incarnation=2, id=event_id(record.fact, record.block, 2))
        records[partition].insert(1, again)

    fault = forger.write(forger.honest_forward(forger.tree.grow(forger.chain, 3)), tamper)
    assert "chain's order" in fault.what  # it has a place in the block, and only one


def test_two_events_in_one_place_of_a_transaction_are_named_across_partitions(forger: Forger) -> None:
    """Their order, and with it the canonical log, would be anybody's guess."""
    block = forger.tree.child(forger.chain, 0)
    partitions = {partition_of(name("battery", number)[:56], 3): number for number in range(20)}
    one_a_partition = partitions.values()
    events = [
        ReportingAccountClosed(
            deployment="test",
            battery_key=name("battery", number)[:56],
            transaction=name("transaction", number),
            transaction_index=0,
            index=0,
            quantity=1,
        )
        for number in one_a_partition
    ]
    fault = forger.write(forger.honest_forward([block], events=place(events, block.entry, TIME, MAGIC)))
    assert "another event has its place" in fault.what


FORWARD_FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "a final height too high": ({"final_height": 7}, "final height"),
    "a parent that is not there": ({"parent": "ab" * 32}, "the chain stood at"),
    "a point that is not its last block": ({"point": Point(1, "ab" * 32)}, "not its last block"),
    "no block": ({"blocks": ()}, "without a block"),
    "a height left out": ({"blocks": (BlockEntry(11, 999, "ab" * 32),)}, "not its last block"),
}


@pytest.mark.parametrize("case", FORWARD_FAULTS)
def test_a_forward_step_that_does_not_follow_is_named(forger: Forger, case: str) -> None:
    changes, words = FORWARD_FAULTS[case]
    step = forger.honest_forward(forger.tree.grow(forger.chain, 1), events=[])
    assert words in forger.write(step, **changes).what


def test_a_gap_in_the_heights_is_named(forger: Forger) -> None:
    last = forger.chain[-1]
    far = FakeBlock(BlockEntry(last.entry.height + 2, last.entry.slot + 5, "ab" * 32), last.entry.id, ())
    assert "can't follow height 8" in forger.write(forger.honest_forward([far])).what


def test_a_slot_that_goes_back_is_named(forger: Forger) -> None:
    last = forger.chain[-1]
    early = FakeBlock(BlockEntry(last.entry.height + 1, last.entry.slot, "ab" * 32), last.entry.id, ())
    assert "can't follow height 8" in forger.write(forger.honest_forward([early])).what


def test_a_boundary_block_stands_between_its_neighbours(forger: Forger) -> None:
    """Byron: the block names the boundary block as its parent, and the spine says so."""
    block = forger.tree.child(forger.chain, 0)
    boundary = "cd" * 32
    forger.writer.append(
        forger.honest_forward([block], parent=boundary, boundaries={block.entry.id: boundary}, events=[])
    )
    assert verify(forger.log).sound
    other = forger.tree.child([*forger.chain, block], 0)
    step = forger.honest_forward([other], boundaries={other.entry.id: boundary}, events=[])
    assert "the chain stood at" in forger.write(step).what


def partition_with(records: Records, least: int) -> int:
    return next(partition for partition, group in enumerate(records) if len(group) >= least)


def test_a_missing_retraction_is_named_with_the_event_that_stays_live(forger: Forger) -> None:
    step = forger.honest_rollback(4)
    missing = next(group[0] for group in step.records if len(group) > 1)

    def tamper(records: Records) -> None:
        records[partition_with(records, 1)].pop(0)

    fault = forger.write(step, tamper)
    assert missing.retracts in fault.what
    assert "is not retracted" in fault.what


def test_a_retraction_of_nothing_is_named(forger: Forger) -> None:
    target = "ab" * 32
    fault = forger.write(forger.honest_rollback(4), change(retracts=target, id=retraction_id(target)))
    assert "which is not live" in fault.what


def test_a_double_retraction_is_named(forger: Forger) -> None:
    def tamper(records: Records) -> None:
        group = records[partition_with(records, 1)]
        group.insert(0, group[0])

    assert "which is not live" in forger.write(forger.honest_rollback(4), tamper).what


def test_a_retraction_again_in_a_later_rollback_is_named(forger: Forger) -> None:
    first_step = forger.honest_rollback(2)
    again = next((partition, group[0]) for partition, group in enumerate(first_step.records) if len(group) > 1)
    forger.rollback(2)
    assert (
        "which is not live"
        in forger.write(
            forger.honest_rollback(1), lambda records: records[again[0]].insert(0, replace(again[1], step=10))
        ).what
    )


RETRACTION_FAULTS: dict[str, tuple[Callable[[Records], None], str]] = {
    "another body": (change(body=Raw(b'{"type":"x"}')), "byte for byte"),
    "another subject": (change(subject="me"), "byte for byte"),
    "another incarnation": (change(incarnation=5), "byte for byte"),
    "another height": (change(height=8_888), "not live"),
    "an id of its own": (change(id="ab" * 32), "id does not follow"),
    "an event in a rollback": (change(kind="event", id="ab" * 32), "an event in a rollback"),
}


@pytest.mark.parametrize("case", RETRACTION_FAULTS)
def test_a_retraction_that_is_not_its_targets_is_named(forger: Forger, case: str) -> None:
    tamper, words = RETRACTION_FAULTS[case]
    assert words in forger.write(forger.honest_rollback(4), tamper).what


def test_a_retraction_in_another_partition_than_its_target_is_named(forger: Forger) -> None:
    def tamper(records: Records) -> None:
        partition = partition_with(records, 1)
        records[(partition + 1) % 3].append(records[partition].pop())

    fault = forger.write(forger.honest_rollback(4), tamper)
    assert "is in partition" in fault.what


def test_retractions_in_the_order_of_their_events_are_named(forger: Forger) -> None:
    fault = forger.write(forger.honest_rollback(5 - 1), lambda records: max(records, key=len).reverse())
    assert "reverse order" in fault.what


def test_a_rollback_below_the_final_height_is_named(forger: Forger) -> None:
    assert forger.final_height == 3
    assert "below the final height 3" in forger.write(forger.honest_rollback(6, live=[])).what


def test_a_rollback_to_a_point_off_the_chain_is_named(forger: Forger) -> None:
    step = forger.honest_rollback(2)
    assert "not on the chain" in forger.write(step, point=Point(1, "ab" * 32)).what


def test_a_rollback_that_leaves_another_block_than_the_newest_is_named(forger: Forger) -> None:
    assert "where the chain did not stand" in forger.write(forger.honest_rollback(2), left=forger.chain[0].entry).what


def test_a_rollback_of_another_depth_than_it_says_is_named(forger: Forger) -> None:
    assert "it is 2" in forger.write(forger.honest_rollback(2), depth_blocks=3).what


def test_an_incarnation_not_counted_on_is_named(forger: Forger) -> None:
    blocks = forger.chain[-2:]
    forger.rollback(2)
    assert "incarnation 1 after 1 retractions" in forger.write(forger.honest_forward(blocks, retracted={})).what


def test_an_empty_log_has_nothing_to_verify() -> None:
    log = MemoryLog(MemoryStore())
    with pytest.raises(LogEmpty):
        verify(log)
    audit_tail(log, 10)


def test_verify_counts_and_says_how_far_it_is(forger: Forger) -> None:
    forger.rollback(3)
    forger.forward(forger.tree.grow(forger.chain, 70))
    seen: list[Report] = []
    report = verify(forger.log, seen.append)
    assert report.sound
    assert (report.steps, report.to_step, report.blocks, report.rollbacks) == (11, 10, 78, 1)
    assert report.events == sum(forger.applied.values())
    assert report.retractions == sum(forger.left.values()) > 0
    assert (report.height, report.final_height) == (75, 70)
    assert seen[-1] == report


def test_the_spines_kinds_are_told_apart(forger: Forger) -> None:
    forger.rollback(1)
    kinds = [type(stored.spine) for stored in forger.log.spine(8)]
    assert kinds == [Forward, Rollback]
