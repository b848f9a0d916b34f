"""The tables in memory, with the database's rules, and a worker that runs the real fold over the log.

Stands for ``projections.store`` (whose SQL is tested on a real PostgreSQL): checkpoints with epochs, one transaction a
batch. ``accept``, ``fold_batch``, ``Versions`` and the fold are the product's.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from msgspec.structs import replace

from indexer.events import ChainEvent
from indexer.log.port import Log, accept
from indexer.log.records import Record
from projections.batch import Battery, Folded, Known, batteries_of, fold_batch
from projections.errors import OwnershipLost
from projections.facts import Fact, decode_body
from projections.folding import EMPTY, decode_state, encode_state, fold
from projections.judging import Judging
from projections.rows import EVENTS, TABLES, EventRow, Key, Row, Table
from projections.store import Checkpoint, advanced
from tests.indexer.build import PROFILE
from tests.simulation.faults import InvariantBroken

JUDGING: Final = Judging({PROFILE.name: PROFILE})
"""Verdicts, findings and alerts are rows like the others: the invariants hold for them, too."""

Rows = dict[tuple[str, Key], Row]
Death = Literal["", "before commit", "after commit", "in commit"]


class WorkerKilled(Exception):
    """A worker's death around its commit."""


class Tables:
    """What the database holds."""

    def __init__(self, partitions: int) -> None:
        self.checkpoints = [Checkpoint(partition, 0, -1, -1, 0) for partition in range(partitions)]
        self.states: dict[Battery, bytes] = {}
        self._decoded: dict[str, ChainEvent] = {}  # by event id: a refold asks for the same rows again and again
        self.now: dict[Table, dict[Battery, dict[Key, tuple[Row, int]]]] = {table: {} for table in TABLES}
        self.closed: dict[Table, list[tuple[Key, Row, int, int]]] = {table: [] for table in TABLES}

    @property
    def consistent_step(self) -> int:
        return min(each.last_step for each in self.checkpoints)

    def take(self, partition: int) -> Checkpoint:
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

    def commit(self, before: Mapping[int, Checkpoint], after: Mapping[int, Checkpoint], folded: list[Folded]) -> None:
        """One transaction: all of it, or OwnershipLost and nothing."""
        self.hold(before)
        for each in folded:
            for table in TABLES:
                self._close(table, each.versions.closings(table))
                for version in each.versions.inserts(table):
                    key = tuple(getattr(version.row, name) for name in table.key)
                    self._insert(table, key, version.row, version.known_from_step, version.known_until_step)
            for battery, state in each.states.items():
                self.states[battery] = encode_state(state)
        for at, checkpoint in after.items():
            self.checkpoints[at] = checkpoint

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


class Worker:
    """One process of the projection. Forgets all when it dies; the database does not."""

    def __init__(self, log: Log, tables: Tables) -> None:
        self._log, self._tables = log, tables
        self.owned: dict[int, Checkpoint] = {}

    def take(self, partition: int) -> None:
        self.owned[partition] = self._tables.take(partition)

    def restart(self) -> None:
        """Begins again with the partitions it had, as the database knows them."""
        for partition in list(self.owned):
            self.take(partition)

    def round(self, limit: int, *, death: Death = "", thief: "Worker | None" = None) -> set[Battery]:
        """Projects what there is for its partitions; returns the batteries touched.

        Raises LogDamaged at a gap, WorkerKilled. With a ``thief``, another worker takes a partition after it was read,
        and goes on with it.
        """
        batches = {at: self._log.read(at, mine.next_offset, limit) for at, mine in self.owned.items()}
        batches = {at: batch for at, batch in batches.items() if batch.records}
        if thief is not None and batches:
            stolen = min(batches)
            thief.take(stolen)
            thief.round(limit)
        before = {at: self.owned[at] for at in batches}
        try:
            self._tables.hold(before)
        except OwnershipLost as lost:
            for at in lost.partitions:
                del self.owned[at]
            return set()
        accepted = {at: accept(self.owned[at].last_seq, batch.records) for at, batch in batches.items()}
        known = self._tables.known(record for records in accepted.values() for record in records)
        folded = {at: fold_batch(records, known, JUDGING) for at, records in accepted.items()}
        after = {at: advanced(self.owned[at], batch, accepted[at], folded[at]) for at, batch in batches.items()}
        if death in ("before commit", "in commit"):  # a database undoes what was under way
            raise WorkerKilled
        self._tables.commit(before, after, list(folded.values()))
        self.owned.update(after)
        if death == "after commit":
            raise WorkerKilled
        return {battery for each in folded.values() for battery in each.states}


def rows_of(live: Iterable[tuple[Fact, Record]]) -> Rows:
    """The short way: each battery's live events, folded from nothing."""
    batteries: dict[Battery, list[tuple[Fact, Record]]] = {}
    for fact, record in live:
        batteries.setdefault((record.key, record.deployment), []).append((fact, record))
    found: Rows = {}
    for facts in batteries.values():
        state = EMPTY
        for fact, record in sorted(facts, key=lambda each: each[0].place):
            state, puts = fold(state, fact, JUDGING)
            found.update({(put.table.name, put.key): put.row for put in puts})
            row = event_row(record, fact)
            found[EVENTS.name, tuple(getattr(row, name) for name in EVENTS.key)] = row
    return found


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
