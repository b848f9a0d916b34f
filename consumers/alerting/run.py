"""The alerter: a loop that plans, a thread for each sink that sends, and an outbox in PostgreSQL between them."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import structlog

from consumers.alerting import metrics
from consumers.alerting.config import Alerting
from consumers.alerting.outbox import QUERIES, take_lead
from consumers.alerting.sender import Sender
from consumers.alerting.watch import marks, plan_once
from consumers.timeline import asking
from indexer.errors import Retryable
from projections.database import Connection

log = structlog.get_logger(component="alerting")

STANDBY_SECONDS: Final = 2.0
PAUSE_SECONDS: Final = (0.5, 10.0)  # first and longest wait after the database was away
COUNT_EVERY_SECONDS: Final = 5.0
SILENT_SECONDS: Final = 60.0
"""Ready no longer when the tables were not looked at for so long."""


class Alerter:
    """Plans and sends until stopped. Of several on one database one works, the others wait for it to end.

    ``connect`` gives a new connection each time, of the alerter's role or the owner's. ``stop`` says when to end;
    ``pause`` sleeps, and ends early then.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        alerting: Alerting,
        *,
        poll_seconds: float,
        stop: Callable[[], bool],
        pause: Callable[[float], None],
    ) -> None:
        self._connect = connect
        self._alerting = alerting
        self._routing = alerting.routing()
        self._poll_seconds = poll_seconds
        self._stop = stop
        self._pause = pause
        self._planned_at: float | None = None  # Unix time
        self._leads = False
        self._seen: tuple[Any, ...] | None = None
        self._counted_at = 0.0

    def run(self) -> None:
        """Works until stopped. Raises what a person has to mend."""
        failures = 0
        while not self._stop():
            try:
                with ExitStack() as stack:
                    connection = self._connect()
                    stack.callback(connection.close)
                    self._leads = take_lead(connection)
                    metrics.LEADS.set(self._leads)
                    if not self._leads:
                        log.info("another_alerter_works")
                        self._pause(STANDBY_SECONDS)
                        continue
                    senders = stack.enter_context(self._senders())
                    self._seen = None
                    while not self._stop():
                        self.round(connection, senders)
                        failures = 0
                        self._pause(self._poll_seconds)
            except Retryable as error:
                failures += 1
                log.warning("database_away", reason=str(error))
                self._pause(min(PAUSE_SECONDS[0] * 2.0**failures, PAUSE_SECONDS[1]))
            finally:
                self._leads = False
                metrics.LEADS.set(0)

    def round(self, connection: Connection, senders: list[Sender]) -> None:
        """Plans, where there may be something new to say."""
        for sender in senders:
            sender.must_work()
        seen = marks(connection)
        if seen != self._seen or seen[-1]:
            made = plan_once(connection, self._routing)
            for notice in made.notices if made else ():
                alert, route, sink = notice.target
                metrics.NOTICES.labels(route, notice.kind).inc()
                log.info("alert_noted", alert=alert, route=route, sink=sink, kind=notice.kind, key=notice.key)
        self._seen = seen
        self._planned_at = time.time()
        metrics.LAST_PLAN.set(self._planned_at)
        if time.monotonic() - self._counted_at > COUNT_EVERY_SECONDS:
            self._counted_at = time.monotonic()
            self._count(connection)

    def why_not_ready(self, now: float) -> list[str]:
        """In words; judged by the clock, too."""
        if not self._leads:
            return ["another alerter works on this database, or the database could not be had"]
        if self._planned_at is None or now - self._planned_at > SILENT_SECONDS:
            return ["the tables were not looked at for a minute"]
        return []

    @contextmanager
    def _senders(self) -> Iterator[list[Sender]]:
        senders = [Sender(name, sink, self._connect) for name, sink in self._alerting.sinks.items()]
        try:
            for sender in senders:
                sender.start()
            yield senders
        finally:
            for sender in senders:
                sender.stop()
            for sender in senders:
                sender.join()

    def _count(self, connection: Connection) -> None:
        with asking():
            counts = {sink: rest for sink, *rest in connection.execute(QUERIES["counts"])}
            held: dict[str, int] = dict(connection.execute(QUERIES["count_held"]).fetchall())
        for sink in self._alerting.sinks:
            waiting, failed, oldest = counts.get(sink, (0, 0, 0.0))
            metrics.WAITING.labels(sink).set(waiting)
            metrics.FAILED.labels(sink).set(failed)
            metrics.OLDEST.labels(sink).set(oldest)
        for route in self._alerting.routes:
            metrics.HELD.labels(route).set(held.get(route, 0))
