"""Verdicts and findings of a timeline's readings on a terminal."""

from collections.abc import Iterator
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.lives import VERDICTS, Counted, Summary
from consumers.timeline import Line, Timeline
from deploy.text import short, visible
from projections.rules.catalogue import RULES
from projections.verdicts.checks import NAMES
from projections.verdicts.words import CHECKS, why

NUMBERS: Final = {name: number for number, (name, _) in NAMES.items()}
"""Of the twelve checks; jsonb keeps no order."""

LETTERS: Final = "LCBP"
MARKS: Final = {"passed": ("✓", "green"), "failed": ("✗", "bold red"), "not_assessable": ("?", "yellow")}
LEGEND: Final = "LCBP: ledger, crypto, binding, plausibility; ✓ passed, ✗ failed, ? not assessable (docs/verdicts.md)."


def marks(verdict: dict[str, Any] | None) -> Text:
    """Four signs, one a verdict."""
    text = Text()
    for name in VERDICTS if verdict else ():
        assert verdict is not None
        text.append(*MARKS[verdict[name]])
    return text


def remarks(line: Line) -> Iterator[str]:
    """Why verdicts failed, and what rules found; by the codes that docs/verdicts.md and docs/rules.md explain."""
    verdict = line.verdict
    for name in VERDICTS if verdict else ():
        assert verdict is not None
        if verdict[name] == "failed":
            # A rule that failed plausibility is named below, with its numbers.
            reasons = [reason for reason in verdict[f"{name}_reasons"] if reason not in RULES]
            yield f"{name} FAILED: {', '.join(reasons)}" if reasons else f"{name} FAILED"
    if verdict and verdict["quarantined"]:
        yield "put aside"
    for finding in line.findings:
        rule = RULES.get(finding["rule"])
        yield f"{finding['rule']} {finding['severity']}: {rule.name if rule else 'an earlier rule'}"


def print_checks(console: Console, timeline: Timeline) -> None:
    """Every reading's checks with their inputs, and its findings with their numbers."""
    for line in timeline.lines:
        if line.verdict is None:
            continue
        console.print()
        title = f"reading at height {line.height}, transaction {line.transaction}"
        console.print(Text.assemble((title, "bold"), "  ", marks(line.verdict)))
        table = Table(box=None, show_header=False, padding=(0, 1))
        checks = line.verdict["checks"]
        for name in sorted(checks, key=lambda name: (NUMBERS.get(name, len(checks)), name)):
            check = checks[name]
            mark, style = MARKS[check["result"]]
            reasons = "; ".join(why(reason) for reason in check.get("reasons", ()))
            said = f"{CHECKS.get(name, name)}{f': {reasons}' if reasons else ''}"
            table.add_row(Text(mark, style), Text(str(NUMBERS.get(name, ""))), Text(visible(said)))
            if inputs := check.get("inputs"):
                table.add_row("", "", Text(visible(_numbers(inputs)), "dim"))
        console.print(table)
        if line.age is not None:
            console.print(Text(f" age: {describe_age(line.age)}"))
        for finding in line.findings:
            numbers = f"{_numbers(finding['values'])} against {_numbers(finding['thresholds'])}"
            console.print(Text(f" {finding['rule']} {finding['severity']}: {visible(numbers)}"))
        if missing := line.verdict["rules_not_assessable"]:
            console.print(Text(f" rules not assessable: {', '.join(missing)}", "dim"))


def describe_age(age: dict[str, Any]) -> str:
    """Bounds. What a challenge alone would prove is nothing: its transaction can be made up before it is published."""
    most, published = age["most_slots"], age["most_slots_if_not_precomputed"]
    bound = f"0 to {most} slots" if most is not None else "0 slots or more, and nothing bounds it"
    return f"{bound}; 0 to {published} if the challenge was not computed before it was published"


def summary_lines(summary: Summary) -> Iterator[tuple[str, str]]:
    """Titles and values for the head of a timeline."""
    for counted in summary.counters:
        yield "counter", _counter(counted)
    if summary.commitments:
        yield "of those", ", ".join(f"{count} {life}" for life, count in sorted(summary.commitments.items()))
    if summary.verdicts:
        failed = {name: of["failed"] for name, of in summary.verdicts.items() if of.get("failed")}
        count = sum(next(iter(summary.verdicts.values())).values())
        told = ", ".join(f"{name} failed {times}" for name, times in failed.items()) or "none failed"
        yield "verdicts", f"of {count} readings: {told}"
    if summary.passport_soh_bp is not None and summary.last_soh_bp is not None:
        off = (summary.last_soh_bp - summary.passport_soh_bp) / 100 if abs(summary.last_soh_bp) < 1 << 40 else None
        yield "passport", f"SoH {summary.passport_soh_bp / 100:.2f} %" + (f", last reading {off:+.2f}" if off else "")
    if summary.key_of_passport is False:
        yield "key", "the last reading was NOT by the passport's key"


def _counter(counted: Counted) -> str:
    faults = {
        "gaps": counted.gaps,
        "numbers missing": counted.missing,
        "regressions": counted.regressions,
        "duplicates": counted.duplicates,
        "EQUIVOCATIONS": counted.equivocations,
    }
    told = ", ".join(f"{short(count)} {name}" for name, count in faults.items() if count) or "no gaps"
    span = f"{short(counted.first_counter)} to {short(counted.last_counter)}"
    return f"{span} in {counted.readings} readings by key {counted.public_key[:10]}…: {told}"


def _numbers(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {short(value)}" for name, value in values.items() if value is not None) or "no threshold"
