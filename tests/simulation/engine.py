"""The log's engine in the simulation: its transactions can tear, hang, be doubled, and answer wrongly or not at all.

What Kafka's protocol lets happen to a transaction, and a file system to a file, without either. A step's records lie at
offset 2 * step in each partition; the odd offset after it takes a copy of an earlier step, as a producer's repetition
leaves it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from msgspec import Struct

from indexer.log.port import Batch, Fenced, LogBusy, LogEmpty, LogFull, LogUnavailable, Step, StoredSpine, require_next
from indexer.log.records import Opened, Record, decode_records, decode_spine, encode_spine, step_digest
from tests.simulation.faults import InvariantBroken, Process

Outcome = Literal["unavailable before", "unavailable after", "full", "hang", "tear", "lose silently"]


class Torn(Struct):
    """A step of which a part is missing: its spine record, or its records in some partitions."""

    step: int
    partitions: frozenset[int]
    spine: bool
    known: bool  # whether its writer was left in doubt


class Store:
    """What an engine keeps: it outlives processes."""

    def __init__(self, observe: Callable[[Step, str], None], fenced_by: Callable[[str], None]) -> None:
        self._observe, self.fenced_by = observe, fenced_by
        self.epoch = 0
        self.holder: Process | None = None
        self.steps: list[Step] = []
        self.spines: list[StoredSpine] = []
        self.torn: Torn | None = None
        self.mended = 0  # how often damage was made good
        self.copies: dict[tuple[int, int], int] = {}  # (partition, odd offset) -> step
        self.hanging: tuple[Step, str] | None = None
        self.hanging_commits = False

    @property
    def visible(self) -> int:
        """Steps that the spine shows."""
        return len(self.spines) - (1 if self.torn and self.torn.spine else 0)

    @property
    def sound(self) -> bool:
        return self.torn is None and not self.copies

    def commit(self, step: Step, who: str) -> StoredSpine:
        if self.torn is not None and self.torn.known:
            raise InvariantBroken("I6", f"{who} wrote step {step.spine.step} on step {self.torn.step}, which is torn")
        spine = encode_spine(step.spine)
        stored = StoredSpine(decode_spine(spine), step_digest(spine))
        self._observe(step, who)
        self.steps.append(step)
        self.spines.append(stored)
        return stored

    def settle(self) -> None:
        """A hanging transaction ends: the coordinator commits it, or aborts it."""
        if self.hanging is None:
            return
        (step, who), self.hanging = self.hanging, None
        if self.hanging_commits:
            self.commit(step, who)

    def mend(self) -> None:
        """What an operator, or a repair, does to a damaged log: the missing parts are written again."""
        self.torn = None
        self.copies.clear()
        self.mended += 1

    def segments(self, partition: int, offset: int) -> Iterator[tuple[int, Step]]:
        """(offset, step) from an offset on, as they lie."""
        torn = self.torn
        steps, copies = self.steps, self.copies
        at = offset
        while at < 2 * len(steps):
            if at % 2:
                copied = copies.get((partition, at)) if copies else None
                if copied is not None:
                    yield at, steps[copied]
            elif torn is None or torn.step != at // 2 or partition not in torn.partitions:
                yield at, steps[at // 2]
            at += 1 if copies else 2 - at % 2


class SimWriter:
    """A writer of one process. Fencing is the store's: an older epoch writes nothing that anybody sees."""

    def __init__(self, log: "SimLog") -> None:
        self._log, store = log, log.store
        log.effect_begins("fence")
        store.settle()  # as the coordinator does for the same transactional id
        store.epoch += 1
        store.fenced_by(log.process.name)
        self._epoch = store.epoch
        self._broken = False
        log.effect_ends("fence")
        log.effect_begins("read end")
        self._end = store.spines[store.visible - 1] if store.visible else None
        log.effect_ends("read end")

    @property
    def end(self) -> StoredSpine | None:
        return self._end

    def append(self, step: Step) -> StoredSpine:
        log, store = self._log, self._log.store
        if self._broken:
            raise LogUnavailable("this writer failed before; make a new one and read its end")
        self._broken = True
        log.effect_begins("append")
        require_next(self._end, step)
        outcome = log.take_fault()
        if self._epoch != store.epoch:
            log.count("zombie fenced")
            raise Fenced("another follower took the log over")
        if outcome:
            log.count(f"append: {outcome}")
        if log.process.killed_in_the_middle():
            log.count("killed in the middle of an append")
            store.hanging = (step, log.process.name)
            log.process.die()
        match outcome:
            case "unavailable before":
                raise LogUnavailable("no broker answers")
            case "full":
                raise LogFull("no room is left")
            case "hang":
                store.hanging = (step, log.process.name)
                raise LogUnavailable("time-out")
            case "tear" | "lose silently":
                store.commit(step, log.process.name)
                store.torn = log.tear(step.spine.step, len(step.blobs), known=outcome == "tear")
                log.effect_ends("append")
                if outcome == "tear":
                    raise LogUnavailable("time-out")
            case _:
                store.commit(step, log.process.name)
                log.effect_ends("append")
                if outcome == "unavailable after":
                    raise LogUnavailable("time-out")
        self._broken = False
        self._end = store.spines[-1]
        return self._end

    def mend(self, partition: int, records: Sequence[Record]) -> None:
        """As the Kafka engine: a step's lost records, written again. They must be what was lost, and lost."""
        log, store = self._log, self._log.store
        log.effect_begins("mend")
        if self._epoch != store.epoch:
            log.count("zombie fenced")
            raise Fenced("another follower took the log over")
        torn = store.torn
        if torn is None or partition not in torn.partitions:
            raise InvariantBroken("mend", f"partition {partition} is whole, but step {records[0].step} is mended")
        if tuple(records) != store.steps[torn.step].records[partition]:
            raise InvariantBroken("mend", f"step {torn.step}, partition {partition}: mended with {records}")
        torn.partitions -= {partition}
        if not torn.partitions and not torn.spine:
            store.torn = None
            store.mended += 1
        log.count("partition mended by the follower")
        log.effect_ends("mend")

    def close(self) -> None:
        pass


class SimLog:
    """The port, for one process."""

    def __init__(
        self,
        store: Store,
        process: Process,
        *,
        effect_begins: Callable[[str], None],
        effect_ends: Callable[[str], None],
        take_fault: Callable[[], Outcome | None],
        take_read_fault: Callable[[], bool],
        tear: Callable[..., Torn],
        count: Callable[[str], None],
    ) -> None:
        self.store, self.process = store, process
        self.effect_begins, self.effect_ends = effect_begins, effect_ends
        self.take_fault, self.tear, self.count = take_fault, tear, count
        self._take_read_fault = take_read_fault

    @contextmanager
    def lease(self) -> Iterator[None]:
        self.effect_begins("lease")
        holder = self.store.holder
        if holder is not None and holder.alive and not holder.paused and holder is not self.process:
            raise LogBusy("another follower writes")
        self.store.holder = self.process
        try:
            self.effect_ends("lease")
            yield
        finally:
            if self.store.holder is self.process:
                self.store.holder = None

    def writer(self) -> SimWriter:
        return SimWriter(self)

    def opened(self) -> Opened:
        self._read("opened")
        if not self.store.visible:
            raise LogEmpty("no step")
        spine = self.store.spines[0].spine
        assert isinstance(spine, Opened)
        return spine

    def end(self) -> StoredSpine | None:
        self._read("end")
        visible = self.store.visible
        return self.store.spines[visible - 1] if visible else None

    def spine(self, from_step: int = 0) -> Iterator[StoredSpine]:
        self.opened()
        return iter(self.store.spines[from_step : self.store.visible])

    def spine_backwards(self) -> Iterator[StoredSpine]:
        self.opened()
        spines = self.store.spines
        return (spines[at] for at in range(self.store.visible - 1, -1, -1))

    def read(self, partition: int, offset: int, limit: int) -> Batch:
        self._read("read")
        records: list[Record] = []
        for at, step in self.store.segments(partition, offset):
            records += step.records[partition]
            offset = at + 1
            if len(records) >= limit:
                break
        return Batch(tuple(records), offset)

    def offset_of_step(self, partition: int, step: int) -> int:
        del partition
        return max(0, 2 * step - 1)  # what lies before the step and after the one before it counts as its own

    def wait(self, after_step: int, timeout_seconds: float) -> bool:
        del timeout_seconds
        return self.store.visible - 1 > after_step

    def close(self) -> None:
        pass

    def _read(self, what: str) -> None:
        self.effect_begins(what)
        if self._take_read_fault():
            self.count("read: unavailable")
            raise LogUnavailable("no broker answers")
        self.effect_ends(what)


class PlainLog:
    """The same bytes for the checks at the end of a run: decoded anew, once, and nothing goes wrong."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._decoded: dict[int, list[list[Record]]] = {}  # partition -> step -> records

    @contextmanager
    def lease(self) -> Iterator[None]:
        yield

    def writer(self) -> SimWriter:
        raise AssertionError("checks write nothing")

    def opened(self) -> Opened:
        spine = self._store.spines[0].spine
        assert isinstance(spine, Opened)
        return spine

    def end(self) -> StoredSpine | None:
        return self._store.spines[-1] if self._store.spines else None

    def spine(self, from_step: int = 0) -> Iterator[StoredSpine]:
        return iter(self._store.spines[from_step:])

    def spine_backwards(self) -> Iterator[StoredSpine]:
        return iter(self._store.spines[::-1])

    def read(self, partition: int, offset: int, limit: int) -> Batch:
        decoded = self._decoded.setdefault(partition, [])
        decoded += (decode_records(step.blobs[partition]) for step in self._store.steps[len(decoded) :])
        records: list[Record] = []
        while offset < len(decoded) and len(records) < limit:
            records += decoded[offset]
            offset += 1
        return Batch(tuple(records), offset)

    def offset_of_step(self, partition: int, step: int) -> int:
        del partition
        return step

    def wait(self, after_step: int, timeout_seconds: float) -> bool:
        del timeout_seconds
        return len(self._store.steps) - 1 > after_step

    def close(self) -> None:
        pass
