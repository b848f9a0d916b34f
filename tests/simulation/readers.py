"""Projection workers of a run: who owns what, who dies when, and what the tables must say then."""

from collections.abc import Callable
from typing import Final

from indexer.log.port import LogDamaged
from indexer.log.records import Record
from projections.batch import Battery
from projections.facts import Fact, fact_of
from projections.rows import EVENTS
from tests.simulation.engine import SimLog, Store, Torn
from tests.simulation.faults import InvariantBroken, Process
from tests.simulation.oracle import Oracle
from tests.simulation.plan import DEATHS, Action
from tests.simulation.poison import waits_at_times
from tests.simulation.tables import Rows, ShortWay, Tables
from tests.simulation.workers import Worker, WorkerKilled

CHECKED: Final = 2
"""Batteries whose rows are folded anew after each batch; all of them are at the end of the run."""

REMEMBERED: Final = (3, 30, 300)
"""After so many batches a reader asks, and remembers the answer."""


class Readers:
    """Two workers and the tables that they fill."""

    def __init__(self, store: Store, oracle: Oracle, partitions: int, count: Callable[[str], None]) -> None:
        self._store, self._oracle, self._count = store, oracle, count
        self.tables = Tables(partitions)
        self._facts: dict[str, Fact] = {}  # of events by their id, for the checks
        self.short_way = ShortWay()
        self.answers: dict[int, Rows] = {}  # what readers were told, by step
        self._batches = 0
        log = reading_log(store)
        self._workers = (Worker(log, self.tables), Worker(log, self.tables))
        for worker in self._workers:
            worker.look()

    def project(self, action: Action) -> None:
        worker, other = self._workers[action.a], self._workers[1 - action.a]
        if not self._store.visible:
            return
        self._look(worker)
        if not worker.owned:
            worker, other = other, worker
        thief = other if action.c >= len(DEATHS) else None
        death = "" if thief else DEATHS[action.c]
        try:
            touched = worker.round(action.b, death=death, thief=thief)  # type: ignore[arg-type]  # mypy widens it
        except LogDamaged as damage:
            if self._store.sound:
                raise InvariantBroken("I2", f"a reader finds a sound log damaged: {damage}") from damage
            self._count("damage noticed by a reader")
        except WorkerKilled:
            self._count(f"worker killed {death}")
            worker.restart()
        else:
            self._count("batch projected" if thief is None else "partition taken in mid-batch")
            self._check(touched)
            self._batches += 1
            if self._batches in REMEMBERED:
                self.answers[self.tables.consistent_step] = self.tables.rows_at(self.tables.consistent_step)

    def _look(self, worker: Worker) -> None:
        made = worker.look()
        if made.give:
            self._count("partitions given")
        if made.take:
            self._count("partitions taken over")

    def reassign(self, action: Action) -> None:
        self._workers[action.a].take(action.b)
        self._count("partition reassigned")

    def catch_up(self) -> None:
        """Every partition to the log's end, by whoever owns it."""
        end = len(self._store.steps) - 1
        for _ in range(2):
            for worker in self._workers:
                worker.look()
        shares = [sum(owner == worker.number for owner in self.tables.owners.values()) for worker in self._workers]
        if sum(shares) != len(self.tables.checkpoints) or max(shares) - min(shares) > 1:
            raise InvariantBroken("I12", f"{len(self.tables.checkpoints)} partitions are divided {shares}")
        for worker in self._workers:
            for _ in range(end + 2):
                if all(mine.last_step >= end for mine in worker.owned.values()):
                    break
                worker.round(100_000)
        if self.tables.consistent_step != end:
            raise InvariantBroken("I12", f"the tables stay at step {self.tables.consistent_step} of {end}")

    def fact(self, record: Record) -> Fact:
        """Decoded once, for all checks."""
        found = self._facts.get(record.id)
        if found is None:
            found = self._facts[record.id] = fact_of(record)
        return found

    def _check(self, touched: set[Battery]) -> None:
        """I8 for the log's present end."""
        for battery in sorted(each for each in touched if not waits_at_times(each))[:CHECKED]:
            live = [each for at in self._oracle.live for each in at if each.record.key == battery[0]]
            partition = live[0].partition if live else None
            if partition is None or self.tables.checkpoints[partition].last_step != self._oracle.steps - 1:
                continue
            if self.tables.rows_now(battery) != self.short_way.rows_of(
                (self.fact(each.record), each.record) for each in live
            ):
                held = len(self.tables.now[EVENTS].get(battery, {}))
                raise InvariantBroken(
                    "I8", f"the tables at step {self._oracle.steps - 1} are not the fold of {battery[0]}'s {len(live)} "
                    f"live events; they hold {held}"
                )  # fmt: skip


def reading_log(store: Store) -> SimLog:
    """The log as a reader has it: what is damaged is, but nothing fails."""
    return SimLog(
        store,
        Process("reader"),
        effect_begins=lambda _: None,
        effect_ends=lambda _: None,
        take_fault=lambda: None,
        take_read_fault=lambda: False,
        tear=_never,
        count=lambda _: None,
    )


def _never(*_: object, **__: object) -> Torn:
    raise AssertionError("readers write nothing")
