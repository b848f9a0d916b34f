"""What a rollback may reach, kept from step to step: which step holds which blocks, and what was retracted before.

Only places and counts: the events themselves are read from the log when a rollback asks for them. So a rollback costs
what it undoes, however many came before it.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import assert_never

from msgspec.structs import replace

from indexer.log.port import Log
from indexer.log.records import Forward, Opened, Record, Rollback, Spine
from indexer.log.tail import Held, Tail, held_by, records_of


class Reach:
    """Made from the log's tail, and told of every step written since: then it is what the tail would say."""

    def __init__(self, log: Log, tail: Tail) -> None:
        self._log = log
        self._held = deque(tail.held)
        self._retracted = dict(tail.retracted)
        self._left = dict(tail.left)

    @property
    def held(self) -> tuple[Held, ...]:
        """As ``Tail.held``."""
        return tuple(self._held)

    @property
    def retracted(self) -> Mapping[tuple[str, str], int]:
        """As ``Tail.retracted``; of blocks that have become final since the last rollback too."""
        return self._retracted

    def live_above(self, height: int) -> list[tuple[int, Record]]:
        """The events still live above a height, with their partitions, in the log's order within each.

        What is above the height and on the current chain now was put there by one step for each block, the last that
        holds it; all that was there before, a rollback has retracted. Height must not be below the final height.
        Raises LogDamaged where a record is missing.
        """
        counts: dict[int, dict[int, int]] = {}
        highest: dict[int, int] = {}
        for held in reversed(self._held):
            if held.highest <= height:
                break
            highest[held.step] = held.highest
            for partition, count in held.counts.items():
                counts.setdefault(partition, {})[held.step] = count
        return [
            (partition, record)
            for partition in sorted(counts)
            for record in records_of(self._log, partition, counts[partition])
            if record.kind == "event" and height < record.height <= highest[record.step]
        ]

    def written(self, spine: Spine, live: Sequence[tuple[int, Record]] = ()) -> None:
        """A step was written; ``live``: the events that it retracts."""
        match spine:
            case Forward():
                self._held.append(held_by(spine, spine.blocks[0].height, spine.height))
            case Rollback():
                self._cut(spine.height)
                for _, record in live:
                    place = (record.fact, record.block)
                    self._retracted[place] = self._retracted.get(place, 0) + 1
                    self._left[record.block] = record.height
                self._forget(spine.final_height)
            case Opened():
                pass
            case unreachable:
                assert_never(unreachable)
        while self._held and self._held[0].highest <= spine.final_height:
            self._held.popleft()

    def _cut(self, height: int) -> None:
        while self._held and self._held[-1].lowest > height:
            self._held.pop()
        if self._held and self._held[-1].highest > height:
            self._held[-1] = replace(self._held[-1], highest=height)

    def _forget(self, final_height: int) -> None:
        """Blocks that have become final, on whatever fork, never come again."""
        final = {block for block, height in self._left.items() if height <= final_height}
        if final:
            self._left = {block: height for block, height in self._left.items() if block not in final}
            self._retracted = {place: count for place, count in self._retracted.items() if place[1] not in final}
