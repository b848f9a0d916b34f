from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

import pytest

from projections import run
from tests.postgres import database, postgres
from tests.projections.chain import Life, TestChain

__all__ = ["MakeChain", "database", "make_chain", "postgres"]


class MakeChain(Protocol):
    """Makes a chain with its log in a file of this name."""

    def __call__(self, name: str, life: Life, *, partitions: int = 3, magic: int = 42) -> TestChain: ...


@pytest.fixture(autouse=True)
def _little_work_is_worth_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chains of tests are short: some of their transactions go either way."""
    monkeypatch.setattr("projections.store.WORTH_A_THREAD_RECORDS", 20)


@pytest.fixture(autouse=True)
def _read_ahead_however_short_a_chain_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "WORTH_READING_AHEAD_RECORDS", 1)


@pytest.fixture
def make_chain(tmp_path: Path) -> Iterator[MakeChain]:
    with ExitStack() as stack:

        def make(name: str, life: Life, *, partitions: int = 3, magic: int = 42) -> TestChain:
            return stack.enter_context(closing(TestChain(tmp_path / name, life, partitions=partitions, magic=magic)))

        yield make
