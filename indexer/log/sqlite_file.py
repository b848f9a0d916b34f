"""The SQLite file itself: how it is opened, known as ours and laid out, and what its errors mean to an operator."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from indexer.errors import CellwitnessError, ConfigurationError
from indexer.log.port import LogDamaged, LogFull, LogMismatch, LogUnavailable
from indexer.log.records import FORMAT_VERSION

APPLICATION_ID: Final = 0x43574C47  # "CWLG": bytes 68 to 71 of the file, by which `file` and we know it

SCHEMA: Final = (
    # One row: the newest writer's number. A writer with an older one may not append.
    "CREATE TABLE fence (id INTEGER PRIMARY KEY CHECK (id = 0), epoch INTEGER NOT NULL)",
    "INSERT INTO fence VALUES (0, 0)",
    # One row a step. `record` is JSON; `digest` is blake2b-256 over its bytes, beside them so that the last one shows
    # damage too: all others are held by the step after them.
    "CREATE TABLE spine (step INTEGER PRIMARY KEY, record BLOB NOT NULL, digest TEXT NOT NULL)",
    # One row a step and partition; position = step * partitions + partition. So a step's rows lie together and all
    # writing is at the table's end, and a partition is read by walking over short rows: no second index to write.
    "CREATE TABLE records (position INTEGER PRIMARY KEY, lines BLOB NOT NULL)",
)

BUSY_SECONDS: Final = 5.0
WAL_PAGES: Final = 4_000  # of 4 KiB: with the default of 1,000 a fast catch-up copies the log over every other step
NO_ROOM_BYTES: Final = 1 << 20


def open_to_write(path: Path) -> sqlite3.Connection:
    """The file for its writer, made and laid out where it is missing. Raises LogMismatch for another's file."""
    require_place(path)
    with translated(path):
        connection = _connect(path, "rwc")
        try:
            if not is_ours(connection, path):
                _lay_out(connection, path)
            connection.execute("PRAGMA synchronous = FULL")  # fsync at each commit: an acknowledged step is on the disk
            connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        except BaseException:
            connection.close()
            raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection | None:
    """The file for a reader, which changes nothing; None where there is no file or nothing in it yet."""
    if not path.exists():
        return None
    with translated(path):
        try:
            return _if_ours(_connect(path, "ro"), path)
        except sqlite3.OperationalError as error:
            # A finished log where we may not write: no writer is there, and SQLite can't make its side files.
            closed = error.sqlite_errorcode in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY_DIRECTORY)
            wal = path.with_name(path.name + "-wal")
            if not closed or wal.exists():
                raise
            return _if_ours(_connect(path, "ro", "&immutable=1"), path)


def _if_ours(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection | None:
    ours = False
    try:
        ours = is_ours(connection, path)
    finally:
        if not ours:
            connection.close()
    return connection if ours else None


def require_place(path: Path) -> None:
    """Raises ConfigurationError where no file can be made."""
    if not path.parent.is_dir():
        raise ConfigurationError(f"the log {path} can't be made: {path.parent} is not a directory")
    if path.is_dir():
        raise ConfigurationError(f"the log {path} is a directory: name a file in it")


def is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is a log; False for an empty one. Raises LogMismatch for anything else."""
    with _one_snapshot(connection):
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application_id == 0 and version == 0 and tables == 0:
        return False
    if application_id != APPLICATION_ID:
        raise LogMismatch(f"{path} is an SQLite file of another program, not a cellwitness log: choose another path")
    if version != FORMAT_VERSION:
        raise LogMismatch(f"{path} is a log of format {version}; this cellwitness reads and writes {FORMAT_VERSION}")
    return True


@contextmanager
def _one_snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is read here is of one moment: a writer may lay the file out between two statements."""
    ours = not connection.in_transaction
    if ours:
        connection.execute("BEGIN")
    try:
        yield
    finally:
        if ours and connection.in_transaction:  # an error may have ended it
            connection.execute("ROLLBACK")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors as the log's, by who must act."""
    try:
        yield
    except sqlite3.Error as error:
        raise _meaning(error, path) from error


def _meaning(error: sqlite3.Error, path: Path) -> CellwitnessError:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # the module's own complaint, not SQLite's: closed connection, wrong thread
        return LogUnavailable(f"{path}: {error}")
    match code & 0xFF:  # the primary code; the rest of it says where
        case sqlite3.SQLITE_FULL:
            return LogFull(f"{path}: no room for another step; make room and start again")
        case sqlite3.SQLITE_IOERR if _no_room(path):
            return LogFull(f"{path}: the disk is full ({error.sqlite_errorname}); make room and start again")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return ConfigurationError(f"{path} may not be written ({error.sqlite_errorname}): check owner and mode")
        case (
            sqlite3.SQLITE_BUSY
            | sqlite3.SQLITE_LOCKED
            | sqlite3.SQLITE_IOERR
            | sqlite3.SQLITE_CANTOPEN
            | sqlite3.SQLITE_PROTOCOL
            | sqlite3.SQLITE_NOMEM
            | sqlite3.SQLITE_INTERRUPT
        ):
            return LogUnavailable(f"{path}: {error} ({error.sqlite_errorname})")
        case sqlite3.SQLITE_NOTADB:
            return LogDamaged(f"{path} is not an SQLite file, or its first page is damaged")
        case _:  # SQLITE_CORRUPT, and a table or a free row that is not where every log has one
            return LogDamaged(f"{path} is damaged: {error} ({error.sqlite_errorname})")


def _no_room(path: Path) -> bool:
    """Whether the disk is full: SQLite tells it apart from other faults for some of its files only."""
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < NO_ROOM_BYTES


def _connect(path: Path, mode: str, more: str = "") -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}{more}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,  # transactions are begun by us, and by name
        check_same_thread=False,  # a caller may append from a pool's threads, one at a time
    )


def _lay_out(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not is_ours(connection, path):  # another writer may have been first
            for statement in SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)  # the file's name, too, must outlive a power cut
    finally:
        os.close(directory)
