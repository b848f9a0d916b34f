"""The log on Apache Kafka, for several machines: a step is a transaction, readers see committed records only."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final

from kafka import TopicPartition
from msgspec import Struct

from indexer.errors import ConfigurationError
from indexer.log.kafka_errors import connecting, translated
from indexer.log.kafka_lease import lease
from indexer.log.kafka_reader import Raw, Reader
from indexer.log.kafka_records import number, record_from_kafka, spine_from_kafka
from indexer.log.kafka_settings import EXAMPLE, KafkaPlace, KafkaSettings
from indexer.log.kafka_topics import Topics, find_name
from indexer.log.kafka_writer import KafkaWriter
from indexer.log.port import Batch, LogDamaged, LogEmpty, LogMismatch, LogUnavailable, StoredSpine
from indexer.log.records import Opened, Record

SPINE_PAGE: Final = 512  # offsets: a step has one, and its transaction's mark another
BATCH_BYTES: Final = 16 << 20  # a batch ends after the step that passes this, whatever its limit: bounds memory
POLL_SECONDS: Final = (0.002, 0.05)  # first and longest pause between two looks at the log's end
LATE_SECONDS: Final = 2.0  # that a partition may show a step later than the spine does


class _Reached(Struct, frozen=True):
    """How far a partition was read: what comes next at ``offset``."""

    offset: int
    seq: int
    step: int


class KafkaLog:
    """A log by its brokers and its name. Connects when it is first used; its writer makes the topics.

    An offset is Kafka's. Not every offset has a record: each transaction ends with a mark that takes one.
    """

    def __init__(self, place: KafkaPlace, settings: KafkaSettings) -> None:
        self.place, self.settings = place, settings
        self._connected: Reader | None = None
        self._topics: Topics | None = None
        self._assigned: list[TopicPartition] = []
        self._opened: Opened | None = None
        self._end: StoredSpine | None = None
        self._end_offset = 0  # up to which the spine was read
        self._reached: dict[int, _Reached] = {}

    @property
    def url(self) -> str:
        return self.place.url

    def lease(self) -> AbstractContextManager[None]:
        """Heartbeats in the topic ``….lease.v1``. A dead follower's ends after ten seconds."""
        return lease(self)

    def writer(self) -> KafkaWriter:
        return KafkaWriter(self)

    def topics(self) -> Topics:
        """The log's topics. Raises ConfigurationError where the URL names none and the brokers have none."""
        found = self._find_topics()
        if found is None:
            raise ConfigurationError(f"{self.url} has no log yet, and a new one needs a name: write {EXAMPLE}")
        return found

    def opened(self) -> Opened:
        if self._opened is None:
            first = next(self.spine(), None)
            if first is None:
                raise self._empty()
            if not isinstance(first.spine, Opened):
                raise LogDamaged(f"the log begins with step {first.spine.step}, not with what opened it", step=0)
            self._require_events(len(first.spine.partitions))
            self._opened = first.spine
        return self._opened

    def end(self) -> StoredSpine | None:
        with translated(self.url):
            place = self._chain()
            if place is None:
                return None
            stop = self._reader().end(place)
            if stop < self._end_offset:
                self._forget()
                raise LogUnavailable(f"{self.url} was deleted or replaced while it was read")
            if stop > self._end_offset:
                self._end = self._last_before(place, stop) or self._end
                self._end_offset = stop
            return self._end

    def spine(self, from_step: int = 0) -> Iterator[StoredSpine]:
        with translated(self.url):
            place = self._existing()
            offset = self._reader().find(place, _step, from_step, 2 * from_step) if from_step > 0 else 0
        last = from_step - 1
        while True:
            with translated(self.url):
                stop = self._reader().end(place)
                raws = _some(self._reader().records(place, offset, stop), SPINE_PAGE)
            for raw in raws:
                if _step(raw) > last:
                    stored = spine_from_kafka(raw.headers, raw.value)
                    last = stored.spine.step
                    yield stored
            if not raws:
                return
            offset = raws[-1].offset + 1

    def spine_backwards(self) -> Iterator[StoredSpine]:
        with translated(self.url):
            place = self._existing()
            stop = self._reader().end(place)
        while stop > 0:
            start = max(0, stop - SPINE_PAGE)
            with translated(self.url):
                raws = list(self._reader().records(place, start, stop))
            for raw in reversed(raws):
                yield spine_from_kafka(raw.headers, raw.value)
            stop = start

    def read(self, partition: int, offset: int, limit: int) -> Batch:
        place = self._partition(partition)
        first = _Reached(0, 0, 0) if offset == 0 else None
        due = self._reached.get(partition)
        due = due if due is not None and due.offset == offset else first
        with translated(self.url):
            batch, due = self._take(place, offset, limit, due)
            late = time.monotonic() + LATE_SECONDS
            # The brokers end a transaction partition by partition: the spine may show a step a moment earlier.
            while due is not None and not batch.records and self._end is not None and due.step <= self._end.spine.step:
                if time.monotonic() > late:
                    break
                time.sleep(POLL_SECONDS[0])
                batch, due = self._take(place, offset, limit, due)
        if due is not None:
            self._reached[partition] = due
        return batch

    def offset_of_step(self, partition: int, step: int) -> int:
        place = self._partition(partition)
        if step <= 0:
            return 0
        stored = next(self.spine(step), None)
        with translated(self.url):
            if stored is None or stored.spine.step != step:
                end = self.end()
                if end is None or end.spine.step < step:
                    return self._after_last(partition, place)
                # The spine has lost the step: the partition's own records say where it is.
                return self._reader().find(place, _step, step, 0)
            seq = stored.spine.partitions[partition].first_seq
            offset = self._offset_of_seq(place, seq, seq + step)
        self._reached[partition] = _Reached(offset, seq, step)
        return offset

    def wait(self, after_step: int, timeout_seconds: float) -> bool:
        deadline = time.monotonic() + timeout_seconds
        pause, longest = POLL_SECONDS
        while True:
            end = self.end()
            if end is not None and end.spine.step > after_step:
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, longest)

    def await_visible(self, offset: int, timeout_seconds: float, partition: int | None = None) -> None:
        """Waits until readers see the record at an offset of the spine, or of a partition: a commit is answered before.

        The next transaction could not begin earlier either. Raises LogUnavailable at the time-out.
        """
        deadline = time.monotonic() + timeout_seconds
        with translated(self.url):
            events = None if partition is None else self._partition(partition)
            while (place := events or self._chain()) is None or self._reader().end(place) <= offset:
                if time.monotonic() > deadline:
                    raise LogUnavailable(
                        f"{self.url}: a committed step is not to be seen after {timeout_seconds:.0f} s"
                    )
                time.sleep(POLL_SECONDS[0] / 4)

    def ends(self) -> dict[TopicPartition, int]:
        """Where readers' sight ends, in every partition."""
        self.opened()
        return self._reader().ends(self._assigned)

    def close(self) -> None:
        """Lets go of the brokers. Reading connects again."""
        self._forget()

    def _take(
        self, place: TopicPartition, offset: int, limit: int, due: _Reached | None
    ) -> tuple[Batch, _Reached | None]:
        """Whole steps, and what is due after them. Doubled records vanish; a gap is an error, after what is sound."""
        whole: list[Record] = []
        group: list[Record] = []
        next_offset, size = offset, 0
        seq, step = (due.seq, due.step) if due is not None else (-1, -1)
        stop = self._reader().end(place)
        for raw in self._reader().records(place, offset, stop):
            try:
                record = record_from_kafka(raw.headers, raw.value)
                if seq >= 0 and record.seq < seq:
                    continue  # written again: a reader takes each number once
                if seq >= 0 and record.seq != seq:
                    raise _lost(record, seq, step, place.partition)
            except LogDamaged:
                if whole:
                    break  # what is sound comes first; the next read meets the damage
                raise
            group.append(record)
            size += len(record.body)
            seq, step = record.seq + 1, record.step
            if record.kind == "marker":
                whole += group
                group = []
                step += 1
                next_offset = raw.offset + 1
                due = _Reached(next_offset, seq, step)
                if len(whole) >= limit or size >= BATCH_BYTES:
                    break
        return Batch(tuple(whole), next_offset), due

    def _offset_of_seq(self, place: TopicPartition, seq: int, guess: int) -> int:
        """Where a record is that the spine knows of; where it would be, if it was lost."""
        reader = self._reader()
        offset, end = reader.find(place, _seq, seq, guess), reader.end(place)
        first = next(reader.records(place, offset, end), None)
        if first is not None and _seq(first) == seq:
            return offset
        # Lost, or the search was led astray by records that were written twice: only reading all of it can tell.
        found = (raw.offset for raw in reader.records(place, 0, end) if _seq(raw) == seq)
        return next(found, offset)

    def _after_last(self, partition: int, place: TopicPartition) -> int:
        """Where the step after the last will begin."""
        end = self._end
        if end is not None:
            seq = end.spine.partitions[partition].last_seq + 1
            offset = self._reader().find(place, _seq, seq, seq + end.spine.step + 1)
            self._reached[partition] = _Reached(offset, seq, end.spine.step + 1)
            return offset
        return self._reader().end(place)

    def _last_before(self, place: TopicPartition, stop: int) -> StoredSpine | None:
        """The last step before an offset, looked for from there backwards: aborted ones leave holes."""
        high = stop
        reach = 16
        while high > self._end_offset:
            low = max(self._end_offset, high - reach)
            raws = list(self._reader().records(place, low, high))
            if raws:
                return spine_from_kafka(raws[-1].headers, raws[-1].value)
            high, reach = low, reach * 8
        return None

    def _reader(self) -> Reader:
        if self._connected is None:
            with connecting(self.url):
                self._connected = Reader(self.place, self.settings)
        return self._connected

    def _find_topics(self) -> Topics | None:
        if self._topics is None:
            name = self.place.name
            if not name:
                with translated(self.url):
                    name = find_name(self.place, self._reader().topics())
            if name:
                self._topics = Topics(self.place, name, self.settings)
        return self._topics

    def _chain(self) -> TopicPartition | None:
        """The spine's partition; None where there is none yet."""
        topics = self._find_topics()
        if topics is None:
            return None
        place = TopicPartition(topics.chain, 0)
        if not self._assigned:
            if not self._reader().partitions(topics.chain):
                return None
            self._assign([place])
        return place

    def _existing(self) -> TopicPartition:
        place = self._chain()
        if place is None or not self._reader().end(place):
            raise self._empty()
        return place

    def _partition(self, partition: int) -> TopicPartition:
        partitions = len(self.opened().partitions)
        if not 0 <= partition < partitions:
            raise ValueError(f"the log has partitions 0 to {partitions - 1}, not {partition}")
        return TopicPartition(self.topics().events, partition)

    def _require_events(self, partitions: int) -> None:
        topics = self.topics()
        with translated(self.url):
            found = self._reader().partitions(topics.events)
            if found != partitions:
                raise LogMismatch(
                    f"{self.url}: topic {topics.events} has partitions={found}, and the log was opened "
                    f"with {partitions}, for its life"
                )
            events = [TopicPartition(topics.events, each) for each in range(partitions)]
            self._assign([TopicPartition(topics.chain, 0), *events])

    def _assign(self, places: list[TopicPartition]) -> None:
        self._reader().assign(places)
        self._assigned = places

    def _empty(self) -> LogEmpty:
        return LogEmpty(f"{self.url}: there is no log here yet; `cellwitness follow` writes one")

    def _forget(self) -> None:
        if self._connected is not None:
            with translated(self.url):
                self._connected.close()
        self._connected, self._topics, self._opened, self._end, self._end_offset = None, None, None, None, 0
        self._assigned, self._reached = [], {}


def _lost(record: Record, seq: int, step: int, partition: int) -> LogDamaged:
    """What to say of a record that is not the next: one before it is missing, or its step was not ended."""
    return LogDamaged(
        f"step {step}, partition {partition}, sequence number {seq}: the record is missing, the next has number "
        f"{record.seq} and is of step {record.step}",
        step=step,
        partition=partition,
        seq=seq,
    )


def _step(raw: Raw) -> int:
    return number(raw.headers, "step")


def _seq(raw: Raw) -> int:
    return number(raw.headers, "seq")


def _some(raws: Iterator[Raw], count: int) -> list[Raw]:
    return [raw for _, raw in zip(range(count), raws, strict=False)]
