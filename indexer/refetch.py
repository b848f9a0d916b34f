"""Blocks of a step read from the chain once more: for what a torn step has lost."""

from collections.abc import Sequence
from typing import Final

from indexer.chain import BoundaryBlock, RollForward, Tip
from indexer.decode import decode
from indexer.eras import EraHistory
from indexer.follow import NodeBehind
from indexer.log.port import LogDamaged, StoredSpine
from indexer.log.records import BlockEntry, Forward
from indexer.log.steps import PlacedEvent, place
from indexer.ogmios.connection import redacted
from indexer.ogmios.messages import NEXT_BLOCK, NoIntersection, find_intersection, read_intersection
from indexer.ogmios.prefilter import make_prefilter, read_all
from indexer.outside import Outside
from indexer.protocol.profile import Profile, needles
from indexer.session import NodeStalled

ANSWER_SECONDS: Final = 60.0
IN_FLIGHT: Final = 100


def refetch(
    node: tuple[Outside, str],
    eras: EraHistory,
    profiles: Sequence[Profile],
    network_magic: int,
    step: tuple[StoredSpine, Forward],
) -> list[PlacedEvent]:
    """The events of a forward step, given the step before it and itself, from a node at an address.

    Raises LogDamaged where the node no longer has its blocks, NodeBehind where it does not have them yet, NodeStalled
    where it does not say, and what a connection raises.
    """
    outside, url = node
    before, spine = step
    wanted = {block.id: block for block in spine.blocks}
    left = len(wanted)
    concerns = make_prefilter([needle for profile in profiles for needle in needles(profile)])
    events: list[PlacedEvent] = []
    connection = outside.connect(url, silence_seconds=ANSWER_SECONDS)
    try:
        connection.send(find_intersection((before.spine.point,)))
        received = connection.receive(ANSWER_SECONDS)
        if not received:
            raise _silent(url, spine)
        buffer, start, end = received[0]
        answer = read_intersection(bytes(buffer[start:end]))
        last = spine.blocks[-1]
        if not isinstance(answer.tip, Tip) or answer.tip.height < last.height:
            raise NodeBehind(f"{redacted(url)} is below height {last.height}, and step {spine.step} is to be mended")
        if isinstance(answer, NoIntersection):
            raise _gone(url, spine)
        connection.send(NEXT_BLOCK, times=IN_FLIGHT)
        while left:
            received = connection.receive(ANSWER_SECONDS)
            if not received:
                raise _silent(url, spine)
            connection.send(NEXT_BLOCK, times=len(received))
            for message in read_all(received, concerns):
                if not left or not isinstance(message, RollForward) or isinstance(message.block, BoundaryBlock):
                    continue
                block = message.block
                if block.point.id not in wanted:
                    raise _gone(url, spine)
                left -= 1
                entry = BlockEntry(block.height, block.point.slot, block.point.id)
                if block.transactions:
                    found = decode(block, tuple(profiles))
                    events += place(found, entry, eras.time(entry.slot), network_magic) if found else []
    finally:
        connection.close()
    return events


def _silent(url: str, spine: Forward) -> NodeStalled:
    return NodeStalled(f"{redacted(url)} did not send the blocks of step {spine.step} within {ANSWER_SECONDS:.0f} s")


def _gone(url: str, spine: Forward) -> LogDamaged:
    return LogDamaged(
        f"step {spine.step} is torn, and {redacted(url)} no longer has its blocks to read them again", step=spine.step
    )
