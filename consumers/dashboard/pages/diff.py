"""The page on what is different now from a moment of the past: a battery's events, or a fleet's numbers and alerts."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from consumers.alerts import Alert, Selection, list_alerts
from consumers.alerts_then import list_alerts_then
from consumers.dashboard.api import where
from consumers.dashboard.layout import Layout, Page, Viewer
from consumers.dashboard.moment import NOW, Moment
from consumers.dashboard.pages.links import alerts_link, battery_link, deployment_of, event_link
from consumers.fleet import Fleet, read_fleet
from consumers.text import visible
from consumers.timeline import Line, Timeline, read_timeline
from projections.database import Connection

SHOWN: Final = 200
"""Of each kind; what is beyond is counted."""

ALERTS: Final = 10_000
_BATTERY: Final = re.compile(r"/batteries/(?P<deployment>[^/]+)/(?P<battery_key>[0-9a-f]{56})(?:/.*)?")


class Number(Struct, frozen=True):
    """One number of a fleet, then and now."""

    words: str
    then: int
    now: int

    @property
    def change(self) -> int:
        return self.now - self.then


class Told(Struct, frozen=True):
    """One event or alert that stands at one of the two moments only, or otherwise than before."""

    what: str
    height: int
    slot: int
    time: str
    detail: str
    href: str


class Difference(Struct, frozen=True, kw_only=True):
    """What the page shows."""

    numbers: list[Number]
    gone: list[Told]  # stood then, and does not now
    new: list[Told]
    changed: list[Told]
    things: str  # what they are, in words


def diff(layout: Layout, connection: Connection, moment: Moment, query: Mapping[str, str], viewer: Viewer) -> Page:
    """``path`` in the address is the page that was looked at."""
    del viewer
    path = query.get("path", "/")
    step, holds = where(connection, moment)
    match = _BATTERY.fullmatch(path)
    if match is not None:
        deployment, key = deployment_of({"deployment": unquote(match["deployment"])}), match["battery_key"]
        said = _of_battery(
            read_timeline(connection, deployment, key, step, as_of_slot=moment.as_of_slot),
            read_timeline(connection, deployment, key),
            moment,
        )
        back = battery_link(moment, deployment, key)
    else:
        said = _of_fleet(connection, step, moment)
        back = moment.link("/")
    body = layout.part("diff.html", said=said, moment=moment, holds=holds, back=back, shown=SHOWN)
    return Page(title="What is different now", section="batteries" if match else "fleet", body=body)


def _of_battery(then: Timeline | None, now: Timeline | None, moment: Moment) -> Difference:
    before = {line.fact: line for line in then.lines} if then else {}
    after = {line.fact: line for line in now.lines} if now else {}
    battery = (now or then).battery if now or then else {}  # type: ignore[union-attr]

    def told(line: Line, detail: str, at: Moment) -> Told:
        href = event_link(at, battery, line.event_id)
        return Told(line.type.replace("_", " "), line.height, line.slot, line.time, detail, href)

    changed = [
        told(after[fact], _otherwise(line, after[fact]), NOW)
        for fact, line in before.items()
        if fact in after and _otherwise(line, after[fact])
    ]
    return Difference(
        numbers=[
            Number("events", len(before), len(after)),
            Number("readings", *(sum(line.reading is not None for line in part.values()) for part in (before, after))),
            Number("findings", *(sum(len(line.findings) for line in part.values()) for part in (before, after))),
        ],
        gone=[told(line, "is not on the chain any more", moment) for fact, line in before.items() if fact not in after],
        new=[told(line, line.finality, NOW) for fact, line in after.items() if fact not in before],
        changed=changed,
        things="events",
    )


def _otherwise(then: Line, now: Line) -> str:
    """In words what is told otherwise of a fact that stands at both moments; empty where nothing is."""
    said = []
    if (then.block, then.height) != (now.block, now.height):
        said.append(f"stands in another block, at height {now.height:,} and not {then.height:,}")
    if then.finality != now.finality:
        said.append(f"was {then.finality}, is {now.finality}")
    if then.verdict and now.verdict:
        said += [
            f"{name}: was {then.verdict[name].replace('_', ' ')}, is {now.verdict[name].replace('_', ' ')}"
            for name in ("ledger", "crypto", "binding", "plausibility")
            if then.verdict[name] != now.verdict[name]
        ]
    if len(then.findings) != len(now.findings):
        said.append(f"had {len(then.findings)} findings, has {len(now.findings)}")
    return "; ".join(said)


def _of_fleet(connection: Connection, step: int | None, moment: Moment) -> Difference:
    then, now = read_fleet(connection, step, as_of_slot=moment.as_of_slot), read_fleet(connection)
    before = {each.alert: each for each in list_alerts_then(connection, Selection(), step, moment.as_of_slot)[1]}
    after = {each.alert: each for each in list_alerts(connection, Selection(limit=ALERTS))[1]}

    def told(alert: Alert, detail: str, at: Moment) -> Told:
        what = f"{alert.severity} {alert.rule}: {alert.name}, {visible(alert.battery or alert.subject[:16])}"
        return Told(
            what, alert.last_height, alert.last_slot, alert.last_time, detail, alerts_link(at, alert=alert.alert)
        )

    return Difference(
        numbers=list(_numbers(then, now))
        + [Number("alerts", len(before), len(after))]
        + [
            Number(
                f"{severity} alerts", *(sum(a.severity == severity for a in part.values()) for part in (before, after))
            )
            for severity in ("critical", "high", "warning")
        ],
        gone=[told(alert, "does not stand any more", moment) for name, alert in before.items() if name not in after],
        new=[told(alert, alert.stage, NOW) for name, alert in after.items() if name not in before],
        changed=[
            told(after[name], f"had {alert.findings} findings, has {after[name].findings}", NOW)
            for name, alert in before.items()
            if name in after and alert.findings != after[name].findings
        ],
        things="alerts",
    )


def _numbers(then: Fleet, now: Fleet) -> list[Number]:
    def both(words: str, count: str) -> Number:
        return Number(words, *(sum(getattr(model, count) for model in part.models) for part in (then, now)))

    return [
        both("batteries", "batteries"),
        both("batteries with a reading", "batteries_read"),
        Number("readings", then.readings, now.readings),
        Number("readings that the chain rejected", then.rejected, now.rejected),
    ]
