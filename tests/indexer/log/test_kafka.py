"""What is special to the log on Kafka: headers, topics, fences, holes, and brokers that die."""

import gc
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Any, Self

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.partitioner import DefaultPartitioner

from indexer.errors import ConfigurationError
from indexer.log import kafka as engine
from indexer.log import kafka_lease, kafka_settings, kafka_writer
from indexer.log.audit import verify
from indexer.log.copy import copy_log
from indexer.log.kafka import KafkaLog
from indexer.log.kafka_lease import Claim, holder
from indexer.log.kafka_reader import Reader
from indexer.log.kafka_records import record_from_kafka, record_headers
from indexer.log.kafka_settings import KafkaSettings, place_from_url
from indexer.log.kafka_topics import find_name
from indexer.log.partition import partition_of
from indexer.log.port import Fenced, LogBusy, LogEmpty, LogMismatch, LogUnavailable
from indexer.log.sqlite import SqliteLog
from indexer.log.urls import open_log as open_log_url
from tests.indexer.log.chains import MAGIC, Scribe, Tree, name, opened
from tests.kafka import cluster, free_ports, new_log
from tests.shared import ROOT

PARTITIONS = 3

# kafka-python leaves sockets to the garbage collector whose connection was refused.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def url(kafka_servers: str) -> str:
    return new_log(kafka_servers)


@pytest.fixture
def log(url: str) -> Iterator[KafkaLog]:
    with closing(kafka_log(url)) as log:
        yield log


@pytest.fixture
def others() -> Iterator[ExitStack]:
    """Closes what a test opens beside the log."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(autouse=True)
def _collect_sockets() -> Iterator[None]:
    """What kafka-python left behind closes here, and not as a later test's fault."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def kafka_log(url: str) -> KafkaLog:
    log = open_log_url(url)
    assert isinstance(log, KafkaLog)
    return log


@contextmanager
def administrator(servers: str) -> Iterator[Any]:
    with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
        yield admin


def grown(log: KafkaLog, blocks: int, *, salt: int = 0) -> Scribe:
    scribe = Scribe(log, partitions=PARTITIONS)
    for block in Tree().grow(scribe.chain, blocks, salt):
        scribe.forward([block])
    return scribe


def look_for_ever(log: KafkaLog) -> None:
    while True:
        log.end()
        next(log.spine())
        time.sleep(0.05)


def ask_for_ever(ask: Callable[[], object]) -> None:
    while True:
        ask()
        time.sleep(0.2)


def raw_records(servers: str, topic: str) -> list[Any]:
    """Everything that is committed, as any other Kafka client sees it."""
    with closing(KafkaConsumer(bootstrap_servers=servers, group_id=None, isolation_level="read_committed")) as consumer:
        places = [TopicPartition(topic, each) for each in consumer.partitions_for_topic(topic)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        found: list[Any] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(50).values():
                found += records
        return found


def test_a_record_is_a_cloud_event_that_any_client_can_read(log: KafkaLog, kafka_servers: str) -> None:
    grown(log, 12)
    raws = raw_records(kafka_servers, log.topics().events)
    ours = {
        (partition, record.seq): record
        for partition in range(PARTITIONS)
        for record in log.read(partition, 0, 10_000).records
    }
    assert len(raws) == len(ours) > 40
    for raw in raws:
        headers = {key: value.decode() for key, value in raw.headers}
        record = ours[raw.partition, int(headers["seq"])]
        assert headers["ce_specversion"] == "1.0"
        assert headers["content-type"] == "application/json"
        assert headers["ce_id"] == record.id
        assert (int(headers["step"]), int(headers["slot"])) == (record.step, record.slot)
        assert raw.value == bytes(record.body)
        if record.kind == "marker":
            assert headers["ce_type"] == "cellwitness.marker.v1"
            assert headers["ce_source"] == f"/cardano/{MAGIC}"
            assert raw.key is None
        else:
            assert headers["ce_type"] == f"cellwitness.{record.type}.v1"
            assert headers["ce_source"] == f"/cardano/{MAGIC}/{record.deployment}"
            assert (headers["ce_subject"], headers["ce_time"]) == (record.subject, record.time)
            assert headers["ce_partitionkey"] == raw.key.decode() == record.key
    assert all(raw.value is not None for raw in raws)


def test_a_retraction_says_that_it_is_one(log: KafkaLog, kafka_servers: str) -> None:
    scribe = grown(log, 6)
    scribe.rollback(3)
    types = [dict(raw.headers)["ce_type"].decode() for raw in raw_records(kafka_servers, log.topics().events)]
    assert {each for each in types if "retracted" in each} <= {
        "cellwitness.ownership_token_moved_retracted.v1",
        "cellwitness.reporting_account_closed_retracted.v1",
    }
    assert any("retracted" in each for each in types)
    assert verify(log).sound


def test_keys_go_where_other_kafka_clients_put_them() -> None:
    theirs = DefaultPartitioner()
    for number in range(200):
        key = name("battery", number)[:56]
        assert theirs.partition("t", key, key.encode(), None, None, _Cluster()) == partition_of(key, 12)


class _Cluster:
    def topics(self) -> set[str]:
        return {"t"}

    def partitions_for_topic(self, _: str) -> set[int]:
        return set(range(12))

    def available_partitions_for_topic(self, _: str) -> set[int]:
        return set(range(12))


def test_a_log_is_found_without_its_name_where_it_is_the_only_one(
    log: KafkaLog, kafka_servers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown(log, 2)
    nameless = kafka_log(f"kafka://{kafka_servers}")
    other = kafka_log(new_log(kafka_servers))
    grown(other, 0)
    with closing(other), closing(nameless), pytest.raises(ConfigurationError, match=r"logs: say which") as several:
        nameless.end()
    assert "kafka://" in str(several.value)
    monkeypatch.setattr(engine, "find_name", lambda place, _: find_name(place, {log.topics().chain, "x.events.v1"}))
    with closing(kafka_log(f"kafka://{kafka_servers}")) as found:
        assert found.end() == log.end()


def test_a_log_of_another_network_than_its_address_says_is_not_begun(kafka_servers: str) -> None:
    with closing(kafka_log(new_log(kafka_servers, "preprod"))) as log, closing(log.writer()) as writer:
        with pytest.raises(LogMismatch, match="another network than 'test'"):
            writer.append(opened(partitions=1))
        assert log.end() is None


@pytest.mark.parametrize(
    ("topic", "configs", "says"),
    [
        ("events", {"cleanup.policy": "compact"}, "cleanup.policy=compact"),
        ("chain", {"cleanup.policy": "compact"}, "cleanup.policy=compact"),
        ("events", {"retention.ms": "604800000"}, "retention.ms=604800000"),
        ("chain", {"retention.bytes": "1000000"}, "retention.bytes=1000000"),
        ("events", {"unclean.leader.election.enable": "true"}, "unclean.leader.election.enable=true"),
        ("events", {"min.insync.replicas": "2"}, "min.insync.replicas=2"),
    ],
)
def test_a_topic_that_could_lose_something_is_refused_by_its_setting(
    log: KafkaLog, kafka_servers: str, topic: str, configs: dict[str, str], says: str
) -> None:
    scribe = grown(log, 1)
    scribe.writer.close()
    with administrator(kafka_servers) as admin:
        resource = ConfigResource(ConfigResourceType.TOPIC, getattr(log.topics(), topic), configs)
        admin.alter_configs([resource])
    with pytest.raises(LogMismatch, match=says):
        log.writer()


def test_a_topic_with_other_partitions_is_refused(log: KafkaLog, url: str, kafka_servers: str) -> None:
    grown(log, 1).writer.close()
    with administrator(kafka_servers) as admin:
        admin.create_partitions({log.topics().events: PARTITIONS + 1})
    with closing(kafka_log(url)) as later:
        time.sleep(1)  # brokers learn of it a moment later
        with pytest.raises(LogMismatch, match="partitions=4"):
            later.writer()


def test_replication_that_is_configured_is_required(url: str) -> None:
    with closing(kafka_log(url)) as one:
        grown(one, 0).writer.close()
    settings = {"replication.factor": "3"}
    log = open_log_url(url, settings)
    with closing(log), pytest.raises(LogMismatch, match=r"replication.factor=1, and a log needs 3"):
        log.writer()


def test_what_a_dead_writer_left_open_is_never_seen(log: KafkaLog, url: str, others: ExitStack) -> None:
    """Its transaction holds readers up until the next writer's fence aborts it, and leaves a hole in the offsets."""
    scribe = grown(log, 3)
    end = log.end()
    dead = []
    for _ in range(3):
        writer = scribe.writer
        assert isinstance(writer, kafka_writer.KafkaWriter)
        dead.append(writer)
        writer._producer.begin_transaction()
        for partition in range(PARTITIONS):
            writer._producer.send(log.topics().events, value=b"{}", headers=[], partition=partition)
        writer._producer.send(log.topics().chain, value=b"{}", headers=[], partition=0)
        writer._producer.flush()
        scribe.writer = others.enter_context(closing(kafka_log(url))).writer()
        assert scribe.writer.end == end
        scribe.forward([Tree().child(scribe.chain, 0)])
        end = scribe.writer.end
        with closing(kafka_log(url)) as fresh:
            assert fresh.end() == end
    with closing(kafka_log(url)) as fresh:
        report = verify(fresh)
        assert (report.fault, report.steps) == (None, 7)
        assert [stored.spine.step for stored in fresh.spine_backwards()] == [6, 5, 4, 3, 2, 1, 0]
        for step in range(7):
            assert next(fresh.spine(step)).spine.step == step
            for partition in range(PARTITIONS):
                found = fresh.read(partition, fresh.offset_of_step(partition, step), 1)
                assert found.records[0].step == step
    for writer in (*dead, scribe.writer):
        writer.close()


def test_a_transaction_that_hangs_is_named_before_anything_is_written(
    log: KafkaLog, kafka_servers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_writer, "HANGING_SECONDS", 0.3)
    grown(log, 2).writer.close()
    producer = KafkaProducer(bootstrap_servers=kafka_servers, transactional_id=f"{log.topics().name}.stranger")
    with closing(producer):
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(log.topics().events, value=b"{}", partition=1).get(10)
        with pytest.raises(LogUnavailable, match=r"hangs in .*events.v1-1"):
            log.writer()
        producer.abort_transaction()
    log.writer().close()


def test_a_producer_whose_commit_said_yes_of_nothing_is_not_believed(
    log: KafkaLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an epoch bumped under way (KIP-360): the commit is answered, the records were dropped."""
    scribe = grown(log, 2)
    writer = scribe.writer
    assert isinstance(writer, kafka_writer.KafkaWriter)
    end = writer.end
    send = writer._producer.send

    def lost(topic: str, **arguments: Any) -> Any:
        future = send(topic, **arguments)
        if arguments["partition"] == 1:
            future = type(future)(type(future._produce_future)(TopicPartition(topic, 1)), 0, 0, None, 0, 0, 0)
        return future

    monkeypatch.setattr(writer._producer, "send", lost)
    with pytest.raises(LogUnavailable, match="not acknowledged"):
        scribe.forward([Tree().child(scribe.chain, 0)])
    assert writer.end == end
    monkeypatch.undo()
    with pytest.raises(LogUnavailable, match="make a new one"):
        scribe.forward([Tree().child(scribe.chain, 0)])


class Process:
    """A writer in a process of its own: each line is an acknowledged step."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-m", "tests.indexer.log.kafka_process", url]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)

    def steps(self, count: int) -> list[int]:
        assert self.process.stdout is not None
        return [int(self.process.stdout.readline()) for _ in range(count)]

    def end(self) -> str:
        """What it said on standard error before it ended by itself."""
        _, errors = self.process.communicate(timeout=60)
        return errors

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(SIGCONT)
        self.process.kill()
        self.process.communicate()


def test_a_zombies_writes_stay_invisible_and_it_learns_that_it_is_one(log: KafkaLog, url: str) -> None:
    """A real process, stopped in mid-flight for as long as another one takes the log over."""
    with Process(url) as zombie:
        zombie.steps(20)
        zombie.process.send_signal(SIGSTOP)
        with closing(log.writer()) as writer:
            end = writer.end
            assert end is not None
            scribe = Scribe(log)
            scribe.chain = []
            zombie.process.send_signal(SIGCONT)
            assert "took the log over" in zombie.end()
            assert log.end() == end
    report = verify(log)
    assert (report.fault, report.to_step) == (None, end.spine.step)


def test_every_acknowledged_step_survives_the_writers_kill(log: KafkaLog, url: str) -> None:
    acknowledged = 0
    for number in range(3):
        with Process(url) as process:
            acknowledged = process.steps(15 + number)[-1]
            process.process.send_signal(SIGKILL)
            process.process.wait()
    with closing(log.writer()) as writer:
        assert writer.end is not None
        assert writer.end.spine.step >= acknowledged
    assert verify(log).fault is None


def test_the_lease_of_a_killed_follower_ends_by_itself(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_lease, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(kafka_lease, "BEAT_SECONDS", 1_000.0)  # dead: it beats no more
    first, second = kafka_log(url), kafka_log(url)
    with closing(first), closing(second), first.lease():
        with pytest.raises(LogBusy, match=r"another follower, .*:\d+"), second.lease():
            pass
        time.sleep(1.2)
        with second.lease(), pytest.raises(LogBusy), first.lease():
            pass


def test_a_live_follower_keeps_its_lease(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_lease, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(kafka_lease, "BEAT_SECONDS", 0.1)
    first, second = kafka_log(url), kafka_log(url)
    with closing(first), closing(second), first.lease():
        time.sleep(1.5)
        with pytest.raises(LogBusy), second.lease():
            pass


def test_of_two_that_claim_the_lease_at_once_the_first_in_the_log_has_it() -> None:
    def claim(who: str, at_seconds: float, *, release: bool = False) -> Claim:
        return Claim(who, who, "release" if release else "hold", int(at_seconds * 1000))

    def held(*claims: Claim) -> str | None:
        found = holder(claims)
        return found.who if found else None

    late = kafka_lease.LEASE_SECONDS + 0.001
    assert held() is None
    assert held(claim("a", 0), claim("b", 0)) == "a"
    assert held(claim("a", 0), claim("b", 1), claim("b", 2)) == "a"
    assert held(claim("a", 0), claim("b", late)) == "b"
    assert held(claim("a", 0), claim("a", 9), claim("b", late)) == "a"
    assert held(claim("a", 0), claim("a", 1, release=True)) is None
    assert held(claim("a", 0), claim("b", 1, release=True)) == "a"
    assert held(claim("a", 0), claim("a", 1, release=True), claim("b", 1), claim("a", 1)) == "b"


def test_brokers_that_are_not_there_are_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_settings, "BOOTSTRAP_SECONDS", 0.5)
    (port,) = free_ports(1)
    with closing(kafka_log(f"kafka://127.0.0.1:{port}/test")) as log:
        for ask in (log.end, log.opened, log.writer, lambda: log.wait(0, 0.1)):
            with pytest.raises(LogUnavailable):
                ask()


def test_a_log_that_was_deleted_is_noticed(log: KafkaLog, kafka_servers: str) -> None:
    scribe = grown(log, 2)
    scribe.writer.close()
    topics = log.topics()
    with administrator(kafka_servers) as admin:
        admin.delete_topics([topics.chain, topics.events])
    with pytest.raises((LogUnavailable, LogEmpty)):
        look_for_ever(log)


def test_a_copy_is_the_same_log_and_a_copy_cut_off_goes_on(log: KafkaLog, tmp_path: Path, url: str) -> None:
    source, back = SqliteLog(tmp_path / "a.db"), SqliteLog(tmp_path / "b.db")
    scribe = Scribe(source, partitions=PARTITIONS)
    tree = Tree(5)
    for _ in range(6):
        scribe.forward(tree.grow(scribe.chain, 2))
    scribe.rollback(3)
    first = copy_log(source, log)
    assert (first.steps, first.digest) == (8, scribe.writer.end.digest if scribe.writer.end else "")
    scribe.forward(tree.grow(scribe.chain, 2, 1))
    with closing(kafka_log(url)) as again:
        assert copy_log(source, again).steps == 9
        assert list(again.spine()) == list(source.spine())
        copied = copy_log(again, back)
        assert copied.digest == verify(source).digest == verify(back).digest
        for partition in range(PARTITIONS):
            assert again.read(partition, 0, 10_000).records == source.read(partition, 0, 10_000).records
    scribe.writer.close()
    for each in (source, back):
        each.close()


def test_a_copy_into_another_log_is_refused(log: KafkaLog, tmp_path: Path) -> None:
    source = SqliteLog(tmp_path / "a.db")
    scribe = Scribe(source, partitions=PARTITIONS)
    scribe.forward(Tree().grow([], 1, 1))
    grown(log, 3).writer.close()
    with pytest.raises(LogMismatch, match="beyond the source's last"):
        copy_log(source, log)
    scribe.forward(Tree().grow(scribe.chain, 4, 1))
    scribe.forward(Tree().grow(scribe.chain, 4, 1))
    with pytest.raises(LogMismatch, match="holds another log"):
        copy_log(source, log)
    scribe.writer.close()
    source.close()


@pytest.mark.long
def test_a_broker_killed_under_a_writer_loses_no_acknowledged_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_writer, "COMMIT_SECONDS", 5.0)
    with cluster(tmp_path) as brokers:
        log = kafka_log(f"kafka://{brokers.bootstrap}/test")
        scribe = grown(log, 5)
        end = scribe.writer.end
        brokers.stop_one(0, SIGKILL)
        with pytest.raises(LogUnavailable):
            scribe.forward([Tree().child(scribe.chain, 0)])
        scribe.writer.close()
        log.close()
        brokers.await_ready(0, brokers.launch(0))
        scribe = Scribe(log)
        assert scribe.writer.end == end
        assert verify(log).fault is None
        scribe.writer.close()
        log.close()


@pytest.mark.long
def test_a_reader_finds_partitions_whose_leaders_moved(tmp_path: Path) -> None:
    with cluster(tmp_path, 3) as brokers:
        log = kafka_log(f"kafka://{brokers.bootstrap}/test")
        scribe = grown(log, 5)
        names = [log.topics().chain, log.topics().events]
        for _ in range(2):
            assert log.end() == scribe.writer.end
            with administrator(brokers.bootstrap) as admin:
                moved = {
                    TopicPartition(topic["name"], partition["partition_index"]): [
                        *partition["replica_nodes"][1:],
                        partition["replica_nodes"][0],
                    ]
                    for topic in admin.describe_topics(names)
                    for partition in topic["partitions"]
                }
                assert set(admin.alter_partition_reassignments(moved).values()) == {None}
                admin.elect_leaders(0, raise_errors=False)
                deadline = time.monotonic() + 60
                while any(
                    partition["leader_id"] != moved[topic["name"], partition["partition_index"]][0]
                    for topic in admin.describe_topics(names)
                    for partition in topic["partitions"]
                ):
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            assert log.end() == scribe.writer.end
            assert log.ends()
        scribe.writer.close()
        log.close()


def test_a_partition_of_which_much_was_fetched_goes_on_after_another_was_read_to_its_end(
    log: KafkaLog, kafka_servers: str
) -> None:
    """kafka-python parks the rest of a fetch when its partition is paused, and never takes it up again if another
    partition's fetch was drained meanwhile.
    """
    grown(log, 1).writer.close()
    many, few = (TopicPartition(log.topics().events, each) for each in (0, 1))
    with closing(KafkaProducer(bootstrap_servers=kafka_servers)) as producer:
        for place, records in ((many, 9_000), (few, 10)):
            for _ in range(records):
                producer.send(place.topic, value=b"{}", partition=place.partition)
        producer.flush()
    with closing(Reader(log.place, log.settings)) as reader:
        reader.assign([many, few])
        ends = reader.ends([many, few])
        slow = reader.records(many, 0, ends[many])
        offsets = [next(slow).offset]
        assert len(list(reader.records(few, 0, ends[few]))) >= 10
        offsets += [record.offset for record in slow]
    assert len(offsets) >= 9_000
    assert offsets == sorted(set(offsets))


@pytest.mark.long
def test_a_partition_without_a_leader_is_another_try(tmp_path: Path) -> None:
    with cluster(tmp_path, 3) as brokers:
        url = f"kafka://{brokers.bootstrap}/test"
        log = KafkaLog(place_from_url(url), KafkaSettings(replication_factor=1, min_insync_replicas=1))
        scribe = grown(log, 5)
        assert len(log.ends()) == PARTITIONS + 1
        with administrator(brokers.bootstrap) as admin:
            (events,) = admin.describe_topics([log.topics().events])
            brokers.stop_one(events["partitions"][0]["leader_id"], SIGKILL)
            deadline = time.monotonic() + 60
            while admin.describe_topics([log.topics().events])[0]["partitions"][0]["leader_id"] != -1:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        with pytest.raises(LogUnavailable):  # from when the log's own client knows it, too
            ask_for_ever(log.ends)
        with closing(kafka_log(url)) as other, pytest.raises(LogUnavailable):
            other.writer()
        scribe.writer.close()
        log.close()


@pytest.mark.long
def test_of_three_brokers_any_one_may_die(tmp_path: Path) -> None:
    with cluster(tmp_path, 3) as brokers:
        log = kafka_log(f"kafka://{brokers.bootstrap}/test")
        scribe = grown(log, 5)
        with administrator(brokers.bootstrap) as admin:
            (chain,) = admin.describe_topics([log.topics().chain])
        assert len(chain["partitions"][0]["replica_nodes"]) == 3
        brokers.stop_one(chain["partitions"][0]["leader_id"], SIGKILL)
        deadline = time.monotonic() + 60
        steps = 5
        while steps < 15:
            assert time.monotonic() < deadline
            try:
                for block in Tree().grow(scribe.chain, 10)[: 15 - steps]:
                    scribe.forward([block])
                    steps += 1
            except (LogUnavailable, Fenced):
                scribe.restart()
                steps = scribe.writer.end.spine.step if scribe.writer.end else 0
                scribe.chain = Tree().grow([], steps)
        report = verify(log)
        assert (report.fault, report.to_step) == (None, 15)
        scribe.writer.close()
        log.close()


def test_a_record_is_the_same_whatever_the_order_of_its_headers(log: KafkaLog) -> None:
    """As written they are read by place, in any other order by name."""
    grown(log, 12).rollback(5)
    for record in log.read(1, 0, 10_000).records:
        headers = record_headers(record, MAGIC)
        for order in (headers, headers[::-1], [*headers[1:], headers[0]]):
            assert record_from_kafka(order, bytes(record.body)) == record
