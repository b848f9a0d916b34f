"""What is to be said outside, from the alerts that stand, the routes, and what was said before. Pure.

A notice is one kind of message about one alert by one route to one sink. Its key is made of these and of how many came
before it, and of no row and no step: tables that are built anew say nothing twice. ``plan`` is run again and again, and
each time it adds what the alerts' state asks for and the outbox does not have yet.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from msgspec import Struct

from consumers.alerting.bundles import Message, bundle
from consumers.alerting.messages import RESOLVING
from consumers.alerting.notices import (
    Next,
    Notice,
    Outbox,
    Routing,
    Told,
    Where,
    is_known,
    is_of_fleet,
    make_notice,
    say,
    say_resolved,
)
from consumers.alerting.routes import GRAVITY, Route, Standing, why_not
from consumers.alerts import Stage


class Plan(Struct, frozen=True, kw_only=True):
    """What the outbox is to be added, in this order."""

    notices: tuple[Notice, ...]
    dropped: tuple[tuple[str, str], ...]  # key of a notice that is held, or new, and why it is never sent
    messages: tuple[Message, ...]


def plan(  # noqa: PLR0913, PLR0917 - all that it depends on
    now: datetime,
    where: Where,
    standing: Sequence[Standing],
    withdrawn: Mapping[str, str],
    outbox: Outbox,
    routing: Routing,
) -> Plan:
    """What is to be added to the outbox now.

    ``standing`` is every alert that stands; ``withdrawn`` says of others why they do not, where that is known.
    """
    notices = [
        *_of_standing(now, where, standing, outbox, routing),
        *_of_gone(now, where, {each.alert.alert for each in standing}, withdrawn, outbox, routing),
    ]
    dropped: dict[str, str] = {}
    for notice in notices:
        told = outbox.told.get(notice.target)
        bound = told.bound if told and told.open else None
        if notice.kind in RESOLVING and bound is None:
            dropped[notice.key] = "the sink was never told of what this would take back"
        elif is_known(notice.said, bound):
            dropped[notice.key] = "the sink knows that already"
    new = {notice.target: notice for notice in notices}
    for held in outbox.held:
        later = new.get(held.target)
        if later is not None and later.episode == held.episode:
            undone = later.key in dropped and later.kind not in RESOLVING
            dropped[held.key] = f"{'undone' if undone else later.kind} before it was sent"
    waiting = [each for each in (*outbox.held, *notices) if each.key not in dropped]
    return Plan(
        notices=tuple(notices),
        dropped=tuple(dropped.items()),
        messages=tuple(bundle(now, waiting, outbox.recent, routing)),
    )


def next_for(standing: Standing, route: Route, told: Told | None) -> Next | None:
    """What is to be said next of an alert that stands; None where there is nothing to say."""
    alert, confirmed = standing.alert, standing.confirmed_severity
    sure = confirmed if confirmed is not None and why_not(route, standing, confirmed) is None else None
    early = alert.severity if why_not(route, standing, alert.severity) is None else None
    stated = early if route.provisional and early is not None else sure
    deep = stated is not None and confirmed is not None and GRAVITY[stated] <= GRAVITY[confirmed]
    stage: Stage = ("final" if alert.stage == "final" else "confirmed") if deep else "provisional"
    last = told.open if told else None
    if last is None:
        if alert.state == "closed" or stated is None or why_not(route, standing, stated, to_begin=True) is not None:
            return None
        return Next(kind="confirmed" if deep else "provisional", severity=stated, stage=stage)
    if alert.state == "closed":
        return Next(kind="closed", severity=last.severity, stage=alert.stage, reason=alert.why, by=alert.who)
    if sure is None and early is None:
        reason = f"its route does not take it as it is now: {why_not(route, standing, alert.severity)}"
        return Next(kind="unrouted", severity=last.severity, stage=alert.stage, reason=reason)
    if stated is not None and stated != last.severity:
        return Next(kind="changed", severity=stated, stage=stage)
    if deep and stated is not None and last.said.stage == "provisional":
        return Next(kind="confirmed", severity=stated, stage=stage)
    return None


def _of_standing(
    now: datetime, where: Where, standing: Sequence[Standing], outbox: Outbox, routing: Routing
) -> Iterable[Notice]:
    for each in standing:
        for route in routing.routes.values():
            for sink in route.sinks:
                target = (each.alert.alert, route.name, sink)
                told = outbox.told.get(target)
                if told is not None and not _reached(where, told.newest, where.step):
                    continue
                if (found := next_for(each, route, told)) is not None:
                    yield make_notice(now, where, target, told, say(now, each, found, routing.link))


def _of_gone(  # noqa: PLR0913, PLR0917 - all that it depends on
    now: datetime,
    where: Where,
    standing: AbstractSet[str],
    withdrawn: Mapping[str, str],
    outbox: Outbox,
    routing: Routing,
) -> Iterable[Notice]:
    """Resolutions of what stands no more, and of what no route of now would have told."""
    for target, told in outbox.told.items():
        alert, route, sink = target
        last = told.open
        if last is None or sink not in routing.sinks:
            continue
        if alert not in standing:
            step = where.fleet_step if is_of_fleet(last.said.rule) else where.step
            if step is None or not _reached(where, told.newest, step):
                continue
            reason = withdrawn.get(alert, "the rules or thresholds that found it are others now")
            said = say_resolved(now, last.said, "withdrawn", reason)
        elif route not in routing.routes or sink not in routing.routes[route].sinks:
            said = say_resolved(now, last.said, "unrouted", "its route leads here no more")
        else:
            continue
        yield make_notice(now, where, target, told, said)


def _reached(where: Where, newest: Notice, step: int) -> bool:
    """Whether the tables are at least as far as when the newest notice was made.

    Tables that are just being built anew pass through all that was ever known: an alert that they do not hold yet was
    not withdrawn, and one that they hold again is no news. Steps are of a log; with another log the chain's height
    decides.
    """
    return step >= newest.step if where.log == newest.log else where.height >= newest.height
