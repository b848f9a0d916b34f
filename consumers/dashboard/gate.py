"""What stands before every page and answer: whose host it is, how often, who asks, and what browsers may do with it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import quote

from msgspec import Struct
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consumers.dashboard.door import LOCAL_NAMES, Proxy, host_of, is_same_origin
from consumers.dashboard.limits import Limit
from consumers.dashboard.people import Person, TokenFile
from consumers.dashboard.problems import MEDIA_TYPE, Problem, Refused, encode, refused
from consumers.dashboard.sessions import COOKIE, GREATEST_SECONDS, Kept, Session, Sessions
from indexer.errors import CellwitnessError
from projections.errors import DatabaseUnwell
from projections.packing import storable_text

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}

OPEN_TO_ALL: Final = ("/static/", "/login", "/health/")
"""Paths that need nobody to have come in: they tell nothing of a fleet."""

SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))
MAX_TARGET_BYTES: Final = 8_192


class Rules(Struct, frozen=True, kw_only=True):
    """How strict the gate is."""

    open: Person | None = None  # who everybody is, where only this machine can ask; None: people must show who they are
    proxy: Proxy | None = None
    hosts: tuple[str, ...] = LOCAL_NAMES  # that may stand in a Host header; empty: any
    https: bool = False  # browsers reach us by it: cookies go no other way
    requests_per_second: float = 50.0
    requests_at_once: int = 500
    refusals_per_second: float = 0.2  # of one address: attempts to come in
    refusals_at_once: int = 20


class Asker(Struct, frozen=True, kw_only=True):
    """Who sent a request, as handlers see it."""

    person: Person
    session: Session | None  # None: a program with a token, or the first request of a browser
    bearer: bool = False  # showed a token with this very request: no other site's page can make a browser do that
    new_cookie: str = ""


class Gate:
    """ASGI middleware. What passes has an ``Asker`` in ``request.state.asker``, unless its path is open to all."""

    def __init__(
        self, app: ASGIApp, *, rules: Rules, tokens: TokenFile, sessions: Sessions, page: Callable[[Problem], str]
    ) -> None:
        """``page``: what a person reads who was not let in."""
        self._app = app
        self._page = page
        self._rules = rules
        self._tokens = tokens
        self._sessions = sessions
        self._requests = Limit(per_second=rules.requests_per_second, burst=rules.requests_at_once)
        self._refusals = Limit(per_second=rules.refusals_per_second, burst=rules.refusals_at_once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        cookie = ""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "private, no-cache")
                if self._rules.https:
                    headers["strict-transport-security"] = "max-age=31536000"
                if cookie:
                    headers.append("set-cookie", set_cookie(cookie, https=self._rules.https))
            await send(message)

        try:
            asker = await self._admit(scope)
        except CellwitnessError as error:
            answer = self._refusal(scope, refused(error))
            await answer(scope, receive, guarded)
            return
        state = scope.setdefault("state", {})
        state["count_refusal"] = lambda: self.count_refusal(scope)
        state["admit_again"] = lambda: self._admit(scope)  # for answers that outlast what let them in
        if asker is not None:
            cookie = asker.new_cookie
            state["asker"] = asker
        await self._app(scope, receive, guarded)

    async def _admit(self, scope: Scope) -> Asker | None:
        """Raises Refused. None: a path that is open to all, and nobody known."""
        headers = Headers(scope=scope)
        now = time.monotonic()
        address = self._address(scope, headers)
        if self._rules.hosts and host_of(headers.get("host", "")) not in self._rules.hosts:
            raise Refused(
                HTTPStatus.MISDIRECTED_REQUEST,
                "other-host",
                f"nobody here is called {headers.get('host', '')[:80]!r}: start `cellwitness serve` with --host-name",
            )
        if len(scope["path"]) + len(scope["query_string"]) > MAX_TARGET_BYTES:
            raise Refused(
                HTTPStatus.REQUEST_URI_TOO_LONG, "too-long", f"an address has at most {MAX_TARGET_BYTES} bytes"
            )
        path: str = scope["path"]
        asker = self._by_token(headers, address, now)
        cookie = read_cookie(headers.get("cookie", ""))
        # Before the database is asked: cookies that somebody made up cost it nothing beyond what an address may.
        known = (
            f"token {asker.person.token}" if asker else f"cookie {cookie}" if self._sessions.is_known(cookie) else ""
        )
        self._count(self._requests, known or address, now)
        is_open = path.startswith(OPEN_TO_ALL)
        if asker is None and not is_open:
            asker = await self._by_cookie(scope, headers, cookie)
        if scope["method"] not in SAFE and not (asker and asker.bearer) and not self._is_same_origin(scope, headers):
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "other-site",
                "another site's page sent this: what changes something comes from ours",
            )
        if asker is None and not is_open:
            raise Refused(
                HTTPStatus.UNAUTHORIZED,
                "who-are-you",
                "send a token as `Authorization: Bearer cw_…` (an admin makes one: `cellwitness token new`), or log in",
            )
        return asker

    def _by_token(self, headers: Headers, address: str, now: float) -> Asker | None:
        """None where it shows none. Raises Refused where it shows one that is worth nothing."""
        if "authorization" not in headers:
            return None
        scheme, _, text = headers["authorization"].partition(" ")
        person = self._tokens.find(text.strip(), datetime.now(UTC)) if scheme.lower() == "bearer" else None
        if person is None:
            self._count(self._refusals, address, now)
            raise Refused(
                HTTPStatus.UNAUTHORIZED,
                "no-such-token",
                "this token is unknown, expired or revoked: ask for a new one",
            )
        return Asker(person=person, session=None, bearer=True)

    async def _by_cookie(self, scope: Scope, headers: Headers, cookie: str) -> Asker | None:
        """By a session, or without one as whom everybody here is, or a proxy names: such a browser is given one."""
        person = self._rules.open or self._proxied(scope, headers)
        begins = person is not None and scope["method"] == "GET" and _is_for_people(headers)

        def look() -> Asker | None:
            session = self._sessions.find(cookie, lambda kept: self._holder(kept, person)) if cookie else None
            if session is not None:
                return Asker(person=session.person, session=session)
            if person is None or not begins:
                return None
            value, session = self._sessions.begin(person, legal_basis=person.legal_basis)
            return Asker(person=person, session=session, new_cookie=value)

        try:
            asker = await run_in_threadpool(look) if cookie or begins else None
        except DatabaseUnwell:
            if person is None:
                raise
            asker = None  # a page tells him what is the matter, and no form of it is taken
        return asker or (Asker(person=person, session=None) if person else None)

    def _holder(self, kept: Kept, person: Person | None) -> Person | None:
        """Whose session it still is, with the rights that this dashboard gives him now.

        None where a token was revoked since, a proxy names somebody else by now, or nobody comes in without a word.
        """
        if kept.came_by == "token":
            return self._tokens.holder(kept.who, datetime.now(UTC))
        if person is None or person.by != kept.came_by:
            return None
        return person if person.by == "loopback" or storable_text(person.name) == kept.who else None

    def _proxied(self, scope: Scope, headers: Headers) -> Person | None:
        proxy = self._rules.proxy
        return proxy.person(headers.items()) if proxy and proxy.trusts(_peer(scope)) else None

    def _address(self, scope: Scope, headers: Headers) -> str:
        """Whom rates are counted for. Behind a trusted proxy: whom it says, which is the last it added."""
        peer = _peer(scope)
        if self._rules.proxy and self._rules.proxy.trusts(peer):
            return headers.get("x-forwarded-for", peer).rpartition(",")[2].strip()[:64] or peer
        return peer

    def _is_same_origin(self, scope: Scope, headers: Headers) -> bool:
        host = headers.get("host", "")
        schemes = ("https",) if self._rules.https else (scope["scheme"],)
        return is_same_origin(headers, [f"{scheme}://{host}" for scheme in schemes])

    def _count(self, limit: Limit, key: str, now: float) -> None:
        wait = limit.take(key, now)
        if wait:
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too-often",
                f"too many requests: come again in {wait:.1f} s",
                retry_seconds=wait,
            )

    def count_refusal(self, scope: Scope) -> None:
        """Of an attempt to log in. Raises Refused where there were too many."""
        self._count(self._refusals, self._address(scope, Headers(scope=scope)), time.monotonic())

    def _refusal(self, scope: Scope, error: Refused) -> Response:
        headers = Headers(scope=scope)
        status = error.problem.status
        if status == HTTPStatus.UNAUTHORIZED and "authorization" not in headers and _is_for_people(headers):
            target = quote(
                scope["path"] + ("?" + scope["query_string"].decode("latin-1") if scope["query_string"] else "")
            )
            return RedirectResponse(f"/login?next={target}", status_code=303)
        is_page = _is_for_people(headers) and not scope["path"].startswith("/api/")
        return problem_response(error, self._page(error.problem) if is_page else None)


def problem_response(error: Refused, page: str | None = None) -> Response:
    """The answer to a program, or to a person the page."""
    headers = {"retry-after": str(max(1, round(error.retry_seconds + 0.5)))} if error.retry_seconds else {}
    if error.problem.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    if page is not None:
        return Response(page, error.problem.status, headers, "text/html")
    return Response(encode(error.problem), error.problem.status, headers, MEDIA_TYPE)


def set_cookie(value: str, *, https: bool) -> str:
    """``Lax``: a link in a mail shows what it reproduces to who is logged in; what changes something has its csrf."""
    kept = f"Max-Age={int(GREATEST_SECONDS)}" if value else "Max-Age=0"
    return f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; {kept}" + ("; Secure" if https else "")


def read_cookie(header: str) -> str:
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def is_ours(target: str) -> bool:
    """Whether to go there after logging in: a path of this site, and no way to another."""
    return target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _is_for_people(headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "")
