"""The API's endpoints: the same questions that pages ask, answered as JSON with where the answer holds."""

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from psycopg.rows import dict_row

from consumers.alerts import Act, ActName, Alert, Selection, State, do_act, find_alert, list_alerts, read_story
from consumers.alerts_then import list_alerts_then, read_story_then
from consumers.as_of import step_known_at
from consumers.beliefs import read_beliefs
from consumers.dashboard.endpoints import (
    Answer,
    Ask,
    Cursor,
    Paged,
    Parameters,
    bad,
    read_cursor,
    write_cursor,
)
from consumers.dashboard.feed import QUERIES, read_mark
from consumers.dashboard.followers import Said, without_addresses
from consumers.dashboard.freshness import Freshness
from consumers.dashboard.moment import Moment
from consumers.dashboard.pages.course import Series, course_series
from consumers.dashboard.pages.links import deployment_of
from consumers.dashboard.pages.system import System, read_system
from consumers.dashboard.problems import Refused
from consumers.dashboard.withheld import asking_of, seen_by
from consumers.lives import Summary
from consumers.timeline import Finality, Holds, Line, StepNotReached, asking, plain, read_timeline
from projections.database import Connection

Hex = Annotated[str, Meta(pattern="^[0-9a-f]*$", max_length=128)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Rule = Annotated[str, Meta(pattern="^R[0-9]{2}$")]

GREATEST_OFFSET: Final = 100_000

_DEPTH: Final[dict[Finality, int]] = {"pending": 0, "confirmed": 1, "final": 2}


class Status(Answer, frozen=True, kw_only=True):
    """How fresh the tables are."""

    freshness: Freshness


class SystemAnswer(Answer, frozen=True, kw_only=True):
    """Nodes, partitions, workers, rollbacks, what is parked and quarantined, rebuilds: as of now."""

    system: System
    followers: list[Said]  # without addresses for those whose affair they are not


class Step(Struct, frozen=True, kw_only=True):
    """One step of the log: a run of blocks forward, or a rollback."""

    step: int
    kind: Literal["opened", "forward", "rollback"]
    slot: int
    height: int
    block: str
    final_height: int
    tip_height: int
    known_at: str | None


class StepsAsked(Parameters, frozen=True, kw_only=True):
    """Which steps."""

    kind: Literal["opened", "forward", "rollback"] | UnsetType = UNSET
    cursor: Cursor | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class Steps(Answer, frozen=True, kw_only=True):
    """A part of the log's steps."""

    steps: list[Step]  # newest first
    next: str | None


class TimelinePart(Answer, frozen=True, kw_only=True):
    """A battery's timeline, or the part of it that was asked for. ``summary`` is of the whole."""

    battery: dict[str, Any]
    summary: Summary
    alerts: list[dict[str, Any]]
    lines: list[Line]
    next: str | None


class SeriesAnswer(Answer, frozen=True, kw_only=True):
    """A battery's course, as the page's chart draws it."""

    series: Series


class AlertsAsked(Paged, frozen=True, kw_only=True):
    """Which alerts."""

    state: State | UnsetType = UNSET
    severity: Literal["warning", "high", "critical"] | UnsetType = UNSET
    rule: Rule | UnsetType = UNSET
    deployment: Text | UnsetType = UNSET
    battery: Annotated[Text | UnsetType, Meta(description="Its id (text or hex) or key.")] = UNSET
    withdrawn: Annotated[Literal["yes", "no"], Meta(description="yes: those that the chain took back.")] = "no"


class Alerts(Answer, frozen=True, kw_only=True):
    """A part of the alerts."""

    alerts: list[Alert]  # the gravest first
    next: str | None


class OneAlert(Answer, frozen=True, kw_only=True):
    """An alert, what it follows from, and what people did about it."""

    alert: Alert
    findings: list[dict[str, Any]]
    acts: list[dict[str, Any]]


class ActAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to record about an alert. Who does it is whoever asks."""

    act: ActName
    why: Annotated[str, Meta(min_length=1, max_length=4000)]


class ActDone(Answer, frozen=True, kw_only=True):
    """What was recorded."""

    alert: Hex
    act: ActName
    who: str
    why: str
    at: str


def where(connection: Connection, moment: Moment) -> tuple[int | None, Holds]:
    """The step that a moment means, None for now, and where its answers hold.

    Raises NothingKnownThen, StepNotReached.
    """
    mark = read_mark(connection)
    if mark is None:
        return None, Holds(-1, as_of_slot=moment.as_of_slot)
    step = moment.as_of_step
    if moment.known_at is not None:
        step = step_known_at(connection, moment.known_at)
    if step is None:
        now = {name: getattr(mark, name) for name in ("step", "slot", "height", "block", "final_height", "tip_height")}
        return None, Holds(**now, as_of_slot=moment.as_of_slot)
    if step > mark.step:
        raise StepNotReached(f"the tables hold step {mark.step:,}, not yet {step:,}: ask for one that they hold")
    with asking(), connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(QUERIES["holds_at_step"], {"step": step}).fetchone()
    said = plain(row) if row else {"step": step}
    return step, msgspec.convert(said | {"as_of_slot": moment.as_of_slot}, Holds)


def status(connection: Connection, ask: Ask, freshness: Freshness) -> Status:
    del ask
    return Status(holds=where(connection, Moment())[1], freshness=freshness)


def system(connection: Connection, ask: Ask) -> SystemAnswer:
    named = "operation" in seen_by(ask.asker, asking_of(ask.asker).profile)
    return SystemAnswer(
        holds=where(connection, Moment())[1],
        system=read_system(connection),
        followers=[each if named else without_addresses(each) for each in ask.followers],
    )


def steps(connection: Connection, ask: Ask) -> Steps:
    q: StepsAsked = ask.q
    before = None if q.cursor is UNSET else read_cursor(str(q.cursor), tuple[int])[0]
    parameters = {"kind": None if q.kind is UNSET else q.kind, "before": before, "limit": q.limit + 1}
    if before is not None and not 0 <= before < 2**63:
        raise bad("cursor", "cursor is none of ours: take `next` of an answer as it is, or leave it out")
    with asking(), connection.cursor(row_factory=dict_row) as cursor:
        rows = [plain(row) for row in cursor.execute(QUERIES["list_steps"], parameters)]
    more = len(rows) > q.limit
    found = msgspec.convert(rows[: q.limit], list[Step])
    return Steps(holds=where(connection, Moment())[1], steps=found, next=write_cursor(found[-1].step) if more else None)


def timeline(connection: Connection, ask: Ask) -> TimelinePart:
    q: Paged = ask.q
    moment = q.moment()
    step = where(connection, moment)[0]
    after = 0
    if q.cursor is not UNSET:
        # What follows belongs to the answer that it follows: the same step.
        step, after = read_cursor(str(q.cursor), tuple[int, int])
    deployment, key = ask.path["deployment"], battery_key(ask.path["battery_key"])
    found = read_timeline(connection, deployment, key, step, as_of_slot=moment.as_of_slot)
    if found is None:
        raise Refused(
            HTTPStatus.NOT_FOUND, "no-such-battery", f"nothing is known of battery {key} of {deployment} at that moment"
        )
    least = 0 if q.finality is UNSET else _DEPTH[q.finality]
    lines = [line for line in found.lines if _DEPTH[line.finality] >= least]
    part = lines[after : after + q.limit]
    more = after + q.limit < len(lines)
    return TimelinePart(
        holds=found.holds,
        battery=found.battery,
        summary=found.summary,
        alerts=found.alerts,
        lines=part,
        next=write_cursor(found.holds.step, after + q.limit) if more else None,
    )


def alerts(connection: Connection, ask: Ask) -> Alerts:
    q: AlertsAsked = ask.q
    moment = q.moment()
    after = 0 if q.cursor is UNSET else read_cursor(str(q.cursor), tuple[int])[0]
    if not 0 <= after <= GREATEST_OFFSET:
        raise bad("cursor", "cursor is none of ours: take `next` of an answer as it is, or leave it out")
    selection = Selection(
        states=None if q.state is UNSET else (q.state,),
        severities=None if q.severity is UNSET else (q.severity,),
        deployment=None if q.deployment is UNSET else q.deployment,
        battery=None if q.battery is UNSET else q.battery,
        rule=None if q.rule is UNSET else q.rule,
        withdrawn=q.withdrawn == "yes",
        limit=after + q.limit + 1,
    )
    if moment.is_now:
        holds, found = list_alerts(connection, selection)
    else:
        step, _ = where(connection, moment)
        holds, found = list_alerts_then(connection, selection, step, moment.as_of_slot)
    least = 0 if q.finality is UNSET else _DEPTH[q.finality]
    stages = {"provisional": 0, "confirmed": 1, "final": 2, "withdrawn": 0}
    part = [alert for alert in found[after : after + q.limit] if stages[alert.stage] >= least]
    return Alerts(
        holds=holds, alerts=part, next=write_cursor(after + q.limit) if len(found) > after + q.limit else None
    )


def alert(connection: Connection, ask: Ask) -> OneAlert:
    name, moment = ask.path["alert"], ask.q.moment()
    if moment.is_now:
        holds, found = one_alert(connection, name)
        story = read_story(connection, holds, found)
    else:
        step, _ = where(connection, moment)
        holds, stood = list_alerts_then(connection, Selection(), step, moment.as_of_slot)
        then = next((each for each in stood if each.alert == name), None)
        if then is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no-such-alert", f"no alert {name[:40]} stood at that moment")
        story = read_story_then(connection, holds, then, step, moment.as_of_slot)
    return OneAlert(holds=holds, alert=story.alert, findings=story.findings, acts=story.acts)


def act(connection: Connection, ask: Ask) -> ActDone:
    """Runs on an alerter's connection."""
    asked: ActAsked = ask.body
    holds, found = one_alert(connection, ask.path["alert"])
    who = ask.asker.person.name
    at = do_act(connection, holds, found, Act(asked.act, who, asked.why))
    return ActDone(holds=holds, alert=found.alert, act=asked.act, who=who, why=asked.why, at=at)


def one_alert(connection: Connection, name: str) -> tuple[Holds, Alert]:
    """The alert of this whole name. Raises Refused."""
    holds, found = find_alert(connection, name)
    if len(name) != 20 or not found:
        raise Refused(
            HTTPStatus.NOT_FOUND, "no-such-alert", f"there is no alert {name[:40]}: /api/v1/alerts lists them"
        )
    return holds, found[0]


def battery_key(text: str) -> str:
    """28 bytes in hex. Raises Refused."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != 28:
        raise bad("battery_key", f"{text[:80]!r} is no battery's key: 56 hex digits, as /api/v1/batteries lists them")
    return raw.hex()


def series(connection: Connection, ask: Ask) -> SeriesAnswer:
    moment = ask.q.moment()
    step = where(connection, moment)[0]
    deployment, key = deployment_of(ask.path), battery_key(ask.path["battery_key"])
    found = read_timeline(connection, deployment, key, step, as_of_slot=moment.as_of_slot)
    if found is None:
        raise Refused(
            HTTPStatus.NOT_FOUND, "no-such-battery", f"nothing is known of battery {key} of {deployment} at that moment"
        )
    beliefs = read_beliefs(connection, deployment, key, step, as_of_slot=moment.as_of_slot)
    return SeriesAnswer(holds=found.holds, series=course_series(found, beliefs, moment))
