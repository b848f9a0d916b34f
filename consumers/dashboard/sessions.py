"""Browsers that came in: who, on which legal basis, and the secret that their forms must carry."""

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Literal

import structlog
from msgspec import Struct, field
from psycopg.rows import class_row

from consumers.dashboard.people import Person
from consumers.timeline import asking
from projections.database import Connection, load_queries
from projections.errors import DatabaseUnwell
from projections.packing import storable_text

log = structlog.get_logger(component="dashboard")

COOKIE: Final = "cellwitness_session"
IDLE_SECONDS: Final = 3600.0
GREATEST_SECONDS: Final = 12 * 3600.0
SEEN_SECONDS: Final = 60.0  # that a session is in use is written down no more often
SESSIONS_KEPT: Final = 10_000
"""Beyond, the one that was idle longest ends: what is kept is bounded whoever asks for sessions."""

_QUERIES: Final = load_queries("consumers.dashboard", "sessions.sql")
_LIMITS: Final = {"idle_seconds": IDLE_SECONDS, "greatest_seconds": GREATEST_SECONDS, "kept": SESSIONS_KEPT}


class Kept(Struct, frozen=True, kw_only=True):
    """What is kept of a session. Not what somebody may do: that the door says, anew at each request."""

    came_by: Literal["loopback", "token", "proxy"]
    who: str  # the token's id, or whom the proxy named
    legal_basis: str
    idle_seconds: float = 0.0


class Session(Struct, kw_only=True):
    """One browser. ``csrf`` stands in each form; a page of another site can't know it."""

    person: Person
    legal_basis: str
    csrf: str
    noted: set[str] = field(default_factory=set)  # what he was shown, and is in the record once already


class _Seen(Struct):
    """What this process remembers of a session."""

    kept: Kept
    at: float  # when the database was last asked, by a monotonic clock
    noted: set[str]


class Sessions:
    """In PostgreSQL, by the hash of the cookie: they outlast a restart, and dashboards over one database share them.

    ``lend`` gives a connection of cellwitness_doorkeeper. Everything but ``is_known`` asks the database and may wait.
    While that is away a session that this process knows goes on: nothing can be read with it meanwhile.
    """

    def __init__(self, lend: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._lend = lend
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()
        self._mutex = threading.Lock()
        self._forgot_at = 0.0

    def begin(self, person: Person, *, legal_basis: str) -> tuple[str, Session]:
        """A new session and its cookie's value. Never a continued one: a cookie planted before is worth nothing.

        Raises DatabaseUnwell, as all that follows does.
        """
        value = secrets.token_urlsafe(32)
        key = _key(value)
        kept = Kept(came_by=person.by, who=storable_text(_who(person)), legal_basis=storable_text(legal_basis))
        begun = {"key": key, "came_by": kept.came_by, "who": kept.who, "legal_basis": kept.legal_basis}
        with self._lend() as connection, asking():
            if time.monotonic() - self._forgot_at > SEEN_SECONDS:
                self._forgot_at = time.monotonic()
                connection.execute(_QUERIES["forget_sessions"], _LIMITS)
            connection.execute(_QUERIES["begin_session"], begun)
        return value, self._session(value, person, self._remember(key, kept))

    def find(self, value: str, holder: Callable[[Kept], Person | None]) -> Session | None:
        """The session of a cookie; None where there is none, it is over, or the door knows nobody any more who came in
        so. ``holder`` is the door.
        """
        seen = self._look(_key(value))
        person = holder(seen.kept) if seen else None
        return self._session(value, person, seen) if seen and person else None

    def is_known(self, value: str) -> bool:
        """Whether this process saw it lately. For counting what is open to all: it lets nobody in."""
        return _key(value) in self._seen

    def rest_on(self, value: str, legal_basis: str) -> None:
        """What is asked from here on is asked by another right."""
        with self._lend() as connection, asking():
            found = {"key": _key(value), "legal_basis": storable_text(legal_basis)}
            connection.execute(_QUERIES["rest_session_on"], found)

    def end(self, value: str) -> None:
        with self._lend() as connection, asking():
            connection.execute(_QUERIES["end_session"], {"key": _key(value)})
        self._forget(_key(value))

    def _look(self, key: bytes) -> _Seen | None:
        try:
            with self._lend() as connection, asking():
                with connection.cursor(row_factory=class_row(Kept)) as cursor:
                    kept = cursor.execute(_QUERIES["find_session"], {"key": key, **_LIMITS}).fetchone()
                if kept is not None and kept.idle_seconds > SEEN_SECONDS:
                    connection.execute(_QUERIES["see_session"], {"key": key})
        except DatabaseUnwell as error:
            seen = self._seen.get(key)
            if seen is None or time.monotonic() - seen.at > IDLE_SECONDS:
                raise
            log.warning("session_remembered", reason=str(error))
            return seen
        if kept is None:
            self._forget(key)
            return None
        return self._remember(key, kept)

    def _remember(self, key: bytes, kept: Kept) -> _Seen:
        with self._mutex:
            before = self._seen.pop(key, None)
            same = before is not None and before.kept.legal_basis == kept.legal_basis
            seen = _Seen(kept, time.monotonic(), before.noted if before and same else set())
            self._seen[key] = seen
            while len(self._seen) > SESSIONS_KEPT:
                self._seen.popitem(last=False)
        return seen

    def _forget(self, key: bytes) -> None:
        with self._mutex:
            self._seen.pop(key, None)

    @staticmethod
    def _session(value: str, person: Person, seen: _Seen) -> Session:
        return Session(person=person, legal_basis=seen.kept.legal_basis, csrf=_csrf(value), noted=seen.noted)


def is_csrf_of(session: Session, given: str) -> bool:
    return hmac.compare_digest(session.csrf.encode(), given.encode("utf-8", "replace"))


def _who(person: Person) -> str:
    return {"token": person.token, "proxy": person.name, "loopback": ""}[person.by]


def _key(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "replace")).digest()


def _csrf(value: str) -> str:
    """Of the cookie, by a way that leads not back: it is kept nowhere, and who reads a page learns no cookie by it."""
    return hmac.new(value.encode("utf-8", "replace"), b"csrf", "sha256").hexdigest()
