"""What librdkafka does with the same records: the limit of any client, as it is written in C."""

import importlib.util
import time
from collections.abc import Sequence
from contextlib import closing

Transaction = tuple[bytes, list[tuple[int, bytes | None, bytes, list[tuple[str, bytes]]]]]
"""A step's spine record; and its records: partition, key, value, headers."""

BATCH_RECORDS = 10_000
PATIENCE_SECONDS = 30.0


def installed() -> bool:
    """It is an opponent of the bench, and no part of what the tests install."""
    return importlib.util.find_spec("confluent_kafka") is not None


def append(servers: str, chain: str, events: str, transactions: Sequence[Transaction]) -> float:
    """Seconds that these transactions take."""
    from confluent_kafka import Producer  # noqa: PLC0415  # see installed

    producer = Producer(
        {
            "bootstrap.servers": servers,
            "transactional.id": f"{chain}.librdkafka",
            "linger.ms": 100,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    producer.init_transactions(PATIENCE_SECONDS)
    began = time.perf_counter()
    for spine, records in transactions:
        producer.begin_transaction()
        for partition, key, value, headers in records:
            producer.produce(events, value=value, key=key, headers=headers, partition=partition)
        producer.produce(chain, value=spine, partition=0)
        producer.commit_transaction(PATIENCE_SECONDS)
    return time.perf_counter() - began


def read(servers: str, topic: str, partitions: int) -> float:
    """Seconds until every committed record was handed out, with its headers."""
    from confluent_kafka import Consumer, TopicPartition  # noqa: PLC0415  # see installed

    settings = {
        "bootstrap.servers": servers,
        "group.id": "bench",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 5,
    }
    with closing(Consumer(settings)) as consumer:
        began = time.perf_counter()
        consumer.assign([TopicPartition(topic, each, 0) for each in range(partitions)])
        ended: set[int] = set()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(ended) < partitions and time.monotonic() < deadline:
            for message in consumer.consume(BATCH_RECORDS, 0.05):
                if message.error():
                    ended.add(message.partition())  # the end of a partition is told as an error
                else:
                    message.headers()
        return time.perf_counter() - began
