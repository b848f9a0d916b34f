"""Proves a log sound, or names the first thing in it that no writer would have written. Works on every engine."""

from collections.abc import Callable
from typing import Final, assert_never

from msgspec import Struct

from indexer.log.audit_step import check_step
from indexer.log.audit_window import Window
from indexer.log.port import Log, LogDamaged, LogEmpty, StoredSpine
from indexer.log.records import Forward, Opened, Rollback
from indexer.log.replay import replay

REPORT_EVERY: Final = 64  # steps


class Fault(Struct, frozen=True, omit_defaults=True):
    """The first place where a log contradicts itself."""

    what: str
    step: int | None = None
    partition: int | None = None
    seq: int | None = None


class Report(Struct, frozen=True, kw_only=True):
    """What ``verify`` saw up to the end, or up to the fault."""

    fault: Fault | None = None
    to_step: int  # the log's end when verifying began
    steps: int = 0  # found sound
    partitions: int = 0
    blocks: int = 0
    events: int = 0
    rollbacks: int = 0
    retractions: int = 0
    height: int = -1
    final_height: int = -1
    digest: str = ""  # of the last sound step

    @property
    def sound(self) -> bool:
        return self.fault is None


def verify(log: Log, progress: Callable[[Report], None] = lambda _: None) -> Report:
    """Reads all of the log up to its present end. Memory is bounded by the k blocks that may still be undone.

    Raises LogEmpty and LogUnavailable; what is wrong with the log itself is in the report.
    """
    counts, fault = _Counts(), None
    try:
        end = log.end()
        if end is None:
            raise LogEmpty("there is nothing to verify: the log has no step yet")
        counts.to_step = end.spine.step
        opened = log.opened()
        window = Window(opened)
        previous: StoredSpine | None = None
        for stored, groups in replay(log, 0, end.spine.step):
            check_step(opened, previous, stored, groups)
            window.advance(stored.spine, groups)
            previous = stored
            counts.add(stored)
            if stored.spine.step % REPORT_EVERY == 0:
                progress(counts.report())
        _check_end(log, previous, end.spine.step)
    except LogDamaged as damage:
        fault = Fault(str(damage), damage.step, damage.partition, damage.seq)
    report = counts.report(fault)
    progress(report)
    return report


def audit_tail(log: Log, steps: int) -> None:
    """Checks the last steps at a follower's start, each by itself and against the one before. Raises LogDamaged."""
    end = log.end()
    if end is None:
        return
    opened = log.opened()
    first = max(0, end.spine.step - steps + 1)
    previous = next(log.spine(first - 1), None) if first else None
    for stored, groups in replay(log, first, end.spine.step):
        check_step(opened, previous, stored, groups)
        previous = stored
    _check_end(log, previous, end.spine.step)


def _check_end(log: Log, last: StoredSpine | None, to_step: int) -> None:
    """The last step is there, and no partition goes on after it."""
    if last is None or last.spine.step != to_step:
        step = last.spine.step + 1 if last else 0
        raise LogDamaged(f"the spine has no step {step}, though it ends with step {to_step}", step=step)
    for partition in range(len(last.spine.partitions)):
        batch = log.read(partition, log.offset_of_step(partition, to_step + 1), 1)
        if not batch.records:
            continue
        record, end = batch.records[0], log.end()
        if record.step <= to_step:
            raise LogDamaged(
                f"partition {partition} holds a record of step {record.step} again after its last step",
                step=record.step,
                partition=partition,
                seq=record.seq,
            )
        if end is None or end.spine.step < record.step:
            raise LogDamaged(
                f"partition {partition} goes on with step {record.step}, of which the spine knows nothing",
                step=record.step,
                partition=partition,
                seq=record.seq,
            )


class _Counts:
    """What was found sound so far."""

    def __init__(self) -> None:
        self.to_step = 0
        self._last: StoredSpine | None = None
        self._steps = self._blocks = self._events = self._rollbacks = self._retractions = 0

    def add(self, stored: StoredSpine) -> None:
        self._last = stored
        self._steps += 1
        match stored.spine:
            case Forward(partitions=partitions, blocks=blocks):
                self._blocks += len(blocks)
                self._events += sum([each.count for each in partitions]) - len(partitions)
            case Rollback(partitions=partitions):
                self._rollbacks += 1
                self._retractions += sum([each.count for each in partitions]) - len(partitions)
            case Opened():
                pass
            case unreachable:
                assert_never(unreachable)

    def report(self, fault: Fault | None = None) -> Report:
        last = self._last
        return Report(
            fault=fault,
            to_step=self.to_step,
            steps=self._steps,
            partitions=len(last.spine.partitions) if last else 0,
            blocks=self._blocks,
            events=self._events,
            rollbacks=self._rollbacks,
            retractions=self._retractions,
            height=last.spine.height if last else -1,
            final_height=last.spine.final_height if last else -1,
            digest=last.digest if last else "",
        )
