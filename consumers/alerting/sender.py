"""A thread for each sink: takes what waits for it out of the outbox, tries, and notes what became of it."""

import random
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from consumers.alerting import metrics
from consumers.alerting.backoff import wait_seconds
from consumers.alerting.bundles import MOST_NOTICES
from consumers.alerting.messages import Envelope, render
from consumers.alerting.notices import digest
from consumers.alerting.outbox import Waiting, last_said, mark, next_message
from consumers.alerting.send import Delivered, Outcome, Refused, TryAgain, send, trust
from consumers.alerting.sinks import Alertmanager, AnySink
from indexer.errors import CellwitnessError, Retryable
from projections.database import Connection

log = structlog.get_logger(component="alerting")

IDLE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 60.0
"""Of a sink that fails: then one message is tried, so that it is soon seen to be well again."""


class Sender:
    """Sends to one sink until told to stop; what is under way then is finished. A dead sink holds up no other."""

    def __init__(self, name: str, sink: AnySink, connect: Callable[[], Connection]) -> None:
        self.name, self.sink = name, sink
        self._error: CellwitnessError | None = None  # what ended it, where a person must act
        self._connect = connect
        self._tls = trust(sink)
        self._failures = 0  # in a row, of whatever message
        self._not_before = 0.0  # monotonic
        self._refresh_at = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"sink {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def join(self) -> None:
        self._thread.join()

    def must_work(self) -> None:
        """Raises what ended it."""
        if self._error is not None:
            raise self._error
        if not self._thread.is_alive():
            raise RuntimeError(f"the thread of the sink {self.name} is gone")

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                connection = self._connect()
                try:
                    while not self._stopped.is_set():
                        if not self.step(connection):
                            self._stopped.wait(IDLE_SECONDS)
                finally:
                    connection.close()
            except Retryable as error:
                log.warning("outbox_unreachable", sink=self.name, reason=str(error))
                self._stopped.wait(IDLE_SECONDS)
            except CellwitnessError as error:
                self._error = error
                return

    def step(self, connection: Connection) -> bool:
        """One attempt, where something may be tried. Returns whether there was."""
        if time.monotonic() < self._not_before:
            return False
        waiting = next_message(connection, self.name)
        if waiting is None:
            return self._refresh(connection)
        outcome = send(self.sink, self._tls, waiting.key, waiting.body, waiting.now)
        self._note(connection, waiting, outcome)
        return True

    def _note(self, connection: Connection, waiting: Waiting, outcome: Outcome) -> None:
        match outcome:
            case Delivered():
                mark(connection, waiting.key, "sent")
                self._went_well()
                log.info("alert_sent", sink=self.name, key=waiting.key, attempts=waiting.attempts + 1)
            case Refused(reason):
                mark(connection, waiting.key, "failed", reason)
                metrics.ATTEMPTS.labels(self.name, "failed").inc()
                log.error(
                    "alert_refused", sink=self.name, key=waiting.key, reason=reason, mend="cellwitness alert retry"
                )
            case TryAgain(reason, asked):
                jitter = random.random()  # noqa: S311 - spreads attempts, guards nothing
                after = wait_seconds(waiting.attempts + 1, jitter, asked)
                mark(connection, waiting.key, "waiting", reason, after)
                self._went_wrong(asked, jitter)
                log.warning(
                    "alert_delayed", sink=self.name, key=waiting.key, reason=reason, after_seconds=round(after, 1)
                )

    def _went_well(self) -> None:
        self._failures = 0
        metrics.ATTEMPTS.labels(self.name, "sent").inc()
        metrics.LAST_SENT.labels(self.name).set_to_current_time()

    def _went_wrong(self, asked: float | None, jitter: float) -> None:
        self._failures += 1
        metrics.ATTEMPTS.labels(self.name, "retried").inc()
        own = min(LONGEST_PAUSE_SECONDS, wait_seconds(self._failures, jitter))
        self._not_before = time.monotonic() + max(own, wait_seconds(1, jitter, asked) if asked else 0.0)

    def _refresh(self, connection: Connection) -> bool:
        """Tells Alertmanager again what it was told last: it keeps no alerts through a restart."""
        if not isinstance(self.sink, Alertmanager) or time.monotonic() < self._refresh_at:
            return False
        self._refresh_at = time.monotonic() + self.sink.refresh_seconds
        said = last_said(connection, self.name)
        for start in range(0, len(said), MOST_NOTICES):
            part = said[start : start + MOST_NOTICES]
            key = digest("refresh", *(each.key for each in part))
            outcome = send(self.sink, self._tls, key, render("alertmanager", key, part, Envelope()), time.time())
            if not isinstance(outcome, Delivered):
                self._went_wrong(None, 0.5)
                log.warning("refresh_failed", sink=self.name, reason=outcome.reason)
                break
        return False
