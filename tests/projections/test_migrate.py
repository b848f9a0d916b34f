import threading
from typing import Any, Final, LiteralString

import pytest
from msgspec.structs import replace
from psycopg import sql

from deploy.postgres import EmbeddedPostgres
from projections.database import SCHEMA, Connection, connect
from projections.digest import table_digests
from projections.errors import SchemaMismatch
from projections.folding import FOLD_VERSION
from projections.migrate import Migration, migrate, migrations
from tests.postgres import fresh_database
from tests.projections.chain import Life, walk
from tests.projections.conftest import MakeChain
from tests.projections.tables import project


def test_migrations_run_once(database: str) -> None:
    with connect(database) as connection:
        assert [each.number for each in migrate(connection)] == [each.number for each in migrations()]
        assert migrate(connection) == []


def test_an_edited_migration_is_refused(database: str) -> None:
    first, *rest = migrations()
    with connect(database) as connection:
        migrate(connection)
        with pytest.raises(SchemaMismatch, match="edited"):
            migrate(connection, known=(replace(first, script=first.script + "\n"), *rest))


def test_a_database_of_a_newer_version_is_refused(database: str) -> None:
    newer = Migration(len(migrations()) + 1, "9999_newer.sql", "CREATE TABLE newer ()")
    with connect(database) as connection:
        migrate(connection, known=(*migrations(), newer))
        with pytest.raises(SchemaMismatch, match="9999_newer"):
            migrate(connection)


def test_a_migration_that_fails_changes_nothing(database: str) -> None:
    broken = Migration(len(migrations()) + 1, "9999_broken.sql", "CREATE TABLE newer (); SELECT 1 FROM nowhere")
    with connect(database) as connection:
        with pytest.raises(SchemaMismatch, match="nowhere"):
            migrate(connection, known=(*migrations(), broken))
        assert [each.number for each in migrate(connection)] == [each.number for each in migrations()]


def test_many_that_start_at_once_run_each_migration_once(database: str) -> None:
    done: list[int] = []

    def run() -> None:
        with connect(database) as connection:
            done.append(len(migrate(connection)))

    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [0, 0, 0, 0, len(migrations())]


FOLD_SINCE: Final = 5
"""The migration that came with the present fold: tables made before it hold what a former one said."""

SHAPES: Final[tuple[LiteralString, ...]] = (
    """SELECT 'column', table_name, column_name, udt_name, is_nullable, column_default
         FROM information_schema.columns WHERE table_schema = %s""",
    """SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
         FROM pg_constraint WHERE connamespace = to_regnamespace(%s)""",
    "SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = %s",
    "SELECT 'sequence', sequencename::text, data_type::text FROM pg_sequences WHERE schemaname = %s",
    "SELECT 'relation', relname::text, relkind::text FROM pg_class WHERE relnamespace = to_regnamespace(%s)",
)


def shape(connection: Connection) -> set[tuple[Any, ...]]:
    """Everything that a schema's tables are, but for the order of their columns and who made them when."""
    found: set[tuple[Any, ...]] = set()
    for query in SHAPES:
        found.update(connection.execute(query, (SCHEMA,)))
    return found


@pytest.mark.parametrize("stop", range(1, len(migrations()) + 1))
def test_migrated_tables_are_fresh_ones_whatever_version_they_were_made_by(
    postgres: EmbeddedPostgres, make_chain: MakeChain, stop: int
) -> None:
    """In shape; and rows that stood in them before are taken on, and go on, as if they had always been there.

    Rows that a former fold wrote are refused instead, until they are built anew.
    """
    chain = make_chain("log.db", Life(3, 3, hostile=True))
    walk(chain, 15)
    fresh, migrated = fresh_database(postgres), fresh_database(postgres)
    project(chain.log, fresh)
    with connect(fresh) as one, connect(migrated) as other:
        migrate(other, known=migrations()[:stop])
        for table in (
            "log_identity",
            "checkpoints",
            "steps",
            "events",
            "batteries",
            "commitments",
            "readings",
            "states",
        ):
            copy_rows(one, other, table)
        if stop < FOLD_SINCE:
            other.execute("UPDATE log_identity SET fold_version = %s", (FOLD_VERSION - 1,))
        assert [each.number for each in migrate(other)] == list(range(stop + 1, len(migrations()) + 1))
        assert shape(one) == shape(other)
        if stop < FOLD_SINCE:
            with pytest.raises(SchemaMismatch, match="cellwitness rebuild"):
                project(chain.log, migrated)
            return
        assert table_digests(one) == table_digests(other)
    walk(chain, 10)
    for url in (fresh, migrated):
        project(chain.log, url)
    with connect(fresh) as one, connect(migrated) as other:
        assert table_digests(one) == table_digests(other)


def copy_rows(source: Connection, to: Connection, table: str) -> None:
    """Rows of a table into the same table of an older shape: its columns, as that version wrote them."""
    query = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
    names = [sql.Identifier(name) for (name,) in to.execute(query, (SCHEMA, table))]
    columns = sql.SQL(", ").join(names)
    with (
        source.cursor().copy(sql.SQL("COPY {} ({}) TO STDOUT").format(sql.Identifier(table), columns)) as out,
        to.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), columns)) as into,
    ):
        for part in out:
            into.write(part)
