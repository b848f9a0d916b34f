"""What must hold after the storm, whatever it was. Each check says in figures what it saw."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from msgspec import Struct

from indexer.log.audit import Report, verify
from indexer.log.canonical import CanonicalDigest, canonical_lines
from indexer.log.kafka import KafkaLog
from indexer.log.port import Log
from indexer.log.urls import open_log
from projections.database import connect
from projections.digest import digests_as_of, table_digests
from projections.run import Worker
from tests.chaos.services import Failed
from tests.chaos.storm import Sample
from tests.chaos.system import System
from tests.endtoend.processes import run
from tests.postgres import fresh_database

SAMPLES: Final = 300
"""At most so many of the steps that a reader saw are asked again, spread over all of them."""


class Finding(Struct, frozen=True):
    """An invariant, and what was seen of it."""

    invariant: str
    seen: str


def check(system: System, samples: Sequence[Sample]) -> Iterator[Finding]:
    """Raises Failed at the first invariant that does not hold. The services have ended, the rest is up."""
    with system.log() as log:
        report = verify(log)
        if report.fault is not None:
            raise Failed(f"I2, I3, I4, I5: the log is not sound: {report.fault}")
        yield from _of_the_log(report)
        yield _ends(system, log, report)
        yield _zombies(system, log)
        yield _canonical(system, log)
        yield from _tables(system, log, samples)


def _of_the_log(report: Report) -> Iterator[Finding]:
    yield Finding(
        "I2", f"{report.steps:,} steps in {report.partitions} partitions, no sequence number missing or twice"
    )
    yield Finding(
        "I3",
        f"{report.rollbacks:,} rollbacks, {report.retractions:,} retractions of {report.events:,} events, each once, "
        "after its target and in its partition",
    )


def _ends(system: System, log: KafkaLog, report: Report) -> Finding:
    """I6: the follower's cursor is the spine's end; markers and checkpoints have to agree with it."""
    end = log.end()
    assert end is not None
    spine = end.spine
    for partition, last in enumerate(spine.partitions):
        batch = log.read(partition, log.offset_of_step(partition, spine.step), 1)
        marker = batch.records[-1]
        if (marker.kind, marker.step, marker.seq) != ("marker", spine.step, last.last_seq):
            raise Failed(f"I6: partition {partition} ends with {marker}, the spine with step {spine.step}")
    query = "SELECT partition, last_step, last_seq FROM checkpoints ORDER BY partition"
    with connect(system.database.url, read_only=True) as connection:
        found = connection.execute(query).fetchall()
    wanted = [(each, spine.step, last.last_seq) for each, last in enumerate(spine.partitions)]
    if found != wanted:
        raise Failed(f"I6: the tables' checkpoints are {found}, the log ends with {wanted}")
    if (report.height, report.digest) != (spine.height, end.digest):
        raise Failed(f"I6: the spine ends at {spine.height} {end.digest}, what was read at {report.height}")
    return Finding("I6", f"spine, {len(wanted)} markers and {len(wanted)} checkpoints all end at step {spine.step}")


def _zombies(system: System, log: KafkaLog) -> Finding:
    """I7: what was aborted is in the topics, and no reader sees it."""
    topics = log.topics()
    names = [topics.chain, topics.events]
    everything, committed = (_count(system, names, level) for level in ("read_uncommitted", "read_committed"))
    fenced = sum("took the log over" in file.read_text(errors="replace") for s in system.services for file in s.logs)
    return Finding(
        "I7",
        f"{everything - committed:,} records of aborted transactions lie in the topics, none is seen; "
        f"{fenced} followers woke up fenced; {committed:,} records are seen and belong to the steps above",
    )


def _count(system: System, topics: Sequence[str], level: str) -> int:
    consumer: Any = KafkaConsumer(
        bootstrap_servers=system.brokers.bootstrap.split(","), group_id=None, isolation_level=level
    )
    with closing(consumer):
        places = [TopicPartition(topic, each) for topic in topics for each in consumer.partitions_for_topic(topic)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        found = 0
        while any(consumer.position(place) < ends[place] for place in places):
            found += sum(len(records) for records in consumer.poll(100, max_records=10_000).values())
        return found


def _canonical(system: System, log: KafkaLog) -> Finding:
    """I1: a follower that saw nothing of all this has the same events, byte for byte, at every height of ours."""
    url = f"sqlite:{system.folder / 'undisturbed.db'}"
    done = run(
        system.folder,
        *("follow", "--ogmios", system.node_url, "--profile", str(system.profile), "--log", url, "--until-tip"),
        timeout=300,
    )
    if done.returncode != 0:
        raise Failed(f"the undisturbed follower ended with {done.returncode}: {done.stderr[-2000:]}")
    end = log.end()
    assert end is not None
    height = end.spine.height
    with closing(open_log(url)) as other:
        ours, theirs = _digest(log, height), _digest(other, height)
    if ours != theirs:
        raise Failed(f"I1: up to height {height} the log has {ours}, an undisturbed follower's {theirs}")
    return Finding(
        "I1", f"{ours[0]:,} events up to height {height:,}, digest {ours[1][:16]}…: those of an undisturbed follower"
    )


def _digest(log: Log, height: int) -> tuple[int, str]:
    digest = CanonicalDigest()
    for line in canonical_lines(log, height):
        digest.add(line)
    return digest.events, digest.hexdigest()


def _tables(system: System, log: KafkaLog, samples: Sequence[Sample]) -> Iterator[Finding]:
    """I8: the tables are the fold of the log, now and at every step that a reader saw."""
    rebuilt = fresh_database(system.database)
    Worker(log, lambda: connect(rebuilt)).run(until_caught_up=True, give_up_after_seconds=60)
    with connect(system.database.url, read_only=True) as live, connect(rebuilt, read_only=True) as fresh:
        ours, theirs = table_digests(live), table_digests(fresh)
        if ours != theirs:
            raise Failed(f"I8: the tables are {ours}, a fold of the log from its start makes {theirs}")
        rows = sum(each.rows_all for each in ours)
        yield Finding("I8", f"{rows:,} row versions, equal to those of a fold of the log from its start")
        every = max(1, len(samples) // SAMPLES)
        asked = samples[::every]
        for sample in asked:
            for name, connection in (("the tables now", live), ("a fold from the start", fresh)):
                found = digests_as_of(connection, sample.step)
                if found != sample.digests:
                    raise Failed(f"I8: a reader saw {sample} in the storm; {name} say {found}")
    yield Finding("I8", f"{len(asked)} of {len(samples)} steps at which a reader looked: the same answer now")
