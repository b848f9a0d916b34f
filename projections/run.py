"""The worker: shares partitions, reads the log, writes the tables, waits, begins again after a fault."""

import gc
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from typing import Final

import structlog
from msgspec import Struct

from indexer.errors import ConfigurationError, Retryable
from indexer.log.port import Batch, Log, LogEmpty
from projections import metrics
from projections.database import SCHEMA, Connection
from projections.errors import OwnershipLost
from projections.judging import Judging
from projections.migrate import migrate
from projections.parked import parked_totals
from projections.read_ahead import ReadAhead, Wanted
from projections.sharing import Membership
from projections.status import consistent_step
from projections.store import PROJECTION, Applied, Checkpoint, Store, identity_of

log = structlog.get_logger(component="projection", projection=PROJECTION)

BATCH_RECORDS: Final = 16_384
"""Records in one transaction, about. The log bounds their bytes; more gains nothing and loses more at a crash."""

SWITCH_SECONDS: Final = 0.001
"""Between two threads at work, a fifth of Python's own: the one that feeds PostgreSQL needs little time, and soon. Less
still is spent on changing between them.
"""

WORTH_READING_AHEAD_RECORDS: Final = 500
"""In a transaction. With fewer the worker is at the log's end, where nothing is to be read yet."""

PAUSE_SECONDS: Final = (0.05, 5.0)  # first and longest wait after a fault
WAIT_SECONDS: Final = 0.5  # for the log to grow; also how late a stop is noticed


class Progress(Struct, frozen=True, kw_only=True):
    """Where the worker stands."""

    step: int  # least over its partitions; of the tables, where it has none
    slot: int
    height: int
    events: int  # since the start
    retractions: int
    rows: int  # versions written since the start
    lag_records: int
    events_per_second: float  # since the start, waiting left out
    eta_seconds: float | None  # until the log's end as it is now; None before anything was done
    caught_up: bool  # its partitions are at the log's end
    whole: bool  # all partitions are, those of other workers too
    partitions: tuple[int, ...]  # its share


class Worker:
    """One process's share of a projection.

    ``connect`` gives a new connection each time; its unqualified names are those of ``schema``. ``partitions`` None:
    workers divide them among themselves, as ``sharing.py`` says. Given, they are taken from whoever has them, and kept.
    ``judging`` None: no verdicts.
    ``stop`` says when to end, after the transaction under way; ``pause`` sleeps, and ends early then.
    """

    def __init__(  # noqa: PLR0913 - what a worker can be told
        self,
        source: Log,
        connect: Callable[[], Connection],
        *,
        partitions: Collection[int] | None = None,
        schema: str = SCHEMA,
        batch_records: int = BATCH_RECORDS,
        judging: Judging | None = None,
        progress: Callable[[Progress], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._log = source
        self._connect = connect
        self._partitions = partitions
        self._schema = schema
        self._batch_records = batch_records
        self._ahead = ReadAhead(source, most_records=batch_records)
        self._judging = judging
        self._report = progress
        self._stop = stop
        self._pause = pause
        self._connection: Connection | None = None
        self._membership: Membership | None = None
        self._owned: dict[int, Checkpoint] | None = None  # None until first taken
        self._applied = Applied(0, 0, 0, None)
        self._busy_seconds = 0.0
        self._caught_up_at = time.time()
        for counter in (metrics.EVENTS, metrics.RETRACTIONS, metrics.RETRIES, metrics.OWNERSHIP_LOST):
            counter.labels(PROJECTION)  # shown as 0 from the start: of one that begins with 1 no rise is seen

    def run(self, *, until_caught_up: bool = False, give_up_after_seconds: float | None = None) -> Progress:
        """Works until stopped, or until the tables hold all of the log.

        A fault that may pass is tried again for ever, or for so many seconds in a row. Raises it then; raises
        OwnershipLost when others took every partition of one that was told its partitions, and any error that a person
        has to mend.
        """
        sys.setswitchinterval(SWITCH_SECONDS)
        store: Store | None = None
        pauses = 0
        failing_since = 0.0
        progress = self._progress(None)
        try:
            while not self._stop():
                try:
                    store = store or self._open()
                    self._share(store)
                    worked = self._round(store)
                    progress = self._progress(store)
                    pauses = 0
                except OwnershipLost as lost:
                    if store is None:  # every partition was taken while we were away
                        raise
                    self._lose(store, lost)
                    # The tables may be others than before: a rebuild puts new ones in their place.
                    store = None
                    self._disconnect()
                    continue
                except Retryable as error:
                    if until_caught_up and isinstance(error, LogEmpty):
                        raise  # whoever waits for the end would wait for a follower, or for a mistyped name
                    store = None
                    self._disconnect()
                    pauses, failing_since = pauses + 1, failing_since if pauses else time.monotonic()
                    failing = time.monotonic() - failing_since
                    if give_up_after_seconds is not None and failing >= give_up_after_seconds:
                        raise
                    pause = min(PAUSE_SECONDS[0] * 2 ** min(pauses, 10), PAUSE_SECONDS[1])
                    metrics.RETRIES.labels(PROJECTION).inc()
                    log.warning("projection_retried", reason=str(error), pause_seconds=pause)
                    self._pause(pause)
                    continue
                self._report(progress)
                if not worked:
                    if until_caught_up and progress.whole:
                        break
                    self._wait(progress, for_others=until_caught_up and not progress.whole)
            self._leave()
        finally:
            self._disconnect()
        return progress

    def _open(self) -> Store:
        identity = identity_of(self._log)
        if strange := {at for at in self._partitions or () if at >= identity.partitions}:
            raise ConfigurationError(f"the log has partitions 0 to {identity.partitions - 1}, not {min(strange)}")
        connection = self._connection = self._connect()
        migrate(connection, schema=self._schema)
        store = Store(connection, identity, judging=self._judging)
        pinned = self._partitions is not None
        before, was = self._owned, self._membership
        membership = Membership(connection, PROJECTION, pinned=pinned)
        if before is None:
            if self._partitions is not None:
                store.take(self._partitions, membership.number)
                log.info("partitions_taken", partitions=sorted(store.checkpoints))
        else:
            store.retake(before.values(), membership.number)
        if was is not None:
            membership.forget(was.number)
        self._membership = membership
        self._owned = store.checkpoints  # only now: a database that fails again must find what to ask for
        if lost := (before or {}).keys() - store.checkpoints.keys():
            self._lose(store, OwnershipLost(frozenset(lost)))
        return store

    def _share(self, store: Store) -> None:
        """Once in a while: tells the others that it lives, gives and takes partitions."""
        assert self._membership is not None
        if not self._membership.due():
            return
        made = self._membership.look(store, self._rate())
        assert self._connection is not None
        events, oldest_seconds = parked_totals(self._connection)
        metrics.PARKED_EVENTS.set(events)
        metrics.PARKED_OLDEST.set(oldest_seconds)
        _forget_lag(made.give)
        if made.give or made.take:
            log.info(
                "partitions_shared", given=sorted(made.give), taken=sorted(made.take), now=sorted(store.checkpoints)
            )

    def _round(self, store: Store) -> bool:
        """Projects what the log has for each partition, several in one transaction. False where it had nothing."""
        assert self._membership is not None
        batches: dict[int, Batch] = {}
        records = 0
        worked = False
        share = self._share_of_each(store)
        # What is furthest behind comes first: answers hold at the least step of all.
        in_turn = sorted(store.checkpoints.values(), key=lambda each: (each.last_step, each.partition))
        due = [Wanted(each.partition, each.next_offset, share) for each in in_turn]
        for at, wanted in enumerate(due):
            batch = self._ahead.read(wanted)
            if batch.records:
                batches[wanted.partition] = batch
                records += len(batch.records)
            if records >= self._batch_records:
                self._apply(store, batches, due[at + 1 :])
                batches, records, worked = {}, 0, True
                if self._stop() or self._membership.due():
                    return True
        if batches:
            self._apply(store, batches, ())
        return worked or bool(batches)

    def _share_of_each(self, store: Store) -> int:
        """Records of one partition in a transaction: of each some, so that one is folded while another is written."""
        return max(self._batch_records // max(len(store.checkpoints), 1), 1)

    def _apply(self, store: Store, batches: dict[int, Batch], still_due: Collection[Wanted]) -> None:
        """Projects these, and reads meanwhile what will be asked for next: what is due yet, then each partition on."""
        share = self._share_of_each(store)
        offsets = {at: checkpoint.next_offset for at, checkpoint in store.checkpoints.items()}
        offsets |= {at: batch.next_offset for at, batch in batches.items()}
        for wanted in still_due:
            del offsets[wanted.partition]
        following = (Wanted(at, offset, share) for at, offset in offsets.items())
        worth_it = sum(len(batch.records) for batch in batches.values()) >= WORTH_READING_AHEAD_RECORDS
        beside = self._ahead.beside((*still_due, *following)) if worth_it else nullcontext()
        with beside, _collector_at_rest():
            began = time.perf_counter()
            applied = store.apply(batches)
            seconds = time.perf_counter() - began
        self._busy_seconds += seconds
        total = self._applied
        last = max((each for each in (applied.last, total.last) if each), key=lambda each: each.step, default=None)
        self._applied = Applied(
            total.events + applied.events, total.retractions + applied.retractions, total.rows + applied.rows, last
        )
        if applied.parked:
            log.warning("events_parked", events=len(applied.parked), first=applied.parked[0])
        metrics.EVENTS.labels(PROJECTION).inc(applied.events)
        metrics.RETRACTIONS.labels(PROJECTION).inc(applied.retractions)
        metrics.LAST_BATCH.labels(PROJECTION).set_to_current_time()
        log.info(
            "batch_projected",
            step=applied.last.step if applied.last else None,
            slot=applied.last.slot if applied.last else None,
            partitions=len(batches),
            events=applied.events,
            retractions=applied.retractions,
            rows=applied.rows,
            milliseconds=round(seconds * 1000),
        )

    def _rate(self) -> float:
        done = self._applied.events + self._applied.retractions
        return done / self._busy_seconds if self._busy_seconds else 0.0

    def _progress(self, store: Store | None) -> Progress:
        owned = (self._owned or {}).values()
        end = self._log.end() if store is not None else None
        lag = 0
        for each in owned:
            behind = end.spine.partitions[each.partition].last_seq - each.last_seq if end else 0
            metrics.LAG_EVENTS.labels(PROJECTION, str(each.partition)).set(behind)
            lag += max(behind, 0)
        step = min((each.last_step for each in owned), default=-1)
        everybodys = consistent_step(self._connection) if self._connection is not None and lag == 0 else -1
        if not owned:
            step = everybodys
        now = time.time()
        if lag == 0:
            self._caught_up_at = now
        metrics.LAG_SECONDS.labels(PROJECTION).set(now - self._caught_up_at)
        metrics.CONSISTENT_STEP.labels(PROJECTION).set(step)
        total, last, rate = self._applied, self._applied.last, self._rate()
        # One that was told its partitions answers for no others.
        whole = end is not None and lag == 0 and (self._partitions is not None or everybodys >= end.spine.step)
        return Progress(
            step=step,
            slot=last.slot if last else 0,
            height=last.height if last else -1,
            events=total.events,
            retractions=total.retractions,
            rows=total.rows,
            lag_records=lag,
            events_per_second=rate,
            eta_seconds=lag / rate if rate else None,
            caught_up=end is not None and lag == 0,
            whole=whole,
            partitions=tuple(sorted(self._owned or ())),
        )

    def _lose(self, store: Store, lost: OwnershipLost) -> None:
        store.drop(lost.partitions)
        _forget_lag(lost.partitions)
        metrics.OWNERSHIP_LOST.labels(PROJECTION).inc(len(lost.partitions))
        log.warning("partitions_lost", partitions=sorted(lost.partitions), left=sorted(store.checkpoints))
        if self._partitions is not None and not store.checkpoints:
            raise lost

    def _wait(self, progress: Progress, *, for_others: bool) -> None:
        if for_others or not progress.partitions or not progress.caught_up:
            self._pause(WAIT_SECONDS / 5 if for_others else WAIT_SECONDS)
            return
        try:
            self._log.wait(progress.step, WAIT_SECONDS)
        except Retryable as error:
            log.warning("log_unavailable", reason=str(error))
            self._pause(WAIT_SECONDS)

    def _leave(self) -> None:
        """Gives its partitions back, so that the others need not find out."""
        if self._membership is None or self._connection is None:
            return
        try:
            self._membership.leave()
        except Retryable as error:
            log.warning("left_without_a_word", reason=str(error))

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """A batch makes many objects that live as long as it does, and no cycles: to search them for some, again and again,
    costs as much as decoding them.
    """
    was_at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_at_work:
            gc.enable()


def _forget_lag(partitions: Collection[int]) -> None:
    """Of a partition that is another worker's only that one tells the lag."""
    for each in partitions:
        metrics.LAG_EVENTS.labels(PROJECTION, str(each))  # made if it was not, as only what is there can be removed
        metrics.LAG_EVENTS.remove(PROJECTION, str(each))
