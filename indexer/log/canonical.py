"""The canonical log: what is true of the chain, with nothing in it of how one follower came to know it.

Two followers of one chain batch blocks differently and live through other forks, so steps, sequence numbers,
incarnations and retractions are left out. What stays, the events not retracted in the chain's order, is the same byte
for byte, and so is its digest at each final height.
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final, assert_never

import msgspec
from msgspec import Raw, Struct

from indexer.errors import ConfigurationError
from indexer.log.port import Log, LogDamaged, LogEmpty
from indexer.log.records import Forward, Opened, Record, Rollback
from indexer.log.replay import Group, replay_sound

NO_EVENTS: Final = bytes(32)


class CanonicalEvent(Struct, frozen=True, kw_only=True):
    """One line: an event and its place on the chain, as JSON with its fields in this order."""

    height: int
    slot: int
    block: str
    fact: str
    type: str
    key: str
    deployment: str
    event: Raw  # the event's body as the log holds it


class CanonicalDigest:
    """A digest of lines that can be stopped and taken up again, and compared at any height.

    blake2b-256 over the digest before (32 zero bytes at first) and the line without its line feed.
    """

    def __init__(self, digest: bytes = NO_EVENTS) -> None:
        self._digest = digest
        self.events = 0

    def add(self, line: bytes) -> None:
        self._digest = blake2b(self._digest + line, digest_size=32).digest()
        self.events += 1

    def hexdigest(self) -> str:
        return self._digest.hex()


class _Order(Struct, frozen=True):
    """The part of a body that gives an event its place in the block."""

    transaction_index: int
    index: int


Pending = dict[int, dict[str, Record]]
"""height -> event id -> live event, of each block of the current chain above what was given out"""

_decode_order = msgspec.json.Decoder(_Order).decode
encode_line = msgspec.json.Encoder().encode


def up_to(log: Log, to: str) -> int:
    """The height that a word means: ``final``, ``tip`` (the log's end), or a height in digits."""
    end = log.end()
    if end is None:
        raise LogEmpty("the log has no step yet")
    match to:
        case "final":
            return end.spine.final_height
        case "tip":
            return end.spine.height
        case digits if digits.isascii() and digits.isdigit():
            height = int(digits)
            if height > end.spine.height:
                raise ConfigurationError(f"the log stands at height {end.spine.height}, below {height}")
            return height
        case _:
            raise ConfigurationError(f"{to!r} is neither final, tip nor a height")


def canonical_lines(log: Log, to_height: int) -> Iterator[bytes]:
    """The canonical log up to a height, as lines without line feeds, each as soon as no rollback can undo it.

    Memory is bounded by the events of the k blocks that may still be undone. Raises LogEmpty, LogDamaged.
    """
    end = log.end()
    if end is None:
        raise LogEmpty("the log has no step yet")
    pending: Pending = {}
    for stored, groups in replay_sound(log, 0, end.spine.step):
        spine = stored.spine
        match spine:
            case Forward():
                for block in spine.blocks:  # in their order: partitions come one after the other
                    pending[block.height] = {}
                for record in _changes(groups):
                    pending[record.height][record.id] = record
            case Rollback():
                for record in _changes(groups):
                    _retract(pending, record)
                _cut(pending, spine)
            case Opened():
                pass
            case unreachable:
                assert_never(unreachable)
        yield from _settled(pending, min(spine.final_height, to_height))
        if spine.final_height >= to_height:
            return
    yield from _settled(pending, to_height)


def _changes(groups: Iterable[Group]) -> Iterator[Record]:
    return (record for group in groups for record in group if record.kind != "marker")


def _retract(pending: Pending, record: Record) -> None:
    if pending.get(record.height, {}).pop(record.retracts, None) is None:
        raise LogDamaged(
            f"step {record.step} retracts {record.retracts}, which is not live", step=record.step, seq=record.seq
        )


def _cut(pending: Pending, spine: Rollback) -> None:
    for height in [height for height in pending if height > spine.height]:
        if pending.pop(height):
            raise LogDamaged(f"step {spine.step} leaves events above its point, at height {height}", step=spine.step)


def _settled(pending: Pending, height: int) -> Iterator[bytes]:
    """Takes the events up to a height, in the chain's order. ``pending`` has its heights in ascending order."""
    while pending and (lowest := next(iter(pending))) <= height:
        events = pending.pop(lowest).values()
        for record in sorted(events, key=_place_in_block):
            yield encode_line(
                CanonicalEvent(
                    height=record.height,
                    slot=record.slot,
                    block=record.block,
                    fact=record.fact,
                    type=record.type,
                    key=record.key,
                    deployment=record.deployment,
                    event=record.body,
                )
            )


def _place_in_block(record: Record) -> tuple[int, int]:
    order = _decode_order(record.body)
    return (order.transaction_index, order.index)
