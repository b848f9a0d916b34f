"""The inbox of alerts: a list by gravity with the evidence beside it, and what a person may do about each."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Literal, cast

from msgspec import Struct
from msgspec.structs import asdict, replace

from consumers.alerts import (
    STATES,
    Alert,
    Count,
    Selection,
    State,
    Story,
    count_alerts,
    find_alert,
    list_alerts,
    read_story,
)
from consumers.alerts_then import list_alerts_then, read_story_then
from consumers.dashboard.api import where
from consumers.dashboard.layout import Layout, Page, Viewer
from consumers.dashboard.moment import Moment
from consumers.dashboard.pages.links import alerts_link, battery_link, event_link
from consumers.dashboard.problems import Refused
from consumers.text import short, visible
from consumers.timeline import Holds
from projections.database import Connection
from projections.rules.catalogue import RULES
from projections.rules.thresholds import DEFAULT

Shown = Literal["open", "acknowledged", "closed", "withdrawn", "all"]

SHOWN: Final[tuple[Shown, ...]] = ("open", "acknowledged", "closed", "withdrawn", "all")
SEVERITIES: Final = ("critical", "high", "warning")
LIMIT: Final = 100
NAME_DIGITS: Final = 20


class Asked(Struct, frozen=True, kw_only=True):
    """What of the inbox is shown, as its address says."""

    state: Shown = "open"
    severity: str = ""
    rule: str = ""
    battery: str = ""
    q: str = ""
    alert: str = ""  # whose evidence stands beside the list
    page: int = 0

    def query(self, **other: str) -> dict[str, str]:
        """The address' parameters, with others instead; empty ones are left out."""
        said = {name: "" if value == 0 else str(value) for name, value in asdict(self).items()} | other
        return {name: value for name, value in said.items() if value and (name, value) != ("state", "open")}


class Row(Struct, frozen=True, kw_only=True):
    """One alert of the list."""

    alert: Alert
    href: str
    about: str


class Facet(Struct, frozen=True, kw_only=True):
    """Something to narrow the list by."""

    name: str
    words: str
    count: int | None
    href: str
    chosen: bool


def alerts(layout: Layout, connection: Connection, moment: Moment, query: Mapping[str, str], viewer: Viewer) -> Page:
    asked = read_asked(query)
    step, _ = where(connection, moment)
    selection = _selection(asked)
    story: Story | None = None
    if moment.is_now:
        holds, found = list_alerts(connection, replace(selection, limit=(asked.page + 1) * LIMIT + 1))
        counts = count_alerts(connection, holds, replace(selection, severities=None, rule=None))
        if chosen := _chosen(connection, asked.alert, found):
            story = read_story(connection, holds, chosen)
    else:
        everything = replace(selection, severities=None, rule=None)
        holds, stood = list_alerts_then(connection, everything, step, moment.as_of_slot)
        counts = _counts(stood)
        found = [each for each in stood if asked.severity in ("", each.severity) and asked.rule in ("", each.rule)]
        chosen = next((each for each in found if each.alert == asked.alert), None)
        if chosen:
            story = read_story_then(connection, holds, chosen, step, moment.as_of_slot)
    if asked.alert and story is None:
        raise Refused(HTTPStatus.NOT_FOUND, "no-such-alert", f"there is no alert {asked.alert[:40]} at that moment")
    part = found[asked.page * LIMIT : (asked.page + 1) * LIMIT]
    more = len(found) > (asked.page + 1) * LIMIT
    return alerts_page(layout, asked, part, counts, story, moment, viewer, more=more)


def one_alert(layout: Layout, connection: Connection, moment: Moment, query: Mapping[str, str], viewer: Viewer) -> Page:
    """An alert by its own address: the inbox with it beside, whatever its state."""
    return alerts(layout, connection, moment, {"state": "all", **query}, viewer)


def read_asked(query: Mapping[str, str]) -> Asked:
    """Raises Refused for what can't be."""
    state, severity, rule = query.get("state") or "open", query.get("severity", ""), query.get("rule", "")
    page, alert = query.get("page") or "0", query.get("alert", "").lower()
    is_name = len(alert) in (0, NAME_DIGITS) and all(each in "0123456789abcdef" for each in alert)
    for name, value, good, such in (
        ("state", state, state in SHOWN, f"one of {', '.join(SHOWN)}"),
        ("severity", severity, severity in ("", *SEVERITIES), f"one of {', '.join(SEVERITIES)}"),
        ("rule", rule, not rule or rule in RULES, "a rule such as R04"),
        ("page", page, page.isascii() and page.isdecimal() and len(page) < 4, "a number from 0"),
        ("alert", alert, is_name, "20 hex digits"),
    ):
        if not good:
            said = f"{name} is {value[:40]!r}: write {such}"
            raise Refused(HTTPStatus.BAD_REQUEST, "bad-parameter", said, parameter=name)
    return Asked(
        state=cast("Shown", state),
        severity=severity,
        rule=rule,
        battery=query.get("battery", "").strip()[:200],
        q=query.get("q", "").strip()[:200],
        alert=alert,
        page=int(page),
    )


def alerts_page(  # noqa: PLR0913, PLR0917 - what the page shows
    layout: Layout,
    asked: Asked,
    found: Sequence[Alert],
    counts: Sequence[Count],
    story: Story | None,
    moment: Moment,
    viewer: Viewer,
    *,
    more: bool = False,
) -> Page:
    """The whole page."""
    states: Counter[str] = Counter()
    severities: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    for each in counts:
        fits = asked.severity in ("", each.severity) and asked.rule in ("", each.rule)
        states[each.state] += each.alerts if fits else 0
        if asked.state in ("all", each.state) or not moment.is_now:
            severities[each.severity] += each.alerts if asked.rule in ("", each.rule) else 0
            rules[each.rule] += each.alerts if asked.severity in ("", each.severity) else 0
    body = layout.part(
        "alerts.html",
        asked=asked,
        moment=moment,
        viewer=viewer,
        rows=[_row(each, asked, moment) for each in found],
        states=list(_states(asked, states, moment)) if moment.is_now else [],
        severities=[
            Facet(
                name=name,
                words=name,
                count=severities[name],
                href=_narrowed(asked, moment, severity="" if asked.severity == name else name),
                chosen=asked.severity == name,
            )
            for name in SEVERITIES
        ],
        rules=[(rule, _name(rule), count) for rule, count in rules.most_common() if count],
        total=sum(rules.values()),
        told=_told(story, moment) if story else None,
        next_href=alerts_link(moment, **asked.query(page=str(asked.page + 1), alert="")) if more else None,
        before_href=alerts_link(moment, **asked.query(page=str(asked.page - 1) if asked.page > 1 else "", alert=""))
        if asked.page
        else None,
        everything=alerts_link(moment, state="all"),
        kept=asked.query(q="", rule="", alert="", page="") | moment.parameters(),
        here=alerts_link(moment, **asked.query()),
    )
    return Page(title="Alerts", section="alerts", body=body, scripts=("inbox.js",))


def _chosen(connection: Connection, name: str, found: Sequence[Alert]) -> Alert | None:
    """From the list, or from all: a link to an alert must not go dead because somebody closed it."""
    if not name:
        return None
    listed = next((each for each in found if each.alert == name), None)
    return listed or next(iter(find_alert(connection, name)[1]), None)


def _selection(asked: Asked) -> Selection:
    states: tuple[State, ...] | None = tuple(each for each in STATES if asked.state in ("all", each)) or None
    return Selection(
        states=states,
        severities=(asked.severity,) if asked.severity else None,
        battery=asked.battery or None,
        rule=asked.rule or None,
        search=asked.q,
        withdrawn=asked.state == "withdrawn",
    )


def _counts(stood: Sequence[Alert]) -> list[Count]:
    said = Counter((each.rule, each.severity) for each in stood)
    return [
        Count(rule=rule, severity=severity, state="open", alerts=count, not_final=0)
        for (rule, severity), count in said.items()
    ]


def _states(asked: Asked, states: Mapping[str, int], moment: Moment) -> Iterator[Facet]:
    for name in SHOWN:
        count = {"withdrawn": None, "all": sum(states.values())}.get(name, states.get(name, 0))
        href = _narrowed(asked, moment, state=name)
        yield Facet(name=name, words=name, count=count, href=href, chosen=asked.state == name)


def _narrowed(asked: Asked, moment: Moment, **other: str) -> str:
    """The list from its beginning, with no evidence beside it."""
    return alerts_link(moment, **asked.query(**other, alert="", page=""))


def _name(rule: str) -> str:
    return RULES[rule].name if rule in RULES else "an earlier rule"


def _row(alert: Alert, asked: Asked, moment: Moment) -> Row:
    return Row(alert=alert, href=alerts_link(moment, **asked.query(alert=alert.alert)), about=about(alert))


def about(alert: Alert) -> str:
    """The subject as people know it."""
    if alert.subject_kind != "battery":
        return f"{alert.subject_kind} {alert.subject[:10]}…"
    return visible(alert.battery) if alert.battery else f"battery {alert.subject[:10]}…"


def _told(story: Story, moment: Moment) -> dict[str, Any]:
    """All that the evidence says, for the template."""
    alert, rule, holds = story.alert, RULES.get(story.alert.rule), story.holds
    numbers = asdict(DEFAULT) | (story.findings[0]["thresholds"] if story.findings else {})
    battery = {"deployment": alert.deployment, "battery_key": alert.subject}
    return {
        "alert": alert,
        "about": about(alert),
        "meaning": rule.meaning if rule else "an earlier rule",
        "formula": rule.formula.format(**numbers) if rule else "",
        "source": rule.source if rule else "",
        "battery": battery_link(moment, alert.deployment, alert.subject) if alert.subject_kind == "battery" else None,
        "findings": [
            {
                **each,
                "numbers": _said(each["values"]),
                "against": _said(each["thresholds"]),
                "stage": "withdrawn" if each["known_until_step"] is not None else _stage(holds, each["height"]),
                "href": event_link(moment, battery, each["event_id"]) if "event_id" in each else None,
            }
            for each in story.findings
        ],
        "acts": [{**act, "who": visible(act["who"]), "why": visible(act["why"])} for act in story.acts],
    }


def _stage(holds: Holds, height: int) -> str:
    finality = holds.finality(height)
    return "provisional" if finality == "pending" else finality


def _said(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), visible(short(value))) for name, value in values.items() if value is not None]
