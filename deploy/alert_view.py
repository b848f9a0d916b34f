"""The outbox of alerts on a terminal. Names come from the chain and reasons from receivers: escaped, never markup."""

from itertools import islice
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.alerting.ask import Explanation
from consumers.alerting.config import Alerting
from consumers.alerting.routes import Route
from consumers.alerting.sinks import kind_of
from deploy.text import visible

SHORT: Final = 10
STYLE: Final = {"failed": "bold red", "waiting": "yellow", "sent": "green", "dropped": "dim"}


def print_routes(console: Console, alerting: Alerting) -> None:
    """What the file says, without addresses and secrets."""
    table = _table("route", "takes", "when", "sinks")
    for route in alerting.routes.values():
        sinks = ", ".join(f"{name} ({kind_of(alerting.sinks[name])})" for name in route.sinks)
        table.add_row(Text(route.name), Text(_takes(route)), Text(_when(route)), Text(sinks))
    console.print(table)
    unused = alerting.sinks.keys() - {name for route in alerting.routes.values() for name in route.sinks}
    if unused:
        console.print(Text(f"no route leads to: {', '.join(sorted(unused))}"))


def print_explanation(console: Console, said: Explanation) -> None:
    """Which routes take an alert, why, and what was said of it."""
    state = f"{said.severity}, confirmed {said.confirmed_severity or 'nothing yet'}" if said.standing else "withdrawn"
    console.print(Text(f"alert {said.alert}: {state}, model {visible(said.model) if said.model else '(none)'}"))
    table = _table("route", "sink", "takes", "why", "last said", "next")
    for way in said.ways:
        table.add_row(
            Text(way.route),
            Text(way.sink),
            Text("yes" if way.takes else "no", "green" if way.takes else "dim"),
            Text(visible(way.why)),
            Text(way.told or "-"),
            Text(way.next or "-"),
        )
    console.print(table)
    console.print(Text("What was said" if said.story else "Nothing was said of it yet.", "bold"))
    for each in said.story:
        became = f"not sent: {each['dropped']}" if each["dropped"] else each["state"] or "held"
        error = f", {visible(each['last_error'])}" if each["last_error"] else ""
        what = f"{each['kind']:<11} {each['severity']:<8} {each['route']} to {each['sink']}"
        console.print(Text(f"  {each['noted_at'][:19]}  {what}: {became}{error} ({each['key'][:SHORT]})"))


def print_outbox(console: Console, sends: list[dict[str, Any]], held: list[dict[str, Any]]) -> None:
    """One line a message, then what is held."""
    if sends:
        table = _table("message", "state", "sink", "route", "says", "attempts", "next try", "what went wrong")
        for each in sends:
            said = zip(each["kinds"], each["alerts"], strict=True)
            says = ", ".join(f"{kind} {name[:SHORT]}" for kind, name in islice(said, 3))
            more = f" and {len(each['kinds']) - 3} more" if len(each["kinds"]) > 3 else ""
            table.add_row(
                Text(each["key"][:SHORT]),
                Text(each["state"], STYLE.get(each["state"], "")),
                Text(each["sink"]),
                Text(each["route"]),
                Text(says + more),
                Text(str(each["attempts"])),
                Text(each["next_try_at"][:19] if each["state"] == "waiting" else ""),
                Text(visible(each["last_error"] or "")),
            )
        console.print(table)
    for each in held:
        what = f"{each['kind']} {each['alert'][:SHORT]} for {each['sink']} by {each['route']}"
        console.print(Text(f"held since {each['noted_at'][:19]}: {what}"))
    if not sends and not held:
        console.print(Text("No messages of this kind."))


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name)
    return table


def _takes(route: Route) -> str:
    parts = [f"{name} {', '.join(getattr(route, name))}" for name in ("severity", "rule", "model", "deployment")]
    return "; ".join(each for each in parts if not each.endswith(" "))


def _when(route: Route) -> str:
    parts = ["at once, as provisional" if route.provisional else "once confirmed"]
    if route.group_seconds:
        parts.append(f"gathered for {route.group_seconds:g} s")
    if route.throttle:
        parts.append(f"at most {route.throttle.messages} in {route.throttle.minutes:g} min")
    if route.quiet:
        quiet = route.quiet
        parts.append(f"not {quiet.from_:%H:%M} to {quiet.to:%H:%M} {quiet.zone}")
    if route.since:
        parts.append(f"since {route.since.isoformat()}")
    return ", ".join(parts)
