"""News from the tables: one connection looks, however many browsers listen.

It asks for the checkpoints again and again rather than be told: NOTIFY would put a lock that all writers share into
each batch of every worker, to win half of a tenth of a second (docs/decisions/0010-dashboard.md).
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, Literal, Self

import structlog
from msgspec import Struct
from psycopg.rows import class_row, dict_row

from consumers.dashboard.freshness import STALE_SECONDS, Freshness, Mark, judge
from consumers.timeline import asking, plain
from indexer.errors import CellwitnessError
from projections.database import Connection, load_queries

log = structlog.get_logger(component="feed")

POLL_SECONDS: Final = 0.1
MARK_SECONDS: Final = 5.0  # between two judgements where nothing moves
RETRY_SECONDS: Final = 1.0
NEWS_AT_ONCE: Final = 50
"""Of steps and alerts each: whoever lags further behind is told the last, and looks for himself."""
BACKLOG: Final = 256  # events that wait for one slow listener before the oldest are dropped

QUERIES: Final = load_queries("consumers.dashboard", "dashboard.sql")


class Event(Struct, frozen=True):
    """One piece of news. ``number`` is the step that it came with."""

    kind: Literal["mark", "step", "rollback", "alert"]
    number: int
    data: dict[str, Any]


class Feed:
    """A thread that looks, and the listeners of an event loop that it tells."""

    def __init__(self, connect: Callable[[], Connection], *, stale_seconds: float = STALE_SECONDS) -> None:
        self._connect = connect
        self._stale_seconds = stale_seconds
        begun = "the server has just begun to look"
        self._freshness = judge(None, _now(), stale_seconds=stale_seconds, trouble=[begun])
        self._listeners: set[asyncio.Queue[Event | None]] = set()
        self._moved: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="feed", daemon=True)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopped.set()
        await asyncio.to_thread(self._thread.join)

    @property
    def freshness(self) -> Freshness:
        """The last judgement; itself old when the thread that judges hangs, which then says so."""
        age = (_now() - self._freshness.at).total_seconds()
        if age > 4 * MARK_SECONDS:
            return judge(
                self._freshness.mark,
                self._freshness.at,
                stale_seconds=self._stale_seconds,
                trouble=[f"the database was not heard of for {age:.0f} s"],
            )
        return self._freshness

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[asyncio.Queue[Event | None]]:
        """News from now on; the present mark comes at once. None: the server ends."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(BACKLOG)
        queue.put_nowait(_mark_event(self.freshness))
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    def end(self) -> None:
        """Tells all listeners to go, so that the server need not throw them out."""
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(None)

    async def reached(self, step: int, timeout_seconds: float) -> bool:
        """Waits until the tables hold this step. False: they did not in time."""
        moved = asyncio.Event()
        self._moved.add(moved)
        try:
            async with asyncio.timeout(timeout_seconds):
                while not (mark := self._freshness.mark) or mark.step < step:
                    await moved.wait()
                    moved.clear()
        except TimeoutError:
            return False
        finally:
            self._moved.discard(moved)
        return True

    def _work(self) -> None:
        connection: Connection | None = None
        known: int | None = None
        told_at = 0.0
        troubled = False
        while not self._stopped.wait(POLL_SECONDS if connection else RETRY_SECONDS if told_at else 0):
            try:
                connection = connection or self._connect()
                mark = read_mark(connection)
                at = _now()
                if mark is not None and (known is None or mark.step != known):
                    events = read_news(connection, known, mark.step) if known is not None else []
                    known = mark.step
                    self._tell(judge(mark, at, stale_seconds=self._stale_seconds), events)
                    told_at = at.timestamp()
                elif troubled or at.timestamp() - told_at > MARK_SECONDS:
                    self._tell(judge(mark, at, stale_seconds=self._stale_seconds), [])
                    told_at = at.timestamp()
                troubled = False
            except CellwitnessError as error:
                log.warning("feed_interrupted", reason=str(error))
                if connection is not None:
                    connection.close()
                connection, troubled = None, True
                told_at = _now().timestamp()
                mark = self._freshness.mark
                self._tell(judge(mark, _now(), stale_seconds=self._stale_seconds, trouble=[str(error)]), [])
        if connection is not None:
            connection.close()

    def _tell(self, freshness: Freshness, events: list[Event]) -> None:
        loop = self._loop
        assert loop is not None
        try:
            loop.call_soon_threadsafe(self._publish, freshness, events)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self._stopped.set()

    def _publish(self, freshness: Freshness, events: list[Event]) -> None:
        self._freshness = freshness
        for moved in self._moved:
            moved.set()
        for event in (*events, _mark_event(freshness)):
            for queue in self._listeners:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(event)


def read_mark(connection: Connection) -> Mark | None:
    """Where the tables stand; None where nothing was projected. Raises DatabaseUnwell, SchemaMismatch."""
    with asking(), connection.cursor(row_factory=class_row(Mark)) as cursor:
        return cursor.execute(QUERIES["mark"]).fetchone()


def read_news(connection: Connection, after: int, until: int) -> list[Event]:
    """What the steps after one brought, in their order. After tables were replaced by older ones: nothing."""
    parameters = {"after": max(after, until - NEWS_AT_ONCE), "until": until, "limit": NEWS_AT_ONCE}
    with asking(), connection.cursor(row_factory=dict_row) as cursor:
        steps = [plain(row) for row in cursor.execute(QUERIES["news_steps"], parameters)]
        alerts = [plain(row) for row in cursor.execute(QUERIES["news_alerts"], parameters | {"after": after})]
    events = [Event("rollback" if row["kind"] == "rollback" else "step", row["step"], row) for row in steps]
    events += [Event("alert", row["step"], row) for row in alerts]
    return sorted(events, key=lambda event: event.number)


def _mark_event(freshness: Freshness) -> Event:
    return Event(
        "mark",
        freshness.mark.step if freshness.mark else -1,
        {"state": freshness.state, "reasons": freshness.reasons, "mark": freshness.mark, "at": freshness.at},
    )


def _now() -> datetime:
    return datetime.now(UTC)
