"""Moves a log from one engine to another, step by step and byte by byte."""

from collections.abc import Callable
from contextlib import closing

from msgspec import Struct

from indexer.log.audit import verify
from indexer.log.port import Log, LogDamaged, LogEmpty, LogMismatch, Step, StoredSpine, Writer
from indexer.log.records import records_blob, records_digest
from indexer.log.replay import Group, replay_sound


class Copied(Struct, frozen=True):
    """How far a copy is."""

    steps: int  # in the target
    to_step: int  # the source's last when the copy began
    records: int  # written since then, markers left out
    digest: str = ""  # of both logs, once proved


def copy_log(source: Log, target: Log, progress: Callable[[Copied], None] = lambda _: None) -> Copied:
    """Copies all steps that the target does not have yet, then proves the two logs equal.

    Begins where the target ends, so a copy that was cut off goes on. The digest of the last step stands for every byte
    before it: with the target proved sound, equal digests are equal logs. Raises LogEmpty, LogDamaged where the source
    is not sound, and LogMismatch where the target holds something else.
    """
    end = source.end()
    if end is None:
        raise LogEmpty("there is nothing to copy: the log has no step yet")
    copied = Copied(0, end.spine.step, 0)
    with target.lease(), closing(target.writer()) as writer:
        first = _first_missing(source, writer, end)
        copied = Copied(first, end.spine.step, 0)
        progress(copied)
        for stored, groups in replay_sound(source, first, end.spine.step):
            written = writer.append(_step(stored, groups))
            if written.digest != stored.digest:
                raise LogDamaged(f"step {stored.spine.step} is not in its one byte form", step=stored.spine.step)
            records = copied.records + sum(len(group) - 1 for group in groups)
            copied = Copied(stored.spine.step + 1, end.spine.step, records)
            progress(copied)
        report = verify(target)
    if report.fault is not None:
        raise LogDamaged(f"the copy is not sound: {report.fault.what}", step=report.fault.step)
    if report.digest != end.digest:
        raise LogDamaged(f"the copy has the digest {report.digest}, not {end.digest}")
    return Copied(copied.steps, copied.to_step, copied.records, report.digest)


def _first_missing(source: Log, writer: Writer, end: StoredSpine) -> int:
    """The first step that the target lacks. Raises LogMismatch unless what it has is the beginning of the source."""
    last = writer.end
    if last is None:
        return 0
    step = last.spine.step
    if step > end.spine.step:
        raise LogMismatch(f"the target goes on to step {step}, beyond the source's last, {end.spine.step}")
    twin = next(source.spine(step), None)
    if twin is None or twin.digest != last.digest:
        raise LogMismatch(f"the target holds another log: its step {step} has the digest {last.digest}")
    return step + 1


def _step(stored: StoredSpine, groups: list[Group]) -> Step:
    blobs = tuple(map(records_blob, groups))
    for partition, (blob, said) in enumerate(zip(blobs, stored.spine.partitions, strict=True)):
        if records_digest(blob) != said.digest:
            raise LogDamaged(
                f"step {stored.spine.step}, partition {partition}: records were altered; the step was not copied",
                step=stored.spine.step,
                partition=partition,
            )
    return Step(stored.spine, tuple(map(tuple, groups)), blobs)
