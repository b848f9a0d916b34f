"""Whether a pack's facts are what a log's digests cover, and what a follower makes of the bytes in them. Pure."""

from collections.abc import Iterator

from consumers.audit.answer import Line, line
from consumers.audit.evidence import Evidence
from consumers.audit.judged import concerns
from consumers.audit.manifest import Manifest, Subject
from consumers.audit.tree import root_of_path
from indexer.events import ChainEvent, event_id, event_kind, fact_id, retraction_id
from indexer.log.audit_step import check_spine
from indexer.log.port import LogDamaged, StoredSpine
from indexer.log.records import Forward, Record, Spine, encode_spine, records_digest, step_digest
from indexer.log.steps import markers, subject_of
from indexer.protocol.profile import profile_digest
from projections.errors import CannotFold
from projections.facts import fact_of

MOST_OF_A_KIND = 1_024
"""Facts of one kind in a transaction: those of other batteries count too, and aren't in the pack."""


def log_lines(evidence: Evidence, manifest: Manifest) -> Iterator[Line]:
    yield line(
        "log_beginning",
        "The log is of this network, and was written with this profile",
        _beginning(evidence, manifest.subject),
    )
    yield line("log_records", "Every record is covered by the digest of its step", _records(evidence, manifest.subject))
    yield line(
        "log_steps",
        "Every step is in the log's tree under the root that the manifest names",
        _steps(evidence, manifest),
    )
    yield line("log_only", "The pack holds the steps of these facts and no others", _only(evidence, manifest))
    yield line(
        "identities", "Every fact has the name that follows from what it says", _identities(evidence, manifest.subject)
    )


def _beginning(evidence: Evidence, subject: Subject) -> Iterator[str]:
    opened, profile = evidence.opened, evidence.judged_by.profile
    if (opened.network, opened.network_magic) != (subject.network, subject.network_magic):
        yield f"the log is of {opened.network} (magic {opened.network_magic}), the manifest says another"
    if profile.name != subject.deployment:
        yield f"the profile is of {profile.name!r}, the manifest says {subject.deployment!r}"
    if opened.deployments.get(profile.name) != profile_digest(profile):
        yield f"the log was not written with this profile of {profile.name!r}"


def _records(evidence: Evidence, subject: Subject) -> Iterator[str]:
    partition = evidence.partition(subject)
    for group in evidence.groups:
        spine = evidence.spines.get(group.step)
        if spine is None or partition >= len(spine.partitions):
            yield f"step {group.step} is not in the pack's spine"
            continue
        said = spine.partitions[partition]
        if records_digest(group.content) != said.digest:
            yield f"the records of step {group.step} are not those of its digest"
        numbers = [record.seq for record in group.records]
        # As many as there are, not as many as are claimed: anything may be.
        gapless = numbers == list(range(said.first_seq, said.first_seq + len(numbers)))
        if not gapless or len(numbers) != said.last_seq + 1 - said.first_seq or len(numbers) != said.count:
            yield f"the records of step {group.step} are not numbered {said.first_seq} to {said.last_seq}"
        marker = next(
            each for at, each in enumerate(markers(spine, [said.last_seq] * (partition + 1))) if at == partition
        )
        if group.records[-1] != marker or any(record.step != group.step for record in group.records):
            yield f"the records of step {group.step} do not end as a step does"


def _steps(evidence: Evidence, manifest: Manifest) -> Iterator[str]:
    opened = evidence.opened
    if manifest.tree_size != manifest.step + 1:
        yield f"a tree over {manifest.tree_size} steps does not end with step {manifest.step}"
    for step, spine in sorted(evidence.spines.items()):
        stored = _stored(spine)
        if root_of_path(stored.digest, step, manifest.tree_size, evidence.paths.get(step, ())) != manifest.tree_root:
            yield f"step {step} does not lead to the root {manifest.tree_root}"
        before = evidence.spines.get(step - 1)
        if before is None and step:
            continue
        try:
            check_spine(opened, None if before is None else _stored(before), stored)
        except LogDamaged as damaged:
            yield str(damaged)
    last = evidence.spines.get(manifest.step)
    if last is None or _stored(last).digest != manifest.step_digest:
        yield f"step {manifest.step} does not have the digest {manifest.step_digest}"


def _only(evidence: Evidence, manifest: Manifest) -> Iterator[str]:
    steps = {group.step for group in evidence.groups}
    wanted = {0, manifest.step} | steps | {step - 1 for step in steps}
    for step in sorted(evidence.spines.keys() ^ wanted):
        yield f"step {step} is {'missing' if step in wanted else 'there, and nothing asks for it'}"
    for step in sorted(evidence.paths.keys() ^ evidence.spines.keys()):
        yield f"step {step} has a path and no record, or a record and no path"
    numbers = [group.step for group in evidence.groups]
    if numbers != sorted(set(numbers)):
        yield "the steps of the records are not in their order"
    for group in evidence.groups:
        if not any(concerns(record, manifest.subject) for record in group.records):
            yield f"step {group.step} holds nothing of the battery"


def _identities(evidence: Evidence, subject: Subject) -> Iterator[str]:
    events: dict[str, Record] = {}
    for group in evidence.groups:
        spine = evidence.spines.get(group.step)
        for record in group.records:
            if not concerns(record, subject):
                continue
            where = f"step {record.step}, number {record.seq}"
            if record.kind == "event":
                events[record.id] = record
                yield from (f"{where}: {fault}" for fault in _event_faults(record, spine, subject))
            else:
                yield from (f"{where}: {fault}" for fault in _retraction_faults(record, events))


def _event_faults(record: Record, spine: Spine | None, subject: Subject) -> Iterator[str]:
    try:
        event = fact_of(record).event
    except CannotFold as error:
        yield str(error)
        return
    if (record.type, record.key, record.deployment, record.subject) != (
        event_kind(event),
        event.battery_key,
        event.deployment,
        subject_of(event),
    ):
        yield "its type, key, deployment or subject is not that of its event"
    if not _is_fact(record.fact, event, subject.network_magic):
        yield f"{record.fact} is not the fact of a {record.type} of transaction {event.transaction}"
    if record.id != event_id(record.fact, record.block, record.incarnation):
        yield f"{record.id} is not the name of this event in this block"
    blocks = spine.blocks if isinstance(spine, Forward) else ()
    if not any((block.height, block.slot, block.id) == (record.height, record.slot, record.block) for block in blocks):
        yield f"block {record.block} at height {record.height}, slot {record.slot} is none of its step"


def _is_fact(fact: str, event: ChainEvent, magic: int) -> bool:
    kind = event_kind(event)
    return any(fact_id(magic, event.transaction, kind, index) == fact for index in range(MOST_OF_A_KIND))


def _retraction_faults(record: Record, events: dict[str, Record]) -> Iterator[str]:
    target = events.get(record.retracts)
    if target is None:
        yield f"it takes back {record.retracts}, which is not before it"
    elif bytes(target.body) != bytes(record.body) or target.fact != record.fact:
        yield "it is not of the event that it takes back"
    if record.id != retraction_id(record.retracts):
        yield f"{record.id} is not the name of this retraction"


def _stored(spine: Spine) -> StoredSpine:
    return StoredSpine(spine, step_digest(encode_spine(spine)))
