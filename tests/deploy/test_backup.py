"""Backup and restore of log and database, on real engines: whole or refused."""

import json
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from psycopg import sql

from deploy.backup.manifest import MANIFEST, BackupDamaged, read_manifest
from deploy.backup.restore import DatabaseInUse, check_backup, restore_database, restore_log
from deploy.backup.take import UNFINISHED, take_backup
from deploy.postgres import EmbeddedPostgres
from indexer.errors import ConfigurationError
from indexer.log.copy import Copied, copy_log
from indexer.log.port import Log, LogMismatch
from indexer.log.sqlite import SqliteLog
from indexer.log.urls import open_log
from projections.database import connect
from projections.digest import table_digests
from projections.errors import OtherLog, SchemaMismatch
from projections.migrate import migrate
from projections.roles import make_roles
from tests.endtoend.processes import run
from tests.kafka import new_log
from tests.postgres import database, fresh_database, postgres
from tests.projections.chain import Life, TestChain, walk
from tests.projections.conftest import MakeChain, make_chain
from tests.projections.tables import project

__all__ = ["database", "make_chain", "postgres"]

ACT = (
    "INSERT INTO cellwitness_people.alert_acts (alert, deployment, subject, rule, act, who, why, severity, facts)"
    " VALUES ('\\x01', 'test', 'ab', 'R01', 'ack', E'Ada \"the\\n first\"', E'papers, \\\\N and ; seen', 'high', '{}')"
)


@pytest.fixture
def chain(make_chain: MakeChain) -> TestChain:
    made = make_chain("log.db", Life(3, 3, hostile=True))
    walk(made, 20)
    return made


@pytest.fixture
def tables(chain: TestChain, database: str) -> str:
    project(chain.log, database)
    with connect(database) as connection:
        connection.execute(ACT)
    return database


def saved(folder: Path, log: Log, url: str, *, whole: bool = True) -> Path:
    with connect(url, read_only=True) as connection:
        return Path(take_backup(folder, log, connection, whole=whole).folder)


def restored(folder: Path, log: Log, url: str) -> None:
    taken = check_backup(folder)
    restore_log(folder, log, lambda _: None)
    with connect(url) as connection:
        restore_database(folder, taken.manifest, connection, log)


def acts(url: str) -> list[object]:
    with connect(url) as connection:
        return list(connection.execute("SELECT * FROM cellwitness_people.alert_acts ORDER BY act_number").fetchall())


def known_at(url: str) -> list[object]:
    with connect(url) as connection:
        return list(connection.execute("SELECT step, known_at FROM steps ORDER BY step").fetchall())


def test_what_was_saved_comes_back_byte_for_byte_and_goes_on(
    chain: TestChain, tables: str, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    folder = saved(tmp_path / "saved", chain.log, tables)
    walk(chain, 10)
    back = fresh_database(postgres)
    with closing(SqliteLog(tmp_path / "back.db")) as log:
        restored(folder, log, back)
        assert (acts(back), known_at(back)) == (acts(tables), known_at(tables))
        with connect(tables) as before, connect(back) as after:
            assert table_digests(before) == table_digests(after)
        # No number is used again, and the worker goes on from where the tables were.
        with connect(back) as connection:
            connection.execute(ACT)
        assert len(acts(back)) == 2
        copy_log(chain.log, log)
        progress = project(log, back)
    project(chain.log, tables)
    assert progress.events + progress.retractions < sum(1 for _ in known_events(chain))
    with connect(tables) as before, connect(back) as after:
        assert table_digests(before) == table_digests(after)


def known_events(chain: TestChain) -> list[object]:
    return [
        record
        for partition in range(3)
        for record in chain.log.read(partition, 0, 1 << 20).records
        if record.kind != "marker"
    ]


def test_without_tables_what_people_did_comes_back_and_the_rest_is_projected(
    chain: TestChain, tables: str, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    folder = saved(tmp_path / "saved", chain.log, tables, whole=False)
    back = fresh_database(postgres)
    with closing(SqliteLog(tmp_path / "back.db")) as log:
        restored(folder, log, back)
        project(log, back)
    assert acts(back) == acts(tables)
    with connect(tables) as before, connect(back) as after:
        assert table_digests(before) == table_digests(after)


def test_one_flipped_byte_of_any_file_is_found(chain: TestChain, tables: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved", chain.log, tables)
    manifest, digest = read_manifest(folder)
    for part in manifest.parts():
        file = folder / part.file
        before = file.read_bytes()
        for place in (0, len(before) // 2, len(before) - 1):
            altered = bytearray(before)
            altered[place] ^= 1
            file.write_bytes(altered)
            with pytest.raises(BackupDamaged, match=file.name):
                check_backup(folder)
        file.write_bytes(before[:-1])
        with pytest.raises(BackupDamaged, match=file.name):
            check_backup(folder)
        file.unlink()
        with pytest.raises(BackupDamaged, match=file.name):
            check_backup(folder)
        file.write_bytes(before)
    assert check_backup(folder).manifest_sha256 == digest
    # The manifest stands for all the rest: any other one has another digest, or can't be read.
    text = bytearray((folder / MANIFEST).read_bytes())
    text[len(text) // 2] ^= 1
    (folder / MANIFEST).write_bytes(text)
    try:
        assert check_backup(folder).manifest_sha256 != digest
    except BackupDamaged:
        pass


def test_a_manifest_can_name_no_file_outside_the_backup(chain: TestChain, tables: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved", chain.log, tables)
    text = (folder / MANIFEST).read_text()
    for outside in ("../log.db", "/etc/hostname"):
        (folder / MANIFEST).write_text(text.replace('"log.db"', f'"{outside}"'))
        with pytest.raises(BackupDamaged, match="outside the backup"):
            check_backup(folder)


def test_a_manifest_can_name_no_table_but_ours(
    chain: TestChain, tables: str, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    folder = saved(tmp_path / "saved", chain.log, tables)
    text = (folder / MANIFEST).read_text()
    back = fresh_database(postgres)
    with connect(back) as connection:
        connection.execute("CREATE TABLE public.alert_acts (LIKE pg_class)")
    for schema in ("public", "pg_catalog"):
        (folder / MANIFEST).write_text(text.replace('"schema": "cellwitness_people"', f'"schema": "{schema}"'))
        with pytest.raises(BackupDamaged, match="no table of cellwitness's"):
            restored(folder, chain.log, back)


def test_a_table_that_others_refer_to_is_saved_before_them(chain: TestChain, tables: str, tmp_path: Path) -> None:
    with connect(tables) as connection:
        connection.execute("CREATE TABLE cellwitness_people.z (id integer PRIMARY KEY)")
        connection.execute("CREATE TABLE cellwitness_people.b (z integer REFERENCES cellwitness_people.z PRIMARY KEY)")
        connection.execute("CREATE TABLE cellwitness_people.a (b integer REFERENCES cellwitness_people.b)")
    manifest, _ = read_manifest(saved(tmp_path / "saved", chain.log, tables))
    names = [table.table for table in manifest.database.tables]
    assert names.index("z") < names.index("b") < names.index("a")


def test_nothing_is_written_over(chain: TestChain, tables: str, make_chain: MakeChain, tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved", chain.log, tables)
    with pytest.raises(ConfigurationError, match="there already"):
        saved(folder, chain.log, tables)
    manifest, _ = read_manifest(folder)
    assert restore_log(folder, chain.log, lambda _: None) is False, "it is there, and is left"
    with connect(tables) as connection, pytest.raises(DatabaseInUse, match="hold rows"):
        restore_database(folder, manifest, connection, chain.log)
    other = make_chain("other.db", Life(9, 3), magic=43)
    with pytest.raises(LogMismatch):
        restore_log(folder, other.log, lambda _: None)


def test_log_and_tables_that_do_not_belong_together_are_not_saved(
    chain: TestChain, tables: str, make_chain: MakeChain, tmp_path: Path
) -> None:
    other = make_chain("other.db", Life(9, 3), magic=43)
    with pytest.raises(OtherLog, match="another log"):
        saved(tmp_path / "saved", other.log, tables)
    assert not (tmp_path / "saved").exists()
    assert (tmp_path / f"saved{UNFINISHED}").exists()
    with closing(SqliteLog(tmp_path / "old.db")) as old:
        copy_log(chain.log, old)
        walk(chain, 5)
        project(chain.log, tables)
        with pytest.raises(OtherLog, match="older copy"):
            saved(tmp_path / "saved", old, tables)
    saved(tmp_path / "saved", chain.log, tables)
    assert not (tmp_path / f"saved{UNFINISHED}").exists()


def test_a_restore_that_was_cut_off_goes_on(
    chain: TestChain, tables: str, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    folder = saved(tmp_path / "saved", chain.log, tables)
    back = fresh_database(postgres)

    class Killed(Exception):
        pass

    def kill(at: Copied) -> None:
        if at.steps == 5:
            raise Killed

    with closing(SqliteLog(tmp_path / "back.db")) as log:
        with pytest.raises(Killed):
            restore_log(folder, log, kill)
        restored(folder, log, back)
        with connect(tables) as before, connect(back) as after:
            assert table_digests(before) == table_digests(after)


def test_what_a_newer_version_saved_and_what_holds_no_tables_is_named(
    chain: TestChain, tables: str, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    folder = saved(tmp_path / "saved", chain.log, tables)
    file = folder / MANIFEST
    text = file.read_text()
    file.write_text(text.replace('"0005_verdicts.sql"', '"0005_verdicts.sql", "9999_later.sql"'))
    with pytest.raises(SchemaMismatch, match=r"9999_later\.sql"):
        restored(folder, chain.log, fresh_database(postgres))
    with pytest.raises(SchemaMismatch, match="no tables"):
        saved(tmp_path / "none", chain.log, fresh_database(postgres))
    file.write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(BackupDamaged, match="format 2"):
        read_manifest(folder)
    with pytest.raises(BackupDamaged, match="no backup"):
        read_manifest(tmp_path / "nowhere")


def test_an_auditor_may_save_and_a_reader_may_not(
    chain: TestChain, tables: str, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    with connect(tables) as connection:
        make_roles(connection)
    for role, may in (("cellwitness_auditor", True), ("cellwitness_reader", False)):
        with connect(tables, read_only=True) as connection:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
            if may:
                take_backup(tmp_path / role, chain.log, connection, whole=True)
            else:
                with pytest.raises(SchemaMismatch, match="permission denied"):
                    take_backup(tmp_path / role, chain.log, connection, whole=True)
    # And what is restored is the owner's, where there is one.
    back = fresh_database(postgres)
    with connect(back) as connection:
        migrate(connection)
        make_roles(connection)
    with closing(SqliteLog(tmp_path / "back.db")) as log:
        restored(tmp_path / "cellwitness_auditor", log, back)
    assert acts(back) == acts(tables)


def test_the_command_tells_prometheus_when_it_was(tables: str, tmp_path: Path) -> None:
    url, file = f"sqlite:{tmp_path / 'log.db'}", tmp_path / "backup.prom"
    words = ("backup", "-o", str(tmp_path / "saved"), "--log", url, "--db", tables, "--json")
    done = run(tmp_path, *words, "--metrics", str(file))
    assert done.returncode == 0, done.stderr
    taken = json.loads(done.stdout)["manifest"]["taken_at"]
    at = datetime.fromisoformat(taken).timestamp()
    found = dict(line.split() for line in file.read_text().splitlines() if not line.startswith("#"))
    assert float(found["cellwitness_backup_timestamp_seconds"]) == at
    assert float(found["cellwitness_backup_size_bytes"]) > 0
    assert run(tmp_path, *words).returncode == 2, "nothing is written over"


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_log_on_kafka_is_saved_as_a_file_and_comes_back_on_either_engine(
    chain: TestChain, postgres: EmbeddedPostgres, kafka_servers: str, tmp_path: Path
) -> None:
    before, on_kafka, on_file = (fresh_database(postgres) for _ in range(3))
    with (
        closing(open_log(new_log(kafka_servers, "testnet"))) as source,
        closing(open_log(new_log(kafka_servers, "testnet"))) as target,
        closing(SqliteLog(tmp_path / "back.db")) as file,
    ):
        copy_log(chain.log, source)
        project(source, before)
        folder = saved(tmp_path / "saved", source, before)
        walk(chain, 10)
        copy_log(chain.log, source)
        project(source, before)
        for log, url in ((target, on_kafka), (file, on_file)):
            restored(folder, log, url)
            copy_log(chain.log, log)
            project(log, url)
            with connect(before) as one, connect(url) as other:
                assert table_digests(one) == table_digests(other)
