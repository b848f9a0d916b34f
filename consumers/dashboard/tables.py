"""The dashboard's connections: each a reader's, or for what people do about alerts an alerter's, and never more."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final, Self

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool

from indexer.errors import OperatorMustAct
from projections.database import SCHEMA, Connection, prepare
from projections.errors import translated

READER: Final = "cellwitness_reader"
ALERTER: Final = "cellwitness_alerter"
AUDITOR: Final = "cellwitness_auditor"
DOORKEEPER: Final = "cellwitness_doorkeeper"

PATIENT_SECONDS: Final = 300

WAIT_SECONDS: Final = 10.0
"""For a free connection: whoever waits longer is told to come again."""

DOOR_SECONDS: Final = 2.0
"""For one to look a session up, before anything else is done: of those that are known the door thinks for itself."""


class RoleMissing(OperatorMustAct):
    """The database's user can't become the reader, or a reader may do what no reader should."""


class Tables:
    """Connections that are nobody but ``cellwitness_reader``, whoever the user of the address is, for reading only, and
    for a limited time each statement. ``acting`` lends one that is ``cellwitness_alerter``.

    ``url`` is asked for each new connection: an embedded server that died is started again by it.
    """

    def __init__(self, url: Callable[[], str], *, connections: int = 8, statement_seconds: float = 5.0) -> None:
        self._milliseconds = int(statement_seconds * 1000)
        self.statement_seconds: Final = statement_seconds
        self._url = url
        self._readers = self._pool(READER, connections, read_only=True)
        self._alerters = self._pool(ALERTER, 2, read_only=False)
        self._auditors = self._pool(AUDITOR, 1, read_only=True)
        self._doorkeepers = self._pool(DOORKEEPER, 3, read_only=False, wait_seconds=DOOR_SECONDS)

    def __enter__(self) -> Self:
        # By hand, before the pool is: what it can't mend it would try again and again, and never say why.
        with closing(reader_connection(self._url())) as connection:
            _check_reader(connection)
            _become(connection, DOORKEEPER)
        return self

    def __exit__(self, *_: object) -> None:
        self._readers.close()
        self._alerters.close()
        self._auditors.close()
        self._doorkeepers.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A reader's connection. Raises DatabaseUnwell, SchemaMismatch, RoleMissing."""
        with self._lent(self._readers) as connection:
            yield connection

    @contextmanager
    def patient(self) -> Iterator[Connection]:
        """A reader's connection for what is made once for everybody: a statement may take long."""
        with self._lent(self._readers) as connection:
            connection.execute("SELECT set_config('statement_timeout', %s, false)", (f"{PATIENT_SECONDS}s",))
            try:
                yield connection
            finally:
                connection.execute("SELECT set_config('statement_timeout', %s, false)", (str(self._milliseconds),))

    @contextmanager
    def recording(self) -> Iterator[Connection]:
        """A reader's connection that may add to the record of what was asked, which is all that a reader may add to."""
        with self._lent(self._readers) as connection:
            connection.read_only = False
            try:
                yield connection
            finally:
                connection.read_only = True

    @contextmanager
    def acting(self) -> Iterator[Connection]:
        """An alerter's connection: it may add what a person did about an alert, and change nothing."""
        with self._lent(self._alerters) as connection:
            yield connection

    @contextmanager
    def auditing(self) -> Iterator[Connection]:
        """An auditor's connection, for reading who asked what, which no reader may."""
        with self._lent(self._auditors) as connection:
            yield connection

    @contextmanager
    def doorkeeping(self) -> Iterator[Connection]:
        """A doorkeeper's connection: for the sessions of browsers, and nothing else."""
        with self._lent(self._doorkeepers) as connection:
            yield connection

    @contextmanager
    def _lent(self, pool: "ConnectionPool[Connection]") -> Iterator[Connection]:
        if pool.closed:
            with translated():
                pool.open()
        with translated(), pool.connection() as connection:
            yield connection

    def _pool(
        self, role: str, connections: int, *, read_only: bool, wait_seconds: float = WAIT_SECONDS
    ) -> "ConnectionPool[Connection]":
        def configure(connection: Connection) -> None:
            prepare(connection, SCHEMA)
            _become(connection, role)
            connection.execute("SELECT set_config('statement_timeout', %s, false)", (str(self._milliseconds),))
            connection.execute("SELECT set_config('idle_in_transaction_session_timeout', '60s', false)")
            connection.read_only = read_only

        options: dict[str, Any] = {
            "autocommit": True,
            "connect_timeout": 10,
            "application_name": "cellwitness-dashboard",
            "client_encoding": "utf-8",
        }
        return ConnectionPool(
            conninfo=self._url,
            kwargs=options,
            min_size=0,
            max_size=connections,
            open=False,
            configure=configure,
            check=ConnectionPool.check_connection,
            timeout=wait_seconds,
            name=role,
        )


def reader_connection(url: str, *, statement_seconds: float = 5.0) -> Connection:
    """One reader's connection of the caller's own, outside the pool. Raises DatabaseUnwell, RoleMissing."""
    with translated():
        connection = psycopg.connect(
            url, autocommit=True, connect_timeout=10, application_name="cellwitness-listener", client_encoding="utf-8"
        )
        try:
            prepare(connection, SCHEMA)
            _become(connection, READER)
            connection.execute(
                "SELECT set_config('statement_timeout', %s, false)", (str(int(statement_seconds * 1000)),)
            )
            connection.read_only = True
        except BaseException:
            connection.close()
            raise
        return connection


def _become(connection: Connection, role: str) -> None:
    try:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    except (psycopg.errors.InvalidParameterValue, psycopg.errors.InsufficientPrivilege) as error:
        raise RoleMissing(
            f"the user {connection.info.user!r} of --db can't become {role}: run `cellwitness db roles` as the owner, "
            f"then GRANT {role} TO that user"
        ) from error


def _check_reader(connection: Connection) -> None:
    """That a reader is one: rights that somebody granted beside our own would be rights of every visitor."""
    row = connection.execute(
        "SELECT relname FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace"
        " WHERE nspname IN (%s, 'cellwitness_people') AND relkind = 'r' AND"
        " has_table_privilege(pg_class.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') LIMIT 1",
        (SCHEMA,),
    ).fetchone()
    if row is not None:
        raise RoleMissing(f"{READER} may change the table {row[0]}: run `cellwitness db roles` to take that away")
