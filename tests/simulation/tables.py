"""The tables in memory, with the database's rules.

Stand for ``projections.store``, ``parked`` and ``sharing`` (whose SQL is tested on a real PostgreSQL): checkpoints with
epochs and owners, workers that live or don't, parked events, one transaction a batch.
"""

from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Final

from msgspec.structs import replace

from indexer.events import ChainEvent
from indexer.log.records import Record
from projections.batch import Battery, Folded, Known, batteries_of
from projections.errors import OwnershipLost
from projections.facts import Fact, decode_body
from projections.folding import EMPTY, State, decode_state, encode_state, fold
from projections.judging import Judging
from projections.parking import Aside
from projections.rows import EVENTS, TABLES, EventRow, Key, Put, Row, Table
from projections.store import Checkpoint
from tests.indexer.build import PROFILE
from tests.simulation.faults import InvariantBroken

JUDGING: Final = Judging({PROFILE.name: PROFILE})
"""Verdicts, findings and alerts are rows like the others: the invariants hold for them, too."""

Rows = dict[tuple[str, Key], Row]


class Tables:
    """What the database holds."""

    def __init__(self, partitions: int) -> None:
        self.checkpoints = [Checkpoint(partition, 0, -1, -1, 0) for partition in range(partitions)]
        self.owners: dict[int, int | None] = dict.fromkeys(range(partitions))  # partition -> worker's number
        self.workers: dict[int, bool] = {}  # number -> whether its connection lives
        self.parked: dict[
            Battery, dict[str, tuple[int, str | None]]
        ] = {}  # event id -> step and reason, while it waits
        self.ended: set[tuple[str, int]] = set()  # parked events that the chain took back, with their step
        self.states: dict[Battery, bytes] = {}
        self._decoded: dict[str, ChainEvent] = {}  # by event id: a refold asks for the same rows again and again
        self.now: dict[Table, dict[Battery, dict[Key, tuple[Row, int]]]] = {table: {} for table in TABLES}
        self.closed: dict[Table, list[tuple[Key, Row, int, int]]] = {table: [] for table in TABLES}

    @property
    def consistent_step(self) -> int:
        return min(each.last_step for each in self.checkpoints)

    def join(self) -> int:
        """The number of a new worker."""
        number = len(self.workers) + 1
        self.workers[number] = True
        return number

    def take(self, partition: int, worker: int) -> Checkpoint:
        self.owners[partition] = worker
        taken = replace(self.checkpoints[partition], owner_epoch=self.checkpoints[partition].owner_epoch + 1)
        self.checkpoints[partition] = taken
        return taken

    def known(self, records: Iterable[Record]) -> Known:
        touched, undone = batteries_of(records)
        states = {battery: decode_state(self.states[battery]) for battery in touched if battery in self.states}
        live = {battery: self.live_facts(battery) for battery in undone}
        return Known(states, live)

    def live_facts(self, battery: Battery) -> list[Fact]:
        rows = [row for row, _ in self.now[EVENTS].get(battery, {}).values()]
        facts = []
        for row in rows:
            assert isinstance(row, EventRow)
            event = self._decoded.get(row.event_id)
            if event is None:
                event = self._decoded[row.event_id] = decode_body(row.body, row.event_id)
            facts.append(Fact(event, row.fact, row.event_id, row.slot, row.height, row.block, row.time))
        return sorted(facts, key=lambda fact: fact.place)

    def hold(self, before: Mapping[int, Checkpoint]) -> None:
        """At the transaction's begin, as the store's lock: until it ends nobody takes these."""
        if lost := {at for at, checkpoint in before.items() if self.checkpoints[at] != checkpoint}:
            raise OwnershipLost(frozenset(lost))

    def commit(
        self,
        before: Mapping[int, Checkpoint],
        after: Mapping[int, Checkpoint],
        both: Iterable[tuple[Folded, Aside]],
    ) -> None:
        """One transaction: all of it, or OwnershipLost and nothing."""
        self.hold(before)
        for each, aside in both:
            self._set_aside(aside)
            for table in TABLES:
                self._close(table, each.versions.closings(table))
                for version in each.versions.inserts(table):
                    key = tuple(getattr(version.row, name) for name in table.key)
                    self._insert(table, key, version.row, version.known_from_step, version.known_until_step)
            for battery, state in each.states.items():
                self.states[battery] = encode_state(state)
        for at, checkpoint in after.items():
            self.checkpoints[at] = checkpoint

    def _set_aside(self, aside: Aside) -> None:
        for parked in aside.parked:
            battery = (parked.record.key, parked.record.deployment)
            self.parked.setdefault(battery, {})[parked.record.id] = (parked.record.step, parked.reason)
        for event_id in aside.retracted:
            battery = next(battery for battery, waiting in self.parked.items() if event_id in waiting)
            step, _ = self.parked[battery].pop(event_id)
            self.ended.add((event_id, step))
            if not self.parked[battery]:
                del self.parked[battery]

    def _close(self, table: Table, closings: dict[Key, int]) -> None:
        for key, step in closings.items():
            found = self.now[table].get(_battery(key), {}).pop(key, None)
            if found is None:
                raise InvariantBroken("I8", f"{table.name}: the row of {key} ends with step {step}, and is not there")
            self.closed[table].append((key, found[0], found[1], step))

    def _insert(self, table: Table, key: Key, row: Row, since: int, until: int | None) -> None:
        if until is not None:
            self.closed[table].append((key, row, since, until))
            return
        rows = self.now[table].setdefault(_battery(key), {})
        if key in rows:
            raise InvariantBroken("I8", f"{table.name}: {key} would hold twice from step {since}")
        rows[key] = (row, since)

    def rows_now(self, battery: Battery) -> Rows:
        return {
            (table.name, key): row for table in TABLES for key, (row, _) in self.now[table].get(battery, {}).items()
        }

    def rows_at(self, step: int) -> Rows:
        """What a reader saw after a step."""
        found: Rows = {}
        for table in TABLES:
            held = [(key, row) for key, row, since, until in self.closed[table] if since <= step < until]
            for rows in self.now[table].values():
                held += [(key, row) for key, (row, since) in rows.items() if since <= step]
            for key, row in held:
                if (table.name, key) in found:
                    raise InvariantBroken("I8", f"{table.name}: {key} holds twice at step {step}")
                found[table.name, key] = row
        return found

    def history(self) -> dict[tuple[str, Key, int], tuple[Row, int | None]]:
        """Every version ever, with the step that ended it: equal for any two ways of building the tables."""
        found: dict[tuple[str, Key, int], tuple[Row, int | None]] = {}
        count = 0
        for table in TABLES:
            found.update({(table.name, key, since): (row, until) for key, row, since, until in self.closed[table]})
            count += len(self.closed[table])
            for rows in self.now[table].values():
                found.update({(table.name, key, since): (row, None) for key, (row, since) in rows.items()})
                count += len(rows)
        if len(found) != count:
            raise InvariantBroken("I8", "two versions of one row begin with one step")
        return found


def _battery(key: Key) -> Battery:
    return (str(key[0]), str(key[1]))


class ShortWay:
    """What the tables must say: each battery's live events, folded from nothing.

    What two questions have in common is folded once: the fold is pure.
    """

    def __init__(self) -> None:
        self._folded: dict[Battery, list[tuple[str, State, list[Put]]]] = {}  # event ids, and what became of each

    def rows_of(self, live: Iterable[tuple[Fact, Record]]) -> Rows:
        batteries: dict[Battery, list[tuple[Fact, Record]]] = {}
        for fact, record in live:
            batteries.setdefault((record.key, record.deployment), []).append((fact, record))
        found: Rows = {}
        for battery, facts in batteries.items():
            facts.sort(key=lambda each: each[0].place)
            for (fact, record), (_, _, puts) in zip(facts, self._fold(battery, facts), strict=True):
                found.update({(put.table.name, put.key): put.row for put in puts})
                row = event_row(record, fact)
                found[EVENTS.name, tuple(getattr(row, name) for name in EVENTS.key)] = row
        return found

    def _fold(self, battery: Battery, facts: list[tuple[Fact, Record]]) -> list[tuple[str, State, list[Put]]]:
        done = self._folded.setdefault(battery, [])
        same = sum(1 for _ in takewhile(lambda each: each[0][0] == each[1][1].id, zip(done, facts, strict=False)))
        del done[same:]
        for fact, record in facts[same:]:
            state, puts = fold(done[-1][1] if done else EMPTY, fact, JUDGING)
            done.append((record.id, state, puts))
        return done


def event_row(record: Record, fact: Fact) -> EventRow:
    return EventRow(
        deployment=record.deployment,
        battery_key=record.key,
        height=record.height,
        transaction_index=fact.event.transaction_index,
        event_index=fact.event.index,
        slot=record.slot,
        block=record.block,
        time=record.time,
        fact=record.fact,
        event_id=record.id,
        incarnation=record.incarnation,
        type=record.type,
        transaction=fact.event.transaction,
        body=bytes(record.body),
    )


BATCHES: Final = (1, 7, 60, 100_000)
"""Sizes of batches, in records, that a run mixes."""
