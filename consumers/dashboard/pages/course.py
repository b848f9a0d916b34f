"""A battery's course for its page: lanes and plots for the picture, columns for the script that zooms."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup
from msgspec import Struct

from consumers.beliefs import Belief
from consumers.dashboard.charts.course import Interval, Lane, Plot, Sample, Sign, course_chart
from consumers.dashboard.moment import Moment
from consumers.dashboard.pages.links import alerts_link, event_link
from consumers.lives import VERDICTS
from consumers.telling import percent
from consumers.timeline import Line, Timeline
from projections.rules.catalogue import RULES

GREATEST: Final = 10**9
"""Beyond it a claimed value is drawn at the edge: nobody's battery has so many cycles."""

LIFE_WORDS: Final = {"consumed": "answered by a reading", "open": "open", "expired": "expired unanswered"}


class Measured(Struct, frozen=True):
    """One of the plots: what of a reading it shows, and in which unit."""

    title: str
    unit: str
    field: str
    divisor: int
    height: int
    least_span: float
    low_field: str | None = None


MEASURED: Final = (
    Measured("State of health", "%", "soh_bp", 100, 120, 2.0),
    Measured("Cycles", "", "cycle_count", 1, 60, 4.0),
    Measured("Counter", "", "counter", 1, 60, 4.0),
    Measured("Voltage", "V", "voltage_mv", 1000, 60, 1.0),
    Measured("Temperature, coldest to warmest cell", "°C", "temp_max_c", 1, 60, 4.0, "temp_min_c"),
)


class TakenBack(Struct, frozen=True):
    """Readings that were believed until a rollback, as columns."""

    at: list[float]
    words: list[str]
    hrefs: list[str]
    values: list[list[float | None]]  # of each plot


class Series(Struct, frozen=True):
    """The same as columns, for the script: a place each reading, an empty one where a value is missing."""

    at: list[float]  # Unix seconds, rising
    worth: list[str]  # "", failed, aside, rejected
    words: list[str]
    hrefs: list[str]
    plots: list[dict[str, Any]]  # title, unit, values, lows or null
    lanes: list[dict[str, Any]]  # title, intervals [begin, end, kind, words, href], signs [at, severity, words, href]
    span: tuple[float, float]  # from when to when the course goes, Unix seconds
    taken_back: TakenBack  # readings that a rollback took back


def course_picture(timeline: Timeline, beliefs: Sequence[Belief], moment: Moment) -> Markup | None:
    """None where there is no reading yet."""
    lines = _readings(timeline)
    if not lines:
        return None
    past = _past(beliefs)
    plots = [_plot(each, lines, past, timeline, moment) for each in MEASURED]
    name = timeline.battery["battery_id_text"] or timeline.battery["battery_key"]
    return course_chart(
        "course",
        f"Course of battery {name}",
        f"{len(lines)} readings over time: state of health, cycles, counter, voltage and temperature; above them "
        "findings, commitments and how old readings may have been. The tables below say the same.",
        lanes(timeline, moment),
        plots,
        _span(timeline, lines, past),
    )


def course_series(timeline: Timeline, beliefs: Sequence[Belief], moment: Moment) -> Series:
    """Every reading, for the script."""
    lines = _readings(timeline)
    past = _past(beliefs)

    def column(field: str | None, divisor: int) -> list[float | None] | None:
        if field is None:
            return None
        return [None if (v := value_of(line, field)) is None else v / divisor for line in lines]

    return Series(
        [seconds(line.time) for line in lines],
        [worth(line) for line in lines],
        [_words(line) for line in lines],
        [_href(line, timeline, moment) for line in lines],
        [
            {
                "title": each.title,
                "unit": each.unit,
                "values": column(each.field, each.divisor),
                "lows": column(each.low_field, each.divisor),
            }
            for each in MEASURED
        ],
        [
            {
                "title": lane.title,
                "intervals": [[i.begin, i.end, i.class_, i.words, i.href] for i in lane.intervals],
                "signs": [[s.at, s.severity, s.words, s.href] for s in lane.signs],
            }
            for lane in lanes(timeline, moment)
        ],
        _span(timeline, lines, past) if lines else (0.0, 0.0),
        TakenBack(
            [seconds(each.time) for each in past],
            [_past_words(each) for each in past],
            [event_link(moment, timeline.battery, each.event_id) for each in past],
            [[_past_value(each, plot) for each in past] for plot in MEASURED],
        ),
    )


def lanes(timeline: Timeline, moment: Moment) -> tuple[Lane, ...]:
    """What was found, commitments as they lasted, and how old each reading may have been."""
    end = _end(timeline)
    return (
        Lane("Findings of warning and above", signs=tuple(_signs(timeline, moment))),
        Lane("Commitments, from the challenge to its end", tuple(_commitments(timeline, end, moment))),
        Lane("Age of readings: not older than", tuple(_ages(timeline, moment))),
    )


def worth(line: Line) -> str:
    """How a reading is drawn: as any other is empty."""
    reading, verdict = line.reading, line.verdict
    if reading is None or reading["rejected"]:
        return "rejected"
    if verdict is not None and verdict["quarantined"]:
        return "aside"
    if reading["account_unproven"]:
        return "rejected"
    failed = verdict is not None and "failed" in (verdict[name] for name in VERDICTS)
    return "failed" if failed else ""


def value_of(line: Line, field: str) -> int | None:
    value = line.reading[field] if line.reading else None
    return None if value is None else max(-GREATEST, min(GREATEST, int(value)))


def seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _readings(timeline: Timeline) -> list[Line]:
    return [line for line in timeline.lines if line.reading is not None]


def _plot(
    measured: Measured, lines: Sequence[Line], past: Sequence[Belief], timeline: Timeline, moment: Moment
) -> Plot:
    samples = []
    for line in lines:
        value = value_of(line, measured.field)
        low = value_of(line, measured.low_field) if measured.low_field else None
        if value is None:
            continue
        samples.append(
            Sample(
                seconds(line.time),
                value / measured.divisor,
                worth(line),
                _words(line),
                _href(line, timeline, moment),
                None if low is None else low / measured.divisor,
            )
        )
    for each in past:
        taken = _past_value(each, measured)
        if taken is not None:
            href = event_link(moment, timeline.battery, each.event_id)
            samples.append(Sample(seconds(each.time), taken, "past", _past_words(each), href))
    return Plot(measured.title, measured.unit, measured.height, tuple(samples), measured.least_span)


def _past(beliefs: Sequence[Belief]) -> list[Belief]:
    return [each for each in beliefs if each.type.startswith("reading")]


def _past_value(belief: Belief, measured: Measured) -> float | None:
    """None where of what was taken back this value is not kept."""
    value = getattr(belief, measured.field, None)
    return None if value is None else max(-GREATEST, min(GREATEST, int(value))) / measured.divisor


def _past_words(belief: Belief) -> str:
    when, again = belief.time[:16].replace("T", " "), ", stands again elsewhere" if belief.stands_as else ""
    return f"reading of {when} UTC, believed until step {belief.taken_back_at_step}: taken back by a rollback{again}"


def _words(line: Line) -> str:
    reading = line.reading or {}
    said = (
        f"reading of {line.time[:16].replace('T', ' ')} UTC: {percent(reading.get('soh_bp')) or 'no state of health'}"
    )
    state = {"": "", "failed": ", a verdict failed", "aside": ", put aside", "rejected": ", moves nothing"}[worth(line)]
    return f"{said}, {line.finality}{state}"


def _href(line: Line, timeline: Timeline, moment: Moment) -> str:
    return event_link(moment, timeline.battery, line.event_id)


def _signs(timeline: Timeline, moment: Moment) -> Iterator[Sign]:
    for line in timeline.lines:
        for finding in line.findings:
            if finding["severity"] in ("warning", "high", "critical"):
                rule = RULES.get(finding["rule"])
                words = f"{finding['severity']}: {finding['rule']} {rule.name if rule else ''}, {line.time[:10]}"
                battery = timeline.battery["battery_key"]
                href = alerts_link(moment, battery=battery, rule=finding["rule"])
                yield Sign(seconds(line.time), finding["severity"], words, href)


def _commitments(timeline: Timeline, end: float, moment: Moment) -> Iterator[Interval]:
    for line in timeline.lines:
        each = line.commitment
        if each is None:
            continue
        begin = seconds(line.time)
        lasted = each["age_slots"]
        if lasted is None:
            greatest = each["max_age_slots"]
            lasted = end - begin if greatest is None else min(float(greatest), max(end - begin, 0.0))
        words = f"commitment of {line.time[:16].replace('T', ' ')}: {LIFE_WORDS.get(each['life'], each['life'])}"
        yield Interval(
            begin, begin + float(lasted), each["life"], words, event_link(moment, timeline.battery, line.event_id)
        )


def _ages(timeline: Timeline, moment: Moment) -> Iterator[Interval]:
    for line in timeline.lines:
        if line.age is None:
            continue
        most, published = line.age["most_slots"], line.age["most_slots_if_not_precomputed"]
        age = published if most is None else most
        sure = "nothing bounds it if the challenge was computed beforehand" if most is None else "by the chain's inputs"
        words = f"reading of {line.time[:10]}: at most {age} slots old; {sure}"
        at = seconds(line.time)
        kind = "unbounded" if most is None else "bounded"
        yield Interval(at - age, at, kind, words, event_link(moment, timeline.battery, line.event_id))


def _end(timeline: Timeline) -> float:
    """Where the page speaks: at its slot, by the slots and times of the newest line (a slot is a second)."""
    newest = timeline.lines[-1]
    slot = timeline.holds.as_of_slot or timeline.holds.slot or newest.slot
    return seconds(newest.time) + max(0, slot - newest.slot)


def _span(timeline: Timeline, lines: Sequence[Line], past: Sequence[Belief]) -> tuple[float, float]:
    # What was taken back may have been newer than all that stands.
    gone = [seconds(each.time) for each in past]
    begin = min([seconds(lines[0].time), *gone])
    end = max([seconds(timeline.lines[-1].time), _end(timeline), *gone])
    spare = max((end - begin) * 0.01, 60.0)
    return begin - spare, end + spare
