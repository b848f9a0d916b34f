"""What must hold of one step beside the one before it: numbers, digests, markers, identities, links of the chain."""

from collections.abc import Sequence

import msgspec

from indexer.chain import NO_BLOCK_HEIGHT, ORIGIN, Point
from indexer.events import ChainEvent, decode_event, event_id, event_kind, retraction_id
from indexer.log.partition import partition_of
from indexer.log.port import LogDamaged, StoredSpine
from indexer.log.records import (
    GENESIS_DIGEST,
    BlockEntry,
    Forward,
    Opened,
    PartitionRange,
    Record,
    Rollback,
    Spine,
    encode_spine,
    records_blob,
    records_digest,
    step_digest,
)
from indexer.log.replay import Group
from indexer.log.steps import chain_order, markers, place, subject_of


def check_step(opened: Opened, previous: StoredSpine | None, stored: StoredSpine, groups: Sequence[Group]) -> None:
    """Raises LogDamaged, in words, at the first thing that no writer would have written."""
    check_spine(opened, previous, stored)
    ranges = stored.spine.partitions
    wanted = markers(stored.spine, (said.last_seq for said in ranges))
    for partition, (group, said, marker) in enumerate(zip(groups, ranges, wanted, strict=True)):
        _check_group(stored, partition, said, group, marker)
    match stored.spine:
        case Forward() as spine:
            _check_events(opened, spine, groups)
        case Rollback():
            _check_retractions(groups)
        case Opened():
            _check_markers_only(groups)


def check_spine(opened: Opened, previous: StoredSpine | None, stored: StoredSpine) -> None:
    """The spine's own part: it follows the step before in number, digest, sequence numbers and on the chain."""
    spine = stored.spine
    step = previous.spine.step + 1 if previous else 0
    if spine.step != step:
        raise LogDamaged(f"the spine has no step {step}: after it comes step {spine.step}", step=step)
    if spine.previous != (previous.digest if previous else GENESIS_DIGEST):
        raise LogDamaged(
            f"step {step} does not name the digest of the step before it: one of them was altered", step=step
        )
    if step_digest(encode_spine(spine)) != stored.digest:
        raise LogDamaged(f"the spine record of step {step} is not in its one byte form: it was altered", step=step)
    if isinstance(spine, Opened) != (step == 0):
        raise LogDamaged(f"step {step} is of kind {type(spine).__name__}: a log is opened once, by step 0", step=step)
    if len(spine.partitions) != len(opened.partitions):
        raise LogDamaged(
            f"step {step} names {len(spine.partitions)} partitions, not {len(opened.partitions)}", step=step
        )
    for partition, said in enumerate(spine.partitions):
        first = previous.spine.partitions[partition].last_seq + 1 if previous else 0
        if said.first_seq != first or said.last_seq != said.first_seq + said.count - 1 or said.count < 1:
            raise LogDamaged(
                f"the spine says that step {step} has sequence numbers {said.first_seq} to {said.last_seq} "
                f"({said.count} records) where {first} comes next",
                step=step,
                partition=partition,
                seq=first,
            )
    if previous:
        _check_chain(opened, previous, stored)


def _check_chain(opened: Opened, previous: StoredSpine, stored: StoredSpine) -> None:
    spine, before = stored.spine, previous.spine

    def fault(message: str) -> LogDamaged:
        return LogDamaged(f"step {spine.step}: {message}", step=spine.step)

    if spine.final_height != max(before.final_height, spine.height - opened.security_parameter):
        raise fault(f"final height {spine.final_height} does not follow from height {spine.height} and k")
    if not isinstance(spine, Forward):
        return
    if not spine.blocks:
        raise fault("a forward step without a block")
    first, last = spine.blocks[0], spine.blocks[-1]
    if spine.height != last.height or spine.point != Point(last.slot, last.id):
        raise fault("its point is not its last block")
    link = spine.boundaries.get(first.id, None if before.point == ORIGIN else _id(before))
    if link is not None and spine.parent != link:
        raise fault(f"block {first.id} follows {spine.parent}, but the chain stood at {link}")
    height, slot = before.height, -1 if isinstance(before.point, str) else before.point.slot
    if height == NO_BLOCK_HEIGHT:
        # The first block has height 0 or 1; after a point of unknown height, any.
        height = first.height - 1 if before.point != ORIGIN or first.height in (0, 1) else NO_BLOCK_HEIGHT
    for block in spine.blocks:
        if block.height != height + 1 or block.slot <= slot:
            raise fault(
                f"block {block.id}, height {block.height}, slot {block.slot}, can't follow height {height}, slot {slot}"
            )
        height, slot = block.height, block.slot


def _id(spine: Opened | Forward | Rollback) -> str:
    return "" if isinstance(spine.point, str) else spine.point.id


def _check_group(stored: StoredSpine, partition: int, said: PartitionRange, group: Group, marker: Record) -> None:
    """A partition's records of the step, against what the spine says of them."""
    spine = stored.spine
    # In most steps most partitions hold the marker and nothing else: then it says all that there is to say.
    if said.count != 1 or group != [marker]:
        _check_numbers(spine, partition, said, group, marker)
    if records_digest(records_blob(group)) != said.digest:
        raise LogDamaged(
            f"step {spine.step}, partition {partition}: the records {said.first_seq} to {said.last_seq} are not those "
            "that the spine has the digest of: at least one was altered",
            step=spine.step,
            partition=partition,
            seq=said.first_seq,
        )


def _check_numbers(spine: Spine, partition: int, said: PartitionRange, group: Group, marker: Record) -> None:

    def fault(message: str, seq: int) -> LogDamaged:
        message = f"step {spine.step}, partition {partition}, sequence number {seq}: {message}"
        return LogDamaged(message, step=spine.step, partition=partition, seq=seq)

    for seq, record in enumerate(group, said.first_seq):
        if record.seq != seq:
            what = "is missing" if record.seq > seq else "is due"
            raise fault(f"the record {what}, the next has number {record.seq} and is of step {record.step}", seq)
        if record.step != spine.step:
            raise fault(f"the record says that it is of step {record.step}", seq)
        if seq > said.last_seq:
            raise fault(f"more records than the {said.count} that the spine has", seq)
        if record.kind == "marker" and seq != said.last_seq:
            raise fault("a marker that is not the step's last record", seq)
    if len(group) < said.count:
        raise fault("the record is missing", said.first_seq + len(group))
    if group[-1] != marker:
        raise fault("the marker does not say what the spine says, or there is none", said.last_seq)


def _check_events(opened: Opened, spine: Forward, groups: Sequence[Group]) -> None:
    """Every event is of a block of the step, says what its body says, and has the identity that follows from both."""
    blocks = {block.id: block for block in spine.blocks}
    by_block: dict[str, list[tuple[int, Record, ChainEvent]]] = {}
    for partition, group in enumerate(groups):
        order = (-1, -1, -1)
        for record in group[:-1]:
            event = _checked_event(blocks, partition, len(groups), record)
            by_block.setdefault(record.block, []).append((partition, record, event))
            previous, order = order, (record.height, *chain_order(event))
            if order <= previous:
                raise fault_at(partition, record, "it does not stand in the chain's order")
    for block, found in by_block.items():
        found.sort(key=lambda each: chain_order(each[2]))
        placed = place([event for _, _, event in found], blocks[block], "", opened.network_magic)
        before = (-1, -1)
        for (partition, record, event), each in zip(found, placed, strict=True):
            if chain_order(event) == before:
                raise fault_at(partition, record, "another event has its place in the transaction")
            before = chain_order(event)
            if record.fact != each.fact:
                raise fault_at(partition, record, f"its fact is {each.fact}, not {record.fact}")
            if record.id != event_id(record.fact, record.block, record.incarnation):
                raise fault_at(partition, record, "its id does not follow from fact, block and incarnation")


def _checked_event(blocks: dict[str, BlockEntry], partition: int, partitions: int, record: Record) -> ChainEvent:
    if record.kind != "event" or record.retracts:
        raise fault_at(partition, record, f"a {record.kind} in a forward step")
    block = blocks.get(record.block)
    if block is None or (block.height, block.slot) != (record.height, record.slot):
        raise fault_at(partition, record, f"its block {record.block} is not one of the step's, at that height and slot")
    try:
        event: ChainEvent = decode_event(record.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise fault_at(partition, record, f"its body is not an event: {error}") from error
    said = (record.type, record.key, record.deployment, record.subject)
    if said != (event_kind(event), event.battery_key, event.deployment, subject_of(event)):
        raise fault_at(partition, record, "type, key, deployment or subject is not what its body says")
    if partition_of(record.key, partitions) != partition:
        raise fault_at(partition, record, f"its key belongs to partition {partition_of(record.key, partitions)}")
    return event


def _check_retractions(groups: Sequence[Group]) -> None:
    for partition, group in enumerate(groups):
        for record in group[:-1]:
            if record.kind != "retraction":
                raise fault_at(partition, record, f"an {record.kind} in a rollback")
            if record.id != retraction_id(record.retracts):
                raise fault_at(partition, record, "its id does not follow from what it retracts")


def _check_markers_only(groups: Sequence[Group]) -> None:
    for partition, group in enumerate(groups):
        if len(group) != 1:
            raise fault_at(partition, group[0], "step 0 holds nothing but markers")


def fault_at(partition: int, record: Record, message: str) -> LogDamaged:
    """A fault of one record, named by its place."""
    return LogDamaged(
        f"step {record.step}, partition {partition}, sequence number {record.seq}: {message}",
        step=record.step,
        partition=partition,
        seq=record.seq,
    )
