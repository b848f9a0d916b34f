"""A plain client of the devnet's server, and chains to serve."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

from deploy.devnet.chain import Chain
from deploy.devnet.maker import Maker, Plan
from deploy.devnet.network import Network, OgmiosVersion
from deploy.devnet.server import Node, serve

Json = dict[str, Any]

SMALL_K = 20


class Client:
    """Sends requests and reads answers, in whatever order the test wants."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.received: list[Json] = []

    def send(self, method: str, **rest: Any) -> Self:
        self._connection.send(json.dumps({"jsonrpc": "2.0", "method": method, **rest}))
        return self

    def send_raw(self, text: str) -> Self:
        self._connection.send(text)
        return self

    def receive(self, timeout: float = 10) -> Json:
        answer: Json = json.loads(self._connection.recv(timeout=timeout))
        self.received.append(answer)
        return answer

    def call(self, method: str, **rest: Any) -> Json:
        return self.send(method, **rest).receive()

    def next(self) -> Json:
        """The result of one nextBlock."""
        result: Json = self.call("nextBlock")["result"]
        return result

    def find(self, *points: Json | str) -> Json:
        return self.call("findIntersection", params={"points": list(points)})

    def ping(self) -> bool:
        return self._connection.ping().wait(5)


@contextmanager
def client(node: Node) -> Iterator[Client]:
    with connect(node.url, compression=None, max_size=None) as connection:
        yield Client(connection)


@contextmanager
def served(chain: Chain, *, strict_rpc: bool = False) -> Iterator[tuple[Node, Client]]:
    with serve(chain, strict_rpc=strict_rpc) as node, client(node) as one:
        yield node, one


def empty_chain(blocks: int) -> Chain:
    chain = Chain(Network(k=SMALL_K))
    chain.grow(blocks)
    return chain


def lively_chain(
    blocks: int, *, seed: int = 1, batteries: int = 6, version: OgmiosVersion = "6.14", interval_slots: int = 3_600
) -> tuple[Chain, Maker]:
    """A chain on which every battery is read each hour."""
    plan = Plan(seed=seed, batteries=batteries, reading_interval_slots=interval_slots, ogmios_version=version)
    maker = Maker(plan)
    chain = Chain(Network(k=SMALL_K), ogmios_version=version, seed=seed, ledger=maker)
    chain.grow(blocks)
    return chain, maker


def ids(chain: Chain) -> list[str]:
    """The ids of a chain's blocks, in order."""
    points = (chain.point(position) for position in range(1, len(chain) + 1))
    return [point.id for point in points if not isinstance(point, str)]
