"""A batch of the log, folded: records and what was known before them in, changes out. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from indexer.errors import OperatorMustAct
from indexer.log.port import LogDamaged
from indexer.log.records import Marker, Record, decode_marker
from projections.facts import Fact, fact_of
from projections.folding import EMPTY, State, fold
from projections.judging import Judging
from projections.rows import EVENTS, EventRow, Key, Put, Row, Table
from projections.versions import Versions

Battery = tuple[str, str]
"""Battery key (28 bytes, hex) and deployment: what states are kept by."""


class RetractionOfUnknown(OperatorMustAct):
    """The log takes back an event that the tables do not hold. They are of another log, or a record was lost."""


class Position(Struct, frozen=True, kw_only=True):
    """Where a partition stands after a marker."""

    step: int
    kind: str
    slot: int
    height: int
    block: str
    final_height: int
    tip_height: int


class Known(Struct, frozen=True):
    """What the tables say of the batteries of a batch, before it."""

    states: Mapping[Battery, State]
    live: Mapping[Battery, list[Fact]]  # in the chain's order; of batteries with a retraction only


class Folded(Struct, frozen=True):
    """What a batch changes."""

    versions: Versions
    states: dict[Battery, State]  # of the batteries it touches, after it
    positions: list[Position]  # after each of its markers
    events: int
    retractions: int

    def without_rows(self) -> "Folded":
        """Once they are written: rows and states are much memory, which the next partition can have."""
        return replace(self, versions=Versions(), states={})


def batteries_of(records: Iterable[Record]) -> tuple[set[Battery], set[Battery]]:
    """All batteries that the records touch, and those of them with a retraction."""
    touched, undone = set(), set()
    for record in records:
        if record.kind == "event":
            touched.add((record.key, record.deployment))
        elif record.kind == "retraction":
            undone.add((record.key, record.deployment))
    return touched | undone, undone


def fold_batch(records: Sequence[Record], known: Known, judging: Judging | None = None) -> Folded:
    """Folds whole steps of one partition, in order; with verdicts where ``judging`` is given.

    Raises LogDamaged, RetractionOfUnknown.
    """
    touched, undone = batteries_of(records)
    # Only those of this partition: what is known may cover others, whose states change elsewhere.
    batch = _Batch(
        {battery: known.states[battery] for battery in touched if battery in known.states},
        {battery: known.live[battery] for battery in undone},
        judging,
    )
    positions: list[Position] = []
    step: list[Record] = []
    for record in records:
        match record.kind:
            case "event" | "retraction":
                step.append(record)
            case "marker":
                if step:
                    batch.step(step, record.step)
                    step = []
                positions.append(_position(record))
            case unreachable:
                assert_never(unreachable)
    if step:
        raise LogDamaged(f"step {step[0].step} has no marker", step=step[0].step)
    return Folded(batch.versions, batch.states, positions, batch.events, batch.retractions)


class _Batch:
    """States and live events of the batteries, as they change from step to step."""

    def __init__(self, states: dict[Battery, State], live: dict[Battery, list[Fact]], judging: Judging | None) -> None:
        self.versions: Final = Versions()
        self.states: Final = states
        self.events = 0
        self.retractions = 0
        self._judging: Final = judging
        self._live: Final = {battery: {fact.event_id: fact for fact in facts} for battery, facts in live.items()}

    def step(self, records: list[Record], step: int) -> None:
        undone = {(each.key, each.deployment) for each in records if each.kind == "retraction"}
        before = {battery: list(self._live[battery].values()) for battery in undone}
        for record in records:
            battery = (record.key, record.deployment)
            if record.step != step:
                raise LogDamaged(f"a record of step {record.step} stands in step {step}", step=step)
            if record.kind == "retraction":
                self.retractions += 1
                self._retract(battery, record)
                continue
            self.events += 1
            fact = fact_of(record)
            row = _event_row(record, fact)
            self.versions.put(EVENTS, _event_key(row), row, step, fresh=True)
            if battery in self._live:
                self._live[battery][fact.event_id] = fact
            if battery not in undone:
                self._forward(battery, fact, step)
        for battery in undone:
            self._refold(battery, before[battery], step)

    def _forward(self, battery: Battery, fact: Fact, step: int) -> None:
        state = self.states.get(battery, EMPTY)
        if fact.place <= state.place:
            raise LogDamaged(
                f"event {fact.event_id} of step {step} does not come after {state.place} in the chain's order",
                step=step,
            )
        self.states[battery], puts = fold(state, fact, self._judging)
        for put in puts:
            self.versions.put(put.table, put.key, put.row, step, fresh=put.fresh)

    def _retract(self, battery: Battery, record: Record) -> None:
        fact = self._live[battery].pop(record.retracts, None)
        if fact is None:
            raise RetractionOfUnknown(
                f"step {record.step} retracts event {record.retracts} of battery {record.key}, which is not known here"
            )
        self.versions.close(EVENTS, (*battery, *fact.place), record.step)

    def _refold(self, battery: Battery, before: list[Fact], step: int) -> None:
        """Folds the battery anew, from its first event: it cannot be wrong for maxima, first-seen or order.

        What it said before comes from folding the events it had before: the fold is what wrote the tables.
        """
        live = self._live[battery] = dict(sorted(self._live[battery].items(), key=lambda item: item[1].place))
        after = list(live.values())
        same = sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], zip(before, after, strict=False)))
        # What both have in common, nearly all of a long life, is folded once.
        state, common = self._fold_all(EMPTY, after[:same])
        _, old = self._fold_all(state, before[same:])
        self.states[battery], new = self._fold_all(state, after[same:])
        old, new = common | old, common | new
        for (table, key), row in new.items():
            if old.get((table, key)) != row:
                self.versions.put(table, key, row, step, fresh=(table, key) not in old)
        for table, key in old.keys() - new.keys():
            self.versions.close(table, key, step)

    def _fold_all(self, state: State, facts: Iterable[Fact]) -> tuple[State, dict[tuple[Table, Key], Row]]:
        """A battery's state after these facts, in order, and the rows that they put."""
        rows: dict[tuple[Table, Key], Row] = {}
        puts: list[Put]
        for fact in facts:
            state, puts = fold(state, fact, self._judging)
            rows.update(((put.table, put.key), put.row) for put in puts)
        return state, rows


def _event_row(record: Record, fact: Fact) -> EventRow:
    event = fact.event
    if (event.battery_key, event.deployment) != (record.key, record.deployment):
        raise LogDamaged(f"record {record.id} of step {record.step} and its body name two batteries", step=record.step)
    return EventRow(
        deployment=record.deployment,
        battery_key=record.key,
        height=record.height,
        transaction_index=event.transaction_index,
        event_index=event.index,
        slot=record.slot,
        block=record.block,
        time=record.time,
        fact=record.fact,
        event_id=record.id,
        incarnation=record.incarnation,
        type=record.type,
        transaction=event.transaction,
        body=bytes(record.body),
    )


def _event_key(row: EventRow) -> Key:
    return (row.battery_key, row.deployment, row.height, row.transaction_index, row.event_index)


def _position(record: Record) -> Position:
    marker: Marker = decode_marker(record.body)
    return Position(
        step=marker.step,
        kind=marker.step_kind,
        slot=record.slot,
        height=record.height,
        block=record.block,
        final_height=marker.final_height,
        tip_height=marker.tip_height,
    )
