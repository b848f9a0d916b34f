"""What an event says, in words. Names, texts and numbers come from the chain: what does not print is escaped."""

from collections.abc import Iterator
from typing import Any, Final, assert_never

from consumers.text import visible
from consumers.timeline import Line
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

SHORT: Final = 10  # hex digits of an id that a person tells it by


def describe(line: Line) -> Iterator[str]:
    """What an event says, in words, and what it means for commitments."""
    event: ChainEvent = decode_event(bytes(line.event))
    match event:
        case PassportRegistered():
            yield f"passport registered, key {shortened(event.bms_public_key)}"
        case PassportUpdated():
            yield f"passport updated, key {shortened(event.bms_public_key)}"
        case OwnershipTokenMoved():
            yield f"ownership token held by {event.output.payment_kind or 'nobody'} {shortened(event.output.payment)}"
        case CommitmentMinted():
            yield f"commitment {shortened(event.transaction)} by {shortened(event.user_pkh)}"
            yield from _fate(line.commitment)
        case CommitmentClosed():
            yield f"commitment {event.how} without a reading"
            if not line.ended:
                yield "of no commitment known here"
        case ReportingAccountUpdated():
            yield f"account set: counter {claimed(event.datum.last_counter)}, {ada(event.output.lovelace)} left"
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
        yield f"ends commitment {shortened(ended['transaction'])} at an age of {ended['age_slots']} slots"


def percent(basis_points: int | None) -> str:
    """Of a claimed value, which may be of any size."""
    if basis_points is None:
        return ""
    return f"{basis_points / 100:.2f} %" if abs(basis_points) < 1_000_000 else "out of range"


def ada(lovelace: int) -> str:
    return f"{lovelace / 1_000_000:,.6f}".rstrip("0").rstrip(".") + " ADA"


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


def claimed(value: int | None) -> str:
    """A claimed integer: one of thousands of digits must not fill the screen."""
    if value is None:
        return ""
    return str(value) if abs(value) < 1 << 80 else f"{'-' if value < 0 else ''}≥2^{value.bit_length() - 1}"


def shortened(hexadecimal: str | None) -> str:
    return f"{hexadecimal[:SHORT]}…" if hexadecimal else "unknown"
