"""Each role does its part on a real PostgreSQL, and is refused the rest."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from psycopg import errors, sql

from consumers.timeline import find_batteries, read_timeline
from deploy.postgres import EmbeddedPostgres
from indexer.log.port import Log
from projections.counts import count_fleet
from projections.database import SCHEMA, Connection, connect
from projections.digest import table_digests
from projections.errors import SchemaMismatch
from projections.migrate import Migration, migrate, migrations
from projections.rebuild import Rebuild
from projections.roles import ROLES, has_roles, make_roles
from projections.rows import TABLES
from projections.run import Worker
from projections.status import consistent_step, read_status
from tests.postgres import fresh_database
from tests.projections.chain import Life, TestChain, battery_id, walk
from tests.projections.conftest import MakeChain

READERS = ("cellwitness_reader", "cellwitness_auditor", "cellwitness_alerter")
ALL_TABLES = (
    *(table.name for table in TABLES),
    *("log_identity", "checkpoints", "steps", "states", "parked", "workers", "migrations"),
)


def as_role(url: str, role: str, schema: str = SCHEMA) -> Connection:
    connection = connect(url, schema=schema)
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    return connection


def project_as_writer(log: Log, url: str) -> None:
    Worker(log, lambda: as_role(url, "cellwitness_writer")).run(until_caught_up=True, give_up_after_seconds=20)


def filled(postgres: EmbeddedPostgres, chain: TestChain) -> str:
    """Tables with roles, filled by a worker that is a writer and nothing more."""
    url = fresh_database(postgres)
    with connect(url) as connection:
        migrate(connection)
        make_roles(connection)
        make_roles(connection)
    walk(chain, 40)
    project_as_writer(chain.log, url)
    return url


@pytest.fixture
def chain(make_chain: MakeChain) -> TestChain:
    return make_chain("log.db", Life(11, 3))


@pytest.fixture
def tables(postgres: EmbeddedPostgres, chain: TestChain) -> str:
    return filled(postgres, chain)


@pytest.fixture(scope="module")
def guarded(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Tables for those who are refused: they change nothing."""
    with closing(TestChain(tmp_path_factory.mktemp("log") / "log.db", Life(11, 3))) as chain:
        yield filled(postgres, chain)


def test_a_worker_needs_no_more_than_a_writer_may(chain: TestChain, tables: str) -> None:
    walk(chain, 20)
    project_as_writer(chain.log, tables)
    with connect(tables) as connection:
        assert consistent_step(connection) == chain.end.spine.step


def test_each_reader_gets_its_answers(chain: TestChain, tables: str) -> None:
    with as_role(tables, "cellwitness_reader") as connection:
        ((deployment, key),) = find_batteries(connection, battery_id(0).decode())
        timeline = read_timeline(connection, deployment, key)
        assert timeline is not None
        assert timeline.lines
        assert read_status(connection, chain.log).caught_up
    with as_role(tables, "cellwitness_auditor") as connection:
        assert table_digests(connection)
    with as_role(tables, "cellwitness_alerter") as connection:
        assert connection.execute("SELECT count(*) FROM readings").fetchone() != (0,)


@pytest.mark.parametrize("role", [*READERS, "cellwitness_writer"])
@pytest.mark.parametrize("table", ALL_TABLES)
def test_nobody_but_the_owner_rewrites_deletes_or_alters(guarded: str, role: str, table: str) -> None:
    name = sql.Identifier(table)
    with as_role(guarded, role) as connection:
        column = connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum = 1", (f"{SCHEMA}.{table}",)
        ).fetchone()
        assert column is not None
        refused = [
            sql.SQL("TRUNCATE {}").format(name),
            sql.SQL("DROP TABLE {}").format(name),
            sql.SQL("ALTER TABLE {} ADD COLUMN more text").format(name),
        ]
        if (role, table) != ("cellwitness_writer", "workers"):
            refused.append(sql.SQL("DELETE FROM {}").format(name))
        if role != "cellwitness_writer" or table not in ("workers", "checkpoints"):
            refused.append(sql.SQL("UPDATE {} SET {column} = {column}").format(name, column=sql.Identifier(column[0])))
        if role != "cellwitness_writer" or table == "migrations":
            refused.append(sql.SQL("INSERT INTO {} DEFAULT VALUES").format(name))
        for statement in refused:
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)


@pytest.mark.parametrize(
    ("role", "question"),
    [
        ("cellwitness_reader", "SELECT state FROM states"),
        ("cellwitness_reader", "SELECT * FROM migrations"),
        ("cellwitness_alerter", "SELECT body FROM events"),
        ("cellwitness_alerter", "SELECT * FROM states"),
        ("cellwitness_alerter", "SELECT record FROM parked"),
        ("cellwitness_writer", "CREATE TABLE mine ()"),
        ("cellwitness_writer", "CREATE SCHEMA mine"),
        ("cellwitness_reader", "SELECT nextval('worker_numbers')"),
        ("cellwitness_owner", "CREATE ROLE mine"),
    ],
)
def test_what_is_not_its_part_is_refused(guarded: str, role: str, question: str) -> None:
    with as_role(guarded, role) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(question.encode())


def test_a_rebuild_and_a_migration_keep_what_each_role_may(chain: TestChain, tables: str) -> None:
    with Rebuild(chain.log, lambda schema: as_role(tables, "cellwitness_owner", schema)) as work:
        work.prepare()
        assert work.load()
        assert work.swap()
    newer = Migration(len(migrations()) + 1, "9999_newer.sql", "CREATE TABLE newer (a integer)")
    with connect(tables) as connection:
        migrate(connection, known=(*migrations(), newer))
    with as_role(tables, "cellwitness_auditor") as connection:
        assert connection.execute("SELECT count(*) FROM newer").fetchone() == (0,)
    with as_role(tables, "cellwitness_reader") as connection:
        assert find_batteries(connection, battery_id(0).decode())
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM newer")
    with as_role(tables, "cellwitness_writer") as connection, pytest.raises(SchemaMismatch, match="9999_newer"):
        migrate(connection)


def test_every_role_is_documented_by_its_part() -> None:
    assert set(ROLES) == {*READERS, "cellwitness_writer", "cellwitness_owner", "cellwitness_doorkeeper"}


def test_a_fleet_is_counted_by_a_writer_read_by_a_reader_and_changed_by_nobody_else(guarded: str) -> None:
    with as_role(guarded, "cellwitness_writer") as connection:
        assert count_fleet(connection) is not None
    for table in ("fleet_counted", "fleet_stands", "fleet_fade", "fleet_hours", "fleet_mix"):
        name = sql.Identifier(table)
        with as_role(guarded, "cellwitness_reader") as connection:
            connection.execute(sql.SQL("SELECT count(*) FROM {}").format(name))
        for role in READERS:
            for statement in ("DELETE FROM {}", "INSERT INTO {} DEFAULT VALUES", "TRUNCATE {}"):
                with as_role(guarded, role) as connection, pytest.raises(errors.InsufficientPrivilege):
                    connection.execute(sql.SQL(statement).format(name))


def test_tables_whose_roles_an_earlier_version_made_are_migrated_all_the_same(postgres: EmbeddedPostgres) -> None:
    """A worker may make no roles: until somebody does, who needs the new one waits, and nobody else."""
    url = fresh_database(postgres)
    with connect(url) as connection:
        migrate(connection)
        make_roles(connection)
        connection.execute("DROP OWNED BY cellwitness_doorkeeper")
        assert has_roles(connection, SCHEMA)
        name = sql.Identifier("cellwitness_doorkeeper")
        connection.execute(sql.SQL("ALTER ROLE {} RENAME TO cellwitness_unknown").format(name))
        try:
            newer = Migration(len(migrations()) + 1, "9999_newer.sql", "CREATE TABLE newer (a integer)")
            migrate(connection, known=(*migrations(), newer))
            assert not has_roles(connection, SCHEMA)
        finally:
            connection.execute(sql.SQL("ALTER ROLE cellwitness_unknown RENAME TO {}").format(name))
