"""Two logs of one chain: the same blocks and the same facts, byte for byte, or the first place where they differ."""

from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Final, Literal

import msgspec
from msgspec import Struct

from indexer.errors import OperatorMustAct
from indexer.log.canonical import CanonicalDigest, canonical_lines
from indexer.log.port import Log, LogEmpty
from indexer.log.records import BlockEntry, Forward, Opened, Rollback

REPORT_EVERY: Final = 1_000  # blocks


class OtherLog(OperatorMustAct):
    """The two logs are not of one network, beginning and set of deployments: there is nothing to compare."""


class Difference(Struct, frozen=True):
    """The first place where two logs say different things. ``step`` is of our log, where ours says anything there."""

    what: Literal["block", "fact"]
    height: int
    step: int | None
    ours: str | None
    theirs: str | None


class Compared(Struct, frozen=True):
    """What was compared, and how it came out."""

    equal: bool
    to_height: int  # of the final blocks that both have
    final_height: int  # of our log: what would be all
    blocks: int
    facts: int
    digest: str  # of the canonical log, as far as the two are equal
    difference: Difference | None = None

    @property
    def whole(self) -> bool:
        """Whether everything that is final in our log was compared."""
        return self.to_height >= self.final_height


def require_comparable(ours: Opened, theirs: Opened) -> None:
    """Raises OtherLog that names what differs."""
    for name in ("network_magic", "security_parameter", "deployments", "since"):
        if getattr(ours, name) != getattr(theirs, name):
            raise OtherLog(f"the logs differ in their {name}: {getattr(ours, name)} and {getattr(theirs, name)}")


def compare(ours: Log, theirs: Log, progress: Callable[[int, int], None] = lambda *_: None) -> Compared:
    """Blocks and facts up to the lower of the two final heights. Raises LogEmpty, LogDamaged, OtherLog."""
    require_comparable(ours.opened(), theirs.opened())
    final = _final(ours)
    to_height = min(final, _final(theirs))
    blocks = 0
    digest = CanonicalDigest()

    def result(difference: Difference | None) -> Compared:
        return Compared(difference is None, to_height, final, blocks, digest.events, digest.hexdigest(), difference)

    for our, their in zip_longest(settled_blocks(ours, to_height), settled_blocks(theirs, to_height)):
        if our is None or their is None or our[1] != their[1]:
            return result(_block_difference(our, their))
        blocks += 1
        if blocks % REPORT_EVERY == 0:
            progress(our[1].height, to_height)
    for mine, other in zip_longest(canonical_lines(ours, to_height), canonical_lines(theirs, to_height)):
        if mine is None or other is None or mine != other:
            return result(_fact_difference(ours, mine, other))
        digest.add(mine)
    return result(None)


def settled_blocks(log: Log, to_height: int) -> Iterator[tuple[int, BlockEntry]]:
    """Final blocks up to a height, with the step that brought each. Memory is bounded by what may be undone."""
    pending: dict[int, tuple[int, BlockEntry]] = {}
    for stored in log.spine():
        spine = stored.spine
        if isinstance(spine, Forward):
            pending |= {block.height: (spine.step, block) for block in spine.blocks}
        elif isinstance(spine, Rollback):
            for height in [height for height in pending if height > spine.height]:
                del pending[height]
        for height in [height for height in pending if height <= spine.final_height]:
            block = pending.pop(height)
            if height <= to_height:
                yield block
        if spine.final_height >= to_height:
            return


class _Place(Struct, frozen=True):
    height: int
    block: str


_decode_place = msgspec.json.Decoder(_Place).decode


def _block_difference(our: tuple[int, BlockEntry] | None, their: tuple[int, BlockEntry] | None) -> Difference:
    entry = (our or their or (0, BlockEntry(-1, -1, "")))[1]
    return Difference("block", entry.height, our and our[0], _shown(our), _shown(their))


def _shown(block: tuple[int, BlockEntry] | None) -> str | None:
    return None if block is None else f"{block[1].slot}.{block[1].id}"


def _fact_difference(ours: Log, mine: bytes | None, other: bytes | None) -> Difference:
    place = _decode_place(min(filter(None, (mine, other)), key=lambda line: _decode_place(line).height))
    step = _step_of(ours, place.height)
    return Difference("fact", place.height, step, _text(mine), _text(other))


def _text(line: bytes | None) -> str | None:
    return None if line is None else line.decode()


def _step_of(log: Log, height: int) -> int | None:
    """The step that brought the final block of this height."""
    return next((step for step, block in settled_blocks(log, height) if block.height == height), None)


def _final(log: Log) -> int:
    end = log.end()
    if end is None:
        raise LogEmpty("the log has no step yet")
    return end.spine.final_height
