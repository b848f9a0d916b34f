"""A worker of the projection, that runs the real fold over the log and shares partitions by the real rule.

``accept``, ``fold_parking``, ``refused_stops``, ``moves`` and ``advanced`` are the product's.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Literal

from indexer.log.port import Log, accept
from indexer.log.records import Record
from projections.batch import Battery, Folded, Known, batteries_of
from projections.errors import OwnershipLost, ValueRefused
from projections.parking import Aside, Stops, fold_parking
from projections.refused import refused_stops
from projections.sharing import Moves, Peer, moves
from projections.store import Checkpoint, advanced
from tests.simulation.faults import InvariantBroken
from tests.simulation.poison import as_an_earlier_version_reads, refuse
from tests.simulation.tables import JUDGING, Tables

Death = Literal["", "before commit", "after commit", "in commit"]


class WorkerKilled(Exception):
    """A worker's death around its commit."""


class Worker:
    """One process of the projection. Forgets all when it dies; the database does not."""

    def __init__(self, log: Log, tables: Tables) -> None:
        self._log, self._tables = log, tables
        self.number = tables.join()
        self.owned: dict[int, Checkpoint] = {}

    def take(self, partition: int) -> None:
        """Whoever has it, as if that one had been silent for too long."""
        self.owned[partition] = self._tables.take(partition, self.number)

    def restart(self) -> None:
        """Its connection is gone, and with it all that it held; the new process is a newcomer."""
        self._tables.workers[self.number] = False
        self.number = self._tables.join()
        self.owned = {}

    def look(self) -> Moves:
        """Gives and takes until the partitions are divided fairly."""
        owners = dict(self._tables.owners)
        alive = {number for number, lives in self._tables.workers.items() if lives}
        peers = [Peer(number, False, number in alive) for number in self._tables.workers]
        wanted = moves(self.number, peers, owners, self.owned.keys())
        for at in wanted.give:
            self._tables.owners[at] = None
            del self.owned[at]
        for at in wanted.take:
            if owners[at] in alive - {self.number}:
                raise InvariantBroken("sharing", f"partition {at} is taken from worker {owners[at]}, which is at work")
            self.take(at)
        return wanted

    def round(self, limit: int, *, death: Death = "", thief: "Worker | None" = None) -> set[Battery]:
        """Projects what there is for its partitions; returns the batteries touched.

        Raises LogDamaged at a gap, WorkerKilled. With a ``thief``, another worker takes a partition after it was read,
        and goes on with it.
        """
        batches = {at: self._log.read(at, mine.next_offset, limit) for at, mine in self.owned.items()}
        batches = {at: as_an_earlier_version_reads(batch) for at, batch in batches.items() if batch.records}
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
        both = self._fold(accepted)
        after = {at: advanced(self.owned[at], batch, accepted[at], both[at][0]) for at, batch in batches.items()}
        if death in ("before commit", "in commit"):  # a database undoes what was under way
            raise WorkerKilled
        self._tables.commit(before, after, both.values())
        self.owned.update(after)
        if death == "after commit":
            raise WorkerKilled
        return {battery for folded, _ in both.values() for battery in folded.states}

    def _fold(self, accepted: Mapping[int, Sequence[Record]]) -> dict[int, tuple[Folded, Aside]]:
        known = self._tables.known(record for records in accepted.values() for record in records)
        touched = {battery for records in accepted.values() for battery in batteries_of(records)[0]}
        parked = {battery: self._tables.parked[battery].keys() for battery in touched & self._tables.parked.keys()}
        stops: Stops = {}
        while True:
            both = {at: fold_parking(records, known, parked, JUDGING, stops) for at, records in accepted.items()}
            try:
                refuse(folded for folded, _ in both.values())
            except ValueRefused:
                found: Stops = {}
                for records in accepted.values():
                    found = {**found, **refused_stops(records, _Attempt(known, parked, stops))}
                if not found.keys() - stops.keys():
                    raise InvariantBroken("I12", "what the database refuses is no battery's") from None
                stops = {**stops, **found}
            else:
                return both


class _Attempt:
    """Whether the database takes what some records lead to."""

    def __init__(self, known: Known, parked: Mapping[Battery, AbstractSet[str]], stops: Stops) -> None:
        self._known, self._parked, self._stops = known, parked, stops

    def __call__(self, records: Sequence[Record]) -> ValueRefused | None:
        folded, _ = fold_parking(records, self._known, self._parked, JUDGING, self._stops)
        try:
            refuse([folded])
        except ValueRefused as refused:
            return refused
        return None
