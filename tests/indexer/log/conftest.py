"""The engines that the contract suite runs on. A new engine adds itself to ``ENGINES`` and passes, or is not one."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indexer.log import sqlite_file
from indexer.log.port import Log
from indexer.log.sqlite import SqliteLog
from tests.indexer.log.memory import MemoryLog, MemoryStore

OpenLog = Callable[[], Log]
"""Another handle on one and the same log, as another process would have."""


def _sqlite(path: Path) -> OpenLog:
    return lambda: SqliteLog(path / "events.db")


def _memory(_: Path) -> OpenLog:
    store = MemoryStore()
    return lambda: MemoryLog(store)


ENGINES: dict[str, Callable[[Path], OpenLog]] = {"memory": _memory, "sqlite": _sqlite}


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


@pytest.fixture(params=sorted(ENGINES))
def open_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenLog]:
    handles: list[Log] = []
    make = ENGINES[request.param](tmp_path)

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
