"""The storm: faults at random for some minutes, several at once; then all is mended, and the system left to itself."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Collection
from typing import Final

from msgspec import Struct

from indexer.errors import CellwitnessError
from projections.database import connect
from projections.digest import ContentDigest, digests_as_of
from projections.errors import DatabaseUnwell, SchemaMismatch
from projections.status import consistent_step
from tests.chaos.faults import Fault, Kind, conflicts, kinds
from tests.chaos.services import Failed
from tests.chaos.system import System

PAUSE_SECONDS: Final = (0.2, 4.0)  # between the beginnings of two faults
TICK_SECONDS: Final = 0.05
CALM_SECONDS: Final = 300.0
"""After the faults stop, the log has to be at the tip and the tables at the log's end (I12)."""
SAMPLE_SECONDS: Final = 2.0


class Sample(Struct, frozen=True):
    """What a reader of the tables saw: at which step, and what held there."""

    step: int
    digests: tuple[ContentDigest, ...]


class Reader:
    """A reader of the tables beside the system, in a thread of its own: a stopped server keeps it waiting."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.samples: list[Sample] = []
        self.refused = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="reader", daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join(timeout=30)

    def _read(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            try:
                with connect(self._url, read_only=True) as connection:
                    # Two transactions: what is read at a step must not depend on when it is read.
                    step = consistent_step(connection)
                    if step >= 0 and (not self.samples or self.samples[-1].step < step):
                        self.samples.append(Sample(step, digests_as_of(connection, step)))
            except (DatabaseUnwell, SchemaMismatch):
                self.refused += 1


class Storm:
    """Inflicts faults on a system and keeps their schedule."""

    def __init__(self, system: System, only: Collection[str] | None = None) -> None:
        """``only``: names of the kinds of faults."""
        self._system = system
        self._kinds = [kind for kind in kinds(system) if only is None or kind.name in only]
        self._order = itertools.count()
        self._due: list[tuple[float, int, Fault, set[str]]] = []

    def rage(self, seconds: float, tell: Callable[[float], None]) -> None:
        """Faults until the time is over; what lasts longer is mended in ``calm``."""
        chance, ends, next_fault = self._system.chance, time.monotonic() + seconds, 0.0
        while (now := time.monotonic()) < ends:
            self._tick(now)
            if now >= next_fault:
                self._inflict_one()
                next_fault = now + chance.uniform(*PAUSE_SECONDS)
                tell(ends - now)
            time.sleep(TICK_SECONDS)

    def calm(self) -> float:
        """Mends what is still broken; then the lag has to go to 0 by itself: after how many seconds it did.

        Raises Failed where it does not.
        """
        while self._due:
            self._tick(time.monotonic())
            time.sleep(TICK_SECONDS)
        for door in self._system.doors.all.values():
            door.heal()
        return self.await_tables(self._system.tip_height())

    def await_tables(self, height: int = 0) -> float:
        """Until the log has reached the height, and the tables the log's end: after how many seconds."""
        began = time.monotonic()
        while not self._caught_up(height):
            self._system.tend()
            if time.monotonic() - began > CALM_SECONDS:
                raise Failed(f"I12: all has been well for {CALM_SECONDS:.0f} s, and {self._standing(height)}")
            time.sleep(0.2)
        return time.monotonic() - began

    def at_work(self) -> bool:
        """Whether anything is in the tables yet."""
        return self._where()[2] >= 1

    def inflict(self, kind: Kind, part: str) -> None:
        """Begins a fault. What it does at once is done when this returns."""
        self._system.counts[kind.name] += 1
        occupied = conflicts(part) | {part}
        self._system.busy |= occupied
        heapq.heappush(self._due, (time.monotonic(), next(self._order), kind.inflict(self._system, part), occupied))
        self._tick(time.monotonic())

    def _inflict_one(self) -> None:
        free = [
            (kind, parts)
            for kind in self._kinds
            if (parts := [part for part in kind.parts if not conflicts(part) & self._system.busy])
        ]
        if free:
            chance = self._system.chance
            kind, parts = chance.choices(free, [each.weight for each, _ in free])[0]
            self.inflict(kind, chance.choice(parts))

    def _tick(self, now: float) -> None:
        self._system.tend()
        while self._due and self._due[0][0] <= now:
            _, _, fault, occupied = heapq.heappop(self._due)
            pause = next(fault, None)
            if pause is None:
                self._system.busy -= occupied
            else:
                heapq.heappush(self._due, (time.monotonic() + pause, next(self._order), fault, occupied))

    def _caught_up(self, height: int) -> bool:
        step, reached, tables = self._where()
        return reached >= height and tables >= step

    def _standing(self, height: int) -> str:
        step, reached, tables = self._where()
        return f"the log stands at height {reached} of {height}, step {step}, the tables at step {tables}"

    def _where(self) -> tuple[int, int, int]:
        try:
            with self._system.log() as log:
                end = log.end()
            with connect(self._system.database.url, read_only=True) as connection:
                tables = consistent_step(connection)
        except (CellwitnessError, SchemaMismatch):
            return (0, -1, -1)
        return (end.spine.step, end.spine.height, tables) if end else (0, -1, -1)
