"""What the bench found, as tables for a terminal, for the docs, and as JSON."""

import os
import platform
import sqlite3
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Final, Literal

import psutil
from msgspec import Struct
from rich.console import Console
from rich.table import Table

Value = float | int | str | None

_LIBRARIES: Final = ("msgspec", "websockets", "psycopg", "zstandard")


class Goal(Struct, frozen=True):
    """A number that was promised, and what was measured."""

    what: str
    measured: float
    wanted: float
    direction: Literal["at least", "at most"] = "at least"

    @property
    def met(self) -> bool:
        return self.measured >= self.wanted if self.direction == "at least" else self.measured <= self.wanted

    @property
    def row(self) -> dict[str, Value]:
        wanted = f"{self.direction} {_shown(self.wanted)}"
        return {"goal": self.what, "wanted": wanted, "measured": self.measured, "": "ok" if self.met else "missed"}


class Section(Struct, frozen=True):
    """One table, the goals it decides, and what has to be said about it."""

    name: str
    title: str
    rows: tuple[Mapping[str, Value], ...]
    goals: tuple[Goal, ...] = ()
    notes: tuple[str, ...] = ()


class Report(Struct, frozen=True):
    """One run of the bench."""

    machine: Mapping[str, Value]
    sections: tuple[Section, ...]


def machine() -> dict[str, Value]:
    """Where numbers were measured: cores, memory, versions. No names."""
    return {
        "cores": os.cpu_count(),
        "memory (GB)": round(psutil.virtual_memory().total / 1e9),
        "load before": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        **{library: version(library) for library in _LIBRARIES},
    }


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of each round: what disturbs a round disturbs both sides of it."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def print_report(report: Report, console: Console) -> None:
    console.print("  ".join(f"{name} {value}" for name, value in report.machine.items()), style="dim")
    for section in report.sections:
        console.print(f"\n{section.title}", style="bold", markup=False)
        console.print(_table(section.rows))
        for note in section.notes:
            console.print(f"  {note}", style="dim", markup=False)
    if goals := [goal.row for section in report.sections for goal in section.goals]:
        console.print("\nGoals", style="bold")
        console.print(_table(goals))


def _table(rows: Sequence[Mapping[str, Value]]) -> Table:
    table = Table()
    for column in rows[0] if rows else ():
        table.add_column(column, justify="left" if isinstance(rows[0][column], str) else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(_shown, row.values()))
    return table


def markdown(report: Report) -> str:
    """The same tables for docs/benchmarks.md."""
    parts = ["; ".join(f"{name} {value}" for name, value in report.machine.items())]
    for section in report.sections:
        parts += [f"### {section.title}", _markdown_table(section.rows), *section.notes]
    parts += ["### Goals", _markdown_table([goal.row for section in report.sections for goal in section.goals])]
    return "\n\n".join(parts) + "\n"


def _markdown_table(rows: Sequence[Mapping[str, Value]]) -> str:
    if not rows:
        return ""
    line = "| " + " | ".join(rows[0]) + " |"
    rule = "|" + "".join(" --- |" if isinstance(value, str) else " ---: |" for value in rows[0].values())
    return "\n".join([line, rule, *("| " + " | ".join(map(_shown, row.values())) + " |" for row in rows)])


def _shown(value: Value) -> str:
    match value:
        case None:
            return "-"
        case str():
            return value
        case _ if abs(value) >= 100 or value == int(value):
            return f"{value:,.0f}"
        case _ if abs(value) >= 10:
            return f"{value:.1f}"
        case _:
            return f"{value:.2f}"
