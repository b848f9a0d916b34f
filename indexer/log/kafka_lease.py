"""The lease of a log on Kafka: heartbeats in a topic, whose order and clock are the broker's. For liveness only."""

import os
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import uuid4

import msgspec
from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from msgspec import Struct

from indexer.log.kafka_client import client
from indexer.log.kafka_errors import translated
from indexer.log.kafka_reader import Reader
from indexer.log.port import LogBusy

if TYPE_CHECKING:
    from indexer.log.kafka import KafkaLog

LEASE_SECONDS: Final = 10.0
"""Without a heartbeat for so long, another follower may take over."""

BEAT_SECONDS: Final = LEASE_SECONDS / 4
TAIL_RECORDS: Final = 500
"""Read back from the end: the heartbeats of some minutes, of which only the last seconds matter."""


class Claim(Struct, frozen=True):
    """One record of the lease's topic, with the broker's time."""

    who: str  # unique to one lease that was asked for
    name: str  # HOST:PID, for people
    act: Literal["hold", "release"]
    at_ms: int = 0


def holder(claims: Iterable[Claim]) -> Claim | None:
    """Who holds the lease after these claims, in their order; the same for everybody who reads them.

    A claim on a lease that another holds, and refreshed within LEASE_SECONDS, does nothing.
    """
    held: Claim | None = None
    for claim in claims:
        free = held is None or held.who == claim.who or claim.at_ms - held.at_ms > LEASE_SECONDS * 1000
        if free:
            held = claim if claim.act == "hold" else None
    return held


@contextmanager
def lease(log: "KafkaLog") -> Iterator[None]:
    """Holds the lease, kept fresh by a thread. Raises LogBusy where another follower is alive."""
    who, name = uuid4().hex, f"{socket.gethostname()}:{os.getpid()}"
    with translated(log.url):
        topics = log.topics()
        topics.create_lease()
        producer: Any = client(
            KafkaProducer,
            bootstrap_servers=list(log.place.servers),
            acks="all",
            max_block_ms=10_000,
            delivery_timeout_ms=15_000,
            allow_auto_create_topics=False,
            metrics_enabled=False,
            **log.settings.options(),
        )
    ended = threading.Event()

    def say(act: Literal["hold", "release"]) -> Any:
        value = msgspec.json.encode(Claim(who, name, act))
        return producer.send(topics.lease, value=value, partition=0)

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            # A heartbeat that fails is not our end: the fence decides who writes, and a standby who waits.
            with translated_quietly():
                say("hold")

    try:
        with translated(log.url):
            ours = say("hold").get(timeout=LEASE_SECONDS)
            found = holder(_claims(log, topics.lease, ours.offset))
        if found is None or found.who != who:
            raise LogBusy(f"{log.url} is being written by another follower, {found.name if found else 'unknown'}")
        thread = threading.Thread(target=beat, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            with translated_quietly():
                say("release").get(timeout=BEAT_SECONDS)
    finally:
        with translated_quietly():
            producer.close(timeout=1)


@contextmanager
def translated_quietly() -> Iterator[None]:
    """For what may fail without harm: the lease then ends by itself, LEASE_SECONDS later."""
    try:
        yield
    except KafkaError:
        pass


def _claims(log: "KafkaLog", topic: str, last_offset: int) -> list[Claim]:
    """The claims up to an offset, from as far back as matters."""
    place = TopicPartition(topic, 0)
    with closing(Reader(log.place, log.settings)) as reader:
        reader.assign([place])
        first = max(reader.beginning(place), last_offset - TAIL_RECORDS)
        return [
            msgspec.structs.replace(msgspec.json.decode(raw.value, type=Claim), at_ms=raw.timestamp)
            for raw in reader.records(place, first, last_offset + 1)
        ]
