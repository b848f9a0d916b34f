"""Puts a backup back: into a log and a database that hold nothing yet, or only this backup's beginning."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from deploy.backup.manifest import LOG, BackupDamaged, Manifest, SavedDatabase, check_parts, read_manifest
from deploy.backup.tables import holding, known, load_table, schemas, set_sequence
from deploy.backup.take import Taken
from indexer.errors import OperatorMustAct
from indexer.log.audit import verify
from indexer.log.copy import Copied, copy_log
from indexer.log.port import Log
from indexer.log.sqlite import SqliteLog
from projections.database import Connection, load_queries
from projections.digest import history_digests
from projections.errors import SchemaMismatch, translated
from projections.migrate import migrate, migrations
from projections.store import PROJECTION

_OFFSETS = load_queries("deploy.backup", "tables.sql")["offsets"]


class DatabaseInUse(OperatorMustAct):
    """The database to restore into holds something that a restore would mix with."""


def check_backup(folder: Path) -> Taken:
    """Reads all of a backup: every file against its digest, the log step by step. Raises BackupDamaged."""
    manifest, digest = read_manifest(folder)
    check_parts(folder, manifest)
    with closing(SqliteLog(folder / LOG)) as log:
        report = verify(log)
    if report.fault is not None or report.digest != manifest.log.digest:
        why = report.fault.what if report.fault else f"its digest is {report.digest}"
        raise BackupDamaged(f"the log in {folder} is not the one that was saved: {why}")
    return Taken(folder=str(folder), manifest_sha256=digest, manifest=manifest)


def restore_log(folder: Path, log: Log, progress: Callable[[Copied], None]) -> bool:
    """Copies the log to where it belongs and proves it; False where it is there already, perhaps longer.

    Cut off, it goes on where it ended. Raises LogMismatch where another log is there.
    """
    with closing(SqliteLog(folder / LOG)) as saved:
        last = saved.end()
        assert last is not None, "check_backup has read it"
        end = log.end()
        if end is not None and end.spine.step >= last.spine.step:
            twin = next(log.spine(last.spine.step), None)
            if twin is not None and twin.digest == last.digest:
                return False
        copy_log(saved, log, progress)
    return True


def restore_database(folder: Path, manifest: Manifest, connection: Connection, log: Log) -> None:
    """Makes the schema and fills it, in one transaction: killed, it leaves a database without a row of ours.

    Offsets become those of ``log``, which holds the backup's steps, in whatever engine. Ends with the history's digests
    compared. Raises DatabaseInUse, SchemaMismatch for a backup of a newer version, BackupDamaged.
    """
    saved = manifest.database
    unknown = [name for name in saved.migrations if name not in {each.name for each in migrations()}]
    if unknown:
        raise SchemaMismatch(
            f"the backup was taken by cellwitness {manifest.cellwitness} with {unknown[-1]}, which this version does"
            " not know: restore with that one"
        )
    migrate(connection)
    # Of one moment, so that the digests at its end may be read in it.
    with translated(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        found = holding(connection, schemas(connection, whole=True))
        if found:
            raise DatabaseInUse(f"{', '.join(found[:3])} hold rows already: restore into an empty database")
        _require_ours(connection, saved)
        for table in saved.tables:
            load_table(connection, folder, table)
        for sequence in saved.sequences:
            set_sequence(connection, sequence)
        if not saved.whole:
            return
        _set_offsets(connection, log)
        if saved.history != history_digests(connection, saved.step):
            raise BackupDamaged("the tables as restored are not those that were saved: nothing was kept")


def _require_ours(connection: Connection, saved: SavedDatabase) -> None:
    """A manifest is a stranger's word, and whoever restores may write to more than our tables."""
    tables, sequences = known(connection)
    named = {(each.schema, each.table) for each in saved.tables}
    foreign = sorted((named - tables) | ({(each.schema, each.sequence) for each in saved.sequences} - sequences))
    if foreign:
        raise BackupDamaged(f"the manifest names {'.'.join(foreign[0])}, which is no table of cellwitness's")


def _set_offsets(connection: Connection, log: Log) -> None:
    query = "SELECT partition, last_step FROM checkpoints WHERE projection = %s"
    for partition, step in connection.execute(query, (PROJECTION,)).fetchall():
        offset = log.offset_of_step(partition, step + 1)
        connection.execute(_OFFSETS, {"next_offset": offset, "projection": PROJECTION, "partition": partition})
