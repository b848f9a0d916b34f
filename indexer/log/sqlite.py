"""The log in one SQLite file, for one machine: one writer, any number of readers, a file to copy, mail and verify."""

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from indexer.errors import ConfigurationError
from indexer.log.port import (
    Batch,
    Fenced,
    LogBusy,
    LogDamaged,
    LogEmpty,
    LogUnavailable,
    Step,
    StoredSpine,
    require_next,
)
from indexer.log.records import Opened, Record, decode_records, decode_spine, encode_spine, step_digest
from indexer.log.sqlite_file import open_to_read, open_to_write, require_place, translated

SPINE_PAGE: Final = 256  # steps read at once: no reader may hold a snapshot open while its caller thinks
BATCH_BYTES: Final = 16 << 20  # a batch ends after the step that passes this, whatever its limit: bounds memory
POLL_SECONDS: Final = (0.002, 0.05)  # first and longest pause between two looks at the log's end

LAST_STEP: Final = "SELECT step, record, digest FROM spine ORDER BY step DESC LIMIT 1"
STEPS_FROM: Final = "SELECT step, record, digest FROM spine WHERE step >= ? ORDER BY step LIMIT ?"
STEPS_DOWN_FROM: Final = "SELECT step, record, digest FROM spine WHERE step <= ? ORDER BY step DESC LIMIT ?"
RECORDS: Final = "SELECT position, lines FROM records WHERE position >= ? AND position % ? = ? ORDER BY position"


class SqliteWriter:
    """The newest writer of a file. A later one makes this one's epoch stale."""

    def __init__(self, path: Path, release_reader: Callable[[], None]) -> None:
        self._path = path
        self._release_reader = release_reader
        self._broken = False
        self._connection = open_to_write(path)
        try:
            with translated(path), _immediate(self._connection):
                query = "UPDATE fence SET epoch = epoch + 1 RETURNING epoch"
                (self._epoch,) = self._connection.execute(query).fetchone()
                # Read in the transaction that fences: nobody can append between the two.
                self._end = _last(self._connection)
        except BaseException:
            self._connection.close()
            raise

    @property
    def end(self) -> StoredSpine | None:
        return self._end

    def append(self, step: Step) -> StoredSpine:
        require_next(self._end, step)
        if self._broken:
            raise LogUnavailable(f"{self._path}: this writer failed before; make a new one and read its end")
        spine = encode_spine(step.spine)
        stored = StoredSpine(step.spine, step_digest(spine))
        first = step.spine.step * len(step.blobs)
        self._broken = True  # until the commit has answered
        with translated(self._path), _immediate(self._connection):
            (epoch,) = self._connection.execute("SELECT epoch FROM fence").fetchone()
            if epoch != self._epoch:
                self._broken = False  # nothing was tried, and asked again it gives the same answer
                raise Fenced(f"{self._path}: another follower took the log over (epoch {epoch}, ours {self._epoch})")
            self._connection.execute("INSERT INTO spine VALUES (?, ?, ?)", (step.spine.step, spine, stored.digest))
            self._connection.executemany("INSERT INTO records VALUES (?, ?)", enumerate(step.blobs, first))
        self._broken = False
        self._end = stored
        return stored

    def close(self) -> None:
        # The last connection to close moves the write-ahead log into the file, which a reader's can't: ours goes first,
        # and for others' sake it is moved here. What fails is not lost: the next writer finds it where it was.
        self._release_reader()
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self._connection.close()


class SqliteLog:
    """A log file by its path. It need not exist: its writer makes it. An offset is a step's number."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._identity = (0, 0)  # of the file that the connection is to
        self._opened: Opened | None = None

    @contextmanager
    def lease(self) -> Iterator[None]:
        """An exclusive flock on ``PATH.lock``, which holds the process id. The system drops it with the process."""
        require_place(self.path)
        lock = self.path.with_name(self.path.name + ".lock")
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise ConfigurationError(f"{lock} can't be written ({error.strerror}): check owner and mode") from error
            raise LogUnavailable(f"the log's lock {lock} can't be opened: {error.strerror}") from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                pid = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
                raise LogBusy(f"{self.path} is being written by another follower, process {pid}") from error
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(handle)

    def writer(self) -> SqliteWriter:
        return SqliteWriter(self.path, self.close)

    def opened(self) -> Opened:
        if self._opened is None:
            first = next(self.spine(), None)
            if first is None:
                raise self._empty()
            if not isinstance(first.spine, Opened):
                raise LogDamaged(f"the log begins with step {first.spine.step}, not with what opened it", step=0)
            self._opened = first.spine
        return self._opened

    def end(self) -> StoredSpine | None:
        reader = self._reader()
        if reader is None:
            return None
        with translated(self.path):
            return _last(reader)

    def spine(self, from_step: int = 0) -> Iterator[StoredSpine]:
        return self._pages(STEPS_FROM, from_step, 1)

    def spine_backwards(self) -> Iterator[StoredSpine]:
        return self._pages(STEPS_DOWN_FROM, (1 << 63) - 1, -1)

    def read(self, partition: int, offset: int, limit: int) -> Batch:
        partitions = len(self.opened().partitions)
        if not 0 <= partition < partitions:
            raise ValueError(f"the log has partitions 0 to {partitions - 1}, not {partition}")
        records: list[Record] = []
        size = 0
        place = (offset * partitions + partition, partitions, partition)
        with translated(self.path), closing(self._existing().execute(RECORDS, place)) as rows:
            for position, lines in rows:
                try:
                    records += _step_records(lines, position // partitions, partition)
                except LogDamaged:
                    if records:
                        break  # what is sound comes first; the next read meets the damage
                    raise
                offset = position // partitions + 1
                size += len(lines)
                if len(records) >= limit or size >= BATCH_BYTES:
                    break
        return Batch(tuple(records), offset)

    def offset_of_step(self, partition: int, step: int) -> int:
        del partition  # a step has one row in each
        return step

    def wait(self, after_step: int, timeout_seconds: float) -> bool:
        deadline = time.monotonic() + timeout_seconds
        pause, longest = POLL_SECONDS
        while True:
            reader = self._reader()
            if reader is not None:
                with translated(self.path):
                    (last,) = reader.execute("SELECT max(step) FROM spine").fetchone()
                if last is not None and last > after_step:
                    return True
                self._require_same_file()
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, longest)

    def close(self) -> None:
        """Lets go of the file. Reading opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _pages(self, query: str, start: int, direction: int) -> Iterator[StoredSpine]:
        while True:
            with translated(self.path):
                page = self._existing().execute(query, (start, SPINE_PAGE)).fetchall()
            for row in page:
                yield _stored(row)
            if len(page) < SPINE_PAGE:
                return
            start = page[-1][0] + direction

    def _reader(self) -> sqlite3.Connection | None:
        if self._connection is None:
            self._connection = open_to_read(self.path)
            if self._connection is not None:
                self._identity = _identity(self.path)
        return self._connection

    def _existing(self) -> sqlite3.Connection:
        reader = self._reader()
        if reader is None:
            raise self._empty()
        return reader

    def _empty(self) -> LogEmpty:
        return LogEmpty(f"{self.path}: there is no log here yet; `cellwitness follow` writes one")

    def _require_same_file(self) -> None:
        """A reader holds on to a file that was deleted or replaced, and would wait at its end for ever."""
        if _identity(self.path) != self._identity:
            self.close()
            self._opened = None
            raise LogUnavailable(f"{self.path} was deleted or replaced while it was read")


@contextmanager
def _immediate(connection: sqlite3.Connection) -> Iterator[None]:
    """One write transaction, undone unless it ends."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _identity(path: Path) -> tuple[int, int]:
    """Device and inode of the file at a path; zeros where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def _last(connection: sqlite3.Connection) -> StoredSpine | None:
    row = connection.execute(LAST_STEP).fetchone()
    return _stored(row) if row else None


def _stored(row: tuple[int, bytes, str]) -> StoredSpine:
    step, record, digest = row
    if step_digest(record) != digest:
        raise LogDamaged(f"the spine record of step {step} was altered: it no longer has its digest", step=step)
    try:
        spine = decode_spine(record)
    except msgspec.DecodeError as error:
        raise LogDamaged(f"the spine record of step {step} can't be read: {error}", step=step) from error
    if spine.step != step:
        raise LogDamaged(f"the spine has step {spine.step} in the place of step {step}", step=step)
    return StoredSpine(spine, digest)


def _step_records(lines: bytes, step: int, partition: int) -> list[Record]:
    """A row's records, which end on their step's marker: a reader may trust a batch to be whole."""
    try:
        records: list[Record] = decode_records(lines)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LogDamaged(
            f"the records of step {step} in partition {partition} can't be read: {error}",
            step=step,
            partition=partition,
        ) from error
    if not records or records[-1].kind != "marker" or records[-1].step != step:
        raise LogDamaged(
            f"the records of step {step} in partition {partition} do not end on its marker",
            step=step,
            partition=partition,
        )
    return records
