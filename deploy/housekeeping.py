"""What a worker's process does beside projecting, now and then: fleets are judged, and open alerts are counted."""

import threading
from collections.abc import Callable
from typing import Final, Self

import structlog

from consumers.alerts import count_open
from indexer.errors import CellwitnessError, Retryable
from projections import metrics
from projections.database import Connection
from projections.fleet import FleetBusy, run_fleet
from projections.judging import Judging

log = structlog.get_logger(component="fleet")

EVERY_SECONDS: Final = 15.0
SEVERITIES: Final = ("warning", "high", "critical")


class Housekeeping:
    """A thread with a connection of its own, so that projecting goes on meanwhile.

    ``whole`` says whether the tables hold all of the log: half a fleet is not judged. ``fleet_minutes`` 0: never.
    """

    def __init__(
        self, connect: Callable[[], Connection], judging: Judging, *, fleet_minutes: float, whole: Callable[[], bool]
    ) -> None:
        self._connect = connect
        self._judging = judging
        self._fleet_minutes = fleet_minutes
        self._whole = whole
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
            if not self._whole():
                continue
            try:
                self.round()
            except FleetBusy:
                continue
            except Retryable as error:
                log.warning("housekeeping_failed", reason=str(error))
            except CellwitnessError as error:
                log.error("housekeeping_ended", reason=str(error))
                return

    def round(self) -> None:
        """Once: the fleets where they are due, then the count."""
        connection = self._connect()
        try:
            if self._fleet_minutes:
                run = run_fleet(connection, self._judging, unless_within_seconds=60 * self._fleet_minutes)
                if run is not None:
                    log.info("fleet_judged", step=run.step, batteries=run.batteries, findings=run.findings, new=run.new)
            counts = count_open(connection)
            for severity in SEVERITIES:
                metrics.ALERTS_OPEN.labels(severity).set(counts.get(severity, 0))
        finally:
            connection.close()
