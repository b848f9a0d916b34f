"""Steps, made from what the follower knows: numbers, identities, markers and digests. The same for each engine."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, assert_never

from msgspec import Raw, Struct
from msgspec.structs import replace

from indexer.chain import NO_BLOCK_HEIGHT, ORIGIN, Point, PointOrOrigin, TipOrOrigin
from indexer.events import (
    ChainEvent,
    CommitmentClosed,
    CommitmentMinted,
    PassportEvent,
    ReadingEvent,
    ReportingAccountUpdated,
    encode_event,
    event_id,
    event_kind,
    fact_id,
    retraction_id,
)
from indexer.log.partition import partition_of
from indexer.log.port import Step, StoredSpine
from indexer.log.records import (
    DEFAULT_PARTITIONS,
    FORMAT_VERSION,
    GENESIS_DIGEST,
    BlockEntry,
    Forward,
    Marker,
    Opened,
    PartitionRange,
    Record,
    Rollback,
    Spine,
    encode_marker,
    records_blob,
    records_digest,
)


class PlacedEvent(Struct, frozen=True):
    """An event with its place on the chain."""

    event: ChainEvent
    fact: str  # fact_id, 32 bytes hex
    block: BlockEntry
    time: str  # of the block's slot, RFC 3339 UTC


def place(events: Iterable[ChainEvent], block: BlockEntry, time: str, network_magic: int) -> list[PlacedEvent]:
    """The events of one whole block in their order, each with its fact's identity.

    The same transaction may state several facts of one kind; they are told apart by their order within it.
    """
    seen: Counter[tuple[str, str]] = Counter()
    placed = []
    for event in sorted(events, key=chain_order):
        kind = event_kind(event)
        fact = fact_id(network_magic, event.transaction, kind, seen[event.transaction, kind])
        seen[event.transaction, kind] += 1
        placed.append(PlacedEvent(event, fact, block, time))
    return placed


def chain_order(event: ChainEvent) -> tuple[int, int]:
    """The order of events within a block."""
    return (event.transaction_index, event.index)


def subject_of(event: ChainEvent) -> str:
    """The battery's id as text where it is printable, else in hex; its key where the event does not tell its id."""
    match event:
        case PassportEvent() | CommitmentMinted() | CommitmentClosed():
            battery_id = event.battery_id
        case ReportingAccountUpdated():
            battery_id = event.datum.battery_id
        case ReadingEvent():
            # The account's word, not the reading's: anybody can sign a reading that names another battery.
            battery_id = event.account_datum.battery_id if event.account_datum else None
        case _:
            battery_id = None
    if not battery_id:
        return event.battery_key
    try:
        text = bytes.fromhex(battery_id).decode()
    except UnicodeDecodeError:
        return battery_id
    return text if text.isprintable() else battery_id


def opened_step(  # noqa: PLR0913  (keywords: each is a part of the spine)
    *,
    network: str,
    network_magic: int,
    security_parameter: int,
    deployments: Mapping[str, str],
    since: PointOrOrigin,
    height: int = NO_BLOCK_HEIGHT,
    tip: TipOrOrigin = ORIGIN,
    partitions: int = DEFAULT_PARTITIONS,
) -> Step:
    """Step 0. ``height`` is that of ``since``, where it is known. The number of partitions is fixed for life here."""
    if partitions < 1:
        raise ValueError(f"a log has at least one partition, not {partitions}")
    spine = Opened(
        step=0,
        point=since,
        height=height,
        tip=tip,
        final_height=NO_BLOCK_HEIGHT,
        partitions=(),
        previous=GENESIS_DIGEST,
        format_version=FORMAT_VERSION,
        network=network,
        network_magic=network_magic,
        security_parameter=security_parameter,
        deployments=dict(sorted(deployments.items())),
        since=since,
    )
    return _Draft(0, [-1] * partitions).seal(spine)


def forward_step(  # noqa: PLR0913  (keywords: each is a part of the spine)
    previous: StoredSpine,
    *,
    blocks: Sequence[BlockEntry],
    parent: str,
    boundaries: Mapping[str, str],
    tip: TipOrOrigin,
    security_parameter: int,
    events: Sequence[PlacedEvent],
    retracted: Mapping[tuple[str, str], int],
) -> Step:
    """The chain went on by ``blocks`` (at least one, oldest first) with these events.

    ``retracted`` says how often a fact (by id) was retracted in a block (by id) before: ``Tail.retracted``.
    """
    last = blocks[-1]
    draft = _Draft.after(previous)
    for placed in sorted(events, key=lambda placed: (placed.block.height, *chain_order(placed.event))):
        event, block = placed.event, placed.block
        incarnation = 1 + retracted.get((placed.fact, block.id), 0)
        draft.add(
            partition_of(event.battery_key, draft.partitions),
            kind="event",
            id=event_id(placed.fact, block.id, incarnation),
            type=event_kind(event),
            key=event.battery_key,
            subject=subject_of(event),
            deployment=event.deployment,
            fact=placed.fact,
            incarnation=incarnation,
            time=placed.time,
            slot=block.slot,
            height=block.height,
            block=block.id,
            body=Raw(encode_event(event)),
        )
    return draft.seal(
        Forward(
            step=draft.step,
            point=Point(last.slot, last.id),
            height=last.height,
            tip=tip,
            final_height=max(previous.spine.final_height, last.height - security_parameter),
            partitions=(),
            previous=previous.digest,
            parent=parent,
            blocks=tuple(blocks),
            boundaries=dict(boundaries),
        )
    )


def rollback_step(  # noqa: PLR0913  (keywords: each is a part of the spine)
    previous: StoredSpine,
    *,
    to: PointOrOrigin,
    to_height: int,
    left: BlockEntry,
    depth_blocks: int,
    tip: TipOrOrigin,
    live: Sequence[tuple[int, Record]],
) -> Step:
    """Everything above ``to`` left the chain, the block at ``to`` stays.

    ``live`` holds each event still live above it, with its partition, in the log's order: ``tail.live_above``. They are
    retracted last one first, so a reader that undoes one after the other never meets a fact that others still build on.
    """
    draft = _Draft.after(previous)
    for partition, target in reversed(live):
        draft.add_record(
            partition,
            replace(target, kind="retraction", id=retraction_id(target.id), retracts=target.id),
        )
    return draft.seal(
        Rollback(
            step=draft.step,
            point=to,
            height=to_height,
            tip=tip,
            final_height=previous.spine.final_height,
            partitions=(),
            previous=previous.digest,
            left=left,
            depth_blocks=depth_blocks,
        )
    )


class _Draft:
    """A step's records, numbered as they come."""

    def __init__(self, step: int, last_seqs: Sequence[int]) -> None:
        self.step = step
        self.partitions = len(last_seqs)
        self._first_seqs = [seq + 1 for seq in last_seqs]
        self._records: list[list[Record]] = [[] for _ in last_seqs]

    @classmethod
    def after(cls, previous: StoredSpine) -> "_Draft":
        return cls(previous.spine.step + 1, [each.last_seq for each in previous.spine.partitions])

    def _next_seq(self, partition: int) -> int:
        return self._first_seqs[partition] + len(self._records[partition])

    def add(self, partition: int, **fields: Any) -> None:
        self._records[partition].append(Record(seq=self._next_seq(partition), step=self.step, **fields))

    def add_record(self, partition: int, record: Record) -> None:
        self._records[partition].append(replace(record, seq=self._next_seq(partition), step=self.step))

    def seal(self, spine: Spine) -> Step:
        """The step: a marker ends each partition's records, then the spine takes their ranges and digests."""
        seqs = [self._next_seq(partition) for partition in range(self.partitions)]
        for records, marker in zip(self._records, markers(spine, seqs), strict=True):
            records.append(marker)
        blobs = tuple(map(records_blob, self._records))
        ranges = tuple(
            PartitionRange(first, first + len(records) - 1, len(records), records_digest(blob))
            for first, records, blob in zip(self._first_seqs, self._records, blobs, strict=True)
        )
        return Step(replace(spine, partitions=ranges), tuple(map(tuple, self._records)), blobs)


def markers(spine: Spine, seqs: Iterable[int]) -> Iterator[Record]:
    """A step's markers, given the number of each partition's: they say where the chain stands after the step."""
    tip_height = NO_BLOCK_HEIGHT if isinstance(spine.tip, str) else spine.tip.height
    said = Marker(step=spine.step, step_kind=step_kind(spine), final_height=spine.final_height, tip_height=tip_height)
    body = Raw(encode_marker(said))
    slot, block = (0, "") if isinstance(spine.point, str) else (spine.point.slot, spine.point.id)
    for partition, seq in enumerate(seqs):
        yield Record(
            seq=seq,
            step=spine.step,
            kind="marker",
            id=f"{spine.step}/{partition}",
            slot=slot,
            height=spine.height,
            block=block,
            body=body,
        )


def step_kind(spine: Spine) -> Literal["opened", "forward", "rollback"]:
    match spine:
        case Opened():
            return "opened"
        case Forward():
            return "forward"
        case Rollback():
            return "rollback"
        case unreachable:
            assert_never(unreachable)
