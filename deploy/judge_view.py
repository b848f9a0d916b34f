"""What the rules found in an archive, on a terminal."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.text import short, visible
from projections.rules.archive import FLEET_RULES, NEED_CHAIN, READING_RULE_IDS, Archive, Tally, by_severity
from projections.rules.catalogue import CATALOGUE, RULES
from projections.rules.model import SEVERITIES

_NONE = Tally()


def summary(archive: Archive, missing: list[str], seconds: float) -> dict[str, Any]:
    """Everything that was counted, as JSON can say it."""
    rules, missed = [], archive.not_assessable()
    for rule in CATALOGUE:
        if rule.id not in READING_RULE_IDS and rule.id not in FLEET_RULES:
            continue
        tally = archive.tallies.get(rule.id, _NONE)
        rules.append(
            {
                "rule": rule.id,
                "name": rule.name,
                "findings": tally.findings,
                "readings": tally.readings,
                "share_of_readings": tally.readings / max(archive.readings, 1),
                "severities": {name: tally.severities[name] for name in SEVERITIES if tally.severities[name]},
                "not_assessable": missed[rule.id],
                "examples": tally.examples,
            }
        )
    return {
        "readings": archive.readings,
        "batteries": archive.batteries,
        "seconds": round(seconds, 3),
        "readings_per_second": round(archive.readings / max(seconds, 1e-9)),
        "warning_or_above": archive.alerting,
        "warning_or_above_share": archive.alerting / max(archive.readings, 1),
        "quarantined": archive.quarantined,
        "severities": by_severity(archive),
        "missing_columns": missing,
        "rules": rules,
        "need_the_chain": list(NEED_CHAIN),
    }


def print_archive(console: Console, said: dict[str, Any], out: Path | None) -> None:
    """Per rule: findings, share of readings, how often it could not be assessed; then examples."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify in (
        ("rule", "left"),
        ("findings", "right"),
        ("of readings", "right"),
        ("not assessable", "right"),
    ):
        table.add_column(name, justify="right" if justify == "right" else "left")
    table.add_column("by severity")
    for each in said["rules"]:
        everywhere = each["not_assessable"] == said["readings"] > 0
        table.add_row(
            f"{each['rule']} {each['name']}",
            f"{each['findings']:,}" if each["findings"] else "-",
            f"{each['share_of_readings']:.2%}" if each["readings"] else "-",
            "all" if everywhere else f"{each['not_assessable']:,}" if each["not_assessable"] else "-",
            ", ".join(f"{count:,} {name}" for name, count in each["severities"].items()),
            style="dim" if everywhere else "",
        )
    console.print(table)
    found = [each for each in said["rules"] if each["examples"]]
    if found:
        console.print(Text("\nExamples", "bold"))
    for each in found:
        console.print(Text(f"{each['rule']} {each['name']}: {RULES[each['rule']].meaning}"))
        for example in each["examples"]:
            values = ", ".join(f"{name} {short(value)}" for name, value in example["values"].items())
            where = f"row {example['row']}, {example['time']}" if "row" in example else "all of it"
            console.print(
                Text(f"  {visible(example['battery'])[:60]} ({visible(where)}) {example['severity']}: {values}")
            )
    console.print()
    if said["missing_columns"]:
        console.print(Text(f"Columns that are not there: {', '.join(said['missing_columns'])}", "dim"))
    console.print(Text(f"Rules that take the chain: {', '.join(said['need_the_chain'])}", "dim"))
    console.print(
        f"{said['readings']:,} readings of {said['batteries']:,} batteries in {said['seconds']:,.1f} s "
        f"({said['readings_per_second']:,}/s). Readings with a finding at warning or above: "
        f"{said['warning_or_above']:,} ({said['warning_or_above_share']:.2%}); put aside: {said['quarantined']:,}."
    )
    if out is not None:
        console.print(Text(f"Every finding is in {visible(str(out))}."))
