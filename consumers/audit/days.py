"""Which blocks a day has, by the slots of the log's blocks and the times of its facts."""

from collections.abc import Iterator
from datetime import datetime

from indexer.errors import ConfigurationError
from indexer.log.port import Log, LogEmpty
from indexer.log.records import Forward, Record, Rollback
from indexer.log.replay import partition_groups


def heights_of_day(log: Log, from_second: int, to_second: int) -> tuple[int, int]:
    """The blocks that the log now holds between two moments (Unix time, the second one excluded).

    Slots last a second on every network since Shelley; the facts' own times must say so. Raises ConfigurationError.
    """
    zero = _zero(log)
    found: dict[int, None] = {}
    for stored in log.spine():
        spine = stored.spine
        if isinstance(spine, Rollback):
            for height in [height for height in found if height > spine.height]:
                del found[height]
        elif isinstance(spine, Forward):
            found |= {b.height: None for b in spine.blocks if from_second <= zero + b.slot < to_second}
    if not found:
        raise ConfigurationError("the log holds no block of these days")
    return min(found), max(found)


def _zero(log: Log) -> int:
    """The Unix time of slot 0, from the first facts of each partition."""
    end = log.end()
    if end is None:
        raise LogEmpty("there is nothing to state: the log has no step yet")
    zeros = {_second(record.time) - record.slot for record in _first_events(log)}
    if len(zeros) != 1:
        raise ConfigurationError("the facts of this log don't tell which slots make a day: give heights of blocks")
    return zeros.pop()


def _first_events(log: Log) -> Iterator[Record]:
    for partition in range(len(log.opened().partitions)):
        events = (each for group in partition_groups(log, partition, 0) for each in group if each.kind == "event")
        yield from [event for event in [next(events, None)] if event is not None]


def _second(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())
