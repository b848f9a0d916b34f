"""The shell between the log and the tables: loads states, folds, writes rows and checkpoints in one transaction."""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace
from psycopg.types.json import Jsonb

from indexer.log.port import Batch, Log, LogEmpty, accept
from indexer.log.records import Record
from projections.batch import Battery, Folded, Known, Position, batteries_of
from projections.database import Connection
from projections.errors import CannotFold, OtherLog, OwnershipLost, SchemaMismatch, ValueRefused, translated
from projections.facts import Fact, decode_body
from projections.folding import FOLD_VERSION, State, decode_state
from projections.in_turn import InTurn
from projections.judging import Judging, require_same_judging
from projections.parked import QUERIES as PARKED
from projections.parked import end_parked, parked_events, parked_ids, record_of, tell_reasons, write_aside
from projections.parking import Aside, Stops, fold_parking, with_markers
from projections.refused import Attempt, refused_stops
from projections.tables import QUERIES, Tables, battery_columns

PROJECTION: Final = "timeline"

WORTH_A_THREAD_RECORDS: Final = 500
"""In a transaction. Fewer are folded before PostgreSQL has done anything with the first of them."""

Done = TypeVar("Done")


class LogIdentity(Struct, frozen=True):
    """What tells one log from another."""

    digest: str  # of step 0
    network: str
    network_magic: int
    deployments: dict[str, str]
    partitions: int

    def __str__(self) -> str:
        names = ", ".join(sorted(self.deployments)) or "none"
        return f"{self.network} (magic {self.network_magic}, deployments: {names}, step 0: {self.digest[:16]})"


class Checkpoint(Struct, frozen=True):
    """How far this worker has projected a partition it owns."""

    partition: int
    next_offset: int
    last_seq: int
    last_step: int
    owner_epoch: int


def advanced(before: Checkpoint, batch: Batch, accepted: Sequence[Record], folded: Folded) -> Checkpoint:
    """Where a partition stands after a batch of which ``accepted`` was new.

    A batch of records that were all seen before, as after a repair of the log, moves the offset alone. One may also end
    on such records: the last sequence number is that of the last record that was new.
    """
    return replace(
        before,
        next_offset=batch.next_offset,
        last_seq=accepted[-1].seq if accepted else before.last_seq,
        last_step=folded.positions[-1].step if folded.positions else before.last_step,
    )


class Applied(Struct, frozen=True):
    """What one transaction wrote."""

    events: int
    retractions: int
    rows: int  # versions inserted
    last: Position | None  # the newest position that a partition reached
    parked: list[str] = []  # ids of events that the fold can't handle, or that wait behind such a one


def identity_of(log: Log) -> LogIdentity:
    """Reads the log's first step. Raises LogEmpty."""
    opened = log.opened()
    first = next(iter(log.spine(0)), None)
    if first is None:
        raise LogEmpty("the log has no step")
    return LogIdentity(
        first.digest, opened.network, opened.network_magic, dict(opened.deployments), len(opened.partitions)
    )


class Store:
    """The tables, as one worker writes them. Holds a connection; after an error of class Retryable, make a new one."""

    def __init__(
        self,
        connection: Connection,
        identity: LogIdentity | None,
        projection: str = PROJECTION,
        judging: Judging | None = None,
    ) -> None:
        """Binds the tables to the log and to what judges it, once and for ever; ``identity`` None: to the log that they
        are of.

        Raises OtherLog, SchemaMismatch, and ConfigurationError where the profiles are not the log's.
        """
        if judging is not None and identity is not None:
            judging.check(identity.deployments)
        self._connection = connection
        self._projection = projection
        self._judging: Final = judging
        self.checkpoints: dict[int, Checkpoint] = {}
        with translated():
            # Each query of a worker finds its rows by key. While tables grow from nothing their statistics say that
            # they are empty, and the planner would read them whole, batch after batch.
            for plan in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):
                connection.execute("SELECT set_config(%s, 'off', false)", (plan,))
            self._bind(identity)
            self._tables: Final = Tables(connection)

    def take(self, partitions: Collection[int], owner: int | None = None) -> None:
        """Becomes the owner of these partitions, whoever holds them: from now on no earlier owner can write them.

        ``owner`` is the worker's number, by which others see who it is.
        """
        self.checkpoints.update(self._taken("take_partitions", {"partitions": [*partitions], "owner": owner}))

    def take_free(self, partitions: Collection[int], owner: int) -> dict[int, Checkpoint]:
        """Takes those of these partitions that have no transaction under way. They are the store's once the caller, in
        whose transaction it is, puts what is returned among its ``checkpoints``.
        """
        with translated():
            parameters = {"projection": self._projection, "partitions": [*partitions]}
            self._connection.execute(QUERIES["make_checkpoints"], parameters)
        return self._taken("take_free_partitions", {"partitions": [*partitions], "owner": owner})

    def retake(self, checkpoints: Collection[Checkpoint], owner: int | None = None) -> None:
        """Goes on with partitions that this worker owned on a connection that broke: those that nobody took since.

        Raises the epoch, too: a transaction of the broken connection may still be under way in the server.
        """
        parameters = {
            "partition": [each.partition for each in checkpoints],
            "owner_epoch": [each.owner_epoch for each in checkpoints],
            "owner": owner,
        }
        self.checkpoints.update(self._taken("retake_partitions", parameters))

    def _taken(self, query: str, parameters: Mapping[str, Any]) -> dict[int, Checkpoint]:
        with translated():
            found = self._connection.execute(QUERIES[query], {"projection": self._projection, **parameters})
            return {row[0]: Checkpoint(*row) for row in found}

    def drop(self, partitions: Collection[int]) -> None:
        """Forgets partitions that another worker took."""
        for partition in partitions:
            self.checkpoints.pop(partition, None)

    def apply(self, batches: Mapping[int, Batch]) -> Applied:
        """Projects one batch of each partition named, all in one transaction.

        Batteries with a value that PostgreSQL refuses park at the event that brought it.
        Raises OwnershipLost, LogDamaged, RetractionOfUnknown, DatabaseUnwell, DatabaseRefuses; nothing is written then.
        """
        return self._parking_refused(
            lambda refused: self._apply(batches, refused), lambda refused: self._refused(batches, refused)
        )

    def _apply(self, batches: Mapping[int, Batch], refused: Stops) -> Applied:
        folded: dict[int, Folded] = {}
        asides: dict[int, Aside] = {}
        with translated(), self._connection.transaction():
            accepted, known, parked = self._begin(batches)
            # While PostgreSQL is at work on some rows, the next ones are folded and packed.
            many = sum(map(len, accepted.values()))
            with InTurn[int](beside=many >= WORTH_A_THREAD_RECORDS) as writing:
                for partition, records in accepted.items():
                    each, asides[partition] = fold_parking(records, known, parked, self._judging, refused)
                    for job in self._tables.jobs(partition, each):
                        writing.then(job)
                    folded[partition] = each.without_rows()
                rows = sum(writing.results())
            moved = self._advance(batches, accepted, folded)
            for partition, aside in asides.items():
                write_aside(self._connection, partition, aside)
        self.checkpoints.update(moved)
        newest = [each.positions[-1] for each in folded.values() if each.positions]
        return Applied(
            sum(each.events for each in folded.values()),
            sum(each.retractions for each in folded.values()),
            rows,
            max(newest, key=lambda position: position.step, default=None),
            [each.record.id for aside in asides.values() for each in aside.parked],
        )

    def _begin(
        self, batches: Mapping[int, Batch]
    ) -> tuple[dict[int, Sequence[Record]], Known, dict[Battery, set[str]]]:
        """Of a batch, inside its transaction: what is new of it, what was known before, and which events wait."""
        self._hold(batches)
        accepted: dict[int, Sequence[Record]] = {
            partition: accept(self.checkpoints[partition].last_seq, batch.records)
            for partition, batch in batches.items()
        }
        batteries = batteries_of(chain.from_iterable(accepted.values()))
        touched, _ = batteries
        return accepted, self._known(batteries), parked_ids(self._connection, touched) if touched else {}

    def retry(self, battery: Battery) -> tuple[int, int]:
        """Folds what is parked of a battery into the steps that it belongs to, in one transaction.

        Returns how many events were handled, and how many still wait. Raises DatabaseUnwell, DatabaseRefuses.
        """
        return self._parking_refused(
            lambda refused: self._retry(battery, refused), lambda refused: self._refused_waiting(battery, refused)
        )

    def _retry(self, battery: Battery, refused: Stops) -> tuple[int, int]:
        with translated(), self._connection.transaction():
            partition, records = self._waiting(battery)
            if not records:
                return 0, 0
            folded, aside = fold_parking(
                with_markers(records), self._known(batteries_of(records)), {}, self._judging, refused
            )
            still = {each.record.id for each in aside.parked}
            self._tables.write(partition, folded, steps=False)
            self._connection.execute(QUERIES["forget_counts"])
            handled = [each.id for each in records if each.id not in still]
            end_parked(self._connection, partition, handled, "handled")
            tell_reasons(self._connection, partition, aside.parked)
        return len(handled), len(still)

    def _waiting(self, battery: Battery) -> tuple[int, list[Record]]:
        """The partition of a battery's parked events and their records, held to the end of the transaction."""
        first = next(iter(parked_events(self._connection, battery)), None)
        if first is None:
            return -1, []
        at = {"projection": self._projection, "partition": first.partition}
        self._connection.execute(PARKED["hold_checkpoint"], at)
        # As they are under the lock.
        return first.partition, [record_of(each) for each in parked_events(self._connection, battery)]

    def _parking_refused(self, work: Callable[[Stops], Done], search: Callable[[Stops], Stops]) -> Done:
        """Does the work, again and again without what PostgreSQL refuses of it, until nothing more is refused."""
        refused: Stops = {}
        while True:
            try:
                return work(refused)
            except ValueRefused:
                found = search(refused)
                if not found:
                    raise
                refused = {**refused, **found}

    def _refused(self, batches: Mapping[int, Batch], stops: Stops) -> Stops:
        found: dict[tuple[Battery, int], CannotFold] = {}
        with translated(), self._connection.transaction(force_rollback=True):
            accepted, known, parked = self._begin(batches)
            for partition, records in accepted.items():
                found |= refused_stops(records, self._attempt(partition, known, parked, stops))
        return found

    def _refused_waiting(self, battery: Battery, stops: Stops) -> Stops:
        with translated(), self._connection.transaction(force_rollback=True):
            partition, records = self._waiting(battery)
            return refused_stops(records, self._attempt(partition, self._known(batteries_of(records)), {}, stops))

    def _attempt(self, partition: int, known: Known, parked: Mapping[Battery, set[str]], stops: Stops) -> Attempt:
        def attempt(records: Sequence[Record]) -> ValueRefused | None:
            try:
                with translated(), self._connection.transaction(force_rollback=True):
                    folded, _ = fold_parking(records, known, parked, self._judging, stops)
                    self._tables.write(partition, folded, steps=False)
            except ValueRefused as refused:
                return refused
            return None

        return attempt

    def _bind(self, identity: LogIdentity | None) -> None:
        judged_by = None if self._judging is None else self._judging.identity()
        if identity is not None:
            ours = {
                "digest": identity.digest,
                "network": identity.network,
                "network_magic": identity.network_magic,
                "deployments": Jsonb(identity.deployments),
                "partitions": identity.partitions,
                "fold_version": FOLD_VERSION,
                "judged_by": None if judged_by is None else Jsonb(judged_by),
            }
            self._connection.execute(QUERIES["write_identity"], ours)
        row = self._connection.execute(QUERIES["read_identity"]).fetchone()
        if row is None:
            raise SchemaMismatch("nothing was ever projected into these tables: run `cellwitness project`")
        bound = LogIdentity(*row[:5])
        if identity is not None and bound != identity:
            raise OtherLog(f"these tables were built from the log of {bound}; this is the log of {identity}")
        if row[5] != FOLD_VERSION:
            raise SchemaMismatch(
                f"these tables are of fold version {row[5]}, this is {FOLD_VERSION}: run `cellwitness rebuild`"
            )
        require_same_judging(row[6], judged_by)

    def _known(self, batteries: tuple[Collection[Battery], Collection[Battery]]) -> Known:
        touched, undone = batteries
        states: dict[Battery, State] = {}
        live: dict[Battery, list[Fact]] = {battery: [] for battery in undone}
        if touched:
            for key, deployment, state in self._connection.execute(
                QUERIES["read_states"], battery_columns(touched), binary=True
            ):
                states[key, deployment] = decode_state(state)
        if undone:
            for key, deployment, body, fact, event_id, slot, height, block, time in self._connection.execute(
                QUERIES["read_live_events"], battery_columns(undone), binary=True
            ):
                event = decode_body(body, f"event {event_id} in the tables")
                utc = time.isoformat().replace("+00:00", "Z")
                live[key, deployment].append(Fact(event, fact, event_id, slot, height, block, utc))
        return Known(states, live)

    def _hold(self, partitions: Collection[int]) -> None:
        """First of all: what another worker projected meanwhile does not fit our batch, and would look like damage."""
        held = [self.checkpoints[partition] for partition in partitions]
        parameters = {
            "projection": self._projection,
            "partition": [each.partition for each in held],
            "owner_epoch": [each.owner_epoch for each in held],
            "next_offset": [each.next_offset for each in held],
        }
        found = {partition for (partition,) in self._connection.execute(QUERIES["hold_checkpoints"], parameters)}
        if lost := set(partitions) - found:
            raise OwnershipLost(frozenset(lost))

    def _advance(
        self, batches: Mapping[int, Batch], accepted: Mapping[int, Sequence[Record]], folded: Mapping[int, Folded]
    ) -> dict[int, Checkpoint]:
        moved: dict[int, Checkpoint] = {}
        columns: dict[str, list[Any]] = {name: [] for name in _ADVANCE}
        for partition, batch in batches.items():
            before = self.checkpoints[partition]
            position = folded[partition].positions[-1] if folded[partition].positions else None
            after = moved[partition] = advanced(before, batch, accepted[partition], folded[partition])
            values = (
                *(
                    partition,
                    before.owner_epoch,
                    before.next_offset,
                    after.next_offset,
                    after.last_seq,
                    after.last_step,
                ),
                *(_place(position) if position else (None,) * 5),
            )
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
        query, parameters = QUERIES["advance_checkpoints"], {"projection": self._projection, **columns}
        reached = {partition for (partition,) in self._connection.execute(query, parameters, binary=True)}
        if lost := moved.keys() - reached:
            raise OwnershipLost(frozenset(lost))
        return moved


_ADVANCE: Final = (
    *("partition", "owner_epoch", "offset", "next_offset", "last_seq", "last_step"),
    *("slot", "height", "block", "final_height", "tip_height"),
)


def _place(position: Position) -> tuple[int, int, bytes, int, int]:
    block = bytes.fromhex(position.block)
    return (position.slot, position.height, block, position.final_height, position.tip_height)
