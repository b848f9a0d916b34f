"""Synthetic chains, and a scribe who writes them to a log as the follower does: from the log's own tail alone."""

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from random import Random

from msgspec import Raw, Struct

from indexer.chain import ORIGIN, Point, Tip, TipOrOrigin
from indexer.events import (
    ChainEvent,
    OutputView,
    OwnershipTokenMoved,
    ReportingAccountClosed,
    encode_event,
    event_kind,
    fact_id,
)
from indexer.log.canonical import CanonicalEvent, encode_line
from indexer.log.port import Log, Step, Writer
from indexer.log.reach import Reach
from indexer.log.records import BlockEntry, Record
from indexer.log.steps import PlacedEvent, chain_order, forward_step, opened_step, place, rollback_step
from indexer.log.tail import read_tail

MAGIC = 42
TIME = "2026-01-01T00:00:00Z"
GENESIS = "genesis"


def name(*parts: object) -> str:
    """A hash that follows from its parts, 32 bytes hex."""
    return blake2b("/".join(map(str, parts)).encode(), digest_size=32).hexdigest()


class FakeBlock(Struct, frozen=True):
    entry: BlockEntry
    parent: str
    transactions: tuple[int, ...]

    @property
    def point(self) -> Point:
        return Point(self.entry.slot, self.entry.id)

    @property
    def events(self) -> list[ChainEvent]:
        return [event for place, number in enumerate(self.transactions) for event in transaction_events(number, place)]


def transaction_events(number: int, transaction_index: int) -> list[ChainEvent]:
    """A transaction's events: of two kinds, of batteries in several partitions, some twice of one kind."""
    transaction = name("transaction", number)
    events: list[ChainEvent] = []
    for index in range(1 + number % 3):
        battery = name("battery", number % 7 + index)[:56]
        if index == 1:
            output = OutputView(index=index, address="addr_test1", lovelace=2_000_000)
            events.append(
                OwnershipTokenMoved(
                    deployment="test",
                    battery_key=battery,
                    transaction=transaction,
                    transaction_index=transaction_index,
                    index=index,
                    output=output,
                    quantity=1,
                )
            )
        else:
            events.append(
                ReportingAccountClosed(
                    deployment="test",
                    battery_key=battery,
                    transaction=transaction,
                    transaction_index=transaction_index,
                    index=index,
                    quantity=1,
                )
            )
    return events


class Tree:
    """Blocks by name: the child of one parent with one salt is always the same block, so forks can be taken again.

    A transaction stands once on any chain, and in other blocks at other heights on other forks.
    """

    def __init__(self, most_transactions: int = 3) -> None:
        self._most = most_transactions

    def child(self, chain: Sequence[FakeBlock], salt: int) -> FakeBlock:
        parent = chain[-1].entry if chain else BlockEntry(0, 0, GENESIS)
        block = name("block", parent.id, salt)
        taken = {number for each in chain for number in each.transactions}
        random = Random(block)
        free = [number for number in range(len(taken) + 12) if number not in taken]
        chosen = tuple(random.sample(free, random.randint(0, self._most)))
        return FakeBlock(
            BlockEntry(parent.height + 1, parent.slot + 1 + salt + random.randint(0, 20), block), parent.id, chosen
        )

    def grow(self, chain: Sequence[FakeBlock], count: int, salt: int = 0) -> list[FakeBlock]:
        """So many blocks on top of a chain, without it."""
        grown = list(chain)
        for _ in range(count):
            grown.append(self.child(grown, salt))
        return grown[len(chain) :]


class Scribe:
    """Follows by command, and keeps a model of what must come of it."""

    def __init__(self, log: Log, *, k: int = 5, partitions: int = 3) -> None:
        self.log, self.k = log, k
        self.chain: list[FakeBlock] = []
        self.applied: Counter[tuple[str, str]] = Counter()  # (fact, block) -> how often
        self.heights: dict[str, int] = {}  # of every block ever applied
        self.left: Counter[tuple[str, str]] = Counter()  # (fact, block) -> retractions
        self.writer: Writer = log.writer()
        if self.writer.end is None:
            self.writer.append(opened(k=k, partitions=partitions))
        self.reach = Reach(log, read_tail(log))

    def restart(self) -> None:
        """As after a crash: a new writer, and nothing remembered but the log."""
        self.writer.close()
        self.writer = self.log.writer()
        self.reach = Reach(self.log, read_tail(self.log))

    @property
    def final_height(self) -> int:
        assert self.writer.end is not None
        return self.writer.end.spine.final_height

    def forward(self, blocks: Sequence[FakeBlock], tip: TipOrOrigin | None = None) -> None:
        end = self.writer.end
        assert end is not None
        last = blocks[-1].entry
        events = [each for block in blocks for each in placed(block)]
        step = forward_step(
            end,
            blocks=[block.entry for block in blocks],
            parent=blocks[0].parent,
            boundaries={},
            tip=tip or Tip(last.slot, last.id, last.height),
            security_parameter=self.k,
            events=events,
            retracted=self.reach.retracted,
        )
        self.writer.append(step)
        self.reach.written(step.spine)
        self.chain += blocks
        self.heights.update((block.entry.id, block.entry.height) for block in blocks)
        self.applied.update((each.fact, each.block.id) for each in events)

    def rollback(self, depth: int) -> None:
        """Leaves the last ``depth`` blocks."""
        end = self.writer.end
        assert end is not None
        kept, gone = self.chain[:-depth], self.chain[-depth:]
        to_height = gone[0].entry.height - 1
        live = self.reach.live_above(to_height)
        step = rollback_step(
            end,
            to=kept[-1].point if kept else ORIGIN,
            to_height=to_height,
            left=gone[-1].entry,
            depth_blocks=depth,
            tip=Tip(10**6, name("tip"), 10**6),
            live=live,
        )
        self.writer.append(step)
        self.reach.written(step.spine, live)
        self.chain = kept
        self.left.update((each.fact, each.block.id) for block in gone for each in placed(block))


def live_above(log: Log, height: int) -> list[tuple[int, Record]]:
    """As a follower that starts now finds them."""
    return Reach(log, read_tail(log)).live_above(height)


def opened(*, k: int = 5, partitions: int = 3) -> Step:
    return opened_step(
        network="test",
        network_magic=MAGIC,
        security_parameter=k,
        deployments={"test": name("profile")},
        since=ORIGIN,
        partitions=partitions,
    )


def placed(block: FakeBlock) -> list[PlacedEvent]:
    return place(block.events, block.entry, TIME, MAGIC)


def canonical_of(chain: Iterable[FakeBlock]) -> list[bytes]:
    """What the canonical log of a chain must be, from the chain alone."""
    lines = []
    for block in chain:
        kinds: Counter[tuple[str, str]] = Counter()
        for event in sorted(block.events, key=chain_order):
            kind = event_kind(event)
            lines.append(
                encode_line(
                    CanonicalEvent(
                        height=block.entry.height,
                        slot=block.entry.slot,
                        block=block.entry.id,
                        fact=fact_id(MAGIC, event.transaction, kind, kinds[event.transaction, kind]),
                        type=kind,
                        key=event.battery_key,
                        deployment=event.deployment,
                        event=Raw(encode_event(event)),
                    )
                )
            )
            kinds[event.transaction, kind] += 1
    return lines
