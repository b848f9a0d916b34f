"""The page on one battery: who it is, its course, its checks, what was believed and taken back, and every event."""

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from msgspec import Struct

from consumers.alerts import Alert, Selection, alert_then, list_alerts
from consumers.beliefs import Belief, read_beliefs
from consumers.dashboard.api import battery_key, where
from consumers.dashboard.charts.scale import number
from consumers.dashboard.layout import Layout, Page, Viewer
from consumers.dashboard.moment import Moment
from consumers.dashboard.pages.course import course_picture, worth
from consumers.dashboard.pages.links import alerts_link, battery_link, deployment_of, event_link, series_link
from consumers.dashboard.pages.matrix import COLUMNS, matrix_of
from consumers.dashboard.problems import Refused
from consumers.lives import VERDICTS, Counted
from consumers.passport import NamedKey, named_keys
from consumers.telling import ada, claimed, describe, percent
from consumers.text import visible
from consumers.timeline import Line, Timeline, read_timeline
from consumers.timeline_questions import Part
from indexer.events import OwnershipTokenMoved, decode_event
from projections.database import Connection
from projections.rules.catalogue import RULES

LINES: Final = 100
"""Events listed, the newest; links lead to earlier ones and to all."""

RECENT: Final = 200
"""Events that are read, and whose readings are drawn: of most batteries all. The script draws the others, too."""

EPOCHS: Final = 12
"""Keys that are shown; of more, the newest."""

MOST: Final = 5_000
"""Events that one page holds for who wants all, to print them."""

_PLACE: Final = re.compile(r"(\d{1,18})\.(\d{1,9})\.(\d{1,9})", re.ASCII)

_PASSPORT: Final = (
    ("manufacturer", "Manufacturer", ""),
    ("model", "Model", ""),
    ("chemistry", "Chemistry", ""),
    ("status", "Status", ""),
    ("cell_count", "Cells", ""),
    ("nominal_capacity_mah", "Nominal capacity", "mAh"),
    ("nominal_voltage_mv", "Nominal voltage", "mV"),
    ("soh_kind", "State of health is of", ""),
)


class Epoch(Struct, frozen=True, kw_only=True):
    """A key from when the passport named it, with the readings that it signed."""

    key: str
    algorithm: int | None
    since_slot: int
    since: str
    until_slot: int | None
    counted: Counted | None


class Holder(Struct, frozen=True, kw_only=True):
    """Who held the ownership token from when on."""

    payment: str
    kind: str
    since_slot: int
    since: str


class Told(Struct, frozen=True, kw_only=True):
    """One line of the list of events."""

    line: Line
    href: str
    words: tuple[str, ...]
    soh: str
    cycles: str
    counter: str
    results: tuple[tuple[str, str], ...]  # verdict, result
    worth: str


def battery(layout: Layout, connection: Connection, moment: Moment, query: Mapping[str, str], viewer: Viewer) -> Page:
    del viewer
    deployment, key = deployment_of(query), battery_key(query["battery_key"])
    step, _ = where(connection, moment)
    everything = "all" in query
    part = Part(
        lines=MOST if everything else RECENT,
        bodies=None if everything else LINES,
        course=False,
        before=_before(query.get("before")),
    )
    timeline = read_timeline(connection, deployment, key, step, as_of_slot=moment.as_of_slot, part=part)
    if timeline is None:
        raise Refused(
            HTTPStatus.NOT_FOUND,
            "no-such-battery",
            f"nothing is known of battery {key} at that moment: /batteries lists those that are known",
        )
    beliefs = read_beliefs(connection, deployment, key, step, as_of_slot=moment.as_of_slot)
    alerts: list[Alert] = []
    if moment.is_now:
        alerts = list_alerts(connection, Selection(deployment=deployment, battery=key))[1]
        alerts += list_alerts(connection, Selection(deployment=deployment, battery=key, withdrawn=True))[1]
    elif moment.as_of_slot is None:
        alerts = [alert_then(row, timeline.holds) for row in timeline.alerts]
    named = named_keys(connection, deployment, key, step, as_of_slot=moment.as_of_slot)
    return battery_page(layout, timeline, named, beliefs, alerts, moment, part=part)


def battery_page(  # noqa: PLR0913, PLR0917 - what the page shows
    layout: Layout,
    timeline: Timeline,
    named: Sequence[NamedKey],
    beliefs: Sequence[Belief],
    alerts: Sequence[Alert],
    moment: Moment,
    *,
    part: Part,
) -> Page:
    """``alerts``: that stand and that were withdrawn. ``part``: of the timeline; for print with all bodies."""
    everything = part.bodies is None
    battery = timeline.battery
    name = (
        visible(battery["battery_id_text"] or battery["battery_id"] or "") or f"battery {battery['battery_key'][:10]}…"
    )
    here = battery_link(moment, battery["deployment"], battery["battery_key"])
    lines = timeline.lines[::-1] if everything else timeline.lines[::-1][:LINES]
    epochs = _epochs(timeline, named)
    left_out = len(timeline.lines) - len(lines) + timeline.earlier
    columns = len(timeline.lines) if everything else COLUMNS
    body = layout.part(
        "battery.html",
        name=name,
        timeline=timeline,
        battery=battery,
        moment=moment,
        passport=list(_passport(battery["metadata"] or {})),
        account=_account(battery),
        rewards=ada(timeline.summary.rewards_lovelace),
        epochs=epochs[-EPOCHS:],
        earlier_epochs=max(len(epochs) - EPOCHS, 0),
        holders=_holders(timeline, whole=not timeline.earlier and part.before is None),
        alerts=[(alert, alerts_link(moment, alert=alert.alert), _meaning(alert.rule)) for alert in alerts],
        alerts_here=alerts_link(moment, battery=battery["battery_key"]),
        picture=course_picture(timeline, beliefs, moment),
        series=series_link(moment, battery),
        matrix=matrix_of(timeline.lines, battery, moment, columns),
        beliefs=[
            (
                each,
                event_link(moment, battery, each.event_id),
                event_link(moment, battery, each.stands_as) if each.stands_as else None,
                _belief(each),
            )
            for each in beliefs
        ],
        told=[_told(line, battery, moment) for line in lines],
        left_out=left_out,
        shown_lines=len(timeline.lines),
        earlier=timeline.earlier,
        is_later=part.before is not None,
        earlier_here=_link(battery, moment, lines, everything=everything) if left_out else None,
        all_here=battery_link(moment, battery["deployment"], battery["battery_key"], all="1"),
        most=MOST,
        here=here,
    )
    return Page(
        title=name,
        section="batteries",
        body=body,
        scripts=("vendor/uplot.js", "timeline.js", "matrix.js"),
        styles=("vendor/uplot.css",),
    )


def _before(text: str | None) -> tuple[int, int, int] | None:
    """A place in the chain's order, as the links to earlier events have it. Raises Refused."""
    if not text:
        return None
    match = _PLACE.fullmatch(text)
    if match is None:
        said = f"before is {text[:40]!r}: write a height, a transaction's place and an event's, such as 1200.0.2"
        raise Refused(HTTPStatus.BAD_REQUEST, "bad-parameter", said, parameter="before")
    return int(match[1]), int(match[2]), int(match[3])


def _link(battery: Mapping[str, Any], moment: Moment, lines: Sequence[Line], *, everything: bool) -> str:
    """To what came before these lines, which are newest first."""
    last = lines[-1]
    more = {"before": f"{last.height}.{last.transaction_index}.{last.event_index}"}
    more |= {"all": "1"} if everything else {}
    return battery_link(moment, battery["deployment"], battery["battery_key"], **more)


def _passport(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for field, title, unit in _PASSPORT:
        if field in metadata:
            value = metadata[field]
            words = number(value) if type(value) is int and abs(value) < 10**12 else visible(str(value))[:80]
            yield title, f"{words} {unit}".strip()


def _account(battery: Mapping[str, Any]) -> str:
    match battery["account_open"]:
        case None:
            return "none was seen"
        case False:
            return "closed"
        case _:
            left = "" if battery["account_lovelace"] is None else f", {ada(battery['account_lovelace'])} left"
            reward = battery["account_reward_per_read"]
            paid = "" if reward is None else f", {ada(int(reward))} for a reading" if reward < 10**15 else ""
            return f"open{left}{paid}"


def _epochs(timeline: Timeline, named: Sequence[NamedKey]) -> list[Epoch]:
    counted = {each.public_key: each for each in timeline.summary.counters}
    epochs = [
        Epoch(
            key=each.key,
            algorithm=each.algorithm,
            since_slot=each.slot,
            since=each.time,
            until_slot=named[at + 1].slot if at + 1 < len(named) else None,
            counted=counted.pop(each.key, None),
        )
        for at, each in enumerate(named)
    ]
    # A key that no passport named, and that an account made readings be judged by all the same.
    epochs += [
        Epoch(key=key, algorithm=None, since_slot=each.first_slot, since="", until_slot=None, counted=each)
        for key, each in counted.items()
    ]
    return epochs


def _holders(timeline: Timeline, *, whole: bool) -> list[Holder]:
    """The newest first; where not all lines are there, the one of now."""
    if not whole:
        owner, kind = timeline.battery["owner"], timeline.battery["owner_kind"]
        since = timeline.battery["owner_since_slot"]
        return [] if since is None else [Holder(payment=owner or "", kind=kind or "nobody", since_slot=since, since="")]
    holders: list[Holder] = []
    for line in timeline.lines:
        if line.type != "ownership_token_moved":
            continue
        event = decode_event(bytes(line.event))
        assert isinstance(event, OwnershipTokenMoved)
        payment = event.output.payment or ""
        if not holders or holders[-1].payment != payment:
            kind = event.output.payment_kind or "nobody"
            holders.append(Holder(payment=payment, kind=kind, since_slot=line.slot, since=line.time))
    return holders[::-1]


def _told(line: Line, battery: Mapping[str, Any], moment: Moment) -> Told:
    reading, verdict = line.reading or {}, line.verdict
    found = [f"{each['rule']} {each['severity']}: {_name(each['rule'])}" for each in line.findings]
    return Told(
        line=line,
        href=event_link(moment, battery, line.event_id),
        words=(*describe(line), *found),
        soh=percent(reading.get("soh_bp")),
        cycles=claimed(reading.get("cycle_count")),
        counter=claimed(reading.get("counter")),
        results=tuple((each, verdict[each]) for each in VERDICTS) if verdict else (),
        worth=worth(line) if line.reading else "",
    )


def _belief(each: Belief) -> str:
    """What was believed, in words."""
    what = each.type.replace("_", " ")
    if each.soh_bp is None:
        return what
    verdicts = [name for name in VERDICTS if getattr(each, name) == "failed"]
    judged = f"{', '.join(verdicts)} failed" if verdicts else "no verdict failed" if each.ledger else "not judged"
    return (
        f"{what}: {percent(each.soh_bp)}, {claimed(each.cycle_count)} cycles, counter {claimed(each.counter)}; {judged}"
    )


def _name(rule: str) -> str:
    return RULES[rule].name if rule in RULES else "an earlier rule"


def _meaning(rule: str) -> str:
    return RULES[rule].meaning if rule in RULES else ""
