"""Migrations: the SQL files of ``schema/`` in order, each in a transaction, each recorded with its checksum."""

import re
from hashlib import blake2b, sha256
from importlib import resources
from typing import Final

from msgspec import Struct
from psycopg import sql

from projections.database import SCHEMA, Connection
from projections.errors import SchemaMismatch, translated
from projections.roles import as_owner, grant, is_owned

_FILE: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class Migration(Struct, frozen=True):
    """One file of SQL. Never edited once released: a database that has run it would differ from a new one."""

    number: int
    name: str
    script: str

    @property
    def checksum(self) -> str:
        return sha256(self.script.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """All that this version knows, in order, numbered from 1 without a gap."""
    found = sorted(
        (
            Migration(int(match[1]), file.name, file.read_text(encoding="utf-8"))
            for file in (resources.files("projections") / "schema").iterdir()
            if (match := _FILE.fullmatch(file.name))
        ),
        key=lambda each: each.number,
    )
    if [each.number for each in found] != list(range(1, len(found) + 1)):
        raise SchemaMismatch(f"migrations are numbered {[each.number for each in found]}: this installation is damaged")
    return tuple(found)


def migrate(
    connection: Connection, *, schema: str = SCHEMA, known: tuple[Migration, ...] | None = None
) -> list[Migration]:
    """Brings the schema up to date and returns what was run. Safe to call from many processes at once.

    Where nothing is to be done it writes nothing, and needs no right but to read. Where there are roles, what it makes
    is the owner's, and each role gets its part. Raises SchemaMismatch where a migration that was run is not the one
    known here, or is not known at all.
    """
    wanted = migrations() if known is None else known
    name = sql.Identifier(schema)
    done: list[Migration] = []
    if len(_applied(connection, schema, wanted)) == len(wanted):
        return done
    with translated(), connection.transaction():
        # Held to the transaction's end: two workers that start together run each migration once.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_lock_key(schema),))
        as_owner(connection)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(name))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied = connection.execute("SELECT number, name, checksum FROM migrations ORDER BY number").fetchall()
        _require_same(applied, wanted)
        for migration in wanted[len(applied) :]:
            connection.execute(migration.script.encode())
            connection.execute(
                "INSERT INTO migrations (number, name, checksum) VALUES (%s, %s, %s)",
                (migration.number, migration.name, migration.checksum),
            )
            done.append(migration)
        if is_owned(connection, schema):
            grant(connection, schema)
    return done


def _applied(connection: Connection, schema: str, wanted: tuple[Migration, ...]) -> list[tuple[int, str, str]]:
    """The migrations that were run, each the one known here. None where there is no schema yet."""
    table = sql.SQL("{}.migrations").format(sql.Identifier(schema))
    with translated():
        found = connection.execute("SELECT to_regclass(%s)", (table.as_string(connection),)).fetchone()
        if found == (None,):
            return []
        query = sql.SQL("SELECT number, name, checksum FROM {} ORDER BY number").format(table)
        applied: list[tuple[int, str, str]] = connection.execute(query).fetchall()
    _require_same(applied, wanted)
    return applied


def _require_same(applied: list[tuple[int, str, str]], wanted: tuple[Migration, ...]) -> None:
    for place, (number, name, checksum) in enumerate(applied):
        if place >= len(wanted):
            raise SchemaMismatch(
                f"the database has migration {name}, which this version does not know: use a newer one"
            )
        ours = wanted[place]
        if (number, checksum) != (ours.number, ours.checksum):
            raise SchemaMismatch(
                f"the database ran {name} with checksum {checksum[:12]}; here {ours.name} has {ours.checksum[:12]}:"
                " a released migration was edited"
            )


def _lock_key(schema: str) -> int:
    """One advisory lock a schema: 64 bits, signed."""
    return int.from_bytes(blake2b(f"cellwitness migrate {schema}".encode(), digest_size=8).digest(), signed=True)
