import threading

import pytest
from msgspec.structs import replace

from projections.database import connect
from projections.errors import SchemaMismatch
from projections.migrate import Migration, migrate, migrations


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
