"""The log for people: steps on a line each, steps and events in full, and how to find them."""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from typing import Any, Final, assert_never

import msgspec
from msgspec import Struct

from indexer.chain import ORIGIN
from indexer.log.partition import partition_of
from indexer.log.port import Log, LogDamaged, StoredSpine
from indexer.log.records import Forward, Opened, Record, Rollback
from indexer.log.replay import partition_groups
from indexer.log.steps import step_kind

BATTERY_KEY_HEX: Final = 56
PREFIX: Final = 16  # digits of a digest or an id that a person compares by eye


class StepLine(Struct, frozen=True):
    """A step in short."""

    step: int
    kind: str
    height: int
    slot: int | None  # None at the origin
    block: str
    blocks: int  # applied, or undone by a rollback
    events: int
    retractions: int
    final_height: int
    tip_height: int | None
    digest: str


def step_line(stored: StoredSpine) -> StepLine:
    spine = stored.spine
    records = sum(each.count - 1 for each in spine.partitions)
    blocks = events = retractions = 0
    match spine:
        case Forward():
            blocks, events = len(spine.blocks), records
        case Rollback():
            blocks, retractions = spine.depth_blocks, records
        case Opened():
            pass
        case unreachable:
            assert_never(unreachable)
    return StepLine(
        step=spine.step,
        kind=step_kind(spine),
        height=spine.height,
        slot=None if isinstance(spine.point, str) else spine.point.slot,
        block=ORIGIN if isinstance(spine.point, str) else spine.point.id,
        blocks=blocks,
        events=events,
        retractions=retractions,
        final_height=spine.final_height,
        tip_height=None if isinstance(spine.tip, str) else spine.tip.height,
        digest=stored.digest,
    )


def shown_line(line: StepLine) -> str:
    """A step on one line, in columns."""
    match line.kind:
        case "forward":
            what = f"+{line.blocks} blocks  {line.events} events"
        case "rollback":
            what = f"-{line.blocks} blocks  {line.retractions} retractions"
        case _:
            what = "the log begins"
    slot = "-" if line.slot is None else str(line.slot)
    return (
        f"{line.step:>9}  {line.kind:<8}  height {line.height:>9}  slot {slot:>10}  {what:<28}  {line.digest[:PREFIX]}"
    )


def last_steps(log: Log, number: int) -> list[StoredSpine]:
    """The last steps, oldest first."""
    return list(islice(log.spine_backwards(), number))[::-1]


def find_step(log: Log, step: int) -> tuple[StoredSpine, list[tuple[int, Record]]] | None:
    """A step with its records and their partitions, markers too; None where the log does not have it."""
    stored = next(log.spine(step), None)
    if stored is None or stored.spine.step != step:
        return None
    records: list[tuple[int, Record]] = []
    for partition in range(len(log.opened().partitions)):
        group = next(partition_groups(log, partition, step), [])
        if not group or group[-1].step != step:
            raise LogDamaged(f"partition {partition} has nothing of step {step}", step=step, partition=partition)
        records += ((partition, record) for record in group)
    return stored, records


def find_event(log: Log, prefix: str) -> Iterator[tuple[int, Record]]:
    """Events and retractions whose id, fact or target begins so. Reads all of the log."""
    for partition in range(len(log.opened().partitions)):
        for group in partition_groups(log, partition, 0):
            for record in group[:-1]:
                if any(name.startswith(prefix) for name in (record.id, record.fact, record.retracts)):
                    yield partition, record


def find_battery(log: Log, battery: str) -> Iterator[tuple[int, Record]]:
    """Everything of a battery, in the log's order. ``battery`` is its id as text or hex, or its key (28 bytes, hex)."""
    keys = _keys(battery)
    partitions = len(log.opened().partitions)
    for partition in sorted({partition_of(key, partitions) for key in keys}):
        for group in partition_groups(log, partition, 0):
            yield from ((partition, record) for record in group[:-1] if record.key in keys)


def _keys(battery: str) -> set[str]:
    """The keys that a battery may have under either rule of a profile (see ``BatteryKeyRule``)."""
    keys = {blake2b(battery.encode(), digest_size=28).hexdigest()}
    try:
        raw = bytes.fromhex(battery)
    except ValueError:
        return keys
    keys.add(blake2b(raw, digest_size=28).hexdigest())
    if len(battery) == BATTERY_KEY_HEX:
        keys.add(battery.lower())
    return keys


def shown_record(partition: int, record: Record) -> str:
    """A record in full, for people: its place and names first, then its body, indented."""
    head = [f"step {record.step}, partition {partition}, seq {record.seq}: {record.kind} {record.type}".rstrip()]
    if record.kind != "marker":
        head.append(f"  battery     {record.subject}  (key {record.key}, deployment {record.deployment or 'none'})")
        head.append(f"  block       {record.block}, height {record.height}, slot {record.slot}, {record.time}")
        head.append(f"  id          {record.id}")
        head.append(f"  fact        {record.fact}, incarnation {record.incarnation}")
    if record.retracts:
        head.append(f"  retracts    {record.retracts}")
    body = msgspec.json.format(bytes(record.body), indent=2).decode()
    return "\n".join([*head, *("  " + line for line in body.splitlines())])


def shown_step(stored: StoredSpine) -> str:
    """A step's spine record in full."""
    spine = msgspec.json.format(msgspec.json.encode(stored.spine), indent=2).decode()
    return f"{shown_line(step_line(stored))}\ndigest {stored.digest}\n{spine}"


def record_json(partition: int, record: Record) -> dict[str, Any]:
    """A record as JSON: its fields, and the partition it is in."""
    return {"partition": partition, **msgspec.structs.asdict(record)}
