"""The log's next records, read while the last ones are projected."""

from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from indexer.log.port import Batch, Log

MOST_BYTES: Final = 32 << 20
"""Of bodies that wait to be asked for; as records they take some twice as much memory. One more read may pass this: of
at most 16 MiB, or one step.
"""


class Wanted(Struct, frozen=True):
    """What ``Log.read`` is asked for."""

    partition: int
    offset: int  # the engine's
    limit: int  # records


class ReadAhead:
    """A log's ``read``, some of whose answers are there before they are asked for: at most so many records and bytes.

    A log is used by one thread at a time. Another one than the caller's uses it inside of ``beside`` and nowhere else,
    so there the caller must leave the log alone, and elsewhere need not know that there is another.
    """

    def __init__(self, source: Log, *, most_records: int, most_bytes: int = MOST_BYTES) -> None:
        self._log = source
        self._most_records = most_records
        self._most_bytes = most_bytes
        self._read: dict[Wanted, Future[Batch | None]] = {}

    def read(self, wanted: Wanted) -> Batch:
        """As ``Log.read``. A fault that was met in the other thread is raised here, as it was there."""
        ahead = self._read.pop(wanted, None)
        batch = None if ahead is None else ahead.result()
        return self._log.read(wanted.partition, wanted.offset, wanted.limit) if batch is None else batch

    @contextmanager
    def beside(self, wanted: Collection[Wanted]) -> Iterator[None]:
        """Reads these in their order while the body is at work, until it is done or there is enough.

        What was read before and is not among them is thrown away, and all of it where the body fails: then nobody knows
        what will be asked for next. Leaves no thread behind, so it may last as long as one read does.
        """
        before, self._read = self._read, {}
        kept = {each: before[each] for each in wanted if each in before and _is_batch(before[each])}
        budget = _Budget(self._most_records, self._most_bytes)
        for ahead in kept.values():
            budget.count(ahead.result())
        with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as other:
            read = {each: other.submit(self._read_one, each, budget) for each in wanted if each not in kept}
            try:
                yield
            finally:
                other.shutdown(wait=True, cancel_futures=True)
        self._read = kept | {each: ahead for each, ahead in read.items() if not ahead.cancelled()}

    def _read_one(self, wanted: Wanted, budget: "_Budget") -> Batch | None:
        """None where nothing was read: there is enough, a read before failed, or the log had no more just now."""
        if budget.used_up:
            return None
        budget.used_up = True  # if this one fails, the others would wait as long for the same
        batch = self._log.read(wanted.partition, wanted.offset, wanted.limit)
        budget.count(batch)
        return batch if batch.records else None


def _is_batch(ahead: Future[Batch | None]) -> bool:
    return ahead.exception() is None and ahead.result() is not None


class _Budget:
    """What may still be read ahead."""

    def __init__(self, records: int, size_bytes: int) -> None:
        self._records = records
        self._bytes = size_bytes
        self.used_up = False

    def count(self, batch: Batch | None) -> None:
        if batch is not None:
            self._records -= len(batch.records)
            self._bytes -= sum(len(record.body) for record in batch.records)
        self.used_up = self._records <= 0 or self._bytes <= 0
