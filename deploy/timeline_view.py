"""A battery's timeline on a terminal. All names, texts and numbers in it come from the chain: escaped, never markup."""

from collections.abc import Iterable
from itertools import pairwise
from shutil import get_terminal_size
from typing import Any, Final

from msgspec.structs import replace
from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.telling import ada, claimed, describe, percent
from consumers.timeline import Finality, Holds, Line, Timeline
from deploy.text import final_words, visible
from deploy.verdict_view import LEGEND, LETTERS, marks, remarks, summary_lines

BARS: Final = "▁▂▃▄▅▆▇█"
SPARKLINE_WIDTH: Final = 60
WIDE_COLUMNS: Final = 110
PASSPORT_FIELDS: Final = ("manufacturer", "model", "chemistry", "cell_count", "nominal_capacity_mah", "status")
FINALITY_STYLE: Final[dict[Finality, str]] = {"pending": "yellow", "confirmed": "cyan", "final": "green"}


def print_timeline(console: Console, timeline: Timeline) -> None:
    """Identity, the course of SoH, the events in the chain's order, and where all of it holds."""
    _print_identity(console, timeline)
    soh = timeline.soh_bp
    if len(soh) > 1:
        console.print(Text(f"SoH        {sparkline(soh)}  {percent(soh[0])} → {percent(soh[-1])}"))
    for alert in timeline.alerts:
        console.print(Text(f"ALERT      {alert['alert'][:10]} {alert['rule']} {alert['severity']}", "red"))
    console.print()
    if timeline.earlier:
        console.print(Text(f"{timeline.earlier} earlier events are not shown: --all shows them", "dim"))
    table = lines_table(console.width)
    for line in timeline.lines:
        add_line(table, line)
    console.print(table)
    console.print()
    if timeline.summary.verdicts:
        console.print(Text(LEGEND, "dim"))
    console.print(Text(describe_holds(timeline.holds)))


def lines_table(width: int | None = None) -> Table:
    """An empty table for lines of a timeline, for so many columns of text; by default as many as the terminal has.

    A narrow one puts slot and height below the time: what happened needs the room.
    """
    columns = get_terminal_size().columns if width is None else width
    places = ("slot", "height") if columns >= WIDE_COLUMNS else ()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("time (UTC)", *places, "what happened", "SoH", "cycles", "counter", LETTERS, "finality"):
        numeric = name in ("slot", "height", "SoH", "cycles", "counter")
        free = name in ("what happened", "finality")  # a remark may stand for the finality
        table.add_column(name, justify="right" if numeric else "left", no_wrap=not free)
    return table


def add_line(table: Table, line: Line, *, style: str = "", remark: str = "") -> None:
    """One line of a timeline. ``style`` is the whole row's; ``remark`` stands instead of the finality."""
    reading = line.reading or {}
    wide = any(column.header == "slot" for column in table.columns)
    time = line.time.replace("T", " ").removesuffix("Z")
    where = (time, str(line.slot), str(line.height)) if wide else (f"{time}\n{line.slot} / {line.height}",)
    table.add_row(
        *map(Text, where),
        Text("; ".join((*describe(line), *remarks(line)))),
        Text(percent(reading.get("soh_bp"))),
        Text(claimed(reading.get("cycle_count"))),
        _counter(reading),
        marks(line.verdict),
        Text(remark) if remark else Text(line.finality, style=FINALITY_STYLE[line.finality]),
        style=style,
    )


def describe_holds(holds: Holds) -> str:
    """Where an answer holds."""
    if holds.as_of_slot is not None:
        whole = describe_holds(replace(holds, as_of_slot=None))
        return f"What the chain said up to slot {holds.as_of_slot}. {whole}"
    if holds.height is None:
        return f"Holds as it was known after step {holds.step}."
    return (
        f"Holds at step {holds.step}: slot {holds.slot}, height {holds.height}, block {holds.block or 'origin'}; "
        f"{final_words(holds.final_height)}; the node's tip was at {holds.tip_height}."
    )


def sparkline(values: Iterable[int], width: int = SPARKLINE_WIDTH) -> str:
    """A row of bars from the least value to the greatest; of more values than its width, the mean of each part."""
    numbers = [min(max(value, 0), 1_000_000) for value in values]  # a claimed integer has no bounds of its own
    parts = min(width, len(numbers))
    bounds = [len(numbers) * part // parts for part in range(parts + 1)] if parts else [0]
    means = [sum(numbers[a:b]) / (b - a) for a, b in pairwise(bounds)]
    low, high = min(means, default=0), max(means, default=0)
    span = (high - low) or 1
    return "".join(BARS[round((mean - low) / span * (len(BARS) - 1))] for mean in means)


def _print_identity(console: Console, timeline: Timeline) -> None:
    battery = timeline.battery
    metadata = battery["metadata"] or {}
    name = battery["battery_id_text"] or battery["battery_id"] or "(id not proven)"
    facts = {
        "battery": visible(name),
        "key": battery["battery_key"],
        "deployment": visible(battery["deployment"]) or "none",
        "passport": ", ".join(
            f"{field} {visible(str(metadata[field]))[:80]}" for field in PASSPORT_FIELDS if field in metadata
        ),
        "BMS key": f"{battery['bms_public_key'] or 'unknown'} (COSE algorithm {battery['bms_key_alg']})",
        "owner": f"{battery['owner_kind']} {battery['owner']} since slot {battery['owner_since_slot']}"
        if battery["owner"]
        else "unknown",
        "account": _account(battery),
        "readings": f"{battery['readings_submitted']} took effect, {battery['readings_rejected']} rejected, "
        f"{battery['readings_unproven']} on unproven accounts",
        "commitments": f"{battery['commitments_minted']} minted, {battery['commitments_open']} open",
    }
    rewards = timeline.summary.rewards_lovelace
    facts["rewards"] = f"{ada(rewards)} paid" if rewards else ""
    told = [*facts.items(), *summary_lines(timeline.summary)]
    width = max(map(len, facts))
    for title, value in told:
        if value:
            console.print(Text.assemble((f"{title:<{width}}  ", "bold"), value))


def _account(battery: dict[str, Any]) -> str:
    match battery["account_open"]:
        case None:
            return "not seen"
        case False:
            return "closed"
        case _:
            left = ada(battery["account_lovelace"]) if battery["account_lovelace"] is not None else "?"
            return f"open, counter {claimed(battery['account_last_counter'])}, {left} left"


def _counter(reading: dict[str, Any]) -> Text:
    """A counter with a mark where it is not the one after the last."""
    text = claimed(reading.get("counter"))
    match reading.get("counter_kind"):
        case "gap":
            return Text(f"▲ +{claimed(reading['counter_delta'])}  {text}", style="yellow")
        case "regress":
            return Text(f"▼ {claimed(reading['counter_delta'])}  {text}", style="red")
        case "duplicate":
            return Text(f"= {text}", style="red")
        case _:
            return Text(text)
