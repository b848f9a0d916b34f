"""A verifier's answer on a terminal, for somebody who has to decide by it."""

from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.audit.answer import Answer, LineResult
from consumers.audit.report import RESULTS, VERDICTS
from deploy.text import visible

MARKS: Final[dict[LineResult, tuple[str, str]]] = {
    "holds": ("yes", "green"),
    "fails": ("NO", "bold red"),
    "unknown": ("?", "yellow"),
}


def print_answer(console: Console, found: Answer, name: str, meaning: str) -> None:
    """The answer, its lines, and what evidence says. ``meaning``: what it means that it holds."""
    title = f"THE {name} HOLDS" if found.holds else f"THE {name} DOES NOT HOLD"
    meaning = meaning if found.holds else "do not rely on anything in it"
    if found.other_version:
        title, meaning = (
            f"THE {name} IS OF ANOTHER VERSION",
            "nothing fails; verify it with the version that made it",
        )
    console.print(Text.assemble((title, "bold green" if found.holds else "bold red"), f": {meaning}"))
    if found.battery is not None:
        console.print(Text(f"battery {visible(found.battery)}"))
    console.print()
    table = Table(box=None, show_header=False, padding=(0, 1))
    for each in found.lines:
        mark, style = MARKS[each.result]
        table.add_row(
            Text(mark, style), Text("\n".join([visible(each.words), *(f"  {visible(f)}" for f in each.faults)]))
        )
    console.print(table)
    if found.readings and found.holds:
        console.print()
        console.print(Text(f"What it says of {len(found.readings)} readings", "bold"))
        readings = Table("slot", "fact", *VERDICTS, box=None, padding=(0, 1))
        for reading in found.readings:
            results = (Text(RESULTS[reading[name]]) for name in VERDICTS)
            readings.add_row(str(reading["slot"]), f"{reading['fact'][:16]}…", *results)
        console.print(readings)


def hash_of(text: str | None, flag: str) -> str | None:
    """32 bytes in hex, as it stands in JSON. Raises click's usage error."""
    if text is None:
        return None
    plain = text.strip().lower().removeprefix("0x")
    if len(plain) != 64 or not all(digit in "0123456789abcdef" for digit in plain):
        raise click.UsageError(f"{flag} takes 64 hex digits, not {text[:80]!r}")
    return plain
