"""What must hold of a node before its first block is taken: version, network, genesis, era history."""

import http.client
import re
import socket
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from indexer.chain import PointOrOrigin
from indexer.eras import EraHistory, read_era_history
from indexer.errors import NOT_JSON, InvalidChainData, OperatorMustAct, Retryable
from indexer.ogmios.connection import Connection, ConnectionLost, redacted
from indexer.ogmios.messages import query, read_result

OLDEST_VERSION: Final = (6, 1)
NEWEST_MAJOR: Final = 7


class NodeRefused(OperatorMustAct):
    """An endpoint that is not one to follow; another may be."""


class Genesis(Struct, frozen=True, rename="camel"):
    """The Shelley genesis, as far as it concerns a follower."""

    network: str  # "mainnet" or "testnet"
    network_magic: int
    security_parameter: int  # k, blocks


class Health(Struct, frozen=True, rename="camel"):
    """GET /health of Ogmios."""

    version: str
    connection_status: str = "connected"
    network: str = ""
    network_synchronization: float | str | None = None


class NodeFacts(Struct, frozen=True):
    """What a node says of itself and its network."""

    version: str
    network: str
    genesis: Genesis
    eras: EraHistory
    tip: PointOrOrigin


def inspect_node(url: str, *, timeout_seconds: float = 10.0) -> NodeFacts:
    """Asks a node all that must be known before following it, over a connection of its own.

    Raises ConnectionLost and RequestFailed while it is unwell, NodeRefused where it is not fit to be followed.
    """
    health = _health(url, timeout_seconds)
    _check_version(health.version, url)
    if health.connection_status != "connected":
        raise Retryable(f"the Ogmios at {redacted(url)} has lost its node")
    connection = Connection(url, connect_timeout_seconds=timeout_seconds)
    try:
        genesis = _ask(connection, "queryNetwork/genesisConfiguration", {"era": "shelley"})
        start_time = _ask(connection, "queryNetwork/startTime")
        summaries = _ask(connection, "queryLedgerState/eraSummaries")
        tip = _ask(connection, "queryNetwork/tip")
        return NodeFacts(
            version=health.version,
            network=health.network,
            genesis=msgspec.json.decode(genesis, type=Genesis),
            eras=read_era_history(start_time, summaries),
            tip=msgspec.json.decode(tip, type=PointOrOrigin),
        )
    except NOT_JSON as error:
        raise InvalidChainData(f"{redacted(url)} answered a query in a way that can't be read: {error}") from error
    finally:
        connection.close()


def _ask(connection: Connection, method: str, params: dict[str, str] | None = None) -> bytes:
    connection.send(query(method, params))
    for buffer, start, end in connection.receive(30.0):
        return read_result(bytes(buffer[start:end]), method)
    raise ConnectionLost(f"{redacted(connection.url)} did not answer {method} within 30 s")


def _health(url: str, timeout_seconds: float) -> Health:
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=timeout_seconds)
    try:
        connection.request("GET", parts.path.rstrip("/") + "/health")
        response = connection.getresponse()
        body = response.read(1 << 20)
    except (OSError, http.client.HTTPException, socket.gaierror) as error:
        raise ConnectionLost(f"can't connect to {redacted(url)}: {error}") from error
    finally:
        connection.close()
    try:
        return msgspec.json.decode(body, type=Health)
    except NOT_JSON as error:
        if response.status >= 500:  # a proxy whose Ogmios is away answers in its own words
            raise ConnectionLost(f"{redacted(url)} answered /health with HTTP status {response.status}") from error
        raise NodeRefused(f"{redacted(url)} gives no Ogmios health at /health ({error}): is it an Ogmios?") from error


def _check_version(version: str, url: str) -> None:
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    if numbers is None:
        raise NodeRefused(f"{redacted(url)} says its version is {version!r}: Ogmios v6.1 to v7 is needed")
    found = (int(numbers[1]), int(numbers[2]))
    if found < OLDEST_VERSION or found[0] > NEWEST_MAJOR:
        raise NodeRefused(f"{redacted(url)} runs Ogmios {version}: v6.1 to v7 is needed")
