"""Making kafka-python's clients so that one that could not be made leaves nothing behind."""

from collections.abc import Callable
from typing import Any, TypeVar

from kafka.net.compat import KafkaNetClient

Client = TypeVar("Client")


def client(kind: Callable[..., Client], **options: Any) -> Client:
    """A consumer, producer or administrator of kafka-python, whose errors pass through.

    A constructor of kafka-python that finds no broker raises, and leaves its thread and its sockets running: a
    follower that tries again every few seconds would collect them until it could open no file any more.
    """
    opened: list[KafkaNetClient] = []

    def net(**settings: Any) -> KafkaNetClient:
        opened.append(KafkaNetClient(**settings))
        return opened[-1]

    try:
        return kind(kafka_client=net, **options)
    except BaseException:
        for half_made in opened:
            half_made.close()
        raise
