"""Notices put together into messages: held through quiet hours, gathered, throttled. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from consumers.alerting.messages import render
from consumers.alerting.notices import Notice, Routing, digest
from consumers.alerting.routes import Route

MOST_NOTICES: Final = 100
"""In one message."""


class Message(Struct, frozen=True, kw_only=True):
    """Notices that go out together, as bytes."""

    key: str
    route: str
    sink: str
    notices: tuple[str, ...]  # keys
    body: bytes


def bundle(
    now: datetime,
    waiting: Sequence[Notice],
    recent: Mapping[tuple[str, str], Sequence[datetime]],
    routing: Routing,
) -> Iterable[Message]:
    """The messages that are due, of notices in the order in which they were made.

    Of a route that is no more only the sink counts; of a sink that is no more nothing is made.
    """
    by_way: dict[tuple[str, str], list[Notice]] = {}
    for notice in waiting:
        _, name, sink = notice.target
        if sink in routing.sinks:
            by_way.setdefault((name, sink), []).append(notice)
    for (name, sink), notices in by_way.items():
        route = routing.routes.get(name) or Route(name=name, sinks=(sink,))
        ready = _awake(now, route, notices)
        for part in _parts(now, route, ready, recent.get((name, sink), ())):
            key = digest(*(each.key for each in part))
            of = routing.sinks[sink]
            yield Message(
                key=key,
                route=name,
                sink=sink,
                notices=tuple(each.key for each in part),
                body=render(of.kind, key, [each.said for each in part], of.envelope),
            )


def _awake(now: datetime, route: Route, notices: Sequence[Notice]) -> list[Notice]:
    """Those that no quiet hour holds. What comes after a held one of the same alert waits, too: order is kept."""
    held: set[str] = set()
    ready = []
    for notice in notices:
        alert, _, _ = notice.target
        if alert in held or route.is_quiet(now, notice.severity):
            held.add(alert)
        else:
            ready.append(notice)
    return ready


def _parts(
    now: datetime, route: Route, ready: Sequence[Notice], recent: Sequence[datetime]
) -> Iterable[Sequence[Notice]]:
    """How they are put together. A throttled route sends what is too much for it as one, when it may again."""
    if not ready:
        return
    gathers = route.group_seconds > 0
    if gathers and now - min(each.noted_at for each in ready) < timedelta(seconds=route.group_seconds):
        return
    size = MOST_NOTICES if gathers else 1
    if route.throttle is not None:
        since = now - timedelta(minutes=route.throttle.minutes)
        left = route.throttle.messages - sum(at > since for at in recent)
        if left <= 0:
            return
        if len(ready) > left * size:
            size = MOST_NOTICES
            ready = ready[: left * size]
    for start in range(0, len(ready), size):
        yield ready[start : start + size]
