"""The page on one event: its place, each check with its reasons, what was found, and the bytes as received."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from msgspec import Struct

from consumers.beliefs import Evidence, read_evidence
from consumers.dashboard.api import battery_key, where
from consumers.dashboard.layout import Layout, Page, Viewer
from consumers.dashboard.moment import Moment
from consumers.dashboard.pages.links import battery_link, deployment_of, event_link
from consumers.dashboard.pages.matrix import explained
from consumers.dashboard.problems import Refused
from consumers.lives import VERDICTS
from consumers.telling import claimed, percent
from consumers.text import short, visible
from consumers.timeline import Line, Timeline, read_timeline
from indexer.events import ReadingRejected, ReadingSubmitted, decode_event
from projections.database import Connection
from projections.rules.catalogue import RULES
from projections.verdicts.words import why

EVENT_HEX: Final = 64
BYTES_A_LINE: Final = 32
GREATEST_SHOWN: Final = 64 * 1024  # characters of JSON: a transaction holds 16 KiB

_VALUES: Final = (
    ("soh_bp", "State of health", "percent"),
    ("soc_bp", "State of charge", "percent"),
    ("cycle_count", "Cycles", ""),
    ("counter", "Counter", ""),
    ("voltage_mv", "Voltage", "mV"),
    ("current_ma", "Current (charging is positive)", "mA"),
    ("full_charge_capacity_mah", "Capacity when full", "mAh"),
    ("temp_min_c", "Coldest cell", "°C"),
    ("temp_max_c", "Warmest cell", "°C"),
    ("energy_throughput_wh", "Energy throughput", "Wh"),
    ("cell_count", "Cells", ""),
)


class Raw(Struct, frozen=True, kw_only=True):
    """Bytes as received."""

    title: str
    length_bytes: int
    lines: tuple[tuple[str, str], ...]  # offset and up to 32 bytes, hex


def event(layout: Layout, connection: Connection, moment: Moment, query: Mapping[str, str], viewer: Viewer) -> Page:
    del viewer
    deployment, key, event_id = deployment_of(query), battery_key(query["battery_key"]), query["event_id"].lower()
    if len(event_id) != EVENT_HEX or not all(each in "0123456789abcdef" for each in event_id):
        raise Refused(HTTPStatus.BAD_REQUEST, "bad-parameter", "an event's id is 64 hex digits", parameter="event_id")
    evidence = read_evidence(connection, deployment, key, event_id)
    if evidence is None:
        raise Refused(HTTPStatus.NOT_FOUND, "no-such-event", "no event of this battery has that id, now or in the past")
    step, _ = where(connection, moment)
    timeline = read_timeline(connection, deployment, key, step, as_of_slot=moment.as_of_slot)
    return event_page(layout, evidence, timeline, {"deployment": deployment, "battery_key": key}, moment)


def event_page(
    layout: Layout, evidence: Evidence, timeline: Timeline | None, battery: Mapping[str, Any], moment: Moment
) -> Page:
    """``timeline`` may lack the event: one that was taken back has its evidence all the same."""
    lines = timeline.lines if timeline else []
    at = next((at for at, line in enumerate(lines) if line.event_id == evidence.event["event_id"]), None)
    line = None if at is None else lines[at]
    readings = [each for each in lines if each.reading is not None]
    place = next((number for number, each in enumerate(readings) if line and each.event_id == line.event_id), None)
    name = (timeline.battery["battery_id_text"] if timeline else None) or battery["battery_key"][:10]
    body = layout.part(
        "event.html",
        evidence=evidence,
        event=evidence.event,
        line=line,
        name=visible(name),
        battery_href=battery_link(moment, battery["deployment"], battery["battery_key"]),
        what=evidence.event["type"].replace("_", " "),
        verdicts=list(_verdicts(evidence.verdict)),
        checks=list(explained(evidence.verdict)) if evidence.verdict else [],
        findings=list(_findings(evidence)),
        values=list(_values(evidence.reading)) if evidence.reading else [],
        reading=evidence.reading,
        raws=list(_raws(evidence)),
        json=_json(evidence),
        earlier=_neighbour(readings, place, -1, battery, moment),
        later=_neighbour(readings, place, 1, battery, moment),
        now=moment.is_now,
    )
    return Page(title=f"{evidence.event['type'].replace('_', ' ')} of {visible(name)}", section="batteries", body=body)


def _neighbour(
    readings: list[Line], place: int | None, by: int, battery: Mapping[str, Any], moment: Moment
) -> str | None:
    if place is None or not 0 <= place + by < len(readings):
        return None
    return event_link(moment, battery, readings[place + by].event_id)


def _verdicts(verdict: Mapping[str, Any] | None) -> Iterator[tuple[str, str, str]]:
    for name in VERDICTS if verdict else ():
        assert verdict is not None
        yield name, verdict[name], "; ".join(why(reason) for reason in verdict[f"{name}_reasons"])


def _findings(evidence: Evidence) -> Iterator[tuple[str, str, str, str, str, str]]:
    for each in evidence.findings:
        rule = RULES.get(each["rule"])
        yield (
            each["rule"],
            rule.name if rule else "an earlier rule",
            each["severity"],
            rule.meaning if rule else "",
            _numbers(each["values"]),
            _numbers(each["thresholds"]),
        )


def _numbers(values: Mapping[str, Any]) -> str:
    return visible(", ".join(f"{name} {short(value)}" for name, value in values.items() if value is not None))


def _values(reading: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for field, title, unit in _VALUES:
        value = reading[field]
        if value is not None:
            yield title, percent(value) if unit == "percent" else f"{claimed(value)} {unit}".strip()


def _raws(evidence: Evidence) -> Iterator[Raw]:
    said = decode_event(bytes(evidence.body))
    if isinstance(said, ReadingSubmitted | ReadingRejected):
        for title, text in (("COSE_Sign1, as received", said.cose), ("Redeemer, Plutus data", said.redeemer)):
            if text:
                yield _raw(title, text)


def _raw(title: str, text: str) -> Raw:
    width = 2 * BYTES_A_LINE
    lines = tuple((f"{at // 2:04x}", text[at : at + width]) for at in range(0, len(text), width))
    return Raw(title=title, length_bytes=len(text) // 2, lines=lines)


def _json(evidence: Evidence) -> str:
    text = msgspec.json.format(bytes(evidence.body), indent=2).decode()
    return text if len(text) <= GREATEST_SHOWN else f"{text[:GREATEST_SHOWN]}\n… cut here"
