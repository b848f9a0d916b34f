"""The API's endpoints on many batteries: the fleet, the list, and single events with their evidence."""

from http import HTTPStatus
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import asdict

from consumers.batteries import Listed, Wanted, list_batteries
from consumers.beliefs import Belief, Evidence, read_beliefs, read_evidence
from consumers.dashboard.api import Rule, Text, battery_key, where
from consumers.dashboard.endpoints import Answer, Ask, AtMoment, Cursor, Slot, bad, read_cursor, write_cursor
from consumers.dashboard.pages.links import deployment_of
from consumers.dashboard.problems import Refused
from consumers.fleet import Accused, Day, Mix, Model, Newest, Period, Raised, Tenth, read_fleet
from projections.database import Connection

GREATEST_OFFSET: Final = 1_000_000


class FleetAnswer(Answer, frozen=True, kw_only=True):
    """A whole fleet in numbers."""

    at: str
    models: list[Model]
    tenths: list[Tenth]
    newest: list[Newest]
    silent: list[int]
    period: Period
    days: list[Day]
    mix: list[Mix]
    raised: list[Raised]
    accused: list[Accused]
    rejected: int
    unproven: int
    readings: int


class BatteriesAsked(AtMoment, frozen=True, kw_only=True):
    """Which batteries."""

    model: Text | UnsetType = UNSET
    no_passport: Literal["yes", "no"] = "no"
    search: Annotated[Text | UnsetType, Meta(description="Part of an id or a model, or a key's first digits.")] = UNSET
    rule: Rule | UnsetType = UNSET
    severity: Literal["critical", "high", "warning"] | UnsetType = UNSET
    read_from: Annotated[Slot | UnsetType, Meta(description="With a reading in this slot or later.")] = UNSET
    read_to: Annotated[Slot | UnsetType, Meta(description="With a reading in this slot or before.")] = UNSET
    cycles_from: Slot | UnsetType = UNSET
    cycles_to: Slot | UnsetType = UNSET
    worth: Literal["passed", "failed", "rejected"] | UnsetType = UNSET
    cursor: Cursor | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=500)] = 50


class BatteriesAnswer(Answer, frozen=True, kw_only=True):
    """A part of the list, the gravest first."""

    total: int
    batteries: list[Listed]
    next: str | None


class EvidenceAnswer(Answer, frozen=True, kw_only=True):
    """One event, as it was received, and what was made of it. It may have been taken back since."""

    evidence: Evidence


class BeliefsAnswer(Answer, frozen=True, kw_only=True):
    """What was once believed of a battery and taken back by a rollback."""

    beliefs: list[Belief]


def fleet(connection: Connection, ask: Ask) -> FleetAnswer:
    moment = ask.q.moment()
    found = read_fleet(connection, where(connection, moment)[0], as_of_slot=moment.as_of_slot)
    return msgspec.convert(asdict(found) | {"at": found.at.isoformat()}, FleetAnswer, from_attributes=True)


def batteries(connection: Connection, ask: Ask) -> BatteriesAnswer:
    q: BatteriesAsked = ask.q
    moment = q.moment()
    step = where(connection, moment)[0]
    after = 0
    if q.cursor is not UNSET:
        step, after = read_cursor(str(q.cursor), tuple[int, int])
        if not (0 <= after <= GREATEST_OFFSET and 0 <= step < 2**63):
            raise bad("cursor", "cursor is none of ours: take `next` of an answer as it is, or leave it out")
    said = {name: getattr(q, name) for name in _FILTERS if getattr(q, name) is not UNSET}
    wanted = Wanted(**said, no_passport=q.no_passport == "yes")
    found = list_batteries(connection, wanted, step, as_of_slot=moment.as_of_slot, offset=after, limit=q.limit)
    end = after + len(found.batteries)
    more = write_cursor(found.holds.step, end) if found.batteries and end < found.total else None
    return BatteriesAnswer(holds=found.holds, total=found.total, batteries=list(found.batteries), next=more)


_FILTERS: Final = ("model", "search", "rule", "severity", "read_from", "read_to", "cycles_from", "cycles_to", "worth")


def evidence(connection: Connection, ask: Ask) -> EvidenceAnswer:
    deployment, key = deployment_of(ask.path), battery_key(ask.path["battery_key"])
    event_id = ask.path["event_id"]
    if len(event_id) != 64 or not all(digit in "0123456789abcdef" for digit in event_id):
        raise bad("event_id", f"{event_id[:80]!r} is no event's id: 64 hex digits, as a timeline has them")
    found = read_evidence(connection, deployment, key, event_id)
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, "no-such-event", f"battery {key} of {deployment} has no event {event_id}")
    return EvidenceAnswer(holds=where(connection, ask.q.moment())[1], evidence=found)


def beliefs(connection: Connection, ask: Ask) -> BeliefsAnswer:
    moment = ask.q.moment()
    step, holds = where(connection, moment)
    deployment, key = deployment_of(ask.path), battery_key(ask.path["battery_key"])
    return BeliefsAnswer(
        holds=holds, beliefs=read_beliefs(connection, deployment, key, step, as_of_slot=moment.as_of_slot)
    )
