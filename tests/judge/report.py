"""The table of a run, for a screen and for docs/frauds.md, and whether its goals are met."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from tests.judge.made import KINDS, Chain, Kind
from tests.judge.meant import HONEST, MEANT
from tests.judge.score import Alarms, Caught, false_alarms, frauds

CAUGHT_GOAL: Final = 0.95
FIELD_GOAL: Final = 0.09
LABORATORY_GOAL: Final = 0.01
BETWEEN: Final = "after a fraud"
"""Honest readings of a battery whose history is a lie: shown, and no false alarms."""


class Run(Struct, frozen=True):
    """What was measured on each kind of chain."""

    caught: dict[Kind, list[Caught]]
    alarms: dict[Kind, dict[str, Alarms]]

    @property
    def caught_share(self) -> float:
        """Of all frauds, those caught by what is meant for them and explained."""
        found = [each for of_kind in self.caught.values() for each in of_kind]
        return sum(bool(each.by) and each.explained for each in found) / len(found) if found else 0.0

    @property
    def field_share(self) -> float:
        """Of honest readings with a field gauge, those at warning or above: plain ones and every oddity."""
        return _share(
            [
                alarms
                for kind, of_kind in self.alarms.items()
                if kind != "laboratory"
                for name, alarms in of_kind.items()
                if name != BETWEEN
            ]
        )

    @property
    def laboratory_share(self) -> float:
        return _share(list(self.alarms.get("laboratory", {}).values()))

    @property
    def met(self) -> bool:
        """Whether the three goals are."""
        shares = (self.field_share <= FIELD_GOAL, self.laboratory_share <= LABORATORY_GOAL)
        return self.caught_share >= CAUGHT_GOAL and all(shares)


def measured(chains: Iterable[Chain]) -> Run:
    """Sets what is said of each chain beside its labels."""
    run = Run({}, {})
    for chain in chains:
        if chain.kind in ("contracts", "weak"):
            run.caught[chain.kind] = frauds(chain)
        run.alarms[chain.kind] = false_alarms(chain)
    return run


class Table(Struct, frozen=True):
    """Rows of text under headings."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(run: Run) -> tuple[Table, ...]:
    return (_frauds(run), _honest(run), _goals(run))


def _frauds(run: Run) -> Table:
    heads = ("fraud", "done", "caught", "explained", "by", "missed", "why it is the one that is meant")
    by_name: dict[str, list[Caught]] = defaultdict(list)
    for of_kind in run.caught.values():
        for each in of_kind:
            by_name[each.case.name].append(each)
    rows = []
    for name, meant in MEANT.items():
        found = by_name[name]
        by = Counter(code for each in found for code in each.by)
        caught, explained = sum(bool(each.by) for each in found), sum(each.explained for each in found)
        counted = ", ".join(f"{code} {count}" for code, count in sorted(by.items()))
        row = (name, len(found), caught, explained, counted, len(found) - caught, meant.why)
        rows.append(tuple(map(str, row)))
    return Table("Frauds, and what is meant to catch each", heads, tuple(rows))


def _honest(run: Run) -> Table:
    heads = ("honest readings", "chain", "readings", "warning or above", "share", "by")
    rows = []
    for kind, of_kind in run.alarms.items():
        for name, alarms in sorted(of_kind.items()):
            by = ", ".join(f"{rule} {count}" for rule, count in sorted(alarms.rules.items()))
            said = HONEST.get(name, "")
            shown = f"{name}: {said}" if said else name
            rows.append((shown, kind, str(alarms.readings), str(alarms.alarming), f"{alarms.share:.1%}", by))
    return Table("False alarms", heads, tuple(rows))


def _goals(run: Run) -> Table:
    rows = (
        ("frauds caught and explained", f"{run.caught_share:.1%}", f">= {CAUGHT_GOAL:.0%}"),
        ("honest field readings at warning or above", f"{run.field_share:.1%}", f"<= {FIELD_GOAL:.0%}"),
        ("honest laboratory readings at warning or above", f"{run.laboratory_share:.1%}", f"<= {LABORATORY_GOAL:.0%}"),
    )
    return Table("Goals", ("what", "measured", "goal"), rows)


def _share(alarms: Sequence[Alarms]) -> float:
    readings = sum(each.readings for each in alarms)
    return sum(each.alarming for each in alarms) / readings if readings else 0.0


def markdown(run: Run, seed: int) -> str:
    """The tables as they stand in docs/frauds.md."""
    chains = ", ".join(f"*{kind}* ({KINDS[kind]})" for kind in run.caught | run.alarms)
    parts = [f"Seed {seed}; chains: {chains}.\n"]
    for table in tables(run):
        lines = [table.heads, ("---",) * len(table.heads), *table.rows]
        parts.append(f"**{table.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")
    return "\n".join(parts)


def as_json(run: Run, seed: int) -> dict[str, Any]:
    """The same for programs."""
    return {
        "seed": seed,
        "caught_share": run.caught_share,
        "field_share": run.field_share,
        "laboratory_share": run.laboratory_share,
        "met": run.met,
        "missed": [
            {"fraud": each.case.name, "battery_id": each.case.battery, "chain": kind, "slots": _slots(each)}
            for kind, found in run.caught.items()
            for each in found
            if not each.by
        ],
        "tables": [
            {"title": t.title, "rows": [dict(zip(t.heads, r, strict=True)) for r in t.rows]} for t in tables(run)
        ],
    }


def _slots(each: Caught) -> list[int]:
    return [label["slot"] for label in each.case.labels]
