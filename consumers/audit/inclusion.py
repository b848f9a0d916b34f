"""A pack against a node of the auditor's own: which blocks to ask for, and whether they say the same. Pure."""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from consumers.audit.evidence import Evidence
from consumers.audit.judged import Story
from consumers.audit.manifest import Subject
from indexer.events import encode_event
from indexer.log.port import StoredSpine
from indexer.log.records import Forward, encode_spine, step_digest
from indexer.log.steps import PlacedEvent
from projections.facts import Fact


class Stretch(Struct, frozen=True):
    """Blocks of one step up to the last that holds a fact of the pack, where they begin, and those facts."""

    before: StoredSpine
    step: Forward
    facts: tuple[Fact, ...]


def stretches(evidence: Evidence, story: Story) -> Iterator[Stretch]:
    """What to ask a node for. Steps whose facts were all taken back are left out: their blocks are on no chain."""
    by_block: dict[tuple[int, str], list[Fact]] = {}
    for fact in story.facts:
        by_block.setdefault((fact.height, fact.block), []).append(fact)
    for number, step in evidence.forward_steps(by_block):
        before = evidence.spines.get(number - 1)
        places = [at for at, block in enumerate(step.blocks) if (block.height, block.id) in by_block]
        blocks = step.blocks[: places[-1] + 1]
        facts = [fact for block in blocks for fact in by_block.get((block.height, block.id), ())]
        # A block stands in two steps where the chain came back to it: the later one states the facts that hold.
        names = {record.id for group in evidence.groups if group.step == number for record in group.records}
        facts = [fact for fact in facts if fact.event_id in names]
        if before is not None and facts:
            stored = StoredSpine(before, step_digest(encode_spine(before)))
            yield Stretch(stored, replace(step, blocks=blocks), tuple(facts))


def differences(stretch: Stretch, placed: Iterable[PlacedEvent], subject: Subject, story: Story) -> Iterator[str]:
    """What the node's blocks say otherwise, more, or less of the subject."""
    last = story.facts[-1].place
    ours = {fact.fact: (fact.height, fact.slot, fact.block, encode_event(fact.event)) for fact in stretch.facts}
    theirs = {
        each.fact: (each.block.height, each.block.slot, each.block.id, encode_event(each.event))
        for each in placed
        if (each.event.battery_key, each.event.deployment) == (subject.battery_key, subject.deployment)
        and (each.block.height, each.event.transaction_index, each.event.index) <= last
    }
    for fact in sorted(ours.keys() | theirs.keys()):
        if fact not in theirs:
            yield f"the node's blocks do not hold the fact {fact}"
        elif fact not in ours:
            yield f"the node's blocks hold the fact {fact} of this battery, which the pack leaves out"
        elif ours[fact] != theirs[fact]:
            yield f"the node's blocks say something else of the fact {fact}"
