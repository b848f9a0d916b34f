"""A real PostgreSQL for tests: one server a session, a fresh database a test. Never skipped."""

import os
import signal
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from deploy.postgres import ROLE, EmbeddedPostgres

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A server with a data directory of its own, gone with the session."""
    with tempfile.TemporaryDirectory(prefix="cellwitness-test-") as folder:
        # The server of a test that runs as root has another user, who must pass through. Pytest's own folders are 0700.
        Path(folder).chmod(0o711)
        server = EmbeddedPostgres(Path(folder) / "postgres")
        with server.use():
            yield server
            # At once: an orderly shutdown would bring all these databases to disk first.
            if pid := server.pid():
                os.kill(pid, signal.SIGQUIT)


def database_url(server: EmbeddedPostgres, name: str) -> str:
    return f"postgresql://{ROLE}@/{name}?host={quote(str(server.place.socket), safe='')}"


def fresh_database(server: EmbeddedPostgres) -> str:
    """The URL of an empty database."""
    name = f"test_{next(_NUMBERS)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    return database_url(server, name)


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> str:
    """The URL of an empty database of this test's own."""
    return fresh_database(postgres)
