"""A devnet's chain that forks, in a log; packs of one of its batteries."""

from collections.abc import Iterator

import pytest
from msgspec import Struct
from nacl.signing import SigningKey

from consumers.audit.collect import Collected, collect
from consumers.audit.pack import pack_of
from indexer.log.port import Log
from projections.rules.thresholds import ThresholdBook
from tests.projections.chain import TestChain
from tests.projections.judged_chain import DevnetLife
from tests.projections.verdicts.devnet import profile

KEY = SigningKey(bytes(range(32)))


class Shown(bytes):
    """A file that a failing test shows by its size."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self):,} bytes>"


class Box(Struct, frozen=True):
    """What a failing test should not print."""

    held: Collected

    def __repr__(self) -> str:
        return "<collected>"


def last_step(log: Log) -> int:
    end = log.end()
    assert end is not None
    return end.spine.step


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """Forward, a fork, forward again: retractions stand in it."""
    chain = TestChain(tmp_path_factory.mktemp("audit") / "log.db", DevnetLife(2, 3))
    for _ in range(12):
        chain.forward(chain.make(3))
    chain.back(3)
    chain.forward(chain.make(6))
    yield chain.log
    chain.close()


@pytest.fixture(scope="session")
def battery(log: Log) -> str:
    """The key of the battery with the most events."""
    keys: dict[str, int] = {}
    for partition in range(len(log.opened().partitions)):
        for record in log.read(partition, 0, 100_000).records:
            if record.type.startswith("reading"):
                keys[record.key] = keys.get(record.key, 0) + 1
    return max(sorted(keys), key=lambda key: keys[key])


@pytest.fixture(scope="session")
def collected(log: Log, battery: str) -> Collected:
    return collect(log, profile(), ThresholdBook(), battery, step=last_step(log))


@pytest.fixture(scope="session")
def boxed(collected: Collected) -> Box:
    return Box(collected)


@pytest.fixture(scope="session")
def pack(collected: Collected) -> bytes:
    return Shown(pack_of(collected))


@pytest.fixture(scope="session")
def signed(collected: Collected) -> bytes:
    return Shown(pack_of(collected, KEY))
