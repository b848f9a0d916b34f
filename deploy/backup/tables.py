"""Tables out of a database and into another: COPY as CSV, compressed, without a PostgreSQL client beside it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import zstandard
from psycopg import sql

from deploy.backup.manifest import CHUNK_BYTES, BackupDamaged, SavedPart, SavedSequence, SavedTable
from projections.database import SCHEMA, Connection, load_queries
from projections.rebuild import NEXT, OLD

TABLES: Final = "tables"
"""The folder in a backup."""

_QUERIES: Final = load_queries("deploy.backup", "tables.sql")
_LEFT_OUT: Final = {(SCHEMA, "migrations"), (SCHEMA, "workers"), ("cellwitness_people", "sessions")}
"""What the restoring version writes itself, who is at work at this moment, and which browsers look on."""


def schemas(connection: Connection, *, whole: bool) -> list[str]:
    """Those to save: what people did and what else can't be made from the log; with ``whole`` the tables, too."""
    rows = connection.execute(_QUERIES["schemas"], {"pattern": f"{SCHEMA}\\_%", "but": [NEXT, OLD]})
    beside = [name for (name,) in rows]
    return [SCHEMA, *beside] if whole else beside


def save_tables(connection: Connection, folder: Path, names: list[str]) -> Iterator[SavedTable]:
    """Writes each table of these schemas to a file of its own. The caller's transaction makes them of one moment."""
    (folder / TABLES).mkdir()
    found = connection.execute(_QUERIES["tables"], {"schemas": names}).fetchall()
    for schema, table, columns, ordered_by in found:
        if (schema, table) in _LEFT_OUT:
            continue
        query = sql.SQL("COPY (SELECT {} FROM {}{}) TO STDOUT (FORMAT csv, HEADER)").format(
            _list(columns), sql.Identifier(schema, table), _order(ordered_by)
        )
        file = f"{TABLES}/{schema}.{table}.csv.zst"
        part = _write(connection, query, folder, file)
        counted = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table)))
        (rows,) = counted.fetchone() or (0,)
        yield SavedTable(schema=schema, table=table, rows=rows, columns=tuple(columns), part=part)


def _write(connection: Connection, query: sql.Composed, folder: Path, file: str) -> SavedPart:
    compressor = zstandard.ZstdCompressor(level=3).compressobj()

    def chunks() -> Iterator[bytes]:
        with connection.cursor().copy(query) as copy:
            for block in copy:
                yield compressor.compress(bytes(block))
        yield compressor.flush()

    digest, size = hashlib.sha256(), 0
    with (folder / file).open("wb") as out:
        for chunk in chunks():
            digest.update(chunk)
            size += out.write(chunk)
    return SavedPart(file=file, sha256=digest.hexdigest(), size_bytes=size)


def save_sequences(connection: Connection, names: list[str]) -> tuple[SavedSequence, ...]:
    found = []
    for schema, sequence in connection.execute(_QUERIES["sequences"], {"schemas": names}).fetchall():
        query = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, sequence))
        last_value, is_called = connection.execute(query).fetchone() or (1, False)
        found.append(SavedSequence(schema=schema, sequence=sequence, last_value=last_value, is_called=is_called))
    return tuple(found)


def load_table(connection: Connection, folder: Path, saved: SavedTable) -> None:
    """Fills a table, which may have columns that the backup does not know. Raises BackupDamaged."""
    query = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, HEADER)").format(
        sql.Identifier(saved.schema, saved.table), _list(saved.columns)
    )
    cursor = connection.cursor()
    try:
        with (folder / saved.part.file).open("rb") as file, cursor.copy(query) as copy:
            for chunk in zstandard.ZstdDecompressor().read_to_iter(file, read_size=CHUNK_BYTES):
                copy.write(chunk)
    except (OSError, zstandard.ZstdError) as error:
        raise BackupDamaged(f"{folder / saved.part.file} can't be read: {error}") from error
    if cursor.rowcount != saved.rows:
        raise BackupDamaged(f"{saved.part.file} holds {cursor.rowcount} rows, and its manifest says {saved.rows}")


def set_sequence(connection: Connection, saved: SavedSequence) -> None:
    name = sql.Identifier(saved.schema, saved.sequence).as_string(connection)
    connection.execute("SELECT setval(%s, %s, %s)", (name, saved.last_value, saved.is_called))


def known(connection: Connection) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """All tables and sequences that are ours here, each with its schema."""
    names = {"schemas": schemas(connection, whole=True)}
    tables = {(schema, table) for schema, table, *_ in connection.execute(_QUERIES["tables"], names).fetchall()}
    return tables, set(connection.execute(_QUERIES["sequences"], names).fetchall())


def holding(connection: Connection, names: list[str]) -> list[str]:
    """Tables of these schemas in which somebody's rows are."""
    found = []
    for schema, table, _, _ in connection.execute(_QUERIES["tables"], {"schemas": names}).fetchall():
        if (schema, table) in _LEFT_OUT:
            continue
        query = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(schema, table))
        if connection.execute(query).fetchone() == (True,):
            found.append(f"{schema}.{table}")
    return found


def _list(columns: tuple[str, ...] | list[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _order(columns: list[str]) -> sql.Composed:
    return sql.SQL(" ORDER BY {}").format(_list(columns)) if columns else sql.SQL("{}").format(sql.SQL(""))
