"""Alerts, routes and an outbox in memory, for tests of the pure core."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from consumers.alerting.bundles import Message
from consumers.alerting.notices import Notice, Outbox, Routing, Sink, Target, Told, Where
from consumers.alerting.plan import Plan, plan
from consumers.alerting.routes import Route, Standing
from consumers.alerts import Alert, Stage, State

START: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)


def standing(
    number: int = 1,
    *,
    severity: str = "high",
    confirmed: str | None = "high",
    state: State = "open",
    rule: str = "R09",
    model: str | None = "NMC-1",
    **more: Any,
) -> Standing:
    stage: Stage = "confirmed" if confirmed else "provisional"
    values: dict[str, Any] = {
        "alert": f"{number:020x}",
        "rule": rule,
        "name": "two payloads",
        "severity": severity,
        "stage": stage,
        "state": state,
        "deployment": "demo",
        "subject": f"{number:056x}",
        "subject_kind": "battery",
        "battery": f"urn:test:{number}",
        "findings": 1,
        "first_slot": 10,
        "first_height": 1,
        "first_time": "2026-02-01T00:00:00Z",
        "last_slot": 10,
        "last_height": 1,
        "last_time": "2026-02-01T00:00:00Z",
        "who": "Ada" if state != "open" else None,
        "why": "papers seen" if state != "open" else None,
    }
    return Standing(alert=Alert(**values | more), model=model, confirmed_severity=confirmed)


def where(step: int = 100, **more: Any) -> Where:
    values: dict[str, Any] = {"log": "log", "step": step, "furthest_step": step, "fleet_step": step, "height": step}
    return Where(**values | more)


def routing(*routes: Route, sinks: Sequence[str] = ("ops",), **more: Any) -> Routing:
    named = routes or (Route(name="all", sinks=tuple(sinks)),)
    return Routing(
        routes={route.name: route for route in named},
        sinks={name: Sink(kind="webhook") for route in named for name in route.sinks},
        **more,
    )


class Memory:
    """The outbox as the database keeps it: what a plan says is added, and nothing else ever changes."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.dropped: dict[str, str] = {}
        self.messages: list[tuple[datetime, Message]] = []

    def plan(
        self,
        routes: Routing,
        alerts: Sequence[Standing],
        now: datetime = START,
        at: Where | None = None,
        withdrawn: Mapping[str, str] = {},
    ) -> Plan:
        made = plan(now, at or where(), alerts, withdrawn, self.outbox(), routes)
        turns = {(each.target, each.turn) for each in self.notices}
        assert not turns & {(each.target, each.turn) for each in made.notices}, "a turn is taken twice"
        known = {each.key for each in self.notices}
        assert not known & {each.key for each in made.notices}, "a key is given twice"
        self.notices += made.notices
        self.dropped |= dict(made.dropped)
        assert not set(self.dropped) & {key for _, message in self.messages for key in message.notices}
        self.messages += [(now, message) for message in made.messages]
        return made

    @property
    def bound(self) -> list[str]:
        """Keys of notices that were sent, in the order of sending."""
        return [key for _, message in self.messages for key in message.notices]

    def sent(self, sink: str | None = None) -> list[Notice]:
        by_key = {each.key: each for each in self.notices}
        return [by_key[key] for key in self.bound if sink in (None, by_key[key].target[2])]

    def outbox(self) -> Outbox:
        told: dict[Target, Told] = {}
        bound = set(self.bound)
        for target in {each.target for each in self.notices}:
            mine = sorted((each for each in self.notices if each.target == target), key=lambda each: each.turn)
            kept = [each for each in mine if each.key not in self.dropped]
            last = kept[-1] if kept else None
            sent = [each for each in mine if each.key in bound and last and each.episode == last.episode]
            told[target] = Told(newest=mine[-1], last=last, bound=sent[-1].said if sent else None)
        held = [each for each in self.notices if each.key not in bound and each.key not in self.dropped]
        recent: dict[tuple[str, str], list[datetime]] = {}
        for at, message in self.messages:
            recent.setdefault((message.route, message.sink), []).append(at)
        return Outbox(told=told, held=held, recent=recent)


def kinds(memory: Memory, sink: str | None = None) -> list[str]:
    return [each.kind for each in memory.sent(sink)]


def with_stage(each: Standing, **more: Any) -> Standing:
    return replace(each, alert=replace(each.alert, **more))


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)
