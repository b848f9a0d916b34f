"""Versions of rows into PostgreSQL, many at once. Column types are read from the database: SQL says them once."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from psycopg import sql

from projections.database import Connection, load_queries
from projections.errors import SchemaMismatch
from projections.rows import TABLES, Key, Table
from projections.versions import Version

QUERIES: Final = load_queries("projections", "queries.sql")

SPAN: Final = ("known_from_step", "known_until_step")

_UNSTORABLE: Final = str.maketrans(dict.fromkeys((0, *range(0xD800, 0xE000)), "\N{REPLACEMENT CHARACTER}"))


def storable_text(text: str) -> str:
    """Text with U+FFFD for what PostgreSQL refuses: NUL, and halves of surrogate pairs. Both come from the chain."""
    # Nearly all text is clean, and to look is cheaper than to translate.
    return text if text.isprintable() else text.translate(_UNSTORABLE)


def storable_json(value: Any) -> Any:
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict):
        return {storable_text(str(key)): storable_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(each) for each in value]
    return value


def _bytes(value: str | bytes) -> bytes:
    return bytes.fromhex(value) if isinstance(value, str) else value


def _same(value: Any) -> Any:
    return value


# What a column of a type takes, from what a row holds. Any other type is a mistake in a migration.
_CONVERSIONS: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "bytea": ("bytea", _bytes),
    "text": ("text", storable_text),
    "_text": ("text[]", list),
    "jsonb": ("jsonb", storable_json),
    "timestamptz": ("timestamptz", datetime.fromisoformat),
    "int8": ("int8", _same),
    "int4": ("int4", _same),
    "numeric": ("numeric", _same),
    "bool": ("bool", _same),
}


class TableWriter:
    """Writes versions of one table's rows. Made once a connection."""

    def __init__(self, connection: Connection, table: Table) -> None:
        found: dict[str, str] = dict(connection.execute(QUERIES["read_columns"], {"table": table.name}).fetchall())
        fields = table.row.__struct_fields__
        if set(found) != {*fields, *SPAN}:
            differing = ", ".join(sorted(set(found) ^ {*fields, *SPAN}))
            raise SchemaMismatch(f"table {table.name} is not the one this version writes; it differs in: {differing}")
        self.table: Final = table
        self._types = [_CONVERSIONS[found[field]][0] for field in (*fields, *SPAN)]
        self._getters = [(field, _CONVERSIONS[found[field]][1]) for field in fields]
        self._copy = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
            sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, (*fields, *SPAN)))
        )
        self._close = QUERIES[f"close_{table.name}"]
        self._hex_keys = [found[column] == "bytea" for column in table.key]

    def close(self, connection: Connection, closings: dict[Key, int]) -> None:
        """Ends the versions that hold now under these keys. Raises SchemaMismatch where one is not there."""
        if not closings:
            return
        columns: dict[str, list[Any]] = {}
        for place, name in enumerate(self.table.key):
            values = [key[place] for key in closings]
            columns[name] = [bytes.fromhex(str(value)) for value in values] if self._hex_keys[place] else values
        columns["step"] = list(closings.values())
        closed = connection.execute(self._close, columns, binary=True).rowcount
        if closed != len(closings):
            raise SchemaMismatch(
                f"{len(closings)} rows of {self.table.name} should end, {closed} were there: the tables are not what"
                " the fold wrote; rebuild them"
            )

    def insert(self, connection: Connection, versions: Iterable[Version]) -> int:
        """Adds versions by COPY; returns how many."""
        count = 0
        getters = self._getters
        with connection.cursor() as cursor, cursor.copy(self._copy) as copy:
            copy.set_types(self._types)
            for version in versions:
                row = version.row
                values: list[Any] = [
                    None if (value := getattr(row, field)) is None else convert(value) for field, convert in getters
                ]
                values += (version.known_from_step, version.known_until_step)
                copy.write_row(values)
                count += 1
        return count


def table_writers(connection: Connection) -> list[TableWriter]:
    """A writer for each table, in the order in which they are written."""
    return [TableWriter(connection, table) for table in TABLES]
