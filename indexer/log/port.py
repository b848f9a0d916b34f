"""The log as everybody above it sees it. One suite of contract tests holds for every engine: SQLite, Kafka."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec import Struct

from indexer.errors import OperatorMustAct, Retryable
from indexer.log.records import GENESIS_DIGEST, Opened, Record, Spine


class LogEmpty(Retryable):
    """The log does not exist yet, or has no step: its follower has not opened it."""


class LogBusy(Retryable):
    """Another follower holds the log's lease."""


class LogUnavailable(Retryable):
    """The engine can't be reached or gave no answer. Nothing is known of the step under way: re-read the spine."""


class Fenced(Retryable):
    """A newer writer took over: this one may never write again."""


class LogFull(OperatorMustAct):
    """The engine has no room. No reader sees the step; after making room, make a new writer and read its ``end``."""


class LogDamaged(OperatorMustAct):
    """The log contradicts itself. ``step``, ``partition`` and ``seq`` name the first place that does, where known."""

    def __init__(
        self, message: str, *, step: int | None = None, partition: int | None = None, seq: int | None = None
    ) -> None:
        super().__init__(message)
        self.step, self.partition, self.seq = step, partition, seq


class LogMismatch(OperatorMustAct):
    """The log is of another network, format or set of deployments than what it is asked for."""


class Step(Struct, frozen=True):
    """One step, ready to be written: made by ``steps.py``, the same for every engine."""

    spine: Spine
    records: tuple[tuple[Record, ...], ...]  # by partition; the last one of each is the step's marker
    blobs: tuple[bytes, ...]  # ``records`` in their byte form, which the spine's digests are over


class StoredSpine(Struct, frozen=True):
    """A spine record with the digest over its bytes as stored."""

    spine: Spine
    digest: str


class Batch(Struct, frozen=True):
    """Records of one partition, in order. Ends on a marker, so whole steps only."""

    records: tuple[Record, ...]
    next_offset: int  # the engine's: where the next read starts


class Writer(Protocol):
    """The one who may append. Made by ``Log.writer``, which fences every writer before it, and only then reads."""

    @property
    def end(self) -> StoredSpine | None:
        """The last step, read after fencing; None when the log has none."""

    def append(self, step: Step) -> StoredSpine:
        """Writes one step in one transaction and moves ``end`` on. The step must follow ``end``, else ValueError.

        Raises Fenced, LogFull, or LogUnavailable when the outcome is unknown. After any of them this writer writes no
        more: make a new one and read its ``end``, which holds the step or shows that it has to be written again.
        """

    def close(self) -> None: ...


class Log(Protocol):
    """A log of facts. Reading needs no writer and sees whole steps only. One thread at a time: each opens its own.

    Where there is no log yet, ``end`` is None, ``wait`` waits, and whatever else reads raises LogEmpty. All reading
    raises LogUnavailable, and LogDamaged where bytes can't be what a writer wrote.
    """

    def lease(self) -> AbstractContextManager[None]:
        """Held while following, so that two followers do not fight. Raises LogBusy. Safety is the writer's fence."""

    def writer(self) -> Writer:
        """Fences all earlier writers, then reads the end. Creates the log's storage where there is none."""

    def opened(self) -> Opened:
        """Step 0. Raises LogEmpty."""

    def end(self) -> StoredSpine | None:
        """The last step that readers can see."""

    def spine(self, from_step: int = 0) -> Iterator[StoredSpine]:
        """Steps in order, from one on."""

    def spine_backwards(self) -> Iterator[StoredSpine]:
        """Steps, the newest first."""

    def read(self, partition: int, offset: int, limit: int) -> Batch:
        """Whole steps of a partition from an offset on: at least one where there is one, else an empty batch with the
        same offset; more until ``limit`` records are reached. Offset 0 is the start.
        """

    def offset_of_step(self, partition: int, step: int) -> int:
        """The offset at which a step's records begin in a partition. Of the step after the last: where they will."""

    def wait(self, after_step: int, timeout_seconds: float) -> bool:
        """Waits until the log has a step beyond this one. False at the time-out."""

    def close(self) -> None: ...


def require_next(end: StoredSpine | None, step: Step) -> None:
    """Raises ValueError for a step that does not follow ``end``: a caller's mistake, caught before it is in the log."""
    number, previous = (end.spine.step + 1, end.digest) if end else (0, GENESIS_DIGEST)
    if (step.spine.step, step.spine.previous) != (number, previous):
        raise ValueError(
            f"step {step.spine.step} after {step.spine.previous} can't follow step {number - 1}, {previous}"
        )


def accept(last_seq: int, records: Sequence[Record]) -> list[Record]:
    """What a reader takes of records that follow ``last_seq``: the next in line, none twice.

    Raises LogDamaged at a gap: a reader never steps over a lost record.
    """
    taken = []
    for record in records:
        if record.seq <= last_seq:
            continue
        if record.seq != last_seq + 1:
            raise LogDamaged(
                f"sequence number {last_seq + 1} is missing: the next record is {record.seq} of step {record.step}",
                step=record.step,
                seq=record.seq,
            )
        last_seq = record.seq
        taken.append(record)
    return taken
