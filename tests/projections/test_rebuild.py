"""Tables built anew beside those in use: the same, whatever happens meanwhile."""

import itertools
import json
import random
import subprocess
import sys
import threading
from contextlib import closing
from typing import Any

import pytest

from deploy.postgres import EmbeddedPostgres
from indexer.log.urls import open_log
from projections import folding, rebuild
from projections.database import SCHEMA, connect
from projections.digest import TableDigest, table_digests
from projections.errors import OtherLog, SchemaMismatch
from projections.rebuild import NEXT, NothingToRebuild, Rebuild, RebuildUnderWay
from projections.run import Worker
from projections.status import consistent_step
from tests.postgres import fresh_database
from tests.projections.chain import Life, TestChain, walk
from tests.projections.conftest import MakeChain
from tests.projections.tables import project

NEWER = folding.FOLD_VERSION + 1


@pytest.fixture
def chain(make_chain: MakeChain) -> TestChain:
    made = make_chain("log.db", Life(11, 4, hostile=True))
    walk(made, 60)
    return made


def rebuild_of(chain: TestChain, url: str, **options: Any) -> Rebuild:
    return Rebuild(chain.log, lambda schema: connect(url, schema=schema), **options)


def digests(url: str, schema: str = SCHEMA) -> tuple[TableDigest, ...]:
    with connect(url, schema=schema) as connection:
        return table_digests(connection)


def schemas(url: str) -> set[str]:
    with connect(url) as connection:
        found = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'cellwitness%'")
        return {name for (name,) in found} - {"cellwitness_people"}  # what people did is no part of a rebuild


def catalogue(url: str) -> list[tuple[Any, ...]]:
    """Columns, indexes and constraints of the tables in use."""
    with connect(url) as connection:
        found = connection.execute(
            "SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = %(schema)s UNION ALL"
            " SELECT 'column', table_name || '.' || column_name, data_type || is_nullable"
            " FROM information_schema.columns WHERE table_schema = %(schema)s ORDER BY 1, 2",
            {"schema": SCHEMA},
        )
        return found.fetchall()


def test_rebuilt_tables_are_those_in_use_row_by_row_and_take_their_place(chain: TestChain, database: str) -> None:
    project(chain.log, database)
    before, shape = digests(database), catalogue(database)
    with rebuild_of(chain, database) as work:
        assert not work.prepare()
        assert work.load()
        comparison = work.compare()
        assert comparison is not None
        assert comparison.equal
        assert comparison.step == chain.end.spine.step
        assert digests(database, NEXT) == before
        assert work.swap()
    assert schemas(database) == {SCHEMA}
    assert digests(database) == before
    assert catalogue(database) == shape, "indexes too"


def test_a_rebuild_during_rollbacks_with_workers_at_work_ends_as_an_undisturbed_run(
    chain: TestChain, postgres: EmbeddedPostgres
) -> None:
    live, quiet = fresh_database(postgres), fresh_database(postgres)
    project(chain.log, live)
    stop = threading.Event()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with closing(open_log(chain.url)) as log:
                Worker(log, lambda: connect(live), batch_records=20, stop=stop.is_set).run()
        except BaseException as error:  # noqa: BLE001  # the test's own thread raises it
            failed.append(error)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        rounds = itertools.count()

        def go_on(*_: object) -> None:
            """The chain goes on, and back, after each of the first rounds of the rebuild."""
            if next(rounds) < 30:
                walk(chain, 1)

        with rebuild_of(chain, live, batch_records=30, progress=go_on) as rebuilding:
            rebuilding.prepare()
            assert rebuilding.load()
            comparison = rebuilding.compare()
            assert comparison is not None
            assert comparison.equal
            assert rebuilding.swap()
        walk(chain, 10)
        with connect(live) as connection:
            deadline = 600
            while consistent_step(connection) < chain.end.spine.step and deadline:
                stop.wait(0.1)
                deadline -= 1
            assert consistent_step(connection) == chain.end.spine.step
    finally:
        stop.set()
        for worker in workers:
            worker.join(60)
    assert not failed
    project(chain.log, quiet)
    assert digests(live) == digests(quiet)


def test_a_rebuild_killed_at_any_moment_goes_on_and_ends_the_same(
    postgres: EmbeddedPostgres, make_chain: MakeChain
) -> None:
    chain = make_chain("log.db", Life(5, 4))
    walk(chain, 250, transactions=2)
    url = fresh_database(postgres)
    project(chain.log, url)
    before, shape = digests(url), catalogue(url)
    command = [sys.executable, "-m", "deploy.cli", "rebuild", "--log", chain.url, "--db", url, "--json"]
    command += ["--batch-records", "2"]
    choose = random.Random(1)
    killed = 0
    for _ in range(6):
        worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            worker.wait(choose.uniform(0.7, 2.5))
        except subprocess.TimeoutExpired:
            killed += 1
            worker.kill()
            worker.wait()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    said = json.loads(done.stdout)
    assert killed > 0
    assert said["swapped"]
    assert said["comparison"]["equal"]
    assert schemas(url) == {SCHEMA}
    assert digests(url) == before
    assert catalogue(url) == shape


@pytest.mark.parametrize("moment", ["drop_deferred", "retire", "put_in_place", "drop_old"])
def test_a_swap_that_breaks_off_at_any_statement_is_whole_or_not_at_all(
    chain: TestChain, database: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(chain.log, database)
    before = digests(database)
    with rebuild_of(chain, database) as work:
        work.prepare()
        work.load()
        with monkeypatch.context() as patch:
            patch.setitem(work_queries(), moment, "SELECT 1 / 0")
            with pytest.raises(Exception, match="division by zero"):
                work.swap()
    assert digests(database) == before
    assert SCHEMA in schemas(database)
    with rebuild_of(chain, database) as work:
        work.prepare()
        assert work.load()
        assert work.swap()
    assert schemas(database) == {SCHEMA}
    assert digests(database) == before


def work_queries() -> dict[str, Any]:
    return rebuild._QUERIES


def test_tables_that_are_not_what_the_log_says_are_told_and_not_swapped(chain: TestChain, database: str) -> None:
    project(chain.log, database)
    with connect(database) as connection:
        connection.execute("UPDATE readings SET soh_bp = 1 WHERE ctid = (SELECT ctid FROM readings LIMIT 1)")
    command = [sys.executable, "-m", "deploy.cli", "rebuild", "--log", chain.url, "--db", database]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 1
    assert "DIFFERENT" in told.stdout
    assert schemas(database) == {SCHEMA, NEXT}
    mended = subprocess.run([*command, "--even-if-different"], check=False, capture_output=True, text=True)
    assert mended.returncode == 1, "it says so again"
    assert "in use" in mended.stdout
    assert schemas(database) == {SCHEMA}
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_a_worker_of_the_former_fold_writes_nothing_into_the_new_tables(
    chain: TestChain, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends, and says that the tables are of another version."""
    project(chain.log, database)
    fold_version(monkeypatch, NEWER)
    with rebuild_of(chain, database) as work:
        work.prepare()
        work.load()
        assert work.compare() is None
        fold_version(monkeypatch, NEWER - 1)
        rounds = itertools.count()

        def swap_once(_: object) -> None:
            if next(rounds) == 1:
                fold_version(monkeypatch, NEWER)
                assert work.swap()
                fold_version(monkeypatch, NEWER - 1)
                chain.forward(chain.make(3))

        with pytest.raises(SchemaMismatch, match=f"fold version {NEWER}"):
            Worker(chain.log, lambda: connect(database), progress=swap_once).run()
    with connect(database) as connection:
        assert consistent_step(connection) == chain.end.spine.step - 1


def fold_version(patch: pytest.MonkeyPatch, number: int) -> None:
    for module in (folding, sys.modules["projections.store"], sys.modules["projections.rebuild"]):
        patch.setattr(module, "FOLD_VERSION", number)


def test_two_rebuilds_do_not_fight_and_other_logs_and_empty_databases_are_refused(
    chain: TestChain, postgres: EmbeddedPostgres, make_chain: MakeChain
) -> None:
    url = fresh_database(postgres)
    with rebuild_of(chain, url) as work, pytest.raises(NothingToRebuild):
        work.prepare()
    project(chain.log, url)
    with rebuild_of(chain, url), pytest.raises(RebuildUnderWay):
        rebuild_of(chain, url)
    with rebuild_of(make_chain("other.db", Life(1, 1), magic=43), url) as work, pytest.raises(OtherLog):
        work.prepare()
