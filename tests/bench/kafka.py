"""The log on Kafka: a step's way to the disk, catching up and reading, against the bare client with the same bytes."""

import tempfile
import time
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
from indexer.log.port import Step
from indexer.log.records import encode_spine
from tests.bench.log_speed import EVENTS_A_STEP, READ_RECORDS, _steps
from tests.bench.plan import Plan
from tests.bench.report import Goal, Section, Value, ratio
from tests.indexer.log.chains import Scribe, Tree
from tests.kafka import cluster, new_log

MAGIC = 42
TIP_STEPS = 500  # of a block each, as at the chain's tip


def measure(plan: Plan) -> Section:
    """Latency of a step at the tip, and events a second of catching up and reading."""
    steps = list(_steps(max(4, plan.log_steps // 8)))
    events = (len(steps) - 1) * EVENTS_A_STEP
    times: dict[str, list[float]] = {"append": [], "bare append": [], "read": [], "bare read": []}
    with tempfile.TemporaryDirectory(prefix="cellwitness-bench-") as folder, cluster(Path(folder)) as brokers:
        servers = brokers.bootstrap
        at_tip = _at_tip(servers, TIP_STEPS if plan.rounds > 1 else 40)
        for _ in range(plan.rounds):
            with closing(_log(new_log(servers, "devnet"))) as log:
                times["append"].append(_append(log, steps))
                times["bare append"].append(_bare_append(servers, f"{log.topics().name}.bare", log, steps))
                times["read"].append(_read(log, len(steps[0].blobs)))
                times["bare read"].append(_bare_read(servers, log))
    p50, p99 = median(at_tip) * 1e3, quantiles(at_tip, n=100)[98] * 1e3

    def row(name: str, what: str, against: str | None) -> dict[str, Value]:
        seconds = median(times[name])
        share = ratio(times[against], times[name]) if against else None
        return {"": what, "events/s": events / seconds, "steps/s": (len(steps) - 1) / seconds, "share of bare": share}

    return Section(
        "kafka",
        "The log on Kafka, one broker: steps of 500 events in 12 partitions (medians)",
        (
            row("append", "append, steps ready", "bare append"),
            row("bare append", "bare kafka-python: the same transactions", None),
            row("read", "read into records", "bare read"),
            row("bare read", "bare kafka-python: read_committed", None),
        ),
        (
            Goal("step at the tip, p50 (ms)", p50, 10, "at most"),
            Goal("step at the tip, p99 (ms)", p99, 50, "at most"),
            Goal("catching up, share of the bare client", ratio(times["bare append"], times["append"]), 0.8),
            Goal("reading, share of the bare client", ratio(times["bare read"], times["read"]), 0.8),
        ),
        ("A step at the tip is a block; its time ends when readers see it, which the bare client does not wait for.",),
    )


def _log(url: str) -> KafkaLog:
    return KafkaLog(place_from_url(url), KafkaSettings())


def _at_tip(servers: str, count: int) -> list[float]:
    """Seconds of each step: a block, some events, and a marker in each of 12 partitions."""
    with closing(_log(new_log(servers))) as log:
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


def _append(log: KafkaLog, steps: Sequence[Step]) -> float:
    with closing(log.writer()) as writer:
        writer.append(steps[0])
        began = time.perf_counter()
        for step in steps[1:]:
            writer.append(step)
        return time.perf_counter() - began


def _bare_append(servers: str, transactional_id: str, log: KafkaLog, steps: Sequence[Step]) -> float:
    """The same records with the same headers, ready before the clock starts, in the same transactions."""
    chain, events = f"{log.topics().name}.bare-chain", f"{log.topics().name}.bare-events"
    with log.topics().admin() as admin:
        admin.create_topics({chain: {"num_partitions": 1}, events: {"num_partitions": len(steps[0].blobs)}})
        admin.wait_for_topics([chain, events], timeout_ms=20_000)
    ready = [
        [
            (partition, record.key.encode() or None, bytes(record.body), record_headers(record, MAGIC))
            for partition, records in enumerate(step.records)
            for record in records
        ]
        for step in steps
    ]
    options = {"retry_backoff_ms": 5, "linger_ms": 100, "batch_size": BATCH_BYTES, "metrics_enabled": False}
    with closing(KafkaProducer(bootstrap_servers=servers, transactional_id=transactional_id, **options)) as producer:
        producer.init_transactions()
        began = time.perf_counter()
        for step, records in zip(steps[1:], ready[1:], strict=True):
            producer.begin_transaction()
            for partition, key, value, headers in records:
                producer.send(events, key=key, value=value, headers=headers, partition=partition)
            producer.send(chain, value=encode_spine(step.spine), partition=0)
            producer.commit_transaction()
        return time.perf_counter() - began


def _read(log: KafkaLog, partitions: int) -> float:
    log.opened()
    began = time.perf_counter()
    for partition in range(partitions):
        offset = 0
        while (batch := log.read(partition, offset, READ_RECORDS)).records:
            offset = batch.next_offset
    return time.perf_counter() - began


def _bare_read(servers: str, log: KafkaLog) -> float:
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
