"""The log in memory: the engines' double, for tests that write thousands of steps or damage what was written."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from indexer.log.port import Batch, Fenced, LogBusy, LogEmpty, Step, StoredSpine, require_next
from indexer.log.records import Opened, Record, decode_records, decode_spine, encode_spine, step_digest


class MemoryStore:
    """What an engine would keep on disk: bytes."""

    def __init__(self) -> None:
        self.epoch = 0
        self.leased = False
        self.spine: list[bytes] = []
        self.blobs: list[tuple[bytes, ...]] = []  # by step, then partition


class MemoryWriter:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        store.epoch += 1
        self._epoch = store.epoch
        self._end = _stored(store.spine[-1]) if store.spine else None

    @property
    def end(self) -> StoredSpine | None:
        return self._end

    def append(self, step: Step) -> StoredSpine:
        require_next(self._end, step)
        if self._epoch != self._store.epoch:
            raise Fenced("another writer took over")
        spine = encode_spine(step.spine)
        self._store.blobs.append(step.blobs)
        self._store.spine.append(spine)  # last: readers go by the spine
        self._end = StoredSpine(step.spine, step_digest(spine))
        return self._end

    def close(self) -> None:
        pass


class MemoryLog:
    """An offset is a step's number."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    @contextmanager
    def lease(self) -> Iterator[None]:
        if self._store.leased:
            raise LogBusy("another follower writes")
        self._store.leased = True
        try:
            yield
        finally:
            self._store.leased = False

    def writer(self) -> MemoryWriter:
        return MemoryWriter(self._store)

    def opened(self) -> Opened:
        if not self._store.spine:
            raise LogEmpty("no step")
        spine = decode_spine(self._store.spine[0])
        assert isinstance(spine, Opened)
        return spine

    def end(self) -> StoredSpine | None:
        return _stored(self._store.spine[-1]) if self._store.spine else None

    def spine(self, from_step: int = 0) -> Iterator[StoredSpine]:
        self.opened()
        return map(_stored, self._store.spine[from_step:])

    def spine_backwards(self) -> Iterator[StoredSpine]:
        self.opened()
        return map(_stored, self._store.spine[::-1])

    def read(self, partition: int, offset: int, limit: int) -> Batch:
        partitions = len(self.opened().partitions)
        if not 0 <= partition < partitions:
            raise ValueError(f"the log has partitions 0 to {partitions - 1}, not {partition}")
        records: list[Record] = []
        step = offset
        while step < len(self._store.spine) and len(records) < limit:
            records += decode_records(self._store.blobs[step][partition])
            step += 1
        return Batch(tuple(records), step)

    def offset_of_step(self, partition: int, step: int) -> int:
        del partition
        return step

    def wait(self, after_step: int, timeout_seconds: float) -> bool:
        deadline = time.monotonic() + timeout_seconds
        while len(self._store.spine) - 1 <= after_step:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.001)
        return True

    def close(self) -> None:
        pass


def _stored(spine: bytes) -> StoredSpine:
    return StoredSpine(decode_spine(spine), step_digest(spine))
