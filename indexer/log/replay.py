"""The log read as it was written: step by step, each with its records in every partition."""

from collections.abc import Iterator

from indexer.log.port import Log, LogDamaged, StoredSpine
from indexer.log.records import Record

READ_RECORDS = 1_000  # a partition at a time: with 12 of them some tens of megabytes at most

Group = list[Record]
"""A step's records in one partition, up to and with a marker; empty where the partition has no more."""


def replay(log: Log, from_step: int, to_step: int) -> Iterator[tuple[StoredSpine, list[Group]]]:
    """Steps from one to another, both included, each with one group of every partition.

    Groups are what lies next in each partition: on a damaged log they need not be of that step. Raises LogDamaged where
    bytes can't be read, when it comes to the step they belong to.
    """
    groups: list[Iterator[Group]] = []
    for stored in log.spine(from_step):
        if stored.spine.step > to_step:
            return
        if not groups:
            groups = [partition_groups(log, partition, from_step) for partition in range(len(log.opened().partitions))]
        yield stored, [next(each, []) for each in groups]
        if stored.spine.step == to_step:
            return


def replay_sound(log: Log, from_step: int, to_step: int) -> Iterator[tuple[StoredSpine, list[Group]]]:
    """As ``replay``, for those who build on it: raises LogDamaged unless steps and groups go together."""
    step = from_step
    for stored, groups in replay(log, from_step, to_step):
        if stored.spine.step != step:
            raise LogDamaged(f"the spine has no step {step}", step=step)
        for partition, group in enumerate(groups):
            if not group or group[-1].step != step or len(group) != stored.spine.partitions[partition].count:
                raise LogDamaged(
                    f"partition {partition} does not hold what the spine says of step {step}: `cellwitness log verify`",
                    step=step,
                    partition=partition,
                )
        yield stored, groups
        step += 1


def partition_groups(log: Log, partition: int, from_step: int) -> Iterator[Group]:
    """A partition's records from a step on, cut after each marker."""
    offset = log.offset_of_step(partition, from_step)
    group: Group = []
    while True:
        batch = log.read(partition, offset, READ_RECORDS)
        if not batch.records:
            break
        offset = batch.next_offset
        for record in batch.records:
            group.append(record)
            if record.kind == "marker":
                yield group
                group = []
    if group:
        yield group
