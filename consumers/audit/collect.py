"""Reads a pack's facts from the log, and holds what the tables say against them. Reads, never writes."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict

from consumers.audit.evidence import Evidence, Group, JudgedBy, group_of
from consumers.audit.judged import Story, battery_id_of, concerns, story_of
from consumers.audit.manifest import Subject
from consumers.audit.tree import Tree
from consumers.timeline import Timeline, asking
from indexer.errors import OperatorMustAct
from indexer.log.partition import partition_of
from indexer.log.port import Log, LogDamaged, StoredSpine
from indexer.log.records import Opened, Record
from indexer.log.replay import partition_groups
from indexer.protocol.profile import Profile
from projections.database import Connection, load_queries
from projections.packing import storable_json
from projections.rules.thresholds import ThresholdBook

_QUERIES: Final = load_queries("consumers.audit", "queries.sql")
REPORT_EVERY: Final = 1_000  # steps

Progress = Callable[[int, int], None]
"""Steps done, and how many there are."""


class TablesDiffer(OperatorMustAct):
    """The tables say something else than the log: nobody should sign either."""


class NothingToExport(OperatorMustAct):
    """The log holds nothing of this battery, or not this reading."""

    exit_code = 1


class Collected(Struct, frozen=True):
    """Facts, where the log stood, and what follows."""

    subject: Subject
    evidence: Evidence
    step_digest: str
    tree_size: int
    tree_root: str
    story: Story


def subject_of(opened: Opened, profile: Profile, battery_key: str, reading: str | None) -> Subject:
    """A subject whose battery id is not known yet."""
    return Subject(
        network=opened.network,
        network_magic=opened.network_magic,
        deployment=profile.name,
        battery_key=battery_key,
        battery_id=None,
        reading=reading,
    )


def collect(  # noqa: PLR0913  # what is asked for, where it stands, and who watches
    log: Log,
    profile: Profile,
    thresholds: ThresholdBook,
    battery_key: str,
    *,
    reading: str | None = None,
    step: int,
    progress: Progress = lambda *_: None,
) -> Collected:
    """Everything that the log holds of a battery up to a step; about one reading: up to its height.

    Reads the spine and one partition up to the step. Raises NothingToExport, and LogDamaged where a step is missing.
    """
    opened = log.opened()
    subject = subject_of(opened, profile, battery_key, reading)
    groups = _groups(log, subject, step)
    if reading is not None:
        groups = _up_to_reading(groups, subject)
    if not groups:
        raise NothingToExport(f"the log holds nothing of battery {battery_key} in {profile.name!r} up to step {step}")
    wanted = {0, step} | {group.step for group in groups} | {group.step - 1 for group in groups}
    kept: dict[int, StoredSpine] = {}
    tree = Tree(_digests(log, step, wanted, kept, progress))
    if tree.size != step + 1:
        raise LogDamaged(f"the log ends with step {tree.size - 1}, before step {step}", step=tree.size)
    evidence = Evidence(
        spines={number: stored.spine for number, stored in kept.items()},
        groups=tuple(groups),
        paths={number: tree.path(number) for number in sorted(kept)},
        judged_by=JudgedBy(profile, thresholds),
    )
    story = story_of(evidence, subject)
    named = battery_id_of(story)
    subject = Subject(**asdict(subject) | {"battery_id": named})
    return Collected(subject, evidence, kept[step].digest, tree.size, tree.root, story)


def _groups(log: Log, subject: Subject, step: int) -> list[Group]:
    partition = partition_of(subject.battery_key, len(log.opened().partitions))
    found = []
    for records in partition_groups(log, partition, 0):
        if records[-1].step > step:
            break
        if any(concerns(record, subject) for record in records):
            found.append(group_of(records))
    return found


def _up_to_reading(groups: list[Group], subject: Subject) -> list[Group]:
    """The groups that hold anything of the battery up to the reading's height, retractions too."""
    heights = [
        record.height for group in groups for record in group.records if _states(record, subject, subject.reading or "")
    ]
    if not heights:
        raise NothingToExport(f"the log does not hold the reading {subject.reading} of battery {subject.battery_key}")
    highest = max(heights)
    return [
        group
        for group in groups
        if any(concerns(record, subject) and record.height <= highest for record in group.records)
    ]


def _states(record: Record, subject: Subject, fact: str) -> bool:
    return concerns(record, subject) and record.fact == fact and record.kind == "event"


def _digests(log: Log, step: int, wanted: set[int], kept: dict[int, StoredSpine], progress: Progress) -> Iterator[str]:
    """The digests of all steps; of those that are wanted, what they say goes into ``kept``."""
    for stored in log.spine():
        number = stored.spine.step
        if number > step:
            return
        if number in wanted:
            kept[number] = stored
        if number % REPORT_EVERY == 0:
            progress(number, step + 1)
        yield stored.digest
    progress(step + 1, step + 1)


def require_tables_agree(timeline: Timeline, story: Story) -> None:
    """Raises TablesDiffer unless the tables hold these facts and no others up to the last one's place, and these
    verdicts and findings of them.
    """
    last = story.facts[-1].place
    lines = [line for line in timeline.lines if (line.height, line.transaction_index, line.event_index) <= last]
    if [line.event_id for line in lines] != [fact.event_id for fact in story.facts]:
        raise TablesDiffer(f"the tables hold {len(lines)} events where the log holds {len(story.facts)}: {_REBUILD}")
    verdicts = {row.fact: _stored(asdict(row)) for row in story.opinions.verdicts}
    for line in lines:
        if line.fact in verdicts and _differ(line.verdict, verdicts[line.fact]):
            raise TablesDiffer(f"the verdict on the reading {line.fact} in the tables is not what follows: {_REBUILD}")
    said = [_stored(asdict(row)) for row in story.opinions.findings]
    of_story = {row["fact"] for row in said}
    told = [row for line in lines if line.fact in of_story for row in line.findings]
    if len(told) != len(said) or any(_differ(*pair) for pair in zip(_sorted(told), _sorted(said), strict=True)):
        raise TablesDiffer(f"the tables hold {len(told)} findings where {len(said)} follow from the log: {_REBUILD}")


_REBUILD: Final = "`cellwitness rebuild` makes the tables again from the log; `cellwitness log verify` checks the log"


def _stored(row: dict[str, Any]) -> dict[str, Any]:
    stored: dict[str, Any] = storable_json(row)
    return stored


def _differ(told: dict[str, Any] | None, said: dict[str, Any]) -> bool:
    return told is None or any(told[name] != said[name] for name in told.keys() & said.keys())


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["fact"], row["rule"], row["number"]))


def find_readings(connection: Connection, name: str, step: int) -> list[tuple[str, str, str]]:
    """Deployment, battery key and fact of the readings of this fact, event or transaction (32 bytes, hex)."""
    with asking():
        rows = connection.execute(_QUERIES["find_readings"], {"id": bytes.fromhex(name), "step": step})
        return [(deployment, key, fact) for deployment, key, fact in rows]
