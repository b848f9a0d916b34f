"""The engines that the contract suite runs on. A new engine adds itself to ``ENGINES`` and passes, or is not one."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indexer.log import sqlite_file
from indexer.log.kafka import KafkaLog
from indexer.log.kafka_writer import KafkaWriter
from indexer.log.port import Log
from indexer.log.sqlite import SqliteLog
from indexer.log.urls import open_log as open_log_url
from tests.indexer.log.memory import MemoryLog, MemoryStore
from tests.kafka import new_log

OpenLog = Callable[[], Log]
"""Another handle on one and the same log, as another process would have."""


def _sqlite(request: pytest.FixtureRequest) -> OpenLog:
    path: Path = request.getfixturevalue("tmp_path")
    return lambda: SqliteLog(path / "events.db")


def _memory(_: pytest.FixtureRequest) -> OpenLog:
    store = MemoryStore()
    return lambda: MemoryLog(store)


def _kafka(request: pytest.FixtureRequest) -> OpenLog:
    url = new_log(request.getfixturevalue("kafka_servers"))
    return lambda: open_log_url(url)


ENGINES: dict[str, Callable[[pytest.FixtureRequest], OpenLog]] = {
    "kafka": _kafka,
    "memory": _memory,
    "sqlite": _sqlite,
}


@pytest.fixture(autouse=True)
def _close_every_file(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Newer Pythons complain of each connection that nobody closed, and a killed follower closes none."""
    made: list[sqlite3.Connection] = []
    connect = sqlite_file._connect

    def kept(path: Path, mode: str, more: str = "") -> sqlite3.Connection:
        made.append(connect(path, mode, more))
        return made[-1]

    monkeypatch.setattr(sqlite_file, "_connect", kept)
    yield
    for connection in made:
        connection.close()


@pytest.fixture(autouse=True)
def _close_every_producer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A killed follower closes none either; here its threads and sockets must not outlive the test."""
    made: list[KafkaWriter] = []
    begin = KafkaWriter.__init__

    def kept(writer: KafkaWriter, log: KafkaLog) -> None:
        begin(writer, log)
        made.append(writer)

    monkeypatch.setattr(KafkaWriter, "__init__", kept)
    yield
    for writer in made:
        writer.close()


@pytest.fixture(params=sorted(ENGINES))
def open_log(request: pytest.FixtureRequest) -> Iterator[OpenLog]:
    handles: list[Log] = []
    make = ENGINES[request.param](request)

    def open_one() -> Log:
        handles.append(make())
        return handles[-1]

    yield open_one
    for handle in handles:
        handle.close()


@pytest.fixture(params=[1, 3, 12])
def partitions(request: pytest.FixtureRequest) -> int:
    count: int = request.param
    return count
