"""What the dashboard's handlers share, and how each of them answers: a page, an API's answer, or a problem."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
import structlog
from msgspec import Struct, field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from consumers.access import Asked
from consumers.dashboard.api import where
from consumers.dashboard.assets import Assets
from consumers.dashboard.endpoints import Ask, AtMoment, Endpoint, read_body, read_json, read_parameters, tagged
from consumers.dashboard.feed import Feed
from consumers.dashboard.followers import Followers
from consumers.dashboard.gate import Asker, problem_response
from consumers.dashboard.kept import PageKeeper
from consumers.dashboard.layout import Frame, Layout, Page, PageMaker, Section, Viewer
from consumers.dashboard.moment import NOW, PARAMETERS, Moment, asked_at, read_moment
from consumers.dashboard.packing import packed
from consumers.dashboard.pages.waiting import waiting_page
from consumers.dashboard.people import Right, TokenFile
from consumers.dashboard.problems import Refused, refused
from consumers.dashboard.sessions import Session, Sessions, is_csrf_of
from consumers.dashboard.tables import Tables
from consumers.dashboard.withheld import asking_of, note, require, seen_by, withhold
from consumers.queries.model import Data
from consumers.timeline import Holds
from indexer.errors import CellwitnessError

log = structlog.get_logger(component="dashboard")

MIN_STEP_SECONDS: Final = 10.0
"""How long an answer waits for the step that it is asked to hold."""

SEEN_WITHIN: Final = timedelta(minutes=10)

Handler = Callable[[Request], Awaitable[Response]]


class Keeping(Struct, frozen=True):
    """How a page is kept that takes long to make: its title and place while it is being made."""

    title: str
    section: Section
    settles: bool = True  # what it says of a step of the past stays as it was


class Parts(Struct, frozen=True, kw_only=True):
    """What a dashboard is made of."""

    tables: Tables
    feed: Feed
    layout: Layout
    assets: Assets
    tokens: TokenFile
    sessions: Sessions
    followers: Followers = field(default_factory=Followers)
    keeper: PageKeeper = field(default_factory=PageKeeper)
    fork: Callable[[], Any] | None = None  # in a demo: makes the devnet abandon its newest blocks


def asker_of(request: Request) -> Asker:
    asker: Asker = request.state.asker
    return asker


def demand(asker: Asker, right: Right) -> None:
    """Raises Refused where whoever asks may not."""
    if not asker.person.may(right):
        raise Refused(
            HTTPStatus.FORBIDDEN,
            "not-for-your-role",
            f"a {asker.person.role} may not do this: it needs the right to {right}",
        )


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form of ours. Raises Refused where it lacks its session's secret."""
    body = await read_body(request)
    form = dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=100))
    session = asker_of(request).session
    if session is None or not is_csrf_of(session, form.get("csrf", "")):
        raise Refused(HTTPStatus.FORBIDDEN, "form-too-old", "this form is of another session: load its page again")
    return form


def viewer_of(asker: Asker, parts: Parts) -> Viewer:
    session: Session | None = asker.session
    return Viewer(
        name=asker.person.name,
        role=asker.person.role,
        profile=asker.person.profile,
        legal_basis=session.legal_basis if session else asker.person.legal_basis,
        csrf=session.csrf if session else "",
        may_act=asker.person.may("act"),
        can_leave=asker.person.by == "token",
        demo=parts.fork is not None and asker.person.may("administer"),
    )


def page_handler(
    parts: Parts,
    make: PageMaker,
    *,
    needs: frozenset[Data] | None = None,
    recorded: bool = False,
    kept: Keeping | None = None,
) -> Handler:
    """A page: asked for with a moment, made in a thread on a reader's connection, put into its frame.

    ``kept``: it is made once for everybody and kept, and where that takes long a page says so in its place.
    """

    async def handle(request: Request) -> Response:
        asker = asker_of(request)
        demand(asker, "read")
        asking = asking_of(asker)
        require(seen_by(asker, asking.profile), needs or frozenset(), asking.profile, "this page")
        moment = read_moment(request.query_params)
        query = {**request.query_params, **request.path_params}
        for name, value in query.items():
            if "\0" in value:
                raise Refused(
                    HTTPStatus.BAD_REQUEST, "bad-parameter", f"{name} has a NUL character in it", parameter=name
                )
        viewer = viewer_of(asker, parts)

        def make_for_all() -> tuple[Page, Holds]:
            with parts.tables.patient() as connection:
                holds = where(connection, moment)[1]
                return make(parts.layout, connection, moment, query, viewer), holds

        def find_kept() -> tuple[Page, Holds] | None:
            # What was known after a step stays as it was. What the chain says up to a slot a rollback may change.
            is_settled = kept is not None and kept.settles and _is_over(moment)
            step = None if is_settled else _stands(parts).step
            found = parts.keeper.get(f"{request.url.path}?{request.url.query}", step, make_for_all)
            if found is None:
                return None
            what = Asked(what=f"page {make.__name__}", parameters=query, moment=asked_at(moment))
            with parts.tables.recording() as connection:
                note(connection, asker, what, found.holds)
            return found.page, found.holds

        def work() -> tuple[Page, Holds]:
            lend = parts.tables.recording if recorded or needs else parts.tables.reading
            with lend() as connection:
                _, holds = where(connection, moment)
                page = make(parts.layout, connection, moment, query, viewer)
                if needs:
                    what = f"page {make.__name__}"
                    note(connection, asker, Asked(what=what, parameters=query, moment=asked_at(moment)), holds)
                return page, holds

        if kept is None:
            page, holds = await run_in_threadpool(work)
            return html(request, parts, page, holds, moment=moment)
        found = await run_in_threadpool(find_kept)
        if found is None:
            page, holds = waiting_page(parts.layout, kept.title, kept.section, moment), _stands(parts)
            return html(request, parts, page, holds, moment=moment, status=HTTPStatus.ACCEPTED)
        return html(request, parts, *found, moment=moment)

    return handle


def _is_over(moment: Moment) -> bool:
    """Whether what was known then can't change any more. A step is seen some time after the clock that it bears."""
    long_ago = moment.known_at is not None and datetime.now(UTC) - moment.known_at > SEEN_WITHIN
    return moment.as_of_step is not None or long_ago


def html(  # noqa: PLR0913 - what a frame is made of
    request: Request, parts: Parts, page: Page, holds: Holds, *, moment: Moment = NOW, status: int = HTTPStatus.OK
) -> Response:
    """A page in its frame."""
    frame = Frame(
        viewer=viewer_of(asker_of(request), parts),
        moment=moment,
        holds=holds,
        freshness=parts.feed.freshness,
        path=request.url.path,
        query=[(name, value) for name, value in request.query_params.multi_items() if name not in PARAMETERS],
    )
    content, headers = parts.layout.page(page, frame).encode(), {"vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers = packed(content), headers | {"content-encoding": "gzip"}
    return Response(content, status, headers=headers, media_type="text/html")


def api_handler(parts: Parts, endpoint: Endpoint) -> Handler:
    """An endpoint of the API: parameters in, a struct out, with its ETag."""

    async def handle(request: Request) -> Response:
        asker = asker_of(request)
        demand(asker, endpoint.right)
        profile = asking_of(asker).profile
        seen = seen_by(asker, profile)
        require(seen, endpoint.needs, profile, "this answer")
        q = read_parameters(request, endpoint.parameters)
        body = None
        if endpoint.body is not None:
            body = read_json(request, await read_body(request), endpoint.body)
        await wait_for_step(parts, q)
        ask = Ask(asker=asker, q=q, path=request.path_params, body=body, followers=parts.followers.said)

        def work() -> bytes:
            if endpoint.right == "act":
                lend = parts.tables.acting
            else:
                lend = parts.tables.recording if endpoint.needs else parts.tables.reading
            with lend() as connection:
                answer = endpoint.run(connection, ask)
                if endpoint.needs and endpoint.method == "GET":
                    given = {**request.query_params, **request.path_params}
                    at = asked_at(q.moment() if isinstance(q, AtMoment) else NOW)
                    asked = Asked(what=endpoint.name, parameters=given, moment=at, form="json")
                    note(connection, asker, asked, answer.holds)
                return msgspec.json.encode(withhold(answer, seen))

        content = await run_in_threadpool(work)
        return tagged(request, content, "application/json")

    return handle


async def wait_for_step(parts: Parts, q: Any) -> None:
    """Raises Refused where the tables do not hold ``min_step`` in time."""
    least = getattr(q, "min_step", msgspec.UNSET)
    if least is not msgspec.UNSET and not await parts.feed.reached(least, MIN_STEP_SECONDS):
        raise Refused(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "step-not-reached",
            f"the tables do not hold step {least:,} after {MIN_STEP_SECONDS:.0f} s: ask again, or without min_step",
            retry_seconds=MIN_STEP_SECONDS,
        )


def problem(request: Request, parts: Parts, error: CellwitnessError) -> Response:
    """A problem as whoever asked can read it."""
    said = refused(error)
    if said.problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request_failed", path=request.url.path, reason=str(error))
    wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    if not wants_page or not hasattr(request.state, "asker"):
        return problem_response(said)
    body = parts.layout.part("problem.html", problem=said.problem)
    page = Page(title=said.problem.title, section="fleet", body=body)
    return html(request, parts, page, _stands(parts), status=said.problem.status)


def _stands(parts: Parts) -> Holds:
    """Where the tables stand, as the feed saw it last."""
    mark = parts.feed.freshness.mark
    if mark is None:
        return Holds(-1)
    return Holds(mark.step, mark.slot, mark.height, mark.block, mark.final_height, mark.tip_height)
