"""Browsers that logged in: who, on which legal basis, and the secret that their forms must carry."""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from typing import Final

from msgspec import Struct, field

from consumers.dashboard.people import Person

COOKIE: Final = "cellwitness_session"
IDLE_SECONDS: Final = 3600.0
GREATEST_SECONDS: Final = 12 * 3600.0
SESSIONS_KEPT: Final = 10_000
"""Beyond, the one that was idle longest ends: memory is bounded whoever asks for sessions."""


class Session(Struct, kw_only=True):
    """One browser. ``csrf`` stands in each form; a page of another site can't know it."""

    person: Person
    profile: str
    legal_basis: str
    csrf: str
    began_at: float
    seen_at: float
    noted: set[str] = field(default_factory=set)  # what he was shown, and is in the record once already


class Sessions:
    """In memory, by the hash of the cookie: a restart logs everybody out. Times are a monotonic clock's."""

    def __init__(self) -> None:
        self._by_hash: OrderedDict[str, Session] = OrderedDict()

    def begin(self, person: Person, *, profile: str, legal_basis: str, now: float) -> tuple[str, Session]:
        """A new session and its cookie's value. Never a continued one: a cookie planted before is worth nothing."""
        value = secrets.token_urlsafe(32)
        session = Session(
            person=person,
            profile=profile,
            legal_basis=legal_basis,
            csrf=secrets.token_urlsafe(32),
            began_at=now,
            seen_at=now,
        )
        self._by_hash[_key(value)] = session
        while len(self._by_hash) > SESSIONS_KEPT:
            self._by_hash.popitem(last=False)
        return value, session

    def find(self, value: str, now: float) -> Session | None:
        """The session of a cookie; None where there is none, or it is over."""
        key = _key(value)
        session = self._by_hash.get(key)
        if session is None:
            return None
        if now - session.seen_at > IDLE_SECONDS or now - session.began_at > GREATEST_SECONDS:
            del self._by_hash[key]
            return None
        session.seen_at = now
        self._by_hash.move_to_end(key)
        return session

    def end(self, value: str) -> None:
        self._by_hash.pop(_key(value), None)


def is_csrf_of(session: Session, given: str) -> bool:
    return hmac.compare_digest(session.csrf.encode(), given.encode("utf-8", "replace"))


def _key(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
