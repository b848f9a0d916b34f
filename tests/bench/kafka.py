"""The log on Kafka beside the log in SQLite: a step's way to the disk, catching up, reading; and their bare clients."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from indexer.log.kafka import KafkaLog
from indexer.log.kafka_records import record_headers
from indexer.log.kafka_settings import KafkaSettings, place_from_url
from indexer.log.kafka_writer import BATCH_BYTES
from indexer.log.port import Log, Step
from indexer.log.records import encode_spine
from indexer.log.sqlite import SqliteLog
from tests.bench import librdkafka
from tests.bench.librdkafka import Transaction
from tests.bench.log_speed import (
    EVENTS_A_STEP,
    READ_RECORDS,
    _append,
    _bare_append,
    _bare_read,
    _read,
    _steps,
    _timed,
)
from tests.bench.plan import Plan
from tests.bench.report import Goal, Section, Value, ratio
from tests.indexer.log.chains import Scribe, Tree
from tests.kafka import cluster, new_log

MAGIC = 42
TIP_STEPS = 500  # of a block each, as at the chain's tip


def measure(plan: Plan) -> Section:
    """Both engines with the same steps, each beside its bare client; librdkafka beside them as the limit."""
    steps = list(_steps(max(4, plan.log_steps // 8)))
    events, count = (len(steps) - 1) * EVENTS_A_STEP, len(steps) - 1
    times: dict[str, list[float]] = defaultdict(list)
    at_tip: dict[str, list[float]] = {}
    tip_steps = TIP_STEPS if plan.rounds > 1 else 40
    with tempfile.TemporaryDirectory(prefix="cellwitness-bench-") as name, cluster(Path(name)) as brokers:
        folder, servers = Path(name), brokers.bootstrap
        for engine, log in (("SQLite", SqliteLog(folder / "tip.db")), ("Kafka", _log(new_log(servers)))):
            with closing(log):
                at_tip[engine] = _at_tip(log, tip_steps)
        for turn in range(plan.rounds):
            ours, bare = folder / f"ours-{turn}.db", folder / f"bare-{turn}.db"
            times["sqlite append"].append(_timed(_append, ours, steps))
            times["sqlite bare append"].append(_timed(_bare_append, bare, steps))
            times["sqlite read"].append(_timed(_read, ours, events))
            times["sqlite bare read"].append(_timed(_bare_read, bare, events))
            with closing(_log(new_log(servers, "devnet"))) as log:
                times["append"].append(_kafka_append(log, steps))
                times["bare append"].append(_kafka_bare_append(servers, log, steps))
                if librdkafka.installed():
                    times["limit append"].append(librdkafka.append(servers, *_bare_topics(log), _ready(steps)))
                    times["limit read"].append(librdkafka.read(servers, log.topics().events, len(steps[0].blobs)))
                times["read"].append(_kafka_read(log, len(steps[0].blobs)))
                times["bare read"].append(bare_read(servers, log))

    def row(name: str, what: str, against: str | None = None, engine: str = "") -> dict[str, Value]:
        seconds = median(times[name]) if times[name] else None
        share = ratio(times[against], times[name]) if against else None
        tip = at_tip.get(engine)
        return {
            "": what,
            "events/s": events / seconds if seconds else None,
            "steps/s": count / seconds if seconds else None,
            "share of bare": share,
            "step at the tip, p50 (ms)": median(tip) * 1e3 if tip else None,
            "p99 (ms)": quantiles(tip, n=100)[98] * 1e3 if tip else None,
        }

    kafka_tip = at_tip["Kafka"]
    return Section(
        "kafka",
        "Both engines: the same steps of 500 events in 12 partitions (medians)",
        (
            row("sqlite append", "SQLite: append, steps ready", "sqlite bare append", "SQLite"),
            row("sqlite bare append", "  bare sqlite3, an fsync a step"),
            row("append", "Kafka, one broker: append, steps ready", "bare append", "Kafka"),
            row("bare append", "  bare kafka-python: the same transactions"),
            row("limit append", "  confluent-kafka (librdkafka): the same"),
            row("sqlite read", "SQLite: read into records", "sqlite bare read"),
            row("sqlite bare read", "  bare sqlite3 with msgspec"),
            row("read", "Kafka: read into records", "bare read"),
            row("bare read", "  bare kafka-python: read_committed"),
            row("limit read", "  confluent-kafka (librdkafka): the same"),
        ),
        (
            Goal("step on Kafka at the tip, p50 (ms)", median(kafka_tip) * 1e3, 10, "at most"),
            Goal("step on Kafka at the tip, p99 (ms)", quantiles(kafka_tip, n=100)[98] * 1e3, 50, "at most"),
            Goal("Kafka catching up: share of the bare client", ratio(times["bare append"], times["append"]), 0.8),
            Goal("Kafka reading: share of the bare client", ratio(times["bare read"], times["read"]), 0.8),
        ),
        ("A step at the tip is a block; its time ends when readers see it, which the bare clients do not wait for.",),
    )


def _log(url: str) -> KafkaLog:
    return KafkaLog(place_from_url(url), KafkaSettings())


def _at_tip(log: Log, count: int) -> list[float]:
    """Seconds of each step: a block, some events, and a marker in each of 12 partitions."""
    scribe = Scribe(log, k=2160, partitions=12)
    writer, seconds = scribe.writer, []
    append = writer.append

    def timed(step: Step) -> Any:
        began = time.perf_counter()
        stored = append(step)
        seconds.append(time.perf_counter() - began)
        return stored

    writer.append = timed  # type: ignore[method-assign]
    for block in Tree().grow([], count + 20):
        scribe.forward([block])
    writer.close()
    return seconds[20:]


def _kafka_append(log: KafkaLog, steps: Sequence[Step]) -> float:
    with closing(log.writer()) as writer:
        writer.append(steps[0])
        began = time.perf_counter()
        for step in steps[1:]:
            writer.append(step)
        return time.perf_counter() - began


def _ready(steps: Sequence[Step]) -> list[Transaction]:
    """The records of each step as a client takes them, so that making them is not measured."""
    return [
        (
            encode_spine(step.spine),
            [
                (partition, record.key.encode() or None, bytes(record.body), record_headers(record, MAGIC))
                for partition, records in enumerate(step.records)
                for record in records
            ],
        )
        for step in steps[1:]
    ]


def _bare_topics(log: KafkaLog) -> tuple[str, str]:
    return f"{log.topics().name}.bare-chain", f"{log.topics().name}.bare-events"


def _kafka_bare_append(servers: str, log: KafkaLog, steps: Sequence[Step]) -> float:
    """The same records with the same headers, ready before the clock starts, in the same transactions."""
    chain, events = _bare_topics(log)
    with log.topics().admin() as admin:
        admin.create_topics({chain: {"num_partitions": 1}, events: {"num_partitions": len(steps[0].blobs)}})
        admin.wait_for_topics([chain, events], timeout_ms=20_000)
    ready = _ready(steps)
    options = {"retry_backoff_ms": 5, "linger_ms": 100, "batch_size": BATCH_BYTES, "metrics_enabled": False}
    with closing(KafkaProducer(bootstrap_servers=servers, transactional_id=chain, **options)) as producer:
        producer.init_transactions()
        began = time.perf_counter()
        for spine, records in ready:
            producer.begin_transaction()
            for partition, key, value, headers in records:
                producer.send(events, key=key, value=value, headers=headers, partition=partition)
            producer.send(chain, value=spine, partition=0)
            producer.commit_transaction()
        return time.perf_counter() - began


def _kafka_read(log: KafkaLog, partitions: int) -> float:
    log.opened()
    began = time.perf_counter()
    for partition in range(partitions):
        offset = 0
        while (batch := log.read(partition, offset, READ_RECORDS)).records:
            offset = batch.next_offset
    return time.perf_counter() - began


def bare_read(servers: str, log: KafkaLog) -> float:
    options = {"isolation_level": "read_committed", "max_partition_fetch_bytes": 4 << 20, "max_poll_records": 2_000}
    topic = log.topics().events
    with closing(KafkaConsumer(bootstrap_servers=servers, group_id=None, metrics_enabled=False, **options)) as consumer:
        places = [TopicPartition(topic, each) for each in sorted(consumer.partitions_for_topic(topic))]
        ends = consumer.end_offsets(places)
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        began = time.perf_counter()
        while any(consumer.position(place) < ends[place] for place in places):
            consumer.poll(timeout_ms=5)
        return time.perf_counter() - began
