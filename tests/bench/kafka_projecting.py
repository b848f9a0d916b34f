"""Section 5: a projection worker that reads Kafka, against a bare consumer of the same topic."""

import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median

from deploy.postgres import EmbeddedPostgres
from indexer.log.copy import copy_log
from indexer.log.kafka import KafkaLog
from indexer.log.kafka_settings import KafkaSettings, place_from_url
from indexer.log.sqlite import SqliteLog
from tests.bench.kafka import bare_read
from tests.bench.plan import Plan
from tests.bench.projecting import READ_RECORDS, Times, devnet_log, project
from tests.bench.rebuilding import write_copies
from tests.bench.report import Goal, Section, Value, ratio
from tests.kafka import cluster, new_log


def measure(plan: Plan) -> Section:
    worker, alone, from_file, bare = Times(), Times(), Times(), []
    with tempfile.TemporaryDirectory(prefix="cellwitness-bench-") as name, cluster(Path(name) / "kafka") as brokers:
        folder = Path(name)
        folder.chmod(0o711)
        small, path = folder / "small.db", folder / "events.db"
        copies = -(-plan.kafka_events // devnet_log(small, plan.projection_days))
        events = write_copies(small, path, copies)
        place = place_from_url(new_log(brokers.bootstrap, "devnet"))
        with closing(SqliteLog(path)) as source, closing(KafkaLog(place, KafkaSettings())) as target:
            copy_log(source, target)
        with EmbeddedPostgres(folder / "postgres").use() as url:
            for _ in range(plan.rounds):
                log = KafkaLog(place, KafkaSettings())
                bare.append(bare_read(brokers.bootstrap, log))
                _read(log, alone)
                project(log, url, events, worker)
                project(SqliteLog(path), url, events, from_file)
    share = ratio(bare, worker.seconds)
    # Whoever does both can at best be as fast as the slower of the two.
    slower = [max(pair) for pair in zip(alone.seconds, from_file.seconds, strict=True)]
    of_slower = ratio(slower, worker.seconds)

    def row(what: str, seconds: list[float], cpu_seconds: list[float] | None = None) -> dict[str, Value]:
        return {
            "": what,
            "events/s": events / median(seconds),
            "our CPU, µs an event": 1e6 * median(cpu_seconds) / events if cpu_seconds else None,
            "share of bare": ratio(bare, seconds),
        }

    return Section(
        "projection from Kafka",
        "One projection worker without verdicts, one broker, embedded PostgreSQL (medians)",
        (
            row("bare kafka-python: read_committed", bare),
            row("our reader alone: whole steps, decoded", alone.seconds, alone.cpu_seconds),
            row("worker, the same log in a file", from_file.seconds, from_file.cpu_seconds),
            row("worker, from Kafka", worker.seconds, worker.cpu_seconds),
            row("the slower of reader and worker alone", slower),
        ),
        (Goal("from Kafka: share of the bare consumer's rate", share, 0.8),),
        (
            f"{events:,} events. The bare consumer decodes nothing and writes nothing.",
            "The worker from a file reads nearly for nothing: no overlap of reading and writing can be faster than it.",
            f"Of what the slower of the two does alone, the worker from Kafka does {of_slower:.2f}.",
        ),
    )


def _read(log: KafkaLog, times: Times) -> None:
    """All of a log, partition by partition."""
    with times.measured():
        for partition in range(len(log.opened().partitions)):
            offset = 0
            while (batch := log.read(partition, offset, READ_RECORDS)).records:
                offset = batch.next_offset
