"""What a follower needs of the log's own tail at its start: the log is the hot set, not memory."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, assert_never

from msgspec import Struct

from indexer.chain import NO_BLOCK_HEIGHT, Point, PointOrOrigin
from indexer.log.port import Log, LogDamaged, LogEmpty, StoredSpine
from indexer.log.records import BlockEntry, Forward, Opened, Record, Rollback

DENSE_POINTS: Final = 16  # most forks are a block or two deep: near the tip every block is offered
BEYOND: Final = (1.25, 1.5, 2.0)  # times k below the end: found there, a fork that is too deep can be named as one
READ_RECORDS: Final = 2_000


class Held(Struct, frozen=True):
    """Blocks of the current chain, from the lowest height to the highest, that one step put there."""

    step: int
    lowest: int
    highest: int
    counts: Mapping[int, int]  # partition -> the step's records there, its marker too; where it holds events


class Tail(Struct, frozen=True):
    """The end of the log as a follower takes it up."""

    end: StoredSpine
    blocks: tuple[BlockEntry, ...]  # of the current chain, newest first, down to the one at the final height
    older: tuple[BlockEntry, ...]  # a few below it, newest first
    since: PointOrOrigin  # where the log begins
    boundaries: Mapping[str, str]  # block id -> id of the Byron boundary block before it, for ``blocks``
    held: tuple[Held, ...]  # the steps that hold the blocks above the final height, oldest first
    retracted: Mapping[tuple[str, str], int]  # (fact, block id) -> retractions so far, of blocks that may come again
    left: Mapping[str, int]  # block id -> height, of the blocks in ``retracted``

    @property
    def points(self) -> tuple[PointOrOrigin, ...]:
        """Where a node may roll back to, newest first: ``blocks``, and the log's beginning while it is in reach."""
        points: list[PointOrOrigin] = [Point(block.slot, block.id) for block in self.blocks]
        if not self.blocks or self.blocks[-1].height > self.end.spine.final_height:
            points.append(self.since)
        return tuple(points)

    def intersection(self) -> tuple[PointOrOrigin, ...]:
        """The points to offer a node, newest first: dense near the tip, then at doubling distances, some beyond k.

        Origin is offered only while the log has no block: a node that knows none of our blocks is on another chain,
        and must not make us begin again.
        """
        blocks = self.blocks
        if not blocks:
            return (self.since,)
        places = list(range(min(DENSE_POINTS, len(blocks))))
        distance = DENSE_POINTS
        while places[-1] + distance < len(blocks):
            places.append(places[-1] + distance)
            distance *= 2
        if places[-1] != len(blocks) - 1:
            places.append(len(blocks) - 1)
        chosen: list[PointOrOrigin] = [Point(blocks[at].slot, blocks[at].id) for at in places]
        chosen += (Point(block.slot, block.id) for block in self.older)
        if isinstance(self.since, Point) and self.since in self.points:
            chosen.append(self.since)
        return tuple(chosen)


def read_tail(log: Log) -> Tail:
    """Reads the tail back to where nothing can matter any more. Raises LogEmpty, LogDamaged."""
    end = log.end()
    if end is None:
        raise LogEmpty("the log has no step yet")
    opened = log.opened()
    final, k = end.spine.final_height, opened.security_parameter
    wanted = [end.spine.height - round(k * times) for times in BEYOND]
    blocks: list[BlockEntry] = []
    older: list[BlockEntry] = []
    boundaries: dict[str, str] = {}
    held: list[Held] = []
    for spine, on_chain in current_chain(log):
        if on_chain[0].height > final:
            held.append(held_by(spine, on_chain[-1].height, on_chain[0].height))
        for block in on_chain:
            if not blocks or blocks[-1].height > final:
                blocks.append(block)
                if block.id in spine.boundaries:
                    boundaries[block.id] = spine.boundaries[block.id]
            elif wanted and block.height <= wanted[0]:
                older.append(block)
                wanted = [height for height in wanted if height < block.height]
        if blocks and blocks[-1].height <= final and not wanted:
            break
    retracted, left = _retracted(log, end, k)
    return Tail(end, tuple(blocks), tuple(older), opened.since, boundaries, tuple(reversed(held)), retracted, left)


def held_by(spine: Forward, lowest: int, highest: int) -> Held:
    counts = {partition: each.count for partition, each in enumerate(spine.partitions) if each.count > 1}
    return Held(spine.step, lowest, highest, counts)


def current_chain(log: Log) -> Iterator[tuple[Forward, list[BlockEntry]]]:
    """The blocks of the current chain, newest first, with the step that put each there.

    Going back, a rollback hides what stood above its point before it, and two blocks at one height have a rollback
    between them. So a chain left and taken again (A, B, A) gives each block once, from the last step that holds it.
    """
    ceiling: int | None = None
    for stored in log.spine_backwards():
        match stored.spine:
            case Forward() as spine:
                on_chain = [block for block in reversed(spine.blocks) if ceiling is None or block.height <= ceiling]
                if on_chain:
                    yield spine, on_chain
            case Rollback() as spine:
                ceiling = spine.height if ceiling is None else min(ceiling, spine.height)
            case Opened():
                return
            case unreachable:
                assert_never(unreachable)


def _retracted(
    log: Log, end: StoredSpine, security_parameter: int
) -> tuple[Mapping[tuple[str, str], int], Mapping[str, int]]:
    """How often each fact was retracted in each block above the final height, and the heights of those blocks.

    Read from the first step in which the chain was ever higher than that: a block that may come again may have been
    applied and retracted long before the last step that holds the final block.
    """
    final = end.spine.final_height
    rollbacks: list[Rollback] = []
    for stored in log.spine_backwards():
        reached = stored.spine.final_height + security_parameter  # the highest block so far, unless it is below k
        if stored.spine.final_height > NO_BLOCK_HEIGHT and reached <= final:
            break
        if isinstance(stored.spine, Rollback):
            rollbacks.append(stored.spine)
    retracted: Counter[tuple[str, str]] = Counter()
    left: dict[str, int] = {}
    for partition in range(len(end.spine.partitions)):
        # A marker alone is not worth the reading.
        counts = {each.step: count for each in rollbacks if (count := each.partitions[partition].count) > 1}
        for record in records_of(log, partition, counts):
            if record.kind == "retraction" and record.height > final:
                retracted[record.fact, record.block] += 1
                left[record.block] = record.height
    return retracted, left


def records_of(log: Log, partition: int, counts: Mapping[int, int]) -> Iterator[Record]:
    """The records of these steps in one partition, markers too, given how many each has there.

    Raises LogDamaged where any is missing.
    """
    if not counts:
        return
    missing = dict(counts)
    offset, last = log.offset_of_step(partition, min(missing)), max(missing)
    reached = -1
    while reached < last:
        batch = log.read(partition, offset, READ_RECORDS)
        if not batch.records:
            break
        for record in batch.records:
            if record.step in missing:
                missing[record.step] -= 1
                yield record
        offset, reached = batch.next_offset, batch.records[-1].step
    for step in sorted(missing):
        if missing[step]:
            raise LogDamaged(f"{missing[step]} records of step {step} are missing", step=step, partition=partition)
