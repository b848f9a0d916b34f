"""Which PostgreSQL a command uses: one of the user's, or the embedded one, which runs while somebody needs it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
import psycopg
from psycopg.conninfo import conninfo_to_dict

from deploy.postgres import EmbeddedPostgres
from deploy.settings import EMBEDDED, without_password
from indexer.errors import ConfigurationError, OperatorMustAct
from projections.database import Connection, connect

FOLDER: Final = "postgres"
"""Below the data directory."""


class NoTablesYet(OperatorMustAct):
    """Nothing was ever projected here."""

    exit_code = 1


def db_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--db`` and ``--data-dir``, the same for each command that needs the tables."""
    command = click.option(
        "--data-dir",
        default=".cellwitness",
        show_default=True,
        metavar="DIR",
        help="Where the embedded PostgreSQL lives.",
    )(command)
    return click.option(
        "--db",
        "db_url",
        default=EMBEDDED,
        show_default=True,
        metavar="URL",
        help="The tables: postgresql://…, or embedded: a server of our own.",
    )(command)


def embedded(data_dir: str) -> EmbeddedPostgres:
    return EmbeddedPostgres(Path(data_dir) / FOLDER)


@contextmanager
def database(db_url: str, data_dir: str, *, must_exist: bool = False) -> Iterator[Callable[[], str]]:
    """Gives what returns the URL of a running server: an embedded one that died is started again when asked for.

    ``must_exist`` raises NoTablesYet rather than making an embedded server to read nothing from.
    """
    if db_url == EMBEDDED:
        server = embedded(data_dir)
        if must_exist and not (server.place.data / "PG_VERSION").exists():
            raise NoTablesYet(f"there are no tables in {data_dir} yet: run `cellwitness project` first")
        with server.use():

            def running() -> str:
                server.start()
                return server.url

            yield running
    elif db_url.startswith(("postgresql://", "postgres://")):
        _check(db_url)
        yield lambda: db_url
    else:
        shown = without_password(db_url)
        raise ConfigurationError(f"--db {shown!r} is no database: write {EMBEDDED} or postgresql://HOST/DATABASE")


def _check(db_url: str) -> None:
    try:
        ports = str(conninfo_to_dict(db_url).get("port") or "").split(",")
        readable = all(port.isdigit() or not port for port in ports)
    except psycopg.ProgrammingError:
        readable = False
    if not readable:
        # Neither the address nor psycopg's words are shown: with a special character in a password, both may hold it.
        raise ConfigurationError(
            "the address of --db can't be read: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
            "special characters of a password as %XX"
        )


@contextmanager
def tables(db_url: str, data_dir: str, *, read_only: bool) -> Iterator[Connection]:
    """A connection to tables that are there. Raises NoTablesYet where nothing was ever projected."""
    with database(db_url, data_dir, must_exist=True) as url, connect(url(), read_only=read_only) as connection:
        yield connection
