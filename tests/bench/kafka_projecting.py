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
from tests.bench.projecting import Times, devnet_log, project
from tests.bench.report import Goal, Section, ratio
from tests.kafka import cluster, new_log


def measure(plan: Plan) -> Section:
    worker, bare = Times(), []
    with tempfile.TemporaryDirectory(prefix="cellwitness-bench-") as name, cluster(Path(name) / "kafka") as brokers:
        folder = Path(name)
        folder.chmod(0o711)
        events = devnet_log(folder / "events.db", plan.projection_days)
        place = place_from_url(new_log(brokers.bootstrap, "devnet"))
        with closing(SqliteLog(folder / "events.db")) as source, closing(KafkaLog(place, KafkaSettings())) as target:
            copy_log(source, target)
        with EmbeddedPostgres(folder / "postgres").use() as url:
            for _ in range(plan.rounds):
                log = KafkaLog(place, KafkaSettings())
                bare.append(bare_read(brokers.bootstrap, log))
                project(log, url, events, worker)
    share = ratio(bare, worker.seconds)
    return Section(
        "projection from Kafka",
        "One projection worker without verdicts, one broker, embedded PostgreSQL (medians)",
        (
            {"": "worker", "events/s": events / median(worker.seconds), "share of bare": share},
            {"": "bare kafka-python: read_committed", "events/s": events / median(bare), "share of bare": None},
        ),
        (Goal("from Kafka: share of the bare consumer's rate", share, 0.8),),
        (f"{events:,} events. The bare consumer decodes nothing and writes nothing.",),
    )
