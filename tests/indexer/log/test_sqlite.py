"""What is special to the engine in a file: crashes, full disks, torn files, other programs' files, read-only places."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from indexer.errors import ConfigurationError
from indexer.log.audit import audit_tail, verify
from indexer.log.canonical import canonical_lines
from indexer.log.port import LogBusy, LogDamaged, LogEmpty, LogFull, LogMismatch, LogUnavailable
from indexer.log.sqlite import SqliteLog, SqliteWriter
from indexer.log.sqlite_file import APPLICATION_ID, open_to_write
from tests.indexer.log.chains import Scribe, Tree
from tests.shared import ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


def written(path: Path, blocks: int = 30) -> Scribe:
    scribe = Scribe(SqliteLog(path))
    for block in Tree().grow(scribe.chain, blocks):
        scribe.forward([block])
    return scribe


def start_writer(path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.indexer.log.writer_process", str(path)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_writer_killed_at_any_moment_leaves_a_sound_log_with_every_acknowledged_step(path: Path) -> None:
    """And a reader that was open all the time goes on reading."""
    random = Random(3)
    reader = SqliteLog(path)
    acknowledged = 0
    for _ in range(6):
        with start_writer(path) as process:
            assert process.stdout is not None
            said = [process.stdout.readline()]
            time.sleep(random.random() * 0.15)
            process.send_signal(signal.SIGKILL)
            said += process.stdout.readlines()
        whole = [int(line) for line in said if line.endswith("\n")]
        assert whole[0] > acknowledged
        acknowledged = whole[-1]
        end = reader.end()
        assert end is not None
        assert end.spine.step in (acknowledged, acknowledged + 1)  # written, and killed before it could say so
        assert verify(reader).fault is None
        audit_tail(reader, 10)
    reader.close()
    assert acknowledged > 20


def test_a_file_cut_anywhere_by_a_power_failure_holds_whole_steps_and_no_half(path: Path, tmp_path: Path) -> None:
    """The write-ahead log, cut at any byte: what is left is a sound, shorter log."""
    scribe = written(path, 12)
    wal = path.with_name("events.db-wal")
    size = wal.stat().st_size
    random = Random(5)
    ends = set()
    for cut in sorted(random.sample(range(size), 40)):
        place = tmp_path / f"cut-{cut}"
        place.mkdir()
        copy = Path(shutil.copy(path, place / "events.db"))
        (place / "events.db-wal").write_bytes(wal.read_bytes()[:cut])
        log = SqliteLog(copy)
        end = log.end()
        if end is None:
            continue
        ends.add(end.spine.step)
        assert verify(log).fault is None
        writer = log.writer()
        assert writer.end == end
        writer.close()
        log.close()
    assert len(ends) > 5
    scribe.writer.close()


def test_a_step_that_meets_a_fault_half_way_is_not_there(path: Path) -> None:
    scribe = written(path, 3)
    blocker = sqlite3.connect(path)
    blocker.execute("INSERT INTO records VALUES (?, x'00')", (4 * 3 + 2,))  # where the step's last row has to go
    blocker.commit()
    with pytest.raises(LogDamaged):
        scribe.forward([Tree().child(scribe.chain, 0)])
    with pytest.raises(LogUnavailable, match="new one"):
        scribe.forward([Tree().child(scribe.chain, 0)])
    blocker.execute("DELETE FROM records WHERE lines = x'00'")
    blocker.commit()
    blocker.close()
    report = verify(SqliteLog(path))
    assert (report.sound, report.to_step) == (True, 3)
    scribe.restart()
    scribe.forward([Tree().child(scribe.chain, 0)])
    assert verify(SqliteLog(path)).sound


def test_a_full_disk_is_named_and_after_making_room_the_log_goes_on(path: Path) -> None:
    scribe = written(path, 5)
    assert isinstance(scribe.writer, SqliteWriter)
    (pages,) = scribe.writer._connection.execute("PRAGMA page_count").fetchone()
    scribe.writer._connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    with pytest.raises(LogFull, match="room"):
        scribe.forward(Tree().grow(scribe.chain, 400))
    end = scribe.log.end()
    assert end is not None
    assert end.spine.step == 5
    assert verify(scribe.log).sound
    scribe.restart()
    scribe.forward(Tree().grow(scribe.chain, 400))
    assert verify(scribe.log).sound


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB. Where no disk may be mounted, the test with a limit on pages still holds the rule."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this system lets us mount no disk")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_disk_that_is_really_full_is_named_and_after_making_room_the_log_goes_on(small_disk: Path) -> None:
    path = small_disk / "events.db"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(600_000))
    scribe = Scribe(SqliteLog(path))
    tree = Tree()

    def fill() -> None:
        while True:
            scribe.forward(tree.grow(scribe.chain, 20))

    with pytest.raises(LogFull):
        fill()
    step = len(list(scribe.log.spine())) - 1
    assert verify(scribe.log).sound
    ballast.unlink()
    scribe.restart()
    assert scribe.writer.end is not None
    assert scribe.writer.end.spine.step == step
    scribe.forward(tree.grow(scribe.chain, 2))
    assert verify(scribe.log).sound
    scribe.writer.close()
    scribe.log.close()


def test_another_programs_file_is_refused_and_left_as_it_was(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE photos (name TEXT)")
    other.commit()
    other.close()
    before = path.read_bytes()
    log = SqliteLog(path)
    for use in (log.writer, log.end, log.opened):
        with pytest.raises(LogMismatch, match="another program"):
            use()
    assert path.read_bytes() == before


def test_a_file_that_is_not_sqlites_is_refused(path: Path) -> None:
    path.write_text("name = 'a TOML file'\n" * 100)
    log = SqliteLog(path)
    for use in (log.writer, log.end):
        with pytest.raises(LogDamaged, match="not an SQLite file"):
            use()


def test_a_log_of_another_format_is_refused(path: Path) -> None:
    written(path, 1).writer.close()
    file = sqlite3.connect(path)
    file.execute("PRAGMA user_version = 99")
    file.close()
    for use in (SqliteLog(path).writer, SqliteLog(path).end):
        with pytest.raises(LogMismatch, match="format 99"):
            use()


def test_an_acknowledged_step_is_on_the_disk(path: Path) -> None:
    """What a power failure would show, SQLite's settings must: 2 is FULL, an fsync of the write-ahead log a commit."""
    writer = written(path, 1).writer
    assert isinstance(writer, SqliteWriter)
    assert writer._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert writer._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_file_says_what_it_is(path: Path) -> None:
    scribe = written(path, 1)
    scribe.log.close()
    scribe.writer.close()
    header = path.read_bytes()[:100]
    assert header[:16] == b"SQLite format 3\0"
    assert int.from_bytes(header[68:72], "big") == APPLICATION_ID


def test_a_reader_of_a_missing_file_makes_none(path: Path) -> None:
    log = SqliteLog(path)
    assert log.end() is None
    with pytest.raises(LogEmpty, match="follow"):
        log.opened()
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_is_not_there_is_the_users_to_mend(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "nowhere" / "events.db")
    with pytest.raises(ConfigurationError, match="not a directory"):
        log.writer()
    with pytest.raises(ConfigurationError, match="not a directory"), log.lease():
        pass
    with pytest.raises(ConfigurationError, match="is a directory"):
        SqliteLog(tmp_path).writer()


def test_after_its_writer_closed_the_log_is_one_file_to_copy(path: Path, tmp_path: Path) -> None:
    scribe = written(path)
    assert scribe.log.end() == scribe.writer.end  # the follower's own reader does not stand in the way
    scribe.writer.close()
    assert [file.name for file in path.parent.iterdir()] == ["events.db"]
    copy = SqliteLog(Path(shutil.copy(path, tmp_path / "copy.db")))
    assert verify(copy).sound


@pytest.mark.skipif(os.geteuid() != 0, reason="a place that even its owner can't write needs a mount")
def test_a_log_in_a_read_only_place_can_be_verified(path: Path, tmp_path: Path) -> None:
    scribe = written(path)
    scribe.log.close()
    scribe.writer.close()
    place = tmp_path / "read-only"
    place.mkdir()
    if subprocess.run(["mount", "--bind", path.parent, place], check=False, capture_output=True).returncode:
        pytest.skip("this system lets us mount nothing")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True)
        log = SqliteLog(place / "events.db")
        assert verify(log).sound
        log.close()
        with pytest.raises((ConfigurationError, LogUnavailable)):
            SqliteLog(place / "events.db").writer()
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@contextmanager
def closed_folder() -> Iterator[Path]:
    """A folder that everybody can reach, for a test to close; whoever the test became there, root is root again."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as reachable:
        folder = Path(reachable) / "log"
        folder.mkdir()
        folder.parent.chmod(0o755)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)


def test_a_log_in_a_folder_closed_to_its_reader_can_be_verified_and_is_not_followed() -> None:
    with closed_folder() as folder:
        scribe = written(folder / "events.db")
        scribe.log.close()
        scribe.writer.close()
        folder.chmod(0o555)
        if os.geteuid() == 0:
            os.seteuid(65_534)
        log = SqliteLog(folder / "events.db")
        assert verify(log).sound
        log.close()
        for name in ("events.db", "new.db"):
            with pytest.raises(ConfigurationError, match="check owner and mode"), SqliteLog(folder / name).lease():
                pass


def test_a_reader_notices_that_its_file_was_replaced(path: Path) -> None:
    scribe = written(path, 2)
    reader = SqliteLog(path)
    assert reader.wait(1, 0)
    scribe.writer.close()
    for file in path.parent.iterdir():
        file.unlink()
    written(path, 1).writer.close()
    with pytest.raises(LogUnavailable, match="replaced"):
        reader.wait(2, 1)
    end = reader.end()
    assert end is not None
    assert end.spine.step == 1


def test_a_busy_lease_names_the_process_that_holds_it(path: Path) -> None:
    with start_writer(path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(LogBusy, match=f"process {process.pid}"), SqliteLog(path).lease():
            pass
        process.kill()
        process.wait()
        with SqliteLog(path).lease():  # the system gave it back
            pass


def test_a_second_writer_while_one_hangs_in_its_transaction_is_told_to_try_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(path, 1)
    monkeypatch.setattr("indexer.log.sqlite_file.BUSY_SECONDS", 0.05)
    hanging = sqlite3.connect(path, isolation_level=None)
    hanging.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogUnavailable, match="locked"):
        SqliteLog(path).writer()
    hanging.execute("ROLLBACK")
    hanging.close()
    SqliteLog(path).writer().close()


def test_memory_is_bounded_by_the_window_and_not_by_the_logs_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading, verifying and the canonical log of four times as many blocks take no more memory."""
    monkeypatch.setattr("indexer.log.replay.READ_RECORDS", 100)  # or a short log is one batch,
    monkeypatch.setattr("indexer.log.sqlite.SPINE_PAGE", 16)  # and its spine one page

    def peak(blocks: int) -> int:
        log = SqliteLog(tmp_path / f"{blocks}.db")
        scribe = Scribe(log)
        tree = Tree()
        for _ in range(blocks // 10):
            scribe.forward(tree.grow(scribe.chain[-1:], 10))
        scribe.writer.close()
        offset = 0
        tracemalloc.start()
        while (batch := log.read(0, offset, 100)).records:
            offset = batch.next_offset
        assert verify(log).blocks == blocks
        assert sum(1 for _ in canonical_lines(log, blocks)) > blocks
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(200)  # what is made once, such as decoders, is made here
    assert peak(2_400) < 1.2 * peak(600)


def test_the_fence_and_the_reading_of_the_end_are_one_transaction_in_that_order(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read before the fence, the end may not be the last: the writer before may append between the two."""
    written(path, 3).writer.close()
    said: list[str] = []

    def traced(path: Path) -> sqlite3.Connection:
        connection = open_to_write(path)
        connection.set_trace_callback(said.append)
        return connection

    monkeypatch.setattr("indexer.log.sqlite.open_to_write", traced)
    writer = SqliteLog(path).writer()
    kinds = [statement.split(maxsplit=1)[0] for statement in said]
    writer.close()
    assert kinds == ["BEGIN", "UPDATE", "SELECT", "COMMIT"]


def test_a_writer_whose_append_failed_writes_no_more(path: Path) -> None:
    """It does not know whether the step is there: only a new writer that reads the end does."""
    scribe = written(path, 3)
    writer = scribe.writer
    assert isinstance(writer, SqliteWriter)
    writer._connection.set_progress_handler(lambda: 1, 1)  # as if the disk did not answer
    with pytest.raises(LogUnavailable, match="interrupt"):
        scribe.forward(Tree().grow(scribe.chain, 1))
    writer._connection.set_progress_handler(None, 1)
    with pytest.raises(LogUnavailable, match="failed before"):
        scribe.forward(Tree().grow(scribe.chain, 1))
    scribe.restart()
    scribe.forward(Tree().grow(scribe.chain, 1))
    scribe.writer.close()
