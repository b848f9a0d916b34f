"""Takes a backup while everything runs: the database at one moment, then the log, which holds that moment and more."""

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from msgspec import Struct

from deploy.backup.manifest import FORMAT, LOG, Manifest, SavedDatabase, SavedLog, part_of, write_manifest
from deploy.backup.tables import TABLES, save_sequences, save_tables, schemas
from indexer.errors import ConfigurationError
from indexer.log.copy import Copied, copy_log
from indexer.log.port import Log
from indexer.log.sqlite import SqliteLog
from projections.database import Connection
from projections.digest import history_digests
from projections.errors import OtherLog, SchemaMismatch, translated
from projections.status import consistent_step

UNFINISHED: Final = ".unfinished"
"""Ends the folder's name until all is in it: what has the name that was asked for is whole."""


class Taken(Struct, frozen=True, kw_only=True):
    """A backup that was taken, or restored."""

    folder: str
    manifest_sha256: str
    manifest: Manifest


def take_backup(
    folder: Path, log: Log, connection: Connection, *, whole: bool, progress: Callable[[Copied], None] = lambda _: None
) -> Taken:
    """Writes log and database into a new folder, consistent with each other, and proves the log's copy.

    The database is read first, in one snapshot: whatever its tables hold is in the log by then, and the log loses
    nothing. ``whole`` saves the tables that a rebuild could make again, too. Killed, it leaves a folder that says so
    in its name, and the next try begins anew. Raises ConfigurationError where the folder is there, OtherLog,
    SchemaMismatch where there are no tables, and what reading the log raises.
    """
    if folder.exists():
        raise ConfigurationError(f"{folder} is there already: a backup is never written over; name a new folder")
    if not folder.parent.is_dir():
        raise ConfigurationError(f"{folder} can't be made: {folder.parent} is not a directory")
    unfinished = folder.with_name(folder.name + UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)  # names and reasons of people are in it
    taken_at = datetime.now(UTC).isoformat(timespec="seconds")
    saved, last_step = _save_database(unfinished, connection, whole=whole)
    with closing(SqliteLog(unfinished / LOG)) as target:
        copied = copy_log(log, target, progress)
        first = next(target.spine(0)).digest
    (unfinished / f"{LOG}.lock").unlink(missing_ok=True)
    if saved.log_digest != first:
        raise OtherLog("these tables were built from another log than the one given: nothing was saved")
    if last_step >= copied.steps:
        raise OtherLog(
            f"the tables hold step {last_step}, and the log given ends at step {copied.steps - 1}: it is an older copy;"
            " give the log that the follower writes"
        )
    manifest = Manifest(
        format=FORMAT,
        cellwitness=version("cellwitness"),
        taken_at=taken_at,
        log=SavedLog(steps=copied.steps, digest=copied.digest, first_digest=first, part=part_of(unfinished, LOG)),
        database=saved,
    )
    digest = write_manifest(unfinished, manifest)
    _to_disk(unfinished)
    unfinished.rename(folder)
    _fsync(folder.parent)
    return Taken(folder=str(folder), manifest_sha256=digest, manifest=manifest)


def _save_database(folder: Path, connection: Connection, *, whole: bool) -> tuple[SavedDatabase, int]:
    """What was saved, and the last step that any partition of the tables holds."""
    with translated(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        if connection.execute("SELECT to_regclass('cellwitness.log_identity')").fetchone() == (None,):
            raise SchemaMismatch(
                "there are no tables in this database: `cellwitness project` makes them; `cellwitness log copy` copies"
                " the log alone"
            )
        bound = connection.execute("SELECT digest FROM cellwitness.log_identity").fetchone()
        if bound is None:
            raise SchemaMismatch("nothing was ever projected here: run `cellwitness project` first")
        (last_step,) = connection.execute("SELECT coalesce(max(last_step), -1) FROM checkpoints").fetchone() or (-1,)
        step = consistent_step(connection) if whole else -1
        names = schemas(connection, whole=whole)
        saved = SavedDatabase(
            log_digest=bound[0],
            migrations=tuple(name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY number")),
            whole=whole,
            step=step,
            history=history_digests(connection, step) if whole else (),
            tables=tuple(save_tables(connection, folder, names)),
            sequences=save_sequences(connection, names),
        )
        return saved, last_step


def _to_disk(folder: Path) -> None:
    """A backup that a power cut empties is none."""
    for file in (*folder.iterdir(), *(folder / TABLES).iterdir(), folder):
        _fsync(file)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
