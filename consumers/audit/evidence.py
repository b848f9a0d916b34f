"""What a pack holds of the log and of what judges, and the parts that they stand in. Pure.

The same functions write the parts and read them, so a part has one byte form: read, written again, it is the same.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from consumers.audit.container import PackRefused
from consumers.audit.manifest import Subject, canonical, decoded
from indexer.hexes import StrictHash32
from indexer.log.partition import partition_of
from indexer.log.records import (
    Forward,
    Opened,
    Record,
    Spine,
    decode_record,
    decode_spine,
    encode_spine,
    records_blob,
)
from indexer.protocol.profile import Profile
from projections.judging import Judging
from projections.rules.thresholds import ThresholdBook

SPINE: Final = "log/spine.jsonl"
RECORDS: Final = "log/records.jsonl"
TREE: Final = "log/tree.json"
JUDGING: Final = "judging.json"
LOG_PARTS: Final = (SPINE, RECORDS, TREE, JUDGING)

_DIGITS: Final = 19
_T = TypeVar("_T")


class JudgedBy(Struct, frozen=True):
    """``judging.json``: the deployment's profile and all thresholds."""

    profile: Profile
    thresholds: ThresholdBook


class Group(Struct, frozen=True):
    """All records of one step in the battery's partition, and their bytes, which the step's digest covers."""

    step: int
    records: tuple[Record, ...]
    content: bytes


class Evidence(Struct, frozen=True):
    """The facts of a pack, as far as a log and a configuration give them."""

    spines: dict[int, Spine]  # step 0, each step that has a group, the one before it, and the last
    groups: tuple[Group, ...]
    paths: dict[int, tuple[str, ...]]  # from each step's digest up to the root of the tree over all steps
    judged_by: JudgedBy

    @property
    def opened(self) -> Opened:
        """Step 0. Raises PackRefused."""
        opened = self.spines.get(0)
        if not isinstance(opened, Opened) or not opened.partitions:
            raise PackRefused("log_beginning_missing", f"{SPINE} does not begin with step 0 of a log")
        return opened

    @property
    def judging(self) -> Judging:
        return Judging({self.judged_by.profile.name: self.judged_by.profile}, self.judged_by.thresholds)

    def partition(self, subject: Subject) -> int:
        return partition_of(subject.battery_key, len(self.opened.partitions))

    def forward_steps(self, heights: Iterable[tuple[int, str]]) -> Iterator[tuple[int, Forward]]:
        """The forward steps that brought blocks (height, id), in their order."""
        wanted = set(heights)
        for step, spine in sorted(self.spines.items()):
            if isinstance(spine, Forward) and any((block.height, block.id) in wanted for block in spine.blocks):
                yield step, spine


def log_parts(evidence: Evidence) -> dict[str, bytes]:
    """The parts that a pack's facts stand in."""
    spines = [encode_spine(spine) + b"\n" for _, spine in sorted(evidence.spines.items())]
    paths = {str(step): path for step, path in sorted(evidence.paths.items())}
    return {
        SPINE: b"".join(spines),
        RECORDS: b"".join(group.content for group in evidence.groups),
        TREE: canonical(paths),
        JUDGING: canonical(evidence.judged_by),
    }


def evidence_of(parts: Mapping[str, bytes]) -> Evidence:
    """The facts in a pack's parts. Raises PackRefused by name where a part is missing or not what it should be."""
    spines = {spine.step: spine for spine in _lines(parts, SPINE, decode_spine)}
    groups = tuple(_groups(_lines(parts, RECORDS, decode_record)))
    paths = decoded(_part(parts, TREE), dict[str, tuple[StrictHash32, ...]], TREE)
    if not all(step.isdecimal() and step.isascii() and len(step) < _DIGITS for step in paths):
        raise PackRefused("part_malformed", f"{TREE} names a step that is no number")
    evidence = Evidence(
        spines=spines,
        groups=groups,
        paths={int(step): path for step, path in paths.items()},
        judged_by=decoded(_part(parts, JUDGING), JudgedBy, JUDGING),
    )
    again = log_parts(evidence)
    for name in (SPINE, RECORDS, TREE):
        if again[name] != parts[name]:
            raise PackRefused(
                "part_malformed", f"{name} is not in its one byte form: it was altered, or made elsewhere"
            )
    return evidence


def group_of(records: Iterable[Record]) -> Group:
    """One step's records in a partition, as the log gave them; a marker ends them."""
    taken = tuple(records)
    return Group(taken[-1].step, taken, records_blob(taken))


def _groups(records: Iterable[Record]) -> Iterator[Group]:
    group: list[Record] = []
    for record in records:
        group.append(record)
        if record.kind == "marker":
            yield group_of(group)
            group = []
    if group:
        raise PackRefused("part_malformed", f"{RECORDS} ends within step {group[-1].step}")


def _lines(parts: Mapping[str, bytes], name: str, decode: Callable[[bytes], _T]) -> Iterator[_T]:
    for line in _part(parts, name).splitlines():
        try:
            yield decode(line)
        except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError) as error:
            raise PackRefused("part_malformed", f"{name} is not what a pack holds under this name: {error}") from error


def _part(parts: Mapping[str, bytes], name: str) -> bytes:
    content = parts.get(name)
    if content is None:
        raise PackRefused("part_missing", f"the pack has no {name}")
    return content
