"""Damage to a log on Kafka: topics as a vandal, or a broker that lost something, would leave them."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import pytest
from kafka import KafkaProducer
from msgspec import Raw
from msgspec.structs import replace

from indexer.log.audit import audit_tail, verify
from indexer.log.kafka import KafkaLog
from indexer.log.kafka_records import Headers, record_headers, spine_headers
from indexer.log.port import LogDamaged, StoredSpine
from indexer.log.records import Forward, Record, encode_spine, step_digest
from indexer.log.repair import Mender, mend_tail
from indexer.log.replay import Group, replay
from indexer.log.steps import PlacedEvent
from indexer.log.urls import open_log as open_log_url
from tests.indexer.log.chains import MAGIC, FakeBlock, Scribe, Tree, placed
from tests.indexer.log.memory import MemoryLog, MemoryStore
from tests.kafka import new_log

PARTITIONS = 3
END = 21  # step 0, ten forward, a rollback, ten forward

Written = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers."""


class Topics:
    """A log's records as they will be written, for damage to be done to them."""

    def __init__(self, steps: Sequence[tuple[StoredSpine, list[Group]]]) -> None:
        self.spine: list[Written] = [
            (None, encode_spine(stored.spine), spine_headers(stored.spine, stored.digest, MAGIC)) for stored, _ in steps
        ]
        self.groups: list[list[Group]] = [[list(group) for group in groups] for _, groups in steps]  # by step
        self.altered: dict[tuple[int, int, int], Written] = {}  # step, partition, place in the group

    def busy_partition(self, step: int, least: int = 3) -> int:
        return next(each for each in range(PARTITIONS) if len(self.groups[step][each]) >= least)

    def busy(self, step: int) -> Group:
        """A step's records in a partition where it wrote several."""
        return self.groups[step][self.busy_partition(step)]

    def partition(self, number: int) -> Iterator[Written]:
        for step, groups in enumerate(self.groups):
            for place, record in enumerate(groups[number]):
                yield self.altered.get((step, number, place)) or _written(record)


def _written(record: Record) -> Written:
    return (record.key.encode() or None, bytes(record.body), record_headers(record, MAGIC))


def write_topics(log: KafkaLog, topics: Topics, servers: str) -> None:
    """Makes the log's topics and writes them as they are, without a transaction."""
    names = log.topics()
    names.create(PARTITIONS)
    with closing(KafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=20)) as producer:
        for key, value, headers in topics.spine:
            producer.send(names.chain, key=key, value=value, headers=headers, partition=0)
        for number in range(PARTITIONS):
            for key, value, headers in topics.partition(number):
                producer.send(names.events, key=key or b"", value=value, headers=headers, partition=number)
        producer.flush(30)


class History:
    """A chain with a fork, its log, and its blocks."""

    def __init__(self) -> None:
        self.log = MemoryLog(MemoryStore())
        self.blocks: dict[str, FakeBlock] = {}
        scribe = Scribe(self.log, k=5, partitions=PARTITIONS)
        tree = Tree(most_transactions=8)
        for _ in range(10):
            self._forward(scribe, tree.grow(scribe.chain, 2))
        scribe.rollback(3)
        for _ in range(10):
            self._forward(scribe, tree.grow(scribe.chain, 2, 1))

    def _forward(self, scribe: Scribe, blocks: list[FakeBlock]) -> None:
        self.blocks |= {block.entry.id: block for block in blocks}
        scribe.forward(blocks)

    def steps(self, last: int = END) -> list[tuple[StoredSpine, list[Group]]]:
        return list(replay(self.log, 0, last))

    def refetch(self, _: StoredSpine, step: Forward) -> list[PlacedEvent]:
        return [event for block in step.blocks for event in placed(self.blocks[block.id])]


@pytest.fixture(scope="module")
def history() -> History:
    return History()


@pytest.fixture
def write(kafka_servers: str) -> Iterator[Callable[[Topics], KafkaLog]]:
    """Writes topics as they are, without a transaction."""
    logs: list[KafkaLog] = []

    def wrote(topics: Topics) -> KafkaLog:
        log = open_log_url(new_log(kafka_servers))
        assert isinstance(log, KafkaLog)
        logs.append(log)
        write_topics(log, topics, kafka_servers)
        return log

    yield wrote
    for log in logs:
        log.close()


def lost_record(topics: Topics) -> None:
    del topics.busy(8)[1]


def lost_last_record(topics: Topics) -> None:
    del topics.busy(8)[-2]


def swapped_records(topics: Topics) -> None:
    group = topics.busy(8)
    group[0], group[1] = group[1], group[0]


def swapped_with_numbers_put_right(topics: Topics) -> None:
    group = topics.busy(8)
    group[0], group[1] = replace(group[1], seq=group[0].seq), replace(group[0], seq=group[1].seq)


def altered_byte(topics: Topics) -> None:
    group = topics.busy(8)
    group[0] = replace(group[0], body=Raw(bytes(group[0].body).replace(b'"quantity":1', b'"quantity":7')))


def altered_header(topics: Topics) -> None:
    group = topics.busy(8)
    group[0] = replace(group[0], subject="another")


def missing_header(topics: Topics) -> None:
    partition = topics.busy_partition(8)
    key, value, headers = _written(topics.groups[8][partition][0])
    topics.altered[8, partition, 0] = (key, value, [each for each in headers if each[0] != "slot"])


def stranger(topics: Topics) -> None:
    partition = topics.busy_partition(8)
    key, value, headers = _written(topics.groups[8][partition][0])
    strange = [("ce_type", b"org.example.thing") if name == "ce_type" else (name, text) for name, text in headers]
    topics.altered[8, partition, 0] = (key, value, strange)


def torn_step(topics: Topics) -> None:
    topics.groups[8][1] = []


def missing_marker(topics: Topics) -> None:
    del topics.groups[8][1][-1]


def forged_marker(topics: Topics) -> None:
    group = topics.groups[8][1]
    group[-1] = replace(group[-1], body=Raw(bytes(group[-1].body).replace(b"11", b"99")))


def forged_marker_in_the_middle(topics: Topics) -> None:
    group = topics.busy(8)
    group[0] = replace(group[-1], seq=group[0].seq)


def marker_of_another_step(topics: Topics) -> None:
    group = topics.groups[8][1]
    group[-1] = replace(group[-1], step=9)


def missing_partition_tail(topics: Topics) -> None:
    for groups in topics.groups[8:]:
        groups[2] = []


def partitions_exchanged(topics: Topics) -> None:
    groups = topics.groups[8]
    groups[0], groups[1] = groups[1], groups[0]


def lost_spine_record(topics: Topics) -> None:
    del topics.spine[8]


def lost_step(topics: Topics) -> None:
    del topics.spine[8], topics.groups[8]


def altered_spine(topics: Topics) -> None:
    key, value, headers = topics.spine[8]
    assert value is not None
    topics.spine[8] = (key, value.replace(b'"height":16', b'"height":17'), headers)


def altered_digest(topics: Topics) -> None:
    key, value, headers = topics.spine[8]
    topics.spine[8] = (key, value, [*headers[:-1], ("digest", b"f" * 64)])


def spine_that_is_not_json(topics: Topics) -> None:
    key, _, headers = topics.spine[8]
    value = b"\x00" * 100
    topics.spine[8] = (key, value, [*headers[:-1], ("digest", step_digest(value).encode())])


def spine_records_exchanged(topics: Topics) -> None:
    topics.spine[8], topics.spine[9] = topics.spine[9], topics.spine[8]


DAMAGE: dict[Callable[[Topics], None], str] = {
    lost_record: "is missing",
    lost_last_record: "is missing",
    swapped_records: "is missing",
    swapped_with_numbers_put_right: "altered",
    altered_byte: "altered",
    altered_header: "altered|subject",
    missing_header: "'slot' is missing",
    stranger: "ce_type is 'org.example.thing'",
    torn_step: "is missing",
    missing_marker: "is missing",
    forged_marker: "marker does not say",
    forged_marker_in_the_middle: "a marker that is not the step's last record",
    marker_of_another_step: "is missing|says that it is of step 9",
    missing_partition_tail: "is missing",
    partitions_exchanged: "is (missing|due)",
    lost_spine_record: "the spine has no step 8",
    lost_step: "is missing",
    altered_spine: "altered",
    altered_digest: "altered",
    spine_that_is_not_json: "can't be read",
    spine_records_exchanged: "the spine has no step 8",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_damage_is_named_with_its_step(
    history: History, write: Callable[[Topics], KafkaLog], damage: Callable[[Topics], None]
) -> None:
    topics = Topics(history.steps())
    damage(topics)
    log = write(topics)
    fault = verify(log).fault
    assert fault is not None
    assert re.search(DAMAGE[damage], fault.what), fault.what
    assert fault.step == 8, fault.what
    with pytest.raises(LogDamaged):
        audit_tail(log, 18)


def test_a_sound_log_is_sound_however_it_was_written(history: History, write: Callable[[Topics], KafkaLog]) -> None:
    report = verify(write(Topics(history.steps())))
    assert (report.fault, report.digest) == (None, verify(history.log).digest)


def test_a_record_written_twice_vanishes(history: History, write: Callable[[Topics], KafkaLog]) -> None:
    """At once, a step later, and after the end: as a producer that retried, or a repair, would."""
    topics = Topics(history.steps())
    partition = topics.busy_partition(8)
    early, late = topics.groups[8][partition], topics.groups[9][partition]
    late[1:1] = list(early)
    early[1:1] = [early[0]]
    for groups in topics.groups[END:]:
        groups[1] += groups[1]
    log = write(topics)
    assert verify(log).fault is None
    for partition in range(PARTITIONS):
        assert log.read(partition, 0, 10_000).records == history.log.read(partition, 0, 10_000).records
        for step in range(END + 1):
            offset = log.offset_of_step(partition, step)
            assert log.read(partition, offset, 1).records[0].step == step


@pytest.mark.parametrize("last", [5, 11, END], ids=["forward", "rollback", "end"])
def test_a_torn_step_is_written_again_as_it_was(
    history: History, write: Callable[[Topics], KafkaLog], last: int
) -> None:
    """Lacking in one partition as a whole, in another but for its first record; the numbers and ids are the same."""
    topics = Topics(history.steps(last))
    busy = topics.busy_partition(last, 2)
    others = [each for each in range(PARTITIONS) if each != busy]
    del topics.groups[last][busy][1:]
    topics.groups[last][others[0]] = []
    log = write(topics)
    with pytest.raises(LogDamaged, match="is missing"):
        audit_tail(log, 3)
    with closing(log.writer()) as writer:
        assert isinstance(writer, Mender)
        mended = mend_tail(log, writer, history.refetch, 100)
        assert sorted((each.step, each.partition) for each in mended) == sorted(
            (last, each) for each in (busy, others[0])
        )
        audit_tail(log, 3)
        assert mend_tail(log, writer, history.refetch, 100) == []
    report = verify(log)
    sound = history.steps(last)[-1][0]
    assert (report.fault, report.digest) == (None, sound.digest)


def test_several_torn_steps_at_the_end_of_a_partition_are_mended_in_order(
    history: History, write: Callable[[Topics], KafkaLog]
) -> None:
    topics = Topics(history.steps(13))
    for groups in topics.groups[9:]:  # forward, forward, rollback, forward, forward
        groups[1] = []
    log = write(topics)
    with closing(log.writer()) as writer:
        assert [each.step for each in mend_tail(log, writer, history.refetch, 100)] == [9, 10, 11, 12, 13]
    assert verify(log).fault is None


def test_what_can_not_be_made_again_as_it_was_is_not_written(
    history: History, write: Callable[[Topics], KafkaLog]
) -> None:
    topics = Topics(history.steps(5))
    busy = topics.busy_partition(5, 2)
    topics.groups[5][busy] = []
    log = write(topics)
    with closing(log.writer()) as writer:
        with pytest.raises(LogDamaged, match="can't be made again"):
            mend_tail(log, writer, lambda *_: [], 100)
        assert log.read(busy, log.offset_of_step(busy, 5), 1).records == ()


def test_a_gap_with_steps_after_it_is_left_to_people(history: History, write: Callable[[Topics], KafkaLog]) -> None:
    topics = Topics(history.steps())
    topics.groups[20][1] = []
    log = write(topics)
    with closing(log.writer()) as writer:
        assert mend_tail(log, writer, history.refetch, 100) == []
    with pytest.raises(LogDamaged, match="is missing"):
        audit_tail(log, 3)
