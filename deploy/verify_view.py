"""One judged reading on a terminal, for somebody who wants to know whether to believe it."""

from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.telling import percent
from deploy.text import short, visible
from indexer.events import Reading
from indexer.protocol.cose import ALGORITHMS
from projections.rules.catalogue import RULES
from projections.rules.model import Finding
from projections.verdicts.model import Result
from projections.verdicts.one import Line, One
from projections.verdicts.words import CHECKS, why

MARKS: Final[dict[Result, tuple[str, str]]] = {
    "passed": ("yes", "green"),
    "failed": ("NO", "bold red"),
    "not_assessable": ("?", "yellow"),
}
QUESTIONS: Final = {
    "fresh": "It was taken shortly before it was submitted",
    "counter": "It is newer than the reading before it",
    "course": "It fits what the battery said before",
}
"""What a reading alone can't answer: the chain can, see ``cellwitness timeline``."""


def words(line: Line) -> str:
    """A line's question and, where it did not pass, why."""
    if line.name in QUESTIONS:
        return f"{QUESTIONS[line.name]}: that takes the chain"
    reasons = "; ".join(map(why, line.reasons))
    return f"{CHECKS[line.name]}{f': {reasons}' if reasons else ''}"


def print_one(console: Console, one: One, key: str) -> None:
    """The answer, its lines, what the reading says, and what is odd about it."""
    title = "AUTHENTIC" if one.authentic else "NOT AUTHENTIC"
    meaning = "this key signed this reading" if one.authentic else "do not rely on this reading"
    console.print(Text.assemble((title, "bold green" if one.authentic else "bold red"), f": {meaning}"))
    console.print(Text(f"key {key}", "dim"))
    console.print()
    table = Table(box=None, show_header=False, padding=(0, 1))
    for line in one.lines:
        mark, style = MARKS[line.result]
        table.add_row(Text(mark, style), Text(visible(words(line))))
    console.print(table)
    for remark in one.remarks:
        console.print(Text(f"note: {visible(why(remark))}"))
    if one.cose.reading is not None:
        console.print()
        console.print(Text("What it says", "bold"))
        for name, value in values(one.cose.reading, one.cose.algorithm):
            console.print(Text(f"  {name:<18} {visible(value)}"))
    if one.findings:
        console.print()
        console.print(Text("What is odd about these values (it does not change whether they are authentic)", "bold"))
        for finding in one.findings:
            console.print(Text(f"  {finding.rule} {finding.severity:<10} {visible(finding_words(finding))}"))
    if one.not_assessable:
        named = ", ".join(f"{rule} {RULES[rule].name}" for rule in one.not_assessable)
        console.print(Text(f"not assessable, for lack of values: {named}", "dim"))


def finding_words(finding: Finding) -> str:
    """What a rule found, with the numbers that led to it."""
    numbers = ", ".join(f"{name} {short(value)}" for name, value in finding.values.items())
    return f"{RULES[finding.rule].name}: {numbers}"


def values(reading: Reading, algorithm: int | None) -> Iterator[tuple[str, str]]:
    """Names and values with units. Numbers are claims of any size."""
    yield "battery", _battery(reading.battery_id)
    yield "challenge", reading.challenge or "none"
    yield "counter", short(reading.counter)
    yield "state of health", percent(reading.soh_bp) or "none"
    yield "state of charge", percent(reading.soc_bp) or "none"
    yield "cycles", short(reading.cycle_count)
    yield "capacity", f"{short(reading.full_charge_capacity_mah)} of {short(reading.nominal_capacity_mah)} mAh"
    yield "voltage, current", f"{short(reading.voltage_mv)} mV, {short(reading.current_ma)} mA"
    yield "temperature", f"{short(reading.temp_min_c)} to {short(reading.temp_max_c)} °C"
    yield "throughput", f"{short(reading.energy_throughput_wh)} Wh"
    yield "signed with", ALGORITHMS.get(algorithm or 0, f"algorithm {algorithm}")


def _battery(battery_id: str | None) -> str:
    if not battery_id:
        return "none"
    try:
        return bytes.fromhex(battery_id).decode()
    except UnicodeDecodeError:
        return battery_id
