"""What a worker's process does beside projecting, now and then: fleets are counted and judged, open alerts counted."""

import threading
import time
from collections.abc import Callable
from typing import Final, Self

import structlog

from consumers.alerts import count_open
from indexer.errors import CellwitnessError, Retryable
from projections import metrics
from projections.alone import FleetBusy
from projections.counts import count_fleet
from projections.database import Connection
from projections.fleet import run_fleet
from projections.judging import Judging

log = structlog.get_logger(component="fleet")

EVERY_SECONDS: Final = 15.0
REST: Final = 10
"""So many times as long as counting took, nothing is counted: while tables fill it must not keep a database busy."""

SEVERITIES: Final = ("warning", "high", "critical")


class Housekeeping:
    """A thread with a connection of its own, so that projecting goes on meanwhile.

    ``whole`` says whether the tables hold all of the log: half a fleet is not judged. ``fleet_minutes`` 0: never.
    ``judging`` None: these tables hold no verdicts, and nothing is judged.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        judging: Judging | None,
        *,
        fleet_minutes: float,
        whole: Callable[[], bool],
    ) -> None:
        self._connect = connect
        self._judging = judging
        self._fleet_minutes = fleet_minutes
        self._whole = whole
        self._counted = (-REST * EVERY_SECONDS, 0.0)  # when that ended, and how long it took
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="housekeeping", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopped.wait(EVERY_SECONDS if self._whole() else 1.0):
            try:
                self.round()
            except FleetBusy:
                continue
            except Retryable as error:
                log.warning("housekeeping_failed", reason=str(error))
            except CellwitnessError as error:
                if not self._whole():
                    continue  # the tables may not be there yet: the worker says what is wrong with them
                log.error("housekeeping_ended", reason=str(error))
                return

    def round(self) -> None:
        """Once: the counts; where the tables hold all, the fleets where they are due, and the open alerts."""
        whole = self._whole()
        ended, seconds = self._counted
        is_due = time.monotonic() - ended >= REST * seconds
        if not (whole or is_due):
            return
        connection = self._connect()
        try:
            if is_due:
                self._count(connection)
            if not whole:
                return
            if self._fleet_minutes and self._judging is not None:
                run = run_fleet(connection, self._judging, unless_within_seconds=60 * self._fleet_minutes)
                if run is not None:
                    log.info("fleet_judged", step=run.step, batteries=run.batteries, findings=run.findings, new=run.new)
            counts = count_open(connection)
            for severity in SEVERITIES:
                metrics.ALERTS_OPEN.labels(severity).set(counts.get(severity, 0))
        finally:
            connection.close()

    def _count(self, connection: Connection) -> None:
        began = time.monotonic()
        try:
            counted = count_fleet(connection)
        finally:
            ended = time.monotonic()
            self._counted = (ended, ended - began)
        if counted is not None:
            log.info("fleet_counted", step=counted.step, batteries=counted.batteries, seconds=round(counted.seconds, 3))
