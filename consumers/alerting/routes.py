"""Routes: which alerts are told to whom, and when. Pure."""

from datetime import datetime, time
from fnmatch import fnmatchcase
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from consumers.alerts import Alert

Severity = Literal["warning", "high", "critical"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

GRAVITY: Final[dict[str, int]] = {severity: gravity for gravity, severity in enumerate(get_args(Severity))}
WEEKDAYS: Final[tuple[Weekday, ...]] = get_args(Weekday)


class Quiet(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours in which nothing is sent; what they hold is sent when they end."""

    from_: time = field(name="from")  # in the zone
    to: time  # the first moment that is not quiet; before ``from_``: on the next day
    zone: str = "UTC"  # IANA's name, such as Europe/Berlin
    days: tuple[Weekday, ...] = WEEKDAYS  # on which it begins
    but: tuple[Severity, ...] = ()  # sent all the same

    def is_quiet(self, now: datetime, severity: str) -> bool:
        """Whether a message of this severity is held now. By the wall clock of the zone, whatever its summer time."""
        if severity in self.but:
            return False
        local = now.astimezone(ZoneInfo(self.zone))
        clock, today = local.time(), local.weekday()
        if self.from_ <= self.to:
            return self.from_ <= clock < self.to and WEEKDAYS[today] in self.days
        if clock >= self.from_:
            return WEEKDAYS[today] in self.days
        return clock < self.to and WEEKDAYS[today - 1] in self.days


class Throttle(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most so many messages to each sink in so long; the rest waits and goes out as one."""

    messages: int
    minutes: float


class Route(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Takes the alerts that fit everything it names; what it does not name fits all. An alert goes by every route
    that takes it.

    ``rule``, ``model`` and ``deployment`` may hold * and ?.
    """

    name: str
    sinks: tuple[str, ...]
    severity: tuple[Severity, ...] = get_args(Severity)
    rule: tuple[str, ...] = ()
    model: tuple[str, ...] = ()  # of the battery's passport
    deployment: tuple[str, ...] = ()
    provisional: bool = False  # tell at once, as provisional, and not only what is confirmed
    since: datetime | None = None  # not of alerts that found nothing since: for a first start over a long history
    group_seconds: float = 0.0  # gather for so long, and send as one
    throttle: Throttle | None = None
    quiet: Quiet | None = None

    def is_quiet(self, now: datetime, severity: str) -> bool:
        return self.quiet is not None and self.quiet.is_quiet(now, severity)


class Standing(Struct, frozen=True, kw_only=True):
    """An alert that stands, with what routes ask for."""

    alert: Alert
    model: str | None  # None where no battery is its subject, or the passport names none
    confirmed_severity: str | None  # of its findings that are deep enough; None where none is


def why_not(route: Route, standing: Standing, severity: str, *, to_begin: bool = False) -> str | None:
    """Why a route does not take an alert at this severity; None where it does. ``to_begin``: nor tells of it at all."""
    alert = standing.alert
    if severity not in route.severity:
        return f"severity {severity} is none of {', '.join(route.severity)}"
    for name, value, patterns in (
        ("rule", alert.rule, route.rule),
        ("model", standing.model, route.model),
        ("deployment", alert.deployment, route.deployment),
    ):
        if patterns and not (value is not None and any(fnmatchcase(value, pattern) for pattern in patterns)):
            return f"{name} {value if value is not None else '(none)'} is none of {', '.join(patterns)}"
    if to_begin and route.since is not None and datetime.fromisoformat(alert.last_time) < route.since:
        return f"its newest finding is of {alert.last_time}, before {route.since.isoformat()}"
    return None
