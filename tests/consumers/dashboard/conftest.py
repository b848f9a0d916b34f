from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.postgres import EmbeddedPostgres
from tests.consumers.dashboard.running import Dashboard, running
from tests.postgres import database, fresh_database, postgres

__all__ = ["closed", "database", "opened", "postgres"]


@pytest.fixture(scope="module")
def opened(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """On loopback, where whoever can reach it comes in."""
    with running(fresh_database(postgres), tmp_path_factory.mktemp("opened")) as dashboard:
        yield dashboard


@pytest.fixture(scope="module")
def closed(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Where people have to show who they are."""
    with running(
        fresh_database(postgres),
        tmp_path_factory.mktemp("closed"),
        tokens=lambda file: file.add(
            name="first", role="admin", profile="surveillance", legal_basis="a test", days=None
        ),
        require_login=True,
    ) as dashboard:
        yield dashboard


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
