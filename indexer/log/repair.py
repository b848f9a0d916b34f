"""Mends a torn step: what the spine says was written, and a partition lacks at its end, is written again.

A torn step is one whose transaction the brokers committed in some partitions and lost in others. It stands at the log's
end: whoever finds it has fenced every writer, and writes nothing else before. The records are made again from what is
left (markers from the spine, retractions from the partition itself, events from the chain) and must have the digest
that the spine holds. A record that comes to light later has the same number, and vanishes.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, assert_never, runtime_checkable

from msgspec import Struct
from msgspec.structs import replace

from indexer.events import retraction_id
from indexer.log.port import Log, LogDamaged, StoredSpine
from indexer.log.records import Forward, Opened, Record, Rollback, records_blob, records_digest
from indexer.log.replay import partition_groups
from indexer.log.steps import PlacedEvent, forward_step, markers

Refetch = Callable[[StoredSpine, Forward], Sequence[PlacedEvent]]
"""The events of a forward step, read from the chain again: given the step before it, and the step."""


@runtime_checkable
class Mender(Protocol):
    """A writer whose engine can lose a part of a step."""

    def mend(self, partition: int, records: Sequence[Record]) -> None:
        """Writes records of a step in the log at the partition's end, all or none. As ``Writer.append``."""


class Mended(Struct, frozen=True):
    """Records of one step in one partition that were written again."""

    step: int
    partition: int
    first_seq: int
    count: int


def mend_tail(log: Log, writer: Mender, refetch: Refetch, most_steps: int) -> list[Mended]:
    """Completes every partition up to the spine's end, as far back as so many steps.

    Raises LogDamaged where that is impossible: what is made again is not what was lost. A gap with steps after it is
    left alone: the audit that comes next names it.
    """
    end = log.end()
    if end is None:
        return []
    mended = []
    for partition in range(len(end.spine.partitions)):
        first = _first_torn(log, partition, end.spine.step, most_steps)
        for step in range(first, end.spine.step + 1):
            records = _made_again(log, partition, step, refetch)
            writer.mend(partition, records)
            mended.append(Mended(step, partition, records[0].seq, len(records)))
    return mended


def _first_torn(log: Log, partition: int, last: int, most_steps: int) -> int:
    """The step after the last that is whole in a partition."""
    for step in range(last, max(-1, last - most_steps), -1):
        if _holds(log, partition, step):
            return step + 1
    raise LogDamaged(f"partition {partition} lacks its last {most_steps} steps", partition=partition)


def _holds(log: Log, partition: int, step: int) -> bool:
    """Whether a partition has the step's marker. Records of an earlier step, doubled, may stand before it."""
    for group in partition_groups(log, partition, step):
        if group[-1].kind == "marker" and group[-1].step >= step:
            return group[-1].step == step
    return False


def _made_again(log: Log, partition: int, step: int, refetch: Refetch) -> list[Record]:
    stored = _spine(log, step)
    said = stored.spine.partitions[partition]
    records: list[Record] = []
    match stored.spine:
        case Forward() as spine if said.count > 1:
            before = _spine(log, step - 1)
            events = refetch(before, spine)
            retracted = Counter(
                (record.fact, record.block) for record in _records(log, partition, step) if record.kind == "retraction"
            )
            made = forward_step(
                before,
                blocks=spine.blocks,
                parent=spine.parent,
                boundaries=spine.boundaries,
                tip=spine.tip,
                security_parameter=log.opened().security_parameter,
                events=events,
                retracted=retracted,
            )
            records = list(made.records[partition])[:-1]
        case Rollback() as spine if said.count > 1:
            live = _live(_records(log, partition, step))
            above = [record for record in live if record.height > spine.height]
            records = [
                replace(
                    target,
                    kind="retraction",
                    id=retraction_id(target.id),
                    retracts=target.id,
                    seq=said.first_seq + number,
                    step=step,
                )
                for number, target in enumerate(reversed(above))
            ]
        case Forward() | Rollback() | Opened():
            pass
        case unreachable:
            assert_never(unreachable)
    records.append([*markers(stored.spine, (each.last_seq for each in stored.spine.partitions))][partition])
    if records_digest(records_blob(records)) != said.digest:
        raise LogDamaged(
            f"step {step} is torn in partition {partition}, and what it lost can't be made again",
            step=step,
            partition=partition,
            seq=said.first_seq,
        )
    return records


def _spine(log: Log, step: int) -> StoredSpine:
    found = next(log.spine(step), None)
    if found is None or found.spine.step != step:
        raise LogDamaged(f"the spine has no step {step}", step=step)
    return found


def _records(log: Log, partition: int, before_step: int) -> Iterator[Record]:
    """All of a partition before a step. A torn step is rare enough to read from the start."""
    for group in partition_groups(log, partition, 0):
        if group[-1].step >= before_step:
            return
        yield from group


def _live(records: Iterator[Record]) -> list[Record]:
    live: dict[str, Record] = {}
    for record in records:
        match record.kind:
            case "event":
                live[record.id] = record
            case "retraction":
                live.pop(record.retracts, None)
            case "marker":
                pass
    return list(live.values())
