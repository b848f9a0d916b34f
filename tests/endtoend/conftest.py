import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.postgres import EmbeddedPostgres
from tests.postgres import database, fresh_database, postgres

__all__ = ["database", "folder", "postgres", "reference"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the database's user may pass through: pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="cellwitness-e2e-") as name:
        path = Path(os.path.realpath(name))
        path.chmod(0o711)
        yield path


@pytest.fixture(autouse=True)
def _no_settings_of_the_developers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("CELLWITNESS_"):
            monkeypatch.delenv(name)


@pytest.fixture
def reference(postgres: EmbeddedPostgres) -> str:
    """The URL of an empty database for the undisturbed run."""
    return fresh_database(postgres)
