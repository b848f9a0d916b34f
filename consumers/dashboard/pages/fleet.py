"""The page on a fleet: what is wrong in it, how it ages, what was read, and what nobody can see here."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Final

from markupsafe import Markup
from msgspec import Struct

from consumers.dashboard.api import where
from consumers.dashboard.charts.bars import Column, Part, columns, row
from consumers.dashboard.charts.fade import Slice, Stand, fade_chart
from consumers.dashboard.charts.scale import Scale, number, scale_of
from consumers.dashboard.layout import Layout, Page, Viewer
from consumers.dashboard.moment import Moment
from consumers.dashboard.pages.links import alerts_link, batteries_link, battery_link
from consumers.fleet import SILENT_DAYS, Day, Fleet, Model, Newest, Period, Raised, Tenth, read_fleet
from consumers.lives import VERDICTS
from projections.database import Connection
from projections.rules.catalogue import RULES

PANELS: Final = 24
"""Models with a chart of their own; the others stand in the table."""

ABSURD: Final = 10
"""So many times as many cycles as the model in the middle has, a model no longer shares the others' axis."""

OLD_CYCLES: Final = 5_000  # as many as a battery lives: up to there all share it, however young the others are

MARKS: Final = 40
"""Batteries marked in one panel; of more, those with the gravest findings. A mark weighs what a battery's key does."""

ACCUSED: Final = 28
SEVERITIES: Final = ("critical", "high", "warning")
RESULTS: Final = ("passed", "not_assessable", "failed")
RESULT_WORDS: Final = {"passed": "passed", "not_assessable": "not assessable", "failed": "failed"}
SILENCES: Final[tuple[tuple[int, str], ...]] = tuple(
    zip(
        SILENT_DAYS,
        ("within a day", "within a week", "within a month", "within 3 months", "within 6 months", "longer ago"),
        strict=True,
    )
)
_LENGTH: Final[dict[Period, timedelta]] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=31),
}


class Panel(Struct, frozen=True, kw_only=True):
    """A model: its chart and its numbers."""

    model: Model
    name: str
    href: str
    chart: Markup | None
    alone: bool  # its axis of cycles is its own: it goes absurdly far beyond all others
    median: float | None  # SoH now, percent
    fade: float | None  # percentage points lost per 100 cycles, by the medians of its first and last tenth


class Row(Struct, frozen=True, kw_only=True):
    """A row of counts with a bar."""

    href: str
    name: str
    words: str
    bar: Markup
    count: int
    severity: str = ""
    not_final: int = 0
    parts: tuple[tuple[str, int, str], ...] = ()  # class, count, address


def fleet(layout: Layout, connection: Connection, moment: Moment, query: Mapping[str, str], viewer: Viewer) -> Page:
    del query, viewer
    step, _ = where(connection, moment)
    found = read_fleet(connection, step, as_of_slot=moment.as_of_slot, marks=MARKS, accused=ACCUSED)
    return fleet_page(layout, found, moment)


def fleet_page(layout: Layout, fleet: Fleet, moment: Moment) -> Page:
    """The whole page."""
    panels = tuple(_panels(fleet, moment))
    severities = {name: sum(r.alerts for r in fleet.raised if r.severity == name) for name in SEVERITIES}
    body = layout.part(
        "fleet.html",
        fleet=fleet,
        moment=moment,
        panels=panels[:PANELS],
        others=panels[PANELS:],
        severities=[(name, count, alerts_link(moment, severity=name)) for name, count in severities.items()],
        raised=_raised(fleet.raised, moment),
        accused=[(each, battery_link(moment, each.deployment, each.battery_key)) for each in fleet.accused],
        accused_count=sum(model.accused for model in fleet.models),
        marks=MARKS,
        days=_days(fleet, moment),
        day_rows=fleet.days[::-1],
        mix=_mix(fleet, moment),
        silent=_silent(fleet, moment),
        batteries=sum(model.batteries for model in fleet.models),
        unread=sum(model.batteries - model.batteries_read for model in fleet.models),
        counted=sum(each.readings for each in fleet.tenths),
        no_passport=sum(model.batteries for model in fleet.models if model.model is None),
        all_batteries=batteries_link(moment),
        links={"unread": batteries_link(moment, silent="never"), "rejected": batteries_link(moment, worth="rejected")},
    )
    return Page(title="Fleet", section="fleet", body=body)


def _panels(fleet: Fleet, moment: Moment) -> Iterator[Panel]:
    tenths = {model: tuple(group) for model, group in groupby(fleet.tenths, key=lambda each: each.model)}
    newest: dict[str | None, list[Newest]] = {}
    for each in fleet.newest:
        newest.setdefault(each.model, []).append(each)
    soh = _usual([q / 100 for each in fleet.tenths for q in (each.soh_bp[0], each.soh_bp[4])])
    cycles = shared_cycles([_ends(each) for each in tenths.values()])
    made = [
        _panel(at, model, tenths.get(model.model, ()), newest.get(model.model, []), soh, cycles, moment)
        for at, model in enumerate(fleet.models)
        if model.batteries_read
    ]
    yield from sorted(made, key=lambda panel: (-panel.model.accused / panel.model.batteries, panel.name))


def _usual(values: list[float]) -> Scale:
    """A scale for all but the farthest fiftieth at both ends: one absurd model must not flatten the others."""
    cut = len(values) // 50
    soh = scale_of(sorted(values)[cut : len(values) - cut], room=0.05)
    return Scale(max(0.0, soh.low), min(120.0, soh.high))


def shared_cycles(ends: Sequence[int]) -> int:
    """Where an axis of cycles ends that all models share. One absurd model, beyond it, has an axis of its own."""
    middle = sorted(ends)[(len(ends) - 1) // 2] if ends else 0
    return max((each for each in ends if each <= max(ABSURD * middle, OLD_CYCLES)), default=0)


def _ends(tenths: Sequence[Tenth]) -> int:
    return max((each.cycles_high for each in tenths), default=0)


def _panel(  # noqa: PLR0913, PLR0917 - all that one panel shows
    at: int, model: Model, tenths: Sequence[Tenth], newest: Sequence[Newest], soh: Scale, cycles: int, moment: Moment
) -> Panel:
    name = model.model or "no passport"
    slices = [_slice(name, model.model, each, moment) for each in tenths]
    stands = [_stand(each, moment) for each in newest]
    own = _ends(tenths)
    fade = None
    if len(tenths) > 1 and tenths[-1].cycles - tenths[0].cycles >= 1:
        fade = (tenths[0].soh_bp[2] - tenths[-1].soh_bp[2]) / (tenths[-1].cycles - tenths[0].cycles)
    return Panel(
        model=model,
        name=name,
        href=batteries_link(moment, model=model.model or "", passport="no" if model.model is None else ""),
        chart=fade_chart(f"fade-{at}", name, slices, stands, soh, max(own, cycles)) if tenths else None,
        alone=own > cycles,
        median=None if model.median_soh_bp is None else model.median_soh_bp / 100,
        fade=fade,
    )


def _slice(name: str, model: str | None, tenth: Tenth, moment: Moment) -> Slice:
    low, quarter, median, upper, high = (each / 100 for each in tenth.soh_bp)
    return Slice(
        tenth.cycles,
        (low, quarter, median, upper, high),
        f"{name}, {tenth.cycles_low} to {tenth.cycles_high} cycles: median {median:.1f} %, half within "
        f"{quarter:.1f} to {upper:.1f} %, nine tenths within {low:.1f} to {high:.1f} %; {tenth.readings} readings",
        batteries_link(moment, model=model or "", cycles_from=str(tenth.cycles_low), cycles_to=str(tenth.cycles_high)),
    )


def _stand(newest: Newest, moment: Moment) -> Stand:
    name = newest.battery_id_text or newest.battery_key[:10]
    found = f"; found: {', '.join(newest.rules)}" if newest.rules else ""
    return Stand(
        newest.cycle_count,
        newest.soh_bp / 100,
        newest.severity,
        f"{name}: {newest.soh_bp / 100:.2f} % at {newest.cycle_count} cycles{found}",
        battery_link(moment, newest.deployment, newest.battery_key),
    )


def _raised(raised: Sequence[Raised], moment: Moment) -> list[Row]:
    greatest = max((each.alerts for each in raised), default=1)
    rules: dict[str, list[Raised]] = {}
    for each in raised:
        rules.setdefault(each.rule, []).append(each)

    def gravity(item: tuple[str, list[Raised]]) -> tuple[int, int]:
        return min(SEVERITIES.index(each.severity) for each in item[1]), -sum(each.alerts for each in item[1])

    rows = []
    for rule, found in sorted(rules.items(), key=gravity):
        counts = {each.severity: each.alerts for each in found}
        total = sum(counts.values())
        known = RULES.get(rule)
        name = known.name if known else "an earlier rule"
        parts = [Part(severity, counts.get(severity, 0)) for severity in SEVERITIES]
        rows.append(
            Row(
                href=alerts_link(moment, rule=rule),
                name=f"{rule} {name}",
                words=known.meaning if known else "",
                bar=row(parts, max(greatest, total), f"{total} alerts"),
                count=total,
                severity=min(counts, key=SEVERITIES.index),
                not_final=sum(each.not_final for each in found),
            )
        )
    return rows


def _days(fleet: Fleet, moment: Moment) -> Markup | None:
    if not fleet.days:
        return None
    series = [_column(each, fleet.period, moment) for each in fleet.days]
    until = max(fleet.days[-1].day.timestamp() + _LENGTH[fleet.period].total_seconds(), fleet.at.timestamp())
    total = sum(each.readings for each in fleet.days)
    desc = f"{total} readings in {len(fleet.days)} columns of a {fleet.period} each, by what they are worth."
    return columns("days", f"Readings per {fleet.period}", desc, series, until)


def _column(day: Day, period: Period, moment: Moment) -> Column:
    began = f"{day.day:%Y-%m-%d %H:%M}" if period == "hour" else f"{day.day:%Y-%m-%d}"
    said = f"{day.passed} passed, {day.failed} failed, {day.not_assessable} not assessable, {day.rejected} rejected"
    return Column(
        day.day.timestamp(),
        (
            Part("passed", day.passed),
            Part("not_assessable", day.not_assessable),
            Part("failed", day.failed),
            Part("rejected", day.rejected),
        ),
        f"{period} of {began}: {said}",
        batteries_link(moment, read_from=str(day.first_slot), read_to=str(day.last_slot)),
    )


def _mix(fleet: Fleet, moment: Moment) -> list[Row]:
    rows = []
    for verdict in VERDICTS:
        found = {each.result: each for each in fleet.mix if each.verdict == verdict}
        counts = [(result, found[result].readings if result in found else 0) for result in RESULTS]
        total = sum(count for _, count in counts)
        if not total:
            continue
        said = ", ".join(f"{number(count)} {RESULT_WORDS[result]}" for result, count in counts)
        rows.append(
            Row(
                href=batteries_link(moment, verdict=verdict, result="failed"),
                name=verdict,
                words=said,
                bar=row([Part(result, count) for result, count in counts], total, f"{verdict}: {said}"),
                count=total,
                parts=tuple(
                    (result, count, batteries_link(moment, verdict=verdict, result=result)) for result, count in counts
                ),
            )
        )
    return rows


def _silent(fleet: Fleet, moment: Moment) -> list[Row]:
    """Batteries by the time since their newest reading that counts, up to where the page speaks."""
    never = sum(model.batteries for model in fleet.models) - sum(fleet.silent)
    counts = [(words, str(days), count) for (days, words), count in zip(SILENCES, fleet.silent, strict=True)] + [
        ("never", "never", never)
    ]
    greatest = max(count for _, _, count in counts)
    return [
        Row(
            href=batteries_link(moment, silent=silent),
            name=words,
            words="",
            bar=row([Part("plain", count)], greatest, f"{count} batteries"),
            count=count,
        )
        for words, silent, count in counts
    ]
