"""A real broker for the tests: one for the session, started by the first test that asks for it."""

import socket
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Final

from deploy.kafka.broker import Cluster

_numbers: Final = count()


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on just now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def cluster(folder: Path, brokers: int = 1) -> Cluster:
    """Brokers that nobody else uses."""
    ports = free_ports(2 * brokers)
    return Cluster(folder, ports[:brokers], ports[brokers:])


def new_log(servers: str, network: str = "test") -> str:
    """The URL of a log that nobody else has."""
    return f"kafka://{servers}/log{next(_numbers)}.{network}"
