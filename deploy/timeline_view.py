"""A battery's timeline on a terminal. All names, texts and numbers in it come from the chain: escaped, never markup."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from shutil import get_terminal_size
from typing import Any, Final, assert_never

from msgspec.structs import replace
from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.timeline import Finality, Holds, Line, Timeline
from deploy.text import final_words, visible
from deploy.verdict_view import LEGEND, LETTERS, marks, remarks, summary_lines
from indexer.events import (
    ChainEvent,
    CommitmentClosed,
    CommitmentMinted,
    OwnershipTokenMoved,
    PassportRegistered,
    PassportUpdated,
    ReadingRejected,
    ReadingSubmitted,
    ReportingAccountClosed,
    ReportingAccountUpdated,
    TransactionQuarantined,
    decode_event,
)

BARS: Final = "▁▂▃▄▅▆▇█"
SPARKLINE_WIDTH: Final = 60
WIDE_COLUMNS: Final = 110
SHORT: Final = 10  # hex digits of an id that a person tells it by
PASSPORT_FIELDS: Final = ("manufacturer", "model", "chemistry", "cell_count", "nominal_capacity_mah", "status")
FINALITY_STYLE: Final[dict[Finality, str]] = {"pending": "yellow", "confirmed": "cyan", "final": "green"}


def print_timeline(console: Console, timeline: Timeline) -> None:
    """Identity, the course of SoH, the events in the chain's order, and where all of it holds."""
    _print_identity(console, timeline)
    effective = [line.reading for line in timeline.lines if line.reading and _took_effect(line.reading)]
    soh = [reading["soh_bp"] for reading in effective if reading["soh_bp"] is not None]
    if len(soh) > 1:
        console.print(Text(f"SoH        {sparkline(soh)}  {percent(soh[0])} → {percent(soh[-1])}"))
    for alert in timeline.alerts:
        console.print(Text(f"ALERT      {alert['alert'][:SHORT]} {alert['rule']} {alert['severity']}", "red"))
    console.print()
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
        Text(_number(reading.get("cycle_count"))),
        _counter(reading),
        marks(line.verdict),
        Text(remark) if remark else Text(line.finality, style=FINALITY_STYLE[line.finality]),
        style=style,
    )


def describe(line: Line) -> Iterator[str]:
    """What an event says, in words, and what it means for commitments."""
    event: ChainEvent = decode_event(bytes(line.event))
    match event:
        case PassportRegistered():
            yield f"passport registered, key {_short(event.bms_public_key)}"
        case PassportUpdated():
            yield f"passport updated, key {_short(event.bms_public_key)}"
        case OwnershipTokenMoved():
            yield f"ownership token held by {event.output.payment_kind or 'nobody'} {_short(event.output.payment)}"
        case CommitmentMinted():
            yield f"commitment {_short(event.transaction)} by {_short(event.user_pkh)}"
            yield from _fate(line.commitment)
        case CommitmentClosed():
            yield f"commitment {event.how} without a reading"
            if not line.ended:
                yield "of no commitment known here"
        case ReportingAccountUpdated():
            yield f"account set: counter {_number(event.datum.last_counter)}, {ada(event.output.lovelace)} left"
            if event.account_unproven:
                yield "UNPROVEN account: no thread token"
        case ReportingAccountClosed():
            yield "account closed: thread token burned"
        case ReadingSubmitted():
            yield "reading"
            yield from _reading(line.reading)
        case ReadingRejected():
            yield "reading REJECTED: a script failed"
            yield from _reading(line.reading)
        case TransactionQuarantined():
            yield f"QUARANTINED: {visible(event.reason)}: {visible(event.detail)}"
        case unreachable:
            assert_never(unreachable)
    for ended in line.ended:
        yield f"ends commitment {_short(ended['transaction'])} at an age of {ended['age_slots']} slots"


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


def percent(basis_points: int | None) -> str:
    if basis_points is None:
        return ""
    return f"{basis_points / 100:.2f} %" if abs(basis_points) < 1_000_000 else "out of range"


def ada(lovelace: int) -> str:
    return f"{lovelace / 1_000_000:,.6f}".rstrip("0").rstrip(".") + " ADA"


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
            return f"open, counter {_number(battery['account_last_counter'])}, {left} left"


def _reading(reading: dict[str, Any] | None) -> Iterator[str]:
    if reading is None:
        return
    if reading["unreadable"]:
        yield f"UNREADABLE: {visible(reading['unreadable'])}"
    if reading["account_unproven"]:
        yield "UNPROVEN account: moves nothing"
    if reading["departures"]:
        yield "departs: " + ", ".join(map(visible, reading["departures"]))
    if reading["commitment"] is None:
        yield "no open commitment spent"
    elif not reading["challenge_answers"]:
        yield "challenge is of ANOTHER commitment"
    if reading["reward_lovelace"]:
        yield f"{ada(reading['reward_lovelace'])} paid"


def _fate(commitment: dict[str, Any] | None) -> Iterator[str]:
    if commitment is None:
        return
    age = f" after {commitment['age_slots']} slots" if commitment["age_slots"] is not None else ""
    yield f"{commitment['life']}{age}"


def _took_effect(reading: dict[str, Any]) -> bool:
    return not reading["rejected"] and not reading["account_unproven"]


def _counter(reading: dict[str, Any]) -> Text:
    """A counter with a mark where it is not the one after the last."""
    text = _number(reading.get("counter"))
    match reading.get("counter_kind"):
        case "gap":
            return Text(f"▲ +{_number(reading['counter_delta'])}  {text}", style="yellow")
        case "regress":
            return Text(f"▼ {_number(reading['counter_delta'])}  {text}", style="red")
        case "duplicate":
            return Text(f"= {text}", style="red")
        case _:
            return Text(text)


def _number(value: int | None) -> str:
    """A claimed integer: one of thousands of digits must not fill the screen."""
    if value is None:
        return ""
    return str(value) if abs(value) < 1 << 80 else f"{'-' if value < 0 else ''}≥2^{value.bit_length() - 1}"


def _short(hexadecimal: str | None) -> str:
    return f"{hexadecimal[:SHORT]}…" if hexadecimal else "unknown"
