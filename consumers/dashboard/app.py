"""The dashboard as an ASGI application."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from consumers.access import Question, asking_as, list_questions
from consumers.dashboard import api
from consumers.dashboard.asking import list_handler, query_handler
from consumers.dashboard.endpoints import Ask, Parameters, read_body, read_parameters, tagged
from consumers.dashboard.feed import Event
from consumers.dashboard.gate import Gate, Rules, is_ours, problem_response, read_cookie, set_cookie
from consumers.dashboard.moment import NOW
from consumers.dashboard.openapi import describe
from consumers.dashboard.pages.access import QUESTIONS_SHOWN, access_page
from consumers.dashboard.pages.system import system_page
from consumers.dashboard.problems import Refused
from consumers.dashboard.routes import ENDPOINTS, KEPT, NEEDS, PAGES, RECORDED
from consumers.dashboard.server import (
    Handler,
    Parts,
    api_handler,
    asker_of,
    demand,
    html,
    page_handler,
    problem,
    read_form,
    viewer_of,
)
from consumers.timeline import Holds
from indexer.errors import CellwitnessError

log = structlog.get_logger(component="dashboard")

MAX_LISTENERS: Final = 500
ADMITTED_SECONDS: Final = 5.0  # after which the door is asked anew whether a listener may still listen
NOT_MODIFIED_FOR_EVER: Final = "public, max-age=31536000, immutable"
LOGIN_SECONDS: Final = 0.2  # a log-in that fails takes so long at least


def make_app(parts: Parts, rules: Rules) -> Starlette:
    """The application. ``parts.feed`` runs while it does."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with parts.feed:
            with parts.followers:
                yield

    pages = [
        Route(
            path,
            page_handler(parts, make, needs=NEEDS.get(path), recorded=path in RECORDED, kept=KEPT.get(path)),
            methods=["GET"],
        )
        for path, make in (PAGES | {"/system": system_page(parts.followers)}).items()
    ]
    endpoints = [Route(each.path, api_handler(parts, each), methods=[each.method]) for each in ENDPOINTS]
    app = Starlette(
        routes=[
            Route("/static/{digest}/{name:path}", _static(parts), methods=["GET"]),
            Route("/login", _login_page(parts), methods=["GET"]),
            Route("/login", _login(parts, rules), methods=["POST"]),
            Route("/logout", _logout(parts, rules), methods=["POST"]),
            Route("/access", _access(parts), methods=["GET"]),
            Route("/access", _basis(parts), methods=["POST"]),
            Route("/demo/fork", _fork(parts), methods=["POST"]),
            Route("/alerts/{alert}/acts", _act(parts), methods=["POST"]),
            Route("/health/live", _live, methods=["GET"]),
            Route("/health/ready", _ready(parts), methods=["GET"]),
            Route("/api/v1/status", _status(parts), methods=["GET"]),
            Route("/api/v1/events", _events(parts), methods=["GET"]),
            Route("/api/v1/openapi.json", _openapi(), methods=["GET"]),
            Route("/api/v1/queries", list_handler(), methods=["GET"]),
            Route("/api/v1/queries/{query}", query_handler(parts), methods=["GET"]),
            *endpoints,
            *pages,
        ],
        middleware=[
            Middleware(
                Gate,
                rules=rules,
                tokens=parts.tokens,
                sessions=parts.sessions,
                page=lambda problem: parts.layout.part("refused.html", problem=problem),
            )
        ],
        lifespan=lifespan,
        exception_handlers={HTTPException: _http_problem(parts), Exception: _fault},
    )
    app.router.redirect_slashes = False  # an address is what it is: nothing redirects to what somebody wrote
    app.add_exception_handler(CellwitnessError, _our_problem(parts))
    return app


def _static(parts: Parts) -> Handler:
    async def handle(request: Request) -> Response:
        asset = parts.assets.find(request.path_params["digest"], request.path_params["name"])
        if asset is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no-such-file", "there is no such file: load the page again")
        headers = {"cache-control": NOT_MODIFIED_FOR_EVER, "vary": "accept-encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(
                asset.compressed, headers=headers | {"content-encoding": "gzip"}, media_type=asset.content_type
            )
        return Response(asset.content, headers=headers, media_type=asset.content_type)

    return handle


def _login_page(parts: Parts, said: str = "") -> Handler:
    async def handle(request: Request) -> Response:
        target = request.query_params.get("next", "/")
        content = parts.layout.part("login.html", said=said, next=target if is_ours(target) else "/")
        return Response(content, HTTPStatus.UNAUTHORIZED if said else HTTPStatus.OK, media_type="text/html")

    return handle


def _login(parts: Parts, rules: Rules) -> Handler:
    async def handle(request: Request) -> Response:
        form = dict(parse_qsl((await read_body(request)).decode("utf-8", "replace"), max_num_fields=20))
        person = parts.tokens.find(form.get("token", "").strip(), datetime.now(UTC))
        basis = form.get("legal_basis", "").strip()[:500]
        if person is None or not (basis or person.legal_basis):
            gate_refusals(request)
            said = "this token is unknown, expired or revoked" if person is None else "say on which legal basis you ask"
            return await _login_page(parts, said)(request)
        basis = basis or person.legal_basis
        value, _ = await run_in_threadpool(parts.sessions.begin, person, legal_basis=basis)
        log.info("logged_in", name=person.name, role=person.role, token=person.token)
        target = form.get("next", "/")
        answer = RedirectResponse(target if is_ours(target) else "/", HTTPStatus.SEE_OTHER)
        answer.headers.append("set-cookie", set_cookie(value, https=rules.https))
        return answer

    return handle


def gate_refusals(request: Request) -> None:
    """Counts an attempt that failed. Raises Refused where there were too many."""
    count: Callable[[], None] = request.state.count_refusal
    count()


def _logout(parts: Parts, rules: Rules) -> Handler:
    async def handle(request: Request) -> Response:
        await read_form(request)
        await run_in_threadpool(parts.sessions.end, read_cookie(request.headers.get("cookie", "")))
        answer = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
        answer.headers.append("set-cookie", set_cookie("", https=rules.https))
        return answer

    return handle


def _access(parts: Parts) -> Handler:
    async def handle(request: Request) -> Response:
        asker = asker_of(request)

        def work() -> tuple[list[Question] | None, Holds]:
            with parts.tables.reading() as connection:
                holds = api.where(connection, NOW)[1]
            if not asker.person.may("record"):
                return None, holds
            with parts.tables.auditing() as connection:
                return list_questions(connection, limit=QUESTIONS_SHOWN), holds

        questions, holds = await run_in_threadpool(work)
        return html(request, parts, access_page(parts.layout, viewer_of(asker, parts), questions), holds)

    return handle


def _basis(parts: Parts) -> Handler:
    """Changes the legal basis of what a session asks from here on."""

    async def handle(request: Request) -> Response:
        form = await read_form(request)
        session = asker_of(request).session
        assert session is not None
        asked = asking_as(session.person.name, session.person.profile, form.get("legal_basis", ""))
        cookie = read_cookie(request.headers.get("cookie", ""))
        await run_in_threadpool(parts.sessions.rest_on, cookie, asked.legal_basis)
        return RedirectResponse("/access", HTTPStatus.SEE_OTHER)

    return handle


def _fork(parts: Parts) -> Handler:
    async def handle(request: Request) -> Response:
        if parts.fork is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no-demo", "only a demo's chain can be made to fork")
        demand(asker_of(request), "administer")
        await read_form(request)
        await run_in_threadpool(parts.fork)
        return RedirectResponse("/system", HTTPStatus.SEE_OTHER)

    return handle


def _act(parts: Parts) -> Handler:
    """The form beside an alert: what the API's endpoint does, for a browser."""

    async def handle(request: Request) -> Response:
        asker = asker_of(request)
        demand(asker, "act")
        form = await read_form(request)
        try:
            body = msgspec.convert({name: form.get(name, "") for name in ("act", "why")}, api.ActAsked)
        except msgspec.ValidationError as error:
            raise Refused(
                HTTPStatus.BAD_REQUEST, "bad-act", f"say what you do (ack, note or close) and why: {error}"
            ) from error
        ask = Ask(asker=asker, q=Parameters(), path=request.path_params, body=body)

        def work() -> str:
            with parts.tables.acting() as connection:
                return api.act(connection, ask).alert

        name = await run_in_threadpool(work)
        target = form.get("next", "")
        return RedirectResponse(target if is_ours(target) else f"/alerts/{name}", HTTPStatus.SEE_OTHER)

    return handle


async def _live(_: Request) -> Response:
    return Response(b'{"live":true}', media_type="application/json")


def _ready(parts: Parts) -> Handler:
    async def handle(_: Request) -> Response:
        fresh = parts.feed.freshness
        body = msgspec.json.encode({"ready": fresh.healthy, "reasons": fresh.reasons})
        status = HTTPStatus.OK if fresh.healthy else HTTPStatus.SERVICE_UNAVAILABLE
        return Response(body, status, media_type="application/json")

    return handle


def _status(parts: Parts) -> Handler:
    async def handle(request: Request) -> Response:
        ask = Ask(asker=asker_of(request), q=read_parameters(request, Parameters), path={})

        def work() -> bytes:
            with parts.tables.reading() as connection:
                return msgspec.json.encode(api.status(connection, ask, parts.feed.freshness))

        return tagged(request, await run_in_threadpool(work), "application/json")

    return handle


def _events(parts: Parts) -> Handler:
    async def handle(request: Request) -> Response:
        asker_of(request)
        read_parameters(request, Parameters)
        if parts.feed.listeners >= MAX_LISTENERS:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE, "too-many-listeners", "too many listen: come again", retry_seconds=10
            )

        async def stream() -> AsyncIterator[bytes]:
            async with parts.feed.listen() as queue:
                yield b"retry: 1000\n\n"
                admitted_at = time.monotonic()
                while (event := await queue.get()) is not None:
                    if time.monotonic() - admitted_at > ADMITTED_SECONDS:
                        try:
                            await request.state.admit_again()
                        except CellwitnessError as error:
                            log.info("listener_sent_away", reason=str(error))
                            return
                        admitted_at = time.monotonic()
                    yield encode_event(event)

        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(stream(), headers=headers, media_type="text/event-stream")

    return handle


def encode_event(event: Event) -> bytes:
    """One event as the stream has it: JSON never has a line's end in it."""
    return b"event: %s\nid: %d\ndata: %s\n\n" % (event.kind.encode(), event.number, msgspec.json.encode(event.data))


def _openapi() -> Handler:
    content = msgspec.json.format(msgspec.json.encode(describe(ENDPOINTS)))

    async def handle(request: Request) -> Response:
        return tagged(request, content, "application/json")

    return handle


def _http_problem(parts: Parts) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = HTTPStatus(error.status_code)
        details = {
            HTTPStatus.NOT_FOUND: "there is nothing at this address: the API is described at /api/v1/openapi.json",
            HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not for this address",
        }
        kind = status.phrase.lower().replace(" ", "-")
        answer = problem(request, parts, Refused(status, kind, details.get(status, error.detail)))
        for name, value in (error.headers or {}).items():
            answer.headers[name] = value
        return answer

    return handle


def _our_problem(parts: Parts) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        assert isinstance(error, CellwitnessError)
        return problem(request, parts, error)

    return handle


async def _fault(request: Request, error: Exception) -> Response:
    """What nobody foresaw. What it was stands in the log, and not in the answer."""
    log.error("request_faulted", path=request.url.path, fault=type(error).__name__, exc_info=error)
    return problem_response(
        Refused(
            HTTPStatus.INTERNAL_SERVER_ERROR, "fault", "a fault of the server, which has been logged: tell its admin"
        )
    )
