"""Reading topics at any offset: one consumer, assigned by hand, that sees committed records only."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition

from indexer.log.kafka_client import client
from indexer.log.kafka_settings import REQUEST_SECONDS, KafkaPlace, KafkaSettings
from indexer.log.port import LogUnavailable

FETCH_BYTES: Final = 1 << 20  # of a partition at once; that much of each may wait in memory
WHOLE_FETCH: Final = 1 << 30  # records
POLL_MS: Final = (2, 50)  # first and longest wait for records that are known to be there
STRIDE: Final = 64  # offsets that a search first steps back by

Raw = Any
"""A kafka ``ConsumerRecord``: offset, key, value, headers."""


class Reader:
    """The records of some partitions, from any offset on. Errors of Kafka pass through, for ``translated``."""

    def __init__(self, place: KafkaPlace, settings: KafkaSettings) -> None:
        self._place = place
        self._consumer: Any = client(
            KafkaConsumer,
            bootstrap_servers=list(place.servers),
            # Assigned by hand: a group's join that completes between two polls is thrown away and begun again.
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",  # an offset that is not there is an error, and not another place to read from
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            metrics_enabled=False,
            # Nothing waits at the broker: a fetch on its way would hold up that of the next partition.
            fetch_max_wait_ms=1,
            max_partition_fetch_bytes=FETCH_BYTES,
            # What is left of a fetch waits here and not in kafka-python, which forgets a paused partition's rest once
            # another partition's fetch is used up.
            max_poll_records=WHOLE_FETCH,
            **settings.options(),
        )
        self._streams: dict[TopicPartition, _Stream] = {}

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has; 0 where there is none."""
        return len(self._consumer.partitions_for_topic(topic) or ())

    def topics(self) -> set[str]:
        return set(self._consumer.topics())

    def assign(self, places: list[TopicPartition]) -> None:
        """Names the partitions that will be read."""
        self._consumer.assign(places)
        for place in places:
            self._consumer.seek(place, 0)
        self._consumer.pause(*places)
        self._streams = {place: _Stream() for place in places}

    def end(self, place: TopicPartition) -> int:
        """The last stable offset: all before it is decided, committed or not to be seen."""
        return self.ends([place])[place]

    def beginning(self, place: TopicPartition) -> int:
        """The first offset that retention has left."""
        return self._offsets(self._consumer.beginning_offsets, [place])[place]

    def ends(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        """``end`` of several."""
        return self._offsets(self._consumer.end_offsets, places)

    def _offsets(
        self, ask: Callable[[list[TopicPartition]], dict[TopicPartition, int]], places: list[TopicPartition]
    ) -> dict[TopicPartition, int]:
        deadline = time.monotonic() + REQUEST_SECONDS
        while True:
            try:
                return dict(ask(places))
            except KeyError as error:
                # kafka-python leaves a partition out of whose leader it does not know, and then looks it up.
                if time.monotonic() > deadline:
                    raise LogUnavailable(f"{self._place.url}: {error.args[0]} has no leader just now") from error
            time.sleep(POLL_MS[1] / 1000)

    def records(self, place: TopicPartition, offset: int, stop: int) -> Iterator[Raw]:
        """Committed records from one offset up to another, which must not be beyond ``end``.

        What was fetched and not taken is kept for the next call that goes on from there. Raises LogUnavailable where
        nothing comes though there is something.
        """
        stream = self._streams[place]
        if not stream.low <= offset <= stream.high:
            self._consumer.seek(place, offset)
            stream.held.clear()
            stream.high = offset
        stream.low = max(offset, stream.low) if stream.held else offset
        while True:
            while stream.held:
                if stream.held[0].offset >= stop:
                    return
                record = stream.held.popleft()
                stream.low = record.offset + 1
                if record.offset >= offset:
                    yield record
            if stream.high >= stop:
                return
            self._fill(place, stream, stop)

    def _fill(self, place: TopicPartition, stream: "_Stream", stop: int) -> None:
        """Fetches more, or learns that up to ``stop`` there is nothing but transactions' marks."""
        deadline = time.monotonic() + REQUEST_SECONDS
        wait, longest = POLL_MS
        self._consumer.resume(place)
        try:
            while stream.high < stop:
                found = self._consumer.poll(timeout_ms=wait).get(place)
                position = self._consumer.position(place)
                if position is not None:
                    stream.high = max(stream.high, position)
                if found:
                    stream.held.extend(found)
                    stream.high = max(stream.high, found[-1].offset + 1)
                    return
                if time.monotonic() > deadline:
                    raise LogUnavailable(
                        f"{self._place.url}: {place.topic}, partition {place.partition} gave nothing from offset "
                        f"{stream.high} on within {REQUEST_SECONDS:.0f} s, though it goes on to {stop}"
                    )
                wait = min(wait * 2, longest)
        finally:
            self._consumer.pause(place)

    def find(self, place: TopicPartition, number: Callable[[Raw], int], target: int, guess: int) -> int:
        """The first offset at which ``number``, which rises along the partition, is ``target`` or more; else the end.

        Starts at a guess, which a log without aborted steps always confirms; then back in strides, or by halves.
        """
        end = self.end(place)
        low, high = 0, end  # below low all are less; from high on none is
        at, stride = min(max(guess, 0), end), STRIDE
        while low < high:
            found = None
            for record in self.records(place, at, end):
                if number(record) >= target:
                    found = record
                    break
                low = record.offset + 1
                if not self._streams[place].held:
                    break
            if found is not None:
                if number(found) == target or found.offset == low or low > at:
                    return int(found.offset)
                high = at
                at, stride = max(low, at - stride), stride * 8
            elif low <= at:
                high = at  # nothing from here to the end
                at, stride = max(low, at - stride), stride * 8
            else:
                at = (low + high) // 2
            if at >= high:
                at = low
        return min(end, high)

    def close(self) -> None:
        self._consumer.close(autocommit=False)


class _Stream:
    """One partition's place: records fetched and not yet taken stand between ``low`` and ``high``."""

    def __init__(self) -> None:
        self.low = 0
        self.high = 0
        self.held: deque[Raw] = deque()
