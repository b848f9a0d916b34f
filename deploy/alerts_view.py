"""Alerts on a terminal. Names and texts in them come from the chain or from people: escaped, never markup."""

from typing import Any, Final

from msgspec.structs import asdict
from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.alerts import Alert, Stage, Story
from consumers.timeline import Holds
from deploy.text import short, visible
from deploy.timeline_view import describe_holds
from projections.rules.catalogue import RULES
from projections.rules.thresholds import DEFAULT

SHORT: Final = 10  # digits of a name that tell it apart, nearly always
SEVERITY_STYLE: Final = {"warning": "yellow", "high": "red", "critical": "bold red"}
STAGE_STYLE: Final[dict[Stage, str]] = {
    "provisional": "yellow",
    "confirmed": "cyan",
    "final": "green",
    "withdrawn": "dim",
}


def print_alerts(console: Console, holds: Holds, alerts: list[Alert]) -> None:
    """One line an alert, and where the answer holds."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("alert", "severity", "rule", "about", "stage", "state", "findings", "first", "last"):
        table.add_column(name, justify="right" if name == "findings" else "left", no_wrap=name in ("alert", "severity"))
    for alert in alerts:
        table.add_row(
            Text(alert.alert[:SHORT]),
            Text(alert.severity, SEVERITY_STYLE.get(alert.severity, "")),
            Text(f"{alert.rule} {alert.name}"),
            Text(about(alert)),
            Text(alert.stage, STAGE_STYLE[alert.stage]),
            Text(alert.state or ""),
            Text(str(alert.findings)),
            Text(_day(alert.first_time)),
            Text(_day(alert.last_time)),
        )
    console.print(table if alerts else Text("No alerts of this kind."))
    console.print()
    console.print(Text(describe_holds(holds)))


def print_story(console: Console, story: Story) -> None:
    """What an alert means, what led to it, and what people did about it."""
    alert, rule = story.alert, RULES[story.alert.rule]
    console.print(Text.assemble((f"{alert.rule} {alert.name}", "bold"), f", {alert.severity}, {alert.stage}"))
    console.print(Text(visible(rule.meaning)))
    numbers = asdict(DEFAULT) | (story.findings[0]["thresholds"] if story.findings else {})
    console.print(Text(f"rule     {rule.formula.format(**numbers)} (source: {rule.source})"))
    console.print(Text(f"alert    {alert.alert}"))
    console.print(Text(f"about    {about(alert)} ({alert.subject}), deployment {visible(alert.deployment)}"))
    console.print(Text(f"state    {alert.state or 'withdrawn'}{_by(alert)}"))
    if alert.withdrawn:
        console.print(Text(f"         {alert.withdrawn}"))
    console.print()
    console.print(Text("What led to it, newest first", "bold"))
    for finding in story.findings:
        console.print(Text(_finding(finding, story.holds), "dim" if finding["known_until_step"] is not None else ""))
    if story.acts:
        console.print()
        console.print(Text("What people did", "bold"))
        for act in story.acts:
            console.print(Text(f"  {act['at']}  {act['act']:<5} {visible(act['who'])}: {visible(act['why'])}"))
    console.print()
    console.print(Text(describe_holds(story.holds)))


def about(alert: Alert) -> str:
    """The subject as people know it."""
    if alert.subject_kind != "battery":
        return f"{alert.subject_kind} {alert.subject[:SHORT]}…"
    return visible(alert.battery) if alert.battery else f"battery {alert.subject[:SHORT]}…"


def _finding(finding: dict[str, Any], holds: Holds) -> str:
    ended = finding["known_until_step"]
    stands = f"retracted at step {ended}" if ended is not None else holds.finality(finding["height"])
    evidence = f"transaction {finding['transaction']}" if "transaction" in finding else "the fleet"
    return (
        f"  {finding['time']}  {finding['severity']:<8} {said(finding['values'])}\n"
        f"    against {said(finding['thresholds']) or 'no threshold'}; {evidence}, height {finding['height']},"
        f" {stands}; rule version {finding['rule_version']}"
    )


def said(values: dict[str, Any]) -> str:
    """Numbers by name. Anybody may have claimed them: of any size."""
    return visible(", ".join(f"{name} {short(value)}" for name, value in values.items() if value is not None))


def _by(alert: Alert) -> str:
    if alert.who is None:
        return ""
    return f", last by {visible(alert.who)} at {alert.at}: {visible(alert.why or '')}"


def _day(time: str) -> str:
    return time[:16].replace("T", " ")
