"""What the follower reaches outside itself besides the log: nodes, time, chance. A simulation puts its own there."""

import random
import time
from typing import Protocol

from indexer.ogmios.connection import Connection
from indexer.ogmios.node import NodeFacts, inspect_node
from indexer.ogmios.prefilter import Place


class NodeConnection(Protocol):
    """One connection to a node, as ``ogmios.connection.Connection``. Every method may raise ConnectionLost."""

    def send(self, message: bytes, *, times: int = 1) -> None: ...

    def receive(self, timeout_seconds: float) -> list[Place]:
        """The messages that are here, at least one unless the time is over. They are gone at the next call."""

    def close(self) -> None: ...


class Outside(Protocol):
    """Nodes by their address, and the clock."""

    def inspect(self, url: str, *, timeout_seconds: float = 10.0) -> NodeFacts:
        """What a node says of itself. Raises as ``inspect_node``."""

    def connect(self, url: str, *, silence_seconds: float) -> NodeConnection:
        """Raises ConnectionLost."""

    def now(self) -> float:
        """Seconds that only grow, from an unknown beginning."""

    def jitter(self) -> float:
        """A factor from 0.5 to 1: followers that lost one node together do not come back together."""


class OgmiosNodes:
    """The real ones."""

    def inspect(self, url: str, *, timeout_seconds: float = 10.0) -> NodeFacts:
        return inspect_node(url, timeout_seconds=timeout_seconds)

    def connect(self, url: str, *, silence_seconds: float) -> NodeConnection:
        return Connection(url, silence_seconds=silence_seconds)

    def now(self) -> float:
        return time.monotonic()

    def jitter(self) -> float:
        return random.uniform(0.5, 1.0)  # noqa: S311  # no secret
