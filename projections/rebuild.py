"""A rebuild: new tables beside those in use, from the log's beginning, and a swap in one transaction.

All that it does is in PostgreSQL: killed at any moment it goes on where it was. Nobody reads or writes the new tables
before the swap, and whatever was read from the former ones stays true: both are folds of one log.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, Literal, Self

import structlog
from msgspec import Struct
from psycopg import sql

from indexer.errors import OperatorMustAct, Retryable
from indexer.log.port import Log
from projections import metrics
from projections.alone import FleetBusy
from projections.counts import count_fleet
from projections.database import SCHEMA, Connection, load_queries
from projections.digest import ContentDigest, history_digests
from projections.errors import OtherLog, SchemaMismatch, translated
from projections.fleet import run_fleet
from projections.folding import FOLD_VERSION
from projections.judging import Judging
from projections.migrate import migrate
from projections.rows import TABLES
from projections.run import BATCH_RECORDS, Progress, Worker
from projections.sharing import lock_space
from projections.status import consistent_step
from projections.store import Store, identity_of

NEXT: Final = f"{SCHEMA}_next"
OLD: Final = f"{SCHEMA}_old"

SWAP_TRIES: Final = 50
"""The log may grow, and the tables in use with it, between two looks; each try catches up first."""

log = structlog.get_logger(component="rebuild")

_NAMES: Final = {"live": sql.Identifier(SCHEMA), "next": sql.Identifier(NEXT), "old": sql.Identifier(OLD)}
_QUERIES: Final = {
    name: sql.SQL(query).format(**_NAMES) for name, query in load_queries("projections", "rebuild.sql").items()
}


class RebuildUnderWay(Retryable):
    """Another process rebuilds these tables."""


class NothingToRebuild(OperatorMustAct):
    """There are no tables in use."""

    exit_code = 1


class Comparison(Struct, frozen=True, kw_only=True):
    """All that the tables in use and the new ones ever said up to one step."""

    step: int
    live: tuple[ContentDigest, ...]
    rebuilt: tuple[ContentDigest, ...]

    @property
    def equal(self) -> bool:
        return self.live == self.rebuilt


class Rebuild(AbstractContextManager["Rebuild"]):
    """One rebuild. ``connect`` gives a connection whose unqualified names are a schema's."""

    def __init__(  # noqa: PLR0913 - what a rebuild can be told
        self,
        source: Log,
        connect: Callable[[str], Connection],
        *,
        batch_records: int = BATCH_RECORDS,
        judging: Judging | None = None,
        progress: Callable[[Progress, float], None] = lambda *_: None,
        stop: Callable[[], bool] = lambda: False,
        pause: Callable[[float], None] = lambda _: None,
    ) -> None:
        """``progress`` is told the worker's and the share of the log that is done. Raises RebuildUnderWay."""
        self._log = source
        self._connect = connect
        self._batch_records = batch_records
        self._judging = judging
        self._progress = progress
        self._stop = stop
        self._pause = pause
        self._equal: bool | None = None
        self._connection = connect(SCHEMA)
        with translated():
            space = {"space": lock_space(self._connection, f"rebuild {SCHEMA}")}
            row = self._connection.execute(_QUERIES["lock_rebuild"], space).fetchone()
        if row != (True,):
            self._connection.close()
            raise RebuildUnderWay("another process rebuilds these tables")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._connection.close()

    def prepare(self, *, begin_again: bool = False) -> bool:
        """Makes the new tables, or finds those of a rebuild that was interrupted: True then.

        Raises NothingToRebuild, OtherLog.
        """
        identity = identity_of(self._log)
        digest, _, _ = self._live()
        if digest != identity.digest:
            raise OtherLog(f"the tables in use were not built from the log of {identity}")
        self._run("drop_old")  # of a swap after which nobody had the time
        if begin_again:
            self._run("drop_next")
        found = self._has(NEXT)
        try:
            self._make()
        except (SchemaMismatch, OtherLog) as strange:
            log.warning("rebuild_begun_again", reason=str(strange))
            self._run("drop_next")
            self._make()
            return False
        return found

    def load(self) -> bool:
        """Projects the log from where the new tables are to its end, then makes the indexes. False where stopped."""
        if not self._catch_up():
            return False
        with self._connect(NEXT) as connection:
            for name, definition in self._rows("read_deferred"):
                if self._stop():
                    return False
                log.info("index_made", index=name)
                with translated(), connection.transaction():
                    connection.execute(definition.encode())  # as PostgreSQL itself wrote it
                    connection.execute(_QUERIES["made_deferred"], {"name": name})
            for table in TABLES:
                with translated():
                    connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table.name)))
        self._keep_known_at()
        return self._catch_up()

    def compare(self) -> Comparison | None:
        """Both tables as of the last step that both hold.

        None where they are of two fold versions, or judged by different things: then they may differ.
        """
        _, fold_version, judged_by = self._live()
        if (fold_version, judged_by) != (FOLD_VERSION, None if self._judging is None else self._judging.identity()):
            return None
        with self._connect(NEXT) as connection:
            step = min(consistent_step(self._connection), consistent_step(connection))
            made = Comparison(
                step=step, live=history_digests(self._connection, step), rebuilt=history_digests(connection, step)
            )
        self._equal = made.equal
        return made

    def note(self, outcome: Literal["swapped", "left beside", "different"]) -> None:
        """Writes down what came of it, for whoever asks later. A swap notes itself."""
        with translated():
            self._connection.execute(_QUERIES["note_rebuild"], {"outcome": outcome, "equal": self._equal})

    def swap(self) -> bool:
        """Puts the new tables in the place of those in use, once they are as far. False where stopped before."""
        for _ in range(SWAP_TRIES):
            if not self._catch_up():
                return False
            if not self._stop():
                self._judge_fleets()
                self._count_fleet()
            if self._swap():
                self._run("drop_old")
                log.info("tables_swapped")
                return True
        raise Retryable("the tables in use were always ahead of the new ones: try again")

    def _judge_fleets(self) -> None:
        """Their findings come from runs and not from the log: what stands is carried over, then judged by these tables.

        So a finding keeps the time at which it was first found, and none is missing until the next run.
        """
        if self._judging is None:
            return
        if self._has(f"{SCHEMA}.fleet_findings", "to_regclass"):
            with translated(), self._connection.transaction():
                for query in ("forget_fleets", "keep_fleet_findings", "keep_fleet_runs"):
                    self._connection.execute(_QUERIES[query])
        with self._connect(NEXT) as connection:
            try:
                run_fleet(connection, self._judging)
            except FleetBusy as busy:
                log.warning("fleets_judged_later", reason=str(busy))

    def _count_fleet(self) -> None:
        """Before anybody looks: whoever opens the fleet's page after the swap must not wait for all of it."""
        with self._connect(NEXT) as connection:
            try:
                count_fleet(connection)
            except FleetBusy as busy:
                log.warning("fleet_counted_later", reason=str(busy))

    def _swap(self) -> bool:
        execute = self._connection.execute
        with translated(), self._connection.transaction():
            execute(_QUERIES["hold_live"])
            behind = execute(_QUERIES["count_behind"]).fetchone()
            if behind != (0,):
                return False
            execute(_QUERIES["fence_all"])
            self._keep_known_at()
            execute(_QUERIES["forget_workers"])
            if self._has(f"{SCHEMA}.worker_numbers", "to_regclass"):
                execute(_QUERIES["raise_numbers"], {"sequence": f"{NEXT}.worker_numbers"})
            self.note("swapped")
            execute(_QUERIES["drop_deferred"])
            execute(_QUERIES["retire"])
            execute(_QUERIES["put_in_place"])
        return True

    def _catch_up(self) -> bool:
        def note(progress: Progress) -> None:
            end = self._log.end()
            records = sum(each.last_seq + 1 for each in end.spine.partitions) if end else 0
            ratio = 1.0 - progress.lag_records / records if records else 1.0
            metrics.REBUILD_PROGRESS.set(ratio)
            metrics.REBUILD_ETA.set(progress.eta_seconds or 0.0)
            self._progress(progress, ratio)

        last = Worker(
            self._log,
            lambda: self._connect(NEXT),
            schema=NEXT,
            batch_records=self._batch_records,
            judging=self._judging,
            progress=note,
            stop=self._stop,
            pause=self._pause,
        ).run(until_caught_up=True)
        return last.whole

    def _keep_known_at(self) -> None:
        """All of it before the swap, when nobody waits; in the swap the few steps since."""
        query = "SELECT FROM information_schema.columns WHERE (table_schema, table_name, column_name) = (%s, %s, %s)"
        with translated():
            if self._connection.execute(query, (SCHEMA, "steps", "known_at")).rowcount:
                self._connection.execute(_QUERIES["keep_known_at"])

    def _make(self) -> None:
        with self._connect(NEXT) as connection:
            migrate(connection, schema=NEXT)
            Store(connection, identity_of(self._log), judging=self._judging)
            if self._has(f"{NEXT}.deferred_indexes", "to_regclass"):
                return
            with translated(), connection.transaction():
                connection.execute(_QUERIES["make_deferred"])
                tables = {"schema": NEXT, "tables": [table.name for table in TABLES]}
                for (name,) in connection.execute(_QUERIES["note_deferred"], tables).fetchall():
                    connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))

    def _live(self) -> tuple[str, int, dict[str, Any] | None]:
        """Digest of the log, fold version, and what judged the tables in use."""
        if self._has(f"{SCHEMA}.log_identity", "to_regclass") and (rows := self._rows("live_identity")):
            digest, fold_version, judged_by = rows[0]
            return digest, fold_version, judged_by
        raise NothingToRebuild("nothing was ever projected here: run `cellwitness project`")

    def _has(self, name: str, function: str = "to_regnamespace") -> bool:
        with translated():
            query = sql.SQL("SELECT {}(%s) IS NOT NULL").format(sql.Identifier(function))
            return self._connection.execute(query, (name,)).fetchone() == (True,)

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with translated():
            return self._connection.execute(_QUERIES[query]).fetchall()

    def _run(self, query: str) -> None:
        with translated():
            self._connection.execute(_QUERIES[query])
