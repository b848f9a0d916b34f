"""What follows from a pack's facts: which ones hold, the keys, the blocks, the verdicts. Pure; exporter and verifier
call the same functions, and both call the folds of the projections.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from consumers.audit.container import PackRefused
from consumers.audit.evidence import Evidence, Group
from consumers.audit.manifest import Subject, canonical
from indexer.events import PassportEvent, ReadingEvent
from indexer.hexes import StrictHash32
from indexer.log.records import Record
from projections.errors import CannotFold
from projections.facts import Fact, fact_of
from projections.folding import EMPTY, fold
from projections.judging import Judging
from projections.rules.catalogue import CATALOGUE
from projections.timeline import EMPTY as NO_TIMELINE
from projections.timeline import fold as fold_timeline
from projections.verdict_rows import AlertRow, FindingRow, VerdictRow
from projections.verdicts.model import RULE_SET

PASSPORT: Final = "passport.json"
BLOCKS: Final = "blocks.json"
VERDICTS_PART: Final = "verdicts.json"
READINGS: Final = "readings/"


class Known(Struct, frozen=True):
    """A key of the passport, from a place on the chain on until the next one."""

    public_key: str | None
    algorithm: int | None  # COSE number
    since_slot: int
    since_height: int
    transaction: StrictHash32
    event: str  # passport_registered or passport_updated
    fact: StrictHash32


class BlockPoint(Struct, frozen=True):
    """A block that holds facts of the battery, with their transactions in their order."""

    height: int
    slot: int
    id: StrictHash32
    time: str
    transactions: tuple[StrictHash32, ...]


class Opinions(Struct, frozen=True):
    """``verdicts.json``: what this version's rules say of the facts."""

    rule_set: int
    rules: dict[str, int]  # rule -> version
    verdicts: tuple[VerdictRow, ...]  # in the chain's order
    findings: tuple[FindingRow, ...]
    alerts: tuple[AlertRow, ...]  # of a battery; none in a pack about one reading


class Story(Struct, frozen=True):
    """Everything that follows from a pack's facts."""

    facts: tuple[Fact, ...]  # that hold, in the chain's order; about one reading: up to it
    keys: tuple[Known, ...]
    blocks: tuple[BlockPoint, ...]
    opinions: Opinions

    @property
    def readings(self) -> list[Fact]:
        return [fact for fact in self.facts if isinstance(fact.event, ReadingEvent)]


def story_of(evidence: Evidence, subject: Subject) -> Story:
    """Raises PackRefused where the records can't be what a log held."""
    facts = live_facts(evidence.groups, subject)
    return Story(facts, key_history(facts), block_points(facts), opinions_of(facts, evidence.judging, subject.reading))


def concerns(record: Record, subject: Subject) -> bool:
    """Whether a record is the subject's: its battery's, in its deployment, markers left out."""
    return (record.key, record.deployment) == (subject.battery_key, subject.deployment) and record.kind != "marker"


def live_facts(groups: Iterable[Group], subject: Subject) -> tuple[Fact, ...]:
    """The subject's events that no retraction took back, in the chain's order."""
    live: dict[str, Record] = {}
    for group in groups:
        for record in group.records:
            if not concerns(record, subject):
                continue
            if record.kind == "event":
                live[record.id] = record
            elif live.pop(record.retracts, None) is None:
                raise PackRefused(
                    "retraction_without_event",
                    f"step {record.step} takes back {record.retracts}, which is not in the pack",
                )
    try:
        facts = sorted(map(fact_of, live.values()), key=lambda fact: fact.place)
    except CannotFold as error:
        raise PackRefused("event_unknown", str(error)) from error
    if subject.reading is None:
        return tuple(facts)
    asked = next((fact for fact in facts if fact.fact == subject.reading), None)
    if asked is None or not isinstance(asked.event, ReadingEvent):
        raise PackRefused("reading_missing", f"the pack is about the reading {subject.reading}, and does not hold it")
    return tuple(fact for fact in facts if fact.place <= asked.place)


def key_history(facts: Sequence[Fact]) -> tuple[Known, ...]:
    """The passport's keys by place: another key, or another algorithm, opens an epoch."""
    keys: list[Known] = []
    for fact in facts:
        event = fact.event
        if not isinstance(event, PassportEvent):
            continue
        said = (event.bms_public_key, event.bms_key_alg)
        if keys and (keys[-1].public_key, keys[-1].algorithm) == said:
            continue
        kind = event.__struct_config__.tag
        keys.append(Known(*said, fact.slot, fact.height, event.transaction, str(kind), fact.fact))
    return tuple(keys)


def block_points(facts: Sequence[Fact]) -> tuple[BlockPoint, ...]:
    found: dict[tuple[int, str], tuple[Fact, dict[str, None]]] = {}
    for fact in facts:
        found.setdefault((fact.height, fact.block), (fact, {}))[1][fact.event.transaction] = None
    return tuple(
        BlockPoint(fact.height, fact.slot, fact.block, fact.time, tuple(transactions))
        for fact, transactions in found.values()
    )


def opinions_of(facts: Sequence[Fact], judging: Judging, reading: str | None) -> Opinions:
    """The whole fold of the projections over the facts. About one reading: only what is said of it."""
    state = EMPTY
    verdicts: list[VerdictRow] = []
    findings: list[FindingRow] = []
    alerts: dict[str, AlertRow] = {}
    for fact in facts:
        state, puts = fold(state, fact, judging)
        for put in puts:
            match put.row:
                case VerdictRow() as row:
                    verdicts.append(row)
                case FindingRow() as row:
                    findings.append(row)
                case AlertRow() as row:
                    alerts[row.rule] = row
    if reading is not None:
        verdicts = [row for row in verdicts if row.fact == reading]
        findings = [row for row in findings if row.fact == reading]
        alerts = {}
    rules = {rule.id: rule.version for rule in CATALOGUE}
    in_order = tuple(alerts[rule] for rule in sorted(alerts))
    return Opinions(RULE_SET, rules, tuple(verdicts), tuple(findings), in_order)


def battery_id_of(story: Story) -> str | None:
    """The battery's id as its timeline has it."""
    state = NO_TIMELINE
    for fact in story.facts:
        state, _ = fold_timeline(state, fact)
    return None if state.battery is None else state.battery.battery_id


def story_parts(story: Story, subject: Subject) -> dict[str, bytes]:
    """The parts that follow from the facts, and each reading's message by itself, for anybody's COSE tool."""
    shown = [fact for fact in story.readings if subject.reading in (None, fact.fact)]
    return {
        PASSPORT: canonical(story.keys),
        BLOCKS: canonical(story.blocks),
        VERDICTS_PART: canonical(story.opinions),
        **{f"{READINGS}{fact.fact}.cose": message_of(fact) for fact in shown},
    }


def message_of(fact: Fact) -> bytes:
    """A reading's COSE message."""
    assert isinstance(fact.event, ReadingEvent)
    return bytes.fromhex(fact.event.cose)
