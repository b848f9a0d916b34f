"""The pack's report for people, as sections of paragraphs, tables and one picture. Pure; HTML and PDF show the same."""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from consumers.audit.chart import described, dots, timeline_svg
from consumers.audit.evidence import Evidence
from consumers.audit.judged import Story
from consumers.audit.manifest import Subject
from consumers.text import short, visible
from indexer.events import Reading, ReadingEvent, ReadingRejected
from indexer.protocol.cose import ALGORITHMS
from projections.facts import Fact
from projections.rules.catalogue import RULES
from projections.verdict_rows import VerdictRow
from projections.verdicts.words import CHECKS, why

REPORT_VERSION: Final = 2
"""Goes up when the report or its picture says anything else of the same facts."""

RESULTS: Final = {"passed": "passed", "failed": "FAILED", "not_assessable": "not assessable"}
VERDICTS: Final = ("ledger", "crypto", "binding", "plausibility")


class Table(Struct, frozen=True):
    """Rows under named columns, with a caption."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Figure(Struct, frozen=True):
    """A picture, and its words for who does not see it."""

    svg: str
    words: str
    caption: str


class Section(Struct, frozen=True):
    """A heading, and what stands below it."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()


class Report(Struct, frozen=True):
    """All texts are fit to be shown, and none is markup."""

    title: str
    sections: tuple[Section, ...]


class Stands(Struct, frozen=True):
    """Where in the log a pack was made."""

    step: int
    step_digest: str
    tree_root: str


def report_of(subject: Subject, evidence: Evidence, story: Story, stands: Stands) -> Report:
    name = battery_name(subject)
    about = f"Reading {subject.reading[:16]}… of battery {name}" if subject.reading else f"Battery {name}"
    return Report(
        f"Evidence: {about}",
        (
            _about(subject, story),
            _picture(story),
            _readings(subject, story),
            *_checks(subject, story),
            _findings(story),
            _keys(story),
            _log(evidence, story, stands),
            _limits(),
        ),
    )


def battery_name(subject: Subject) -> str:
    """The battery's id as text where it is text, else in hex; its key where no event names an id."""
    if not subject.battery_id:
        return subject.battery_key
    try:
        return visible(bytes.fromhex(subject.battery_id).decode())
    except UnicodeDecodeError:
        return subject.battery_id


def verdict_words(row: VerdictRow) -> str:
    """Four verdicts in a line."""
    return ", ".join(f"{name} {RESULTS[getattr(row, name)]}" for name in VERDICTS)


def _about(subject: Subject, story: Story) -> Section:
    shown = story.opinions.verdicts
    failed = sum("failed" in {getattr(row, name) for name in VERDICTS} for row in shown)
    passed = sum({getattr(row, name) for name in VERDICTS} == {"passed"} for row in shown)
    rows = (
        ("Battery", battery_name(subject)),
        ("Battery key", subject.battery_key),
        ("Deployment", f"{visible(subject.deployment)} on {visible(subject.network)} (magic {subject.network_magic})"),
        ("Facts", f"{len(story.facts)} in {len(story.blocks)} blocks"),
        ("Readings judged", f"{len(shown)}: {passed} passed every verdict, {failed} failed at least one"),
    )
    words = (
        "This report shows what a Cardano blockchain says of one battery, and what follows from it. It is a part of an "
        "evidence pack, which holds everything needed to compute it again: cellwitness audit verify says line by line "
        "what holds."
    )
    return Section("What this is about", (words,), tables=(Table("Subject", ("What", "Value"), rows),))


def _picture(story: Story) -> Section:
    svg = timeline_svg(story).decode()
    caption = "State of health by slot, as the readings claim it; those that the chain rejected are in the table"
    figure = Figure(svg, described(dots(story)), caption)
    return Section("Timeline", figures=(figure,))


def _readings(subject: Subject, story: Story) -> Section:
    verdicts = {row.fact: row for row in story.opinions.verdicts}
    rows = tuple(
        _reading_row(fact, verdicts[fact.fact]) for fact in story.readings if subject.reading in (None, fact.fact)
    )
    columns = ("Time (UTC)", "Slot, height", "State of health", "Cycles", "Counter", *map(str.capitalize, VERDICTS))
    words = (
        "Four questions, none of which answers another. Ledger: did the chain accept it. Crypto: did this battery's "
        "key sign exactly these bytes. Binding: was it taken for this challenge, this battery and this user. "
        "Plausibility: can a battery do that."
    )
    return Section("Readings", (words,), tables=(Table("Readings and their verdicts", columns, rows),))


def _reading_row(fact: Fact, row: VerdictRow) -> tuple[str, ...]:
    event = fact.event
    assert isinstance(event, ReadingEvent)
    reading = event.decoded.reading or Reading()
    refused = " (rejected by the chain)" if isinstance(event, ReadingRejected) else ""
    return (
        fact.time.replace("T", " ").removesuffix("Z") + refused,
        f"{fact.slot}, {fact.height}",
        percent(reading.soh_bp),
        short(reading.cycle_count),
        short(reading.counter),
        *(RESULTS[getattr(row, name)] for name in VERDICTS),
    )


def percent(basis_points: int | None) -> str:
    if basis_points is None:
        return "none"
    return f"{basis_points / 100:.2f} %" if abs(basis_points) < 1_000_000 else "out of range"


def _checks(subject: Subject, story: Story) -> Iterator[Section]:
    """Of a reading every check; of a battery those that did not pass."""
    tables = []
    for row in story.opinions.verdicts:
        rows = tuple(_check_rows(row, every=subject.reading is not None))
        if rows:
            caption = f"Reading at slot {row.slot}, fact {row.fact[:16]}…: {verdict_words(row)}"
            tables.append(Table(caption, ("Question", "Answer", "Why, and from what"), rows))
    if subject.reading is None and not tables:
        yield Section("Checks", ("Every check of every reading passed.",))
    else:
        words = "Every check." if subject.reading else "Checks that did not pass; all others passed."
        yield Section("Checks", (words,), tables=tuple(tables))


def _check_rows(row: VerdictRow, *, every: bool) -> Iterator[tuple[str, ...]]:
    for name, check in row.checks.items():
        if not every and check["result"] == "passed":
            continue
        told = [why(reason) for reason in check.get("reasons", ())]
        told += [f"{key} {short(value)}" for key, value in check.get("inputs", {}).items() if value is not None]
        yield (CHECKS[name], RESULTS[check["result"]], visible("; ".join(told)))


def _findings(story: Story) -> Section:
    rows = tuple(
        (
            f"{found.rule} version {found.rule_version}",
            RULES[found.rule].name,
            found.severity,
            str(found.slot),
            _numbers(found.values) + (f" (threshold: {_numbers(found.thresholds)})" if found.thresholds else ""),
        )
        for found in story.opinions.findings
    )
    if not rows:
        return Section("Findings of the rules", ("No rule found anything.",))
    columns = ("Rule", "Name", "Severity", "Slot", "From what")
    return Section("Findings of the rules", tables=(Table("What rules found", columns, rows),))


def _numbers(values: dict[str, Any]) -> str:
    return visible(", ".join(f"{name} {short(value)}" for name, value in values.items()))


def _keys(story: Story) -> Section:
    rows = tuple(
        (known.public_key or "none", ALGORITHMS.get(known.algorithm or 0, "unknown"), f"slot {known.since_slot}")
        for known in story.keys
    )
    return Section("Keys in the battery's passport", tables=(Table("Key history", ("Key", "Algorithm", "From"), rows),))


def _log(evidence: Evidence, story: Story, stands: Stands) -> Section:
    rows = tuple((str(point.height), str(point.slot), point.id, point.time) for point in story.blocks)
    rules = story.opinions
    words = (
        f"The log's step {stands.step} has the digest {stands.step_digest}.",
        f"The tree over all steps up to it has the root {stands.tree_root}. Compare it with a statement.",
        f"Judged by rule set {rules.rule_set} with the profile {visible(evidence.judged_by.profile.name)}.",
    )
    return Section("Where the facts stand", words, tables=(Table("Blocks", ("Height", "Slot", "Id", "Time"), rows),))


def _limits() -> Section:
    return Section(
        "What this can't show",
        (
            "When a reading was taken: a challenge can be computed before it is published, so it proves no moment.",
            "Whether the values are true: a signature proves who signed, not what the battery measured.",
            "Whether the chip's key was copied, and whether readings were made that nobody submitted.",
            "Whether the blocks are on the chain: ask a node of your own, cellwitness audit verify --ogmios URL.",
        ),
    )
