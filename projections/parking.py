"""Parking: what the fold can't handle is set aside, with all that comes after it for that battery. Pure.

Order is kept within a battery, and other batteries go on. What is set aside depends on the log and the fold alone, not
on where batches begin, so a rebuild parks what the live tables park. The unit is what a step holds of a battery: no
reader ever sees half a step of one.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby
from types import MappingProxyType

from msgspec import Raw, Struct

from indexer.log.records import Marker, Record, encode_marker
from projections.batch import Battery, Folded, Known, fold_batch
from projections.errors import CannotFold
from projections.judging import Judging

Stops = Mapping[tuple[Battery, int], CannotFold]
"""Batteries and steps at which they stop, each with the event that can't be handled."""


class Parked(Struct, frozen=True):
    """An event set aside. ``reason`` None: it only waits behind another."""

    record: Record
    reason: str | None


class Aside(Struct, frozen=True):
    """What a batch adds to the parked events, and which of them it ends, by event id."""

    parked: list[Parked]
    retracted: list[str]


def fold_parking(
    records: Sequence[Record],
    known: Known,
    parked: Mapping[Battery, AbstractSet[str]],
    judging: Judging | None = None,
    refused: Stops = MappingProxyType({}),
) -> tuple[Folded, Aside]:
    """As ``fold_batch``, without the events that have to be set aside. ``parked``: ids of the events that are already;
    ``refused``: what the tables can't hold, though the fold can.

    Raises LogDamaged, RetractionOfUnknown; CannotFold where the tables themselves hold what the fold can't handle.
    """
    stops = dict(refused)
    while True:
        kept, aside = _set_aside(records, parked, stops)
        try:
            return fold_batch(kept, known, judging), aside
        except CannotFold as error:
            found = next((each for each in kept if each.kind == "event" and each.id == error.event_id), None)
            if found is None:
                raise
            stops[(found.key, found.deployment), found.step] = error


def with_markers(records: Sequence[Record]) -> list[Record]:
    """Events of one battery as the fold takes them: each step's end is marked. The markers say nothing but the step."""
    found: list[Record] = []
    for step, group in groupby(records, key=lambda each: each.step):
        events = list(group)
        last = events[-1]
        body = Raw(encode_marker(Marker(step=step, step_kind="forward", final_height=-1, tip_height=-1)))
        marker = Record(
            seq=last.seq,
            step=step,
            kind="marker",
            id="",
            slot=last.slot,
            height=last.height,
            block=last.block,
            body=body,
        )
        found += [*events, marker]
    return found


def _set_aside(
    records: Sequence[Record],
    parked: Mapping[Battery, AbstractSet[str]],
    stops: Stops,
) -> tuple[list[Record], Aside]:
    if not parked and not stops:  # nearly always
        return list(records), Aside([], [])
    waiting = {battery: set(ids) for battery, ids in parked.items()}
    kept: list[Record] = []
    aside = Aside([], [])
    for record in records:
        battery = (record.key, record.deployment)
        ids = waiting.get(battery)
        if record.kind == "retraction" and ids and record.retracts in ids:
            ids.discard(record.retracts)
            aside.retracted.append(record.retracts)
        elif record.kind == "event" and (ids or (battery, record.step) in stops):
            waiting.setdefault(battery, set()).add(record.id)
            stop = stops.get((battery, record.step))
            aside.parked.append(Parked(record, stop.reason if stop and stop.event_id == record.id else None))
        else:
            kept.append(record)
    return kept, aside
