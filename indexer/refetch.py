"""Blocks of a step read from the chain once more: for what a torn step has lost."""

from collections.abc import Sequence
from typing import Final

from indexer.chain import BoundaryBlock, RollForward
from indexer.decode import decode
from indexer.eras import EraHistory
from indexer.log.port import LogDamaged, StoredSpine
from indexer.log.records import BlockEntry, Forward
from indexer.log.steps import PlacedEvent, place
from indexer.ogmios.connection import Connection, redacted
from indexer.ogmios.messages import NEXT_BLOCK, NoIntersection, find_intersection, read_intersection
from indexer.ogmios.prefilter import make_prefilter, read_all
from indexer.protocol.profile import Profile, needles

ANSWER_SECONDS: Final = 60.0
IN_FLIGHT: Final = 100


def refetch(
    url: str, eras: EraHistory, profiles: Sequence[Profile], network_magic: int, step: tuple[StoredSpine, Forward]
) -> list[PlacedEvent]:
    """The events of a forward step, given the step before it and itself.

    Raises LogDamaged where the node no longer has its blocks, and what a connection raises.
    """
    before, spine = step
    wanted = {block.id: block for block in spine.blocks}
    left = len(wanted)
    concerns = make_prefilter([needle for profile in profiles for needle in needles(profile)])
    events: list[PlacedEvent] = []
    connection = Connection(url, silence_seconds=ANSWER_SECONDS)
    try:
        connection.send(find_intersection((before.spine.point,)))
        received = connection.receive(ANSWER_SECONDS)
        buffer, start, end = received[0] if received else (b"", 0, 0)
        if not received or isinstance(read_intersection(bytes(buffer[start:end])), NoIntersection):
            raise _gone(url, spine)
        connection.send(NEXT_BLOCK, times=IN_FLIGHT)
        while left:
            received = connection.receive(ANSWER_SECONDS)
            if not received:
                raise _gone(url, spine)
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


def _gone(url: str, spine: Forward) -> LogDamaged:
    return LogDamaged(
        f"step {spine.step} is torn, and {redacted(url)} no longer has its blocks to read them again", step=spine.step
    )
