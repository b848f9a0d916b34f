"""What follows from a battery's rows: the counter's sequence by key, a commitment's life and age, sums. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

Row = dict[str, Any]
Life = Literal["open", "expired", "consumed", "reclaimed", "closed"]

VERDICTS: Final = ("ledger", "crypto", "binding", "plausibility")
OF_THE_OPERATOR: Final = frozenset(
    ("passport_registered", "passport_updated", "reporting_account_updated", "reporting_account_closed")
)


class Counted(Struct, frozen=True, kw_only=True):
    """The counter under one key, over the readings that took effect."""

    public_key: str
    readings: int
    first_slot: int
    last_slot: int
    first_counter: int
    last_counter: int
    gaps: int  # places where numbers are missing
    missing: int  # numbers that no reading showed
    regressions: int
    duplicates: int  # a number again, with the same payload: a replay
    equivocations: int  # a number again, with another payload: two devices, or one that lies


class Summary(Struct, frozen=True, kw_only=True):
    """A battery in numbers."""

    counters: list[Counted]  # a key each, in the order in which they first spoke
    rewards_lovelace: int  # paid for readings, where the account before is known
    verdicts: dict[str, dict[str, int]]  # of readings: verdict -> result -> how many; empty where nothing is judged
    commitments: dict[Life, int]
    passport_soh_bp: int | None
    last_soh_bp: int | None
    key_of_passport: bool | None  # whether the last reading was by the passport's key; None where one is not known


def counted(readings: Iterable[Row]) -> list[Counted]:
    """``readings`` in the chain's order."""
    by_key: dict[str, list[Row]] = {}
    for reading in readings:
        if reading["counter_kind"] is not None:
            by_key.setdefault(reading["public_key"], []).append(reading)
    return [_counted(key, of_key) for key, of_key in by_key.items()]


def _counted(key: str, readings: list[Row]) -> Counted:
    seen: dict[int, set[str | None]] = {}
    duplicates = equivocations = 0
    for reading in readings:
        payloads = seen.setdefault(reading["counter"], set())
        if reading["payload_sha256"] in payloads:
            duplicates += 1
        elif payloads:
            equivocations += 1
        payloads.add(reading["payload_sha256"])
    deltas = [reading["counter_delta"] for reading in readings if reading["counter_kind"] == "gap"]
    numbers = sorted(seen)
    return Counted(
        public_key=key,
        readings=len(readings),
        first_slot=readings[0]["slot"],
        last_slot=readings[-1]["slot"],
        first_counter=readings[0]["counter"],
        last_counter=readings[-1]["counter"],
        gaps=len(deltas),
        missing=numbers[-1] - numbers[0] + 1 - len(numbers),
        regressions=sum(reading["counter_kind"] == "regress" for reading in readings),
        duplicates=duplicates,
        equivocations=equivocations,
    )


def life_of(commitment: Row, slot: int | None) -> Life:
    """Open ones expire when the chain passes their time: derived for ``slot``, and no event says it."""
    status: Life = commitment["status"]
    greatest = commitment["max_age_slots"]
    if status == "open" and slot is not None and greatest is not None and slot > commitment["slot"] + greatest:
        return "expired"
    return status


class Output(Struct, frozen=True, gc=False):
    """Of an output that a transaction took: whose it was."""

    transaction: str


class Minted(Struct, frozen=True, gc=False):
    """Of a commitment's event: what must have been there before it."""

    inputs: list[Output] = []
    references: list[Output] = []


def age_of(reading: Row, commitment: Row, minted: Minted, slots: Mapping[str, tuple[int, str]]) -> Row:
    """How old a reading may have been when its block was made, as an interval in slots.

    A transaction's id can be computed before it is published, so the challenge proves no moment. A reading is at least
    as young as the commitment's newest input or reference that somebody else made: here, the operator. ``minted`` is of
    the commitment's event; ``slots`` are the battery's transactions, id -> slot and kind of event.
    """
    outputs = (*minted.inputs, *minted.references)
    known = [slots[each.transaction] for each in outputs if each.transaction in slots]
    bounds = [slot for slot, kind in known if kind in OF_THE_OPERATOR]
    claimed = commitment["claimed_slot"]
    return {
        "least_slots": 0,
        "most_slots": reading["slot"] - max(bounds) if bounds else None,  # None: nothing bounds it
        "most_slots_if_not_precomputed": reading["slot"] - commitment["slot"],
        "claimed_slot_drift_slots": None if claimed is None else commitment["slot"] - claimed,
        "max_age_slots": commitment["max_age_slots"],
    }


def effective_of(readings: Iterable[Row]) -> list[Row]:
    """Those that took effect: not rejected, and on an account that proves what it is."""
    return [each for each in readings if not each["rejected"] and not each["account_unproven"]]


class Sums(Struct, frozen=True):
    """What PostgreSQL summed up of a battery's rows, as the functions here do it."""

    counters: list[Counted]
    rewards_lovelace: int
    commitments: dict[Life, int]
    last_key: str | None  # of the last reading that took effect


def sums_of(readings: list[Row], commitments: Iterable[Row]) -> Sums:
    """``readings`` in the chain's order; commitments with their ``life``."""
    effective = effective_of(readings)
    return Sums(
        counters=counted(readings),
        rewards_lovelace=sum(each["reward_lovelace"] or 0 for each in readings),
        commitments=dict(Counter(each["life"] for each in commitments)),
        last_key=effective[-1]["public_key"] if effective else None,
    )


def sums_said(counters: list[Row], paid: list[Row], lives: list[Row]) -> Sums:
    """As the queries ``counters``, ``paid`` and ``count_lives`` say it."""
    return Sums(
        counters=msgspec.convert(counters, list[Counted]),
        rewards_lovelace=paid[0]["lovelace"],
        commitments={row["life"]: row["commitments"] for row in lives},
        last_key=paid[0]["last_key"],
    )


def summary(battery: Row, sums: Sums, verdicts: Iterable[Row]) -> Summary:
    """``verdicts``: of four how many ``readings``."""
    judged = {name: Counter[str]() for name in VERDICTS}
    for row in verdicts:
        for name, counter in judged.items():
            counter[row[name]] += row["readings"]
    soh = (battery["metadata"] or {}).get("soh_bp")
    key = battery["bms_public_key"]
    is_known = battery["last_reading"] is not None and key is not None
    return Summary(
        counters=sums.counters,
        rewards_lovelace=sums.rewards_lovelace,
        verdicts={name: dict(counter) for name, counter in judged.items() if counter},
        commitments=sums.commitments,
        passport_soh_bp=soh if type(soh) is int else None,
        last_soh_bp=battery["last_soh_bp"],
        key_of_passport=sums.last_key == key if is_known else None,
    )
