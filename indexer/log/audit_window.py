"""What must hold between steps: the chain that they make, and which events are live on it.

Remembers what may still be undone, and no more: blocks from the final height up, their events as fingerprints, and the
retractions of blocks above it.
"""

from collections import Counter, deque
from collections.abc import Sequence
from hashlib import blake2b

from msgspec import Struct

from indexer.chain import NO_BLOCK_HEIGHT, Point
from indexer.log.audit_step import fault_at
from indexer.log.port import LogDamaged
from indexer.log.records import BlockEntry, Forward, Opened, Record, Rollback, Spine
from indexer.log.replay import Group


class Live(Struct, frozen=True):
    """A live event, as far as its retraction has to agree with it."""

    partition: int
    seq: int
    fact: str
    block: str
    fingerprint: bytes


class Window:
    """Fed with every step from the first on, each checked by itself before."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._blocks: deque[BlockEntry] = deque()  # of the current chain, newest last, down to the final height
        self._from_start = True  # no block was forgotten yet: the log's beginning is in reach
        self._beginning = opened.height  # height of the point that the log begins after
        self._live: dict[int, dict[str, Live]] = {}  # height -> event id -> event
        self._retracted: dict[int, Counter[tuple[str, str]]] = {}  # height -> (fact, block) -> how often

    def advance(self, spine: Spine, groups: Sequence[Group]) -> None:
        """Takes one step. Raises LogDamaged at what contradicts the steps before."""
        match spine:
            case Forward():
                if self._beginning == NO_BLOCK_HEIGHT:
                    self._beginning = spine.blocks[0].height - 1  # unknown until the first block: it has height 0 or 1
                self._blocks.extend(spine.blocks)
                for block in spine.blocks:  # in their order: partitions come one after the other
                    self._live[block.height] = {}
                for partition, group in enumerate(groups):
                    for record in group[:-1]:
                        self._add(partition, record)
                self._forget(spine.final_height)
            case Rollback():
                self._cut(spine)
                for partition, group in enumerate(groups):
                    self._retract(partition, group)
                self._require_nothing_above(spine)
            case Opened():
                pass

    def _add(self, partition: int, record: Record) -> None:
        # A fact can't be live twice in a block: within a step its place in the block is its own, and no block of the
        # chain stands in two steps. Both were checked.
        place = (record.fact, record.block)
        earlier = self._retracted[record.height][place] if record.height in self._retracted else 0
        if record.incarnation != earlier + 1:
            raise fault_at(partition, record, f"incarnation {record.incarnation} after {earlier} retractions")
        live = Live(partition, record.seq, record.fact, record.block, fingerprint(record))
        self._live[record.height][record.id] = live

    def _cut(self, spine: Rollback) -> None:
        """Takes the blocks above the rollback's point off the chain."""

        def fault(message: str) -> LogDamaged:
            return LogDamaged(f"step {spine.step}: {message}", step=spine.step)

        if spine.height < spine.final_height:
            raise fault(f"the rollback goes to height {spine.height}, below the final height {spine.final_height}")
        if not self._blocks or self._blocks[-1] != spine.left:
            raise fault(f"the rollback leaves block {spine.left.id}, where the chain did not stand")
        depth = 0
        while self._blocks and self._blocks[-1].height > spine.height:
            self._blocks.pop()
            depth += 1
        if self._blocks:
            last = self._blocks[-1]
            on_chain = (last.height, Point(last.slot, last.id)) == (spine.height, spine.point)
        else:
            on_chain = self._from_start and (spine.height, spine.point) == (self._beginning, self._opened.since)
        if not on_chain:
            raise fault(f"the rollback goes to {spine.point} at height {spine.height}, which is not on the chain")
        if spine.depth_blocks != depth or depth > self._opened.security_parameter:
            k = self._opened.security_parameter
            raise fault(f"the rollback says that it is {spine.depth_blocks} blocks deep; it is {depth}, and k is {k}")

    def _retract(self, partition: int, group: Group) -> None:
        newest: int | None = None
        for record in group[:-1]:
            target = self._live.get(record.height, {}).pop(record.retracts, None)
            if target is None:
                raise fault_at(partition, record, f"it retracts {record.retracts}, which is not live")
            if target.partition != partition:
                raise fault_at(partition, record, f"what it retracts is in partition {target.partition}")
            if target.fingerprint != fingerprint(record):
                raise fault_at(
                    partition, record, f"it is not the same, byte for byte, as what it retracts ({target.seq})"
                )
            if newest is not None and target.seq > newest:
                raise fault_at(partition, record, "retractions are not in reverse order")
            newest = target.seq
            place = (target.fact, target.block)
            self._retracted.setdefault(record.height, Counter())[place] += 1

    def _require_nothing_above(self, spine: Rollback) -> None:
        for height in [height for height in self._live if height > spine.height]:
            left = self._live.pop(height)
            for event, live in left.items():
                raise LogDamaged(
                    f"step {spine.step}: event {event} at height {height} (partition {live.partition}, sequence number "
                    f"{live.seq}) is above the rollback to height {spine.height}, and is not retracted",
                    step=spine.step,
                    partition=live.partition,
                    seq=live.seq,
                )

    def _forget(self, final_height: int) -> None:
        """Drops what no later step may touch."""
        while self._blocks and self._blocks[0].height < final_height:
            self._blocks.popleft()
            self._from_start = False
        # Heights stand in ascending order: a rollback takes all above its point away before they come again.
        while self._live and (height := next(iter(self._live))) <= final_height:
            del self._live[height]
        for height in [height for height in self._retracted if height <= final_height]:
            del self._retracted[height]


def fingerprint(record: Record) -> bytes:
    """What an event and its retraction have in common, 16 bytes."""
    said = (
        record.type,
        record.key,
        record.subject,
        record.deployment,
        record.fact,
        record.incarnation,
        record.time,
        record.slot,
        record.height,
        record.block,
    )
    return blake2b(repr(said).encode() + bytes(record.body), digest_size=16).digest()
