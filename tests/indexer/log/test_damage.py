"""Damage to the bytes of a log: whatever is lost, doubled or altered, ``verify`` says where and what."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import pytest
from msgspec import Raw
from msgspec.structs import replace

from indexer.log.audit import Fault, audit_tail, verify
from indexer.log.canonical import canonical_lines
from indexer.log.port import LogDamaged, accept
from indexer.log.records import decode_records, records_blob, step_digest
from indexer.log.sqlite import SqliteLog
from tests.indexer.log.chains import Scribe, Tree

PARTITIONS = 3
STEPS = 22  # step 0, ten forward, a rollback, ten forward


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound log, with a fork in the middle."""
    path = tmp_path / "events.db"
    log = SqliteLog(path)
    scribe = Scribe(log, partitions=PARTITIONS)
    tree = Tree(most_transactions=8)
    for _ in range(10):
        scribe.forward(tree.grow(scribe.chain, 2))
    scribe.rollback(3)
    for _ in range(10):
        scribe.forward(tree.grow(scribe.chain, 2, 1))
    assert verify(log).fault is None
    log.close()
    scribe.writer.close()  # last, so that all is in the file and nothing in the write-ahead log
    return path


class File:
    """The file as a vandal sees it: rows."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.sql = connection.execute

    def blob(self, step: int, partition: int) -> bytes:
        place = (step * PARTITIONS + partition,)
        (blob,) = self.sql("SELECT lines FROM records WHERE position = ?", place).fetchone()
        assert isinstance(blob, bytes)
        return blob

    def set_blob(self, step: int, partition: int, blob: bytes) -> None:
        self.sql("UPDATE records SET lines = ? WHERE position = ?", (blob, step * PARTITIONS + partition))

    def lines(self, step: int, partition: int) -> list[bytes]:
        return self.blob(step, partition).splitlines(keepends=True)

    def set_lines(self, step: int, partition: int, lines: list[bytes]) -> None:
        self.set_blob(step, partition, b"".join(lines))

    def busy_partition(self, step: int, least: int = 3) -> int:
        """A partition in which the step wrote at least so many records."""
        return next(each for each in range(PARTITIONS) if len(self.lines(step, each)) >= least)

    def spine(self, step: int) -> bytes:
        (record,) = self.sql("SELECT record FROM spine WHERE step = ?", (step,)).fetchone()
        assert isinstance(record, bytes)
        return record

    def set_spine(self, step: int, record: bytes) -> None:
        """With the digest that goes with it: a careful vandal."""
        self.sql("UPDATE spine SET record = ?, digest = ? WHERE step = ?", (record, step_digest(record), step))


@contextmanager
def opened(path: Path) -> Iterator[File]:
    with closing(sqlite3.connect(path)) as connection:
        yield File(connection)
        connection.commit()


def first_fault(path: Path) -> Fault:
    log = SqliteLog(path)
    fault = verify(log).fault
    log.close()
    assert fault is not None
    return fault


def lost_record(file: File) -> None:
    partition = file.busy_partition(8)
    lines = file.lines(8, partition)
    file.set_lines(8, partition, [lines[0], *lines[2:]])


def lost_last_record(file: File) -> None:
    partition = file.busy_partition(8)
    lines = file.lines(8, partition)
    file.set_lines(8, partition, [*lines[:-2], lines[-1]])


def doubled_record(file: File) -> None:
    partition = file.busy_partition(8)
    lines = file.lines(8, partition)
    file.set_lines(8, partition, [lines[0], *lines])


def swapped_records(file: File) -> None:
    partition = file.busy_partition(8)
    one, two, *rest = file.lines(8, partition)
    file.set_lines(8, partition, [two, one, *rest])


def swapped_with_numbers_put_right(file: File) -> None:
    partition = file.busy_partition(8)
    one, two, *rest = decode_records(file.blob(8, partition))
    swapped = [replace(two, seq=one.seq), replace(one, seq=two.seq), *rest]
    file.set_blob(8, partition, records_blob(swapped))


def altered_byte(file: File) -> None:
    partition = file.busy_partition(8)
    blob = file.blob(8, partition)
    at = blob.index(b'"quantity":1') + len('"quantity":')
    file.set_blob(8, partition, blob[:at] + b"7" + blob[at + 1 :])


def torn_step(file: File) -> None:
    file.sql("DELETE FROM records WHERE position = ?", (8 * PARTITIONS + 1,))


def missing_marker(file: File) -> None:
    file.set_lines(8, 1, file.lines(8, 1)[:-1])


def forged_marker(file: File) -> None:
    *rest, marker = decode_records(file.blob(8, 1))
    file.set_blob(8, 1, records_blob([*rest, replace(marker, body=Raw(bytes(marker.body).replace(b"11", b"99")))]))


def forged_marker_in_the_middle(file: File) -> None:
    partition = file.busy_partition(8)
    first, *rest = decode_records(file.blob(8, partition))
    forged = replace(rest[-1], seq=first.seq)
    file.set_blob(8, partition, records_blob([forged, *rest]))


def marker_of_another_step(file: File) -> None:
    *rest, marker = decode_records(file.blob(8, 1))
    file.set_blob(8, 1, records_blob([*rest, replace(marker, step=9)]))


def missing_partition_tail(file: File) -> None:
    file.sql("DELETE FROM records WHERE position % 3 = 2 AND position / 3 >= 8")


def partitions_exchanged(file: File) -> None:
    one, two = file.blob(8, 0), file.blob(8, 1)
    file.set_blob(8, 0, two)
    file.set_blob(8, 1, one)


def records_that_are_not_json(file: File) -> None:
    file.set_blob(8, 0, b"\x00" * 100)


def lost_spine_row(file: File) -> None:
    file.sql("DELETE FROM spine WHERE step = 8")


def lost_step(file: File) -> None:
    file.sql("DELETE FROM spine WHERE step = 8")
    file.sql("DELETE FROM records WHERE position / 3 = 8")


def altered_spine(file: File) -> None:
    record = file.spine(8)
    file.sql("UPDATE spine SET record = ? WHERE step = 8", (record.replace(b'"height":16', b'"height":17'),))


def altered_digest(file: File) -> None:
    file.sql("UPDATE spine SET digest = ? WHERE step = 8", ("f" * 64,))


def spine_that_is_not_json(file: File) -> None:
    file.set_spine(8, b"\x00" * 100)


def spine_rows_exchanged(file: File) -> None:
    one, two = file.spine(8), file.spine(9)
    file.set_spine(8, two)
    file.set_spine(9, one)


def spine_with_a_longer_range(file: File) -> None:
    record = file.spine(8)
    at = record.index(b'"partitions":[[') + len('"partitions":[[')
    file.set_spine(8, record[:at] + b"1" + record[at:])


def no_first_step(file: File) -> None:
    file.sql("DELETE FROM spine WHERE step = 0")


DAMAGE: dict[Callable[[File], None], str] = {
    lost_record: "is missing",
    lost_last_record: "is missing",
    doubled_record: "is due",
    swapped_records: "is missing",
    swapped_with_numbers_put_right: "altered",
    altered_byte: "altered",
    torn_step: "is missing",
    missing_marker: "do not end on its marker",
    forged_marker: "marker does not say",
    forged_marker_in_the_middle: "a marker that is not the step's last record",
    marker_of_another_step: "do not end on its marker",
    missing_partition_tail: "is missing",
    partitions_exchanged: "is (missing|due)",
    records_that_are_not_json: "can't be read",
    lost_spine_row: "the spine has no step 8",
    lost_step: "the spine has no step 8",
    altered_spine: "altered",
    altered_digest: "altered",
    spine_that_is_not_json: "can't be read",
    spine_rows_exchanged: "step 9 in the place of step 8",
    spine_with_a_longer_range: "comes next",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_damage_is_named_with_its_step(path: Path, damage: Callable[[File], None]) -> None:
    with opened(path) as file:
        damage(file)
    fault = first_fault(path)
    assert fault.step == 8
    assert re.search(DAMAGE[damage], fault.what), fault.what


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_follower_does_not_start_on_a_damaged_tail(path: Path, damage: Callable[[File], None]) -> None:
    with opened(path) as file:
        damage(file)
    log = SqliteLog(path)
    with pytest.raises(LogDamaged):
        audit_tail(log, STEPS - 4)
    log.close()


def test_a_log_without_its_first_step_is_named(path: Path) -> None:
    with opened(path) as file:
        no_first_step(file)
    assert first_fault(path).step == 0


def test_the_last_step_lost_from_the_spine_alone_is_named(path: Path) -> None:
    with opened(path) as file:
        file.sql("DELETE FROM spine WHERE step = 21")
    fault = first_fault(path)
    assert (fault.step, fault.partition) == (21, 0)
    assert "the spine knows nothing" in fault.what
    log = SqliteLog(path)
    with pytest.raises(LogDamaged):
        audit_tail(log, 3)
    log.close()


def test_the_last_spine_record_altered_is_named_though_no_step_follows(path: Path) -> None:
    with opened(path) as file:
        record = file.spine(21)
        file.sql(
            "UPDATE spine SET record = ? WHERE step = 21", (record.replace(b'"tip":{"slot":', b'"tip":{"slot":1'),)
        )
    assert first_fault(path).step == 21


def test_a_spine_record_altered_together_with_its_digest_is_given_away_by_the_next(path: Path) -> None:
    with opened(path) as file:
        file.set_spine(8, file.spine(8).replace(b'"tip":{"slot":', b'"tip":{"slot":1'))
    fault = first_fault(path)
    assert fault.step == 9
    assert "does not name the digest of the step before" in fault.what


def test_a_spine_record_in_another_byte_form_is_named(path: Path) -> None:
    with opened(path) as file:
        file.set_spine(21, file.spine(21)[:-1] + b',"note":"mine"}')
    assert "not in its one byte form" in first_fault(path).what


def test_of_several_faults_the_first_in_the_logs_order_is_named(path: Path) -> None:
    with opened(path) as file:
        records_that_are_not_json(file)
        file.sql("DELETE FROM records WHERE position = ?", (5 * PARTITIONS + 2,))
        file.sql("DELETE FROM spine WHERE step = 15")
    fault = first_fault(path)
    assert (fault.step, fault.partition) == (5, 2)


def test_any_altered_byte_anywhere_is_found(path: Path) -> None:
    """One bit, in any row, of spine or records."""
    random = Random(11)
    for _ in range(150):
        step, partition = random.randrange(STEPS), random.randrange(-1, PARTITIONS)
        with opened(path) as file:
            before = file.spine(step) if partition < 0 else file.blob(step, partition)
            at, bit = random.randrange(len(before)), 1 << random.randrange(8)
            after = before[:at] + bytes([before[at] ^ bit]) + before[at + 1 :]
            if partition < 0:
                file.sql("UPDATE spine SET record = ? WHERE step = ?", (after, step))
            else:
                file.set_blob(step, partition, after)
        fault = first_fault(path)
        assert fault.step is not None
        assert fault.step == step, f"{fault.what}: {before[at - 20 : at + 20]!r} -> {after[at - 20 : at + 20]!r}"
        with opened(path) as file:
            if partition < 0:
                file.sql("UPDATE spine SET record = ? WHERE step = ?", (before, step))
            else:
                file.set_blob(step, partition, before)
    log = SqliteLog(path)
    assert verify(log).sound
    log.close()


def test_overwritten_pages_of_the_file_are_found(path: Path) -> None:
    whole = path.read_bytes()
    random = Random(13)
    for _ in range(20):
        page = random.randrange(0, len(whole) // 4096)
        path.write_bytes(whole[: page * 4096] + random.randbytes(4096) + whole[(page + 1) * 4096 :])
        log = SqliteLog(path)
        try:
            sound = verify(log).sound
        except LogDamaged:
            sound = False
        finally:
            log.close()
        assert not sound


def test_a_file_cut_short_is_found(path: Path) -> None:
    whole = path.read_bytes()
    for pages in (1, 3, len(whole) // 4096 - 1):
        path.write_bytes(whole[: pages * 4096])
        assert first_fault(path).what


def test_what_is_built_on_a_damaged_log_stops_and_does_not_guess(path: Path) -> None:
    with opened(path) as file:
        lost_record(file)
    log = SqliteLog(path)
    with pytest.raises(LogDamaged):
        list(canonical_lines(log, 30))
    partition = next(each for each in range(PARTITIONS) if len(log.read(each, 8, 1).records) > 1)
    with pytest.raises(LogDamaged, match="missing"):
        accept(-1, log.read(partition, 0, 10_000).records)
    log.close()
