"""Asks a node of the auditor's own whether the blocks of a pack are on its chain, and what they say."""

from collections.abc import Callable

from consumers.audit.answer import Answer, Line, answer, line
from consumers.audit.container import read_container
from consumers.audit.evidence import evidence_of
from consumers.audit.inclusion import differences, stretches
from consumers.audit.judged import story_of
from consumers.audit.manifest import MANIFEST, Manifest, decoded
from indexer.log.port import LogDamaged
from indexer.outside import OgmiosNodes
from indexer.refetch import refetch

ON_CHAIN = "on_chain"


def with_node(content: bytes, found: Answer, url: str, progress: Callable[[int, int], None]) -> Answer:
    """The answer, with what a node says of the pack's blocks in place of "can't be known". For packs that hold.

    Raises what a connection raises, and NodeBehind where the node is not that far.
    """
    parts = read_container(content)
    manifest, evidence = decoded(parts[MANIFEST], Manifest, MANIFEST), evidence_of(parts)
    story = story_of(evidence, manifest.subject)
    outside = OgmiosNodes()
    facts = outside.inspect(url)
    faults = []
    magic = manifest.subject.network_magic
    if facts.genesis.network_magic != magic:
        faults.append(f"the node is of the network with magic {facts.genesis.network_magic}, the pack of {magic}")
    asked = list(stretches(evidence, story))
    for number, stretch in enumerate(asked if not faults else ()):
        step = (stretch.before, stretch.step)
        try:
            placed = refetch((outside, url), facts.eras, (evidence.judged_by.profile,), magic, step)
        except LogDamaged:
            last = stretch.step.blocks[-1]
            faults.append(f"block {last.id} at height {last.height}, or one before it, is not on the node's chain")
            continue
        faults += differences(stretch, placed, manifest.subject, story)
        progress(number + 1, len(asked))
    covered = sum(len(stretch.facts) for stretch in asked)
    if covered != len(story.facts):
        faults.append(f"{len(story.facts) - covered} facts stand in no block of the pack's steps")
    blocks = sum(len(stretch.step.blocks) for stretch in asked)
    words = (
        f"Your node holds these blocks, and its {blocks} blocks of these steps state all {covered} facts, and no more"
    )
    told: dict[str, Line] = {each.name: each for each in found.lines}
    told[ON_CHAIN] = line(ON_CHAIN, words, faults)
    return answer(told.values(), found.battery, found.readings)
