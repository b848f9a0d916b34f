"""Notices: what is said about one alert by one route to one sink, and the key under which it is said. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from consumers.alerting.messages import RESOLVING, Envelope, Kind, Said, SinkKind
from consumers.alerting.routes import Route, Standing
from consumers.alerts import Stage
from projections.rules.catalogue import RULES

KEY_BYTES: Final = 16

Target = tuple[str, str, str]
"""Alert, route, sink."""


class Where(Struct, frozen=True, kw_only=True):
    """How far the tables were when the alerts were read."""

    log: str  # digest of the log's step 0
    step: int  # that all of them hold
    furthest_step: int  # that some of them hold
    fleet_step: int | None  # at which the fleets were last judged; None: these tables know of no such run
    height: int


class Notice(Struct, frozen=True, kw_only=True):
    """One line of the outbox."""

    key: str
    target: Target
    turn: int  # from 1: the how manieth of its target
    episode: int  # from 1: ends with a resolution
    kind: Kind
    severity: str
    said: Said
    log: str
    step: int  # how far the tables were, some of them; of a fleet's alert: at which the fleet was judged
    height: int
    noted_at: datetime


class Told(Struct, frozen=True, kw_only=True):
    """Where an alert stands with one sink."""

    newest: Notice  # also where it was dropped
    last: Notice | None  # the newest that was not; None: all were
    bound: Said | None  # the last of that one's episode that went into a message; None: the sink knows nothing yet

    @property
    def open(self) -> Notice | None:
        """The last notice, where it was no resolution."""
        return None if self.last is None or self.last.kind in RESOLVING else self.last


class Outbox(Struct, frozen=True, kw_only=True):
    """What was said, and what is held."""

    told: Mapping[Target, Told]
    held: Sequence[Notice]  # in no message yet, oldest first
    recent: Mapping[
        tuple[str, str], Sequence[datetime]
    ]  # (route, sink) -> when messages were made, of throttled routes


class Sink(Struct, frozen=True, kw_only=True):
    """What a message is rendered for."""

    kind: SinkKind
    envelope: Envelope = Envelope()


class Routing(Struct, frozen=True, kw_only=True):
    """Who is to be told. ``link`` is an address with {alert} for an alert's name."""

    routes: Mapping[str, Route]
    sinks: Mapping[str, Sink]
    link: str | None = None


class Next(Struct, frozen=True, kw_only=True):
    """What is to be said next to a target."""

    kind: Kind
    severity: str
    stage: Stage
    reason: str | None = None
    by: str | None = None


def is_of_fleet(rule: str) -> bool:
    """Whether alerts of a rule come from judging whole fleets now and then, and not from each reading."""
    return rule in RULES and RULES[rule].scope == "fleet"


def digest(*parts: object) -> str:
    """16 bytes of blake2b over the parts, hex."""
    return blake2b("\0".join(map(str, parts)).encode(), digest_size=KEY_BYTES).hexdigest()


def make_notice(now: datetime, where: Where, target: Target, told: Told | None, said: Said) -> Notice:
    """The next notice of a target. What ``said`` lacks is filled in: key, route, episode, and what was said before."""
    _, route, _ = target
    turn = told.newest.turn + 1 if told else 1
    opened = told.open if told else None
    episode = opened.episode if opened else told.newest.episode + 1 if told else 1
    bound = told.bound if told and opened else None
    kind, severity, before = said.kind, said.severity, None
    if said.kind not in RESOLVING:
        kind = _kind(said, bound)
        before = bound.severity if bound is not None and bound.severity != severity else None
    elif bound is not None:
        severity = bound.severity  # the receiver knows no other
    key = digest(*target, kind, turn)
    began_at = opened.said.began_at if opened else said.began_at
    said = replace(
        said, key=key, kind=kind, route=route, episode=episode, severity=severity, before=before, began_at=began_at
    )
    return Notice(
        key=key,
        target=target,
        turn=turn,
        episode=episode,
        kind=kind,
        severity=severity,
        said=said,
        log=where.log,
        step=where.fleet_step or 0 if is_of_fleet(said.rule) else where.furthest_step,
        height=where.height,
        noted_at=now,
    )


def _kind(said: Said, bound: Said | None) -> Kind:
    """Of what fires: by what the sink has heard, and not by what was held and comes no more."""
    if bound is not None and bound.severity != said.severity:
        return "changed"
    return "provisional" if said.stage == "provisional" else "confirmed"


def is_known(said: Said, bound: Said | None) -> bool:
    """Whether a sink that heard ``bound`` last would hear nothing new: a held change was undone before it was sent."""
    same = bound is not None and said.kind not in RESOLVING and said.severity == bound.severity
    return same and bound is not None and (bound.stage != "provisional" or said.stage == "provisional")


def say(now: datetime, standing: Standing, next_: Next, link: str | None) -> Said:
    """What a notice says about an alert that stands, but for what ``make_notice`` fills in."""
    alert = standing.alert
    rule = RULES.get(alert.rule)
    return Said(
        key="",
        kind=next_.kind,
        status="resolved" if next_.kind in RESOLVING else "firing",
        stage=next_.stage,
        severity=next_.severity,
        alert=alert.alert,
        episode=0,
        route="",
        rule=alert.rule,
        rule_name=alert.name,
        meaning=rule.meaning if rule else "",
        deployment=alert.deployment,
        battery=alert.battery,
        model=standing.model,
        subject=alert.subject,
        subject_kind=alert.subject_kind,
        findings=alert.findings,
        first_time=alert.first_time,
        first_slot=alert.first_slot,
        first_height=alert.first_height,
        last_time=alert.last_time,
        last_slot=alert.last_slot,
        last_height=alert.last_height,
        began_at=min(datetime.fromisoformat(alert.first_time), now).isoformat(),
        noted_at=now.isoformat(),
        reason=next_.reason,
        by=next_.by,
        link=link.replace("{alert}", alert.alert) if link else None,
    )


def say_resolved(now: datetime, last: Said, kind: Kind, reason: str) -> Said:
    """What a resolution says of an alert that the tables hold no more."""
    stage: Stage = "withdrawn" if kind == "withdrawn" else last.stage
    return replace(last, kind=kind, status="resolved", stage=stage, noted_at=now.isoformat(), reason=reason, by=None)
