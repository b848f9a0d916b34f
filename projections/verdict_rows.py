"""Rows of verdicts, findings and alerts, as PostgreSQL keeps them. Fields are the tables' columns, see ``rows.py``."""

from typing import Any

from msgspec import Struct

from indexer.hexes import Hash28, Hash32, Hex


class VerdictRow(Struct, frozen=True, gc=False, kw_only=True):
    """The four verdicts on one reading, with everything that they were made of."""

    deployment: str
    battery_key: Hash28
    fact: Hash32
    event_id: Hash32
    slot: int
    height: int
    block: Hash32
    time: str
    rule_set: int
    ledger: str
    crypto: str
    binding: str
    plausibility: str
    ledger_reasons: tuple[str, ...]
    crypto_reasons: tuple[str, ...]
    binding_reasons: tuple[str, ...]
    plausibility_reasons: tuple[str, ...]
    public_key: Hex | None  # that the signature was judged by
    signed: bool
    quarantined: bool
    rules_not_assessable: tuple[str, ...]
    checks: dict[str, Any]  # name -> result, reasons and inputs


class FindingRow(Struct, frozen=True, gc=False, kw_only=True):
    """What one rule found in one event. ``number`` counts from 0 where a rule found several things in it."""

    deployment: str
    battery_key: Hash28
    fact: Hash32
    rule: str
    number: int
    rule_version: int
    rule_set: int
    severity: str
    event_id: Hash32
    transaction: Hash32
    slot: int
    height: int
    block: Hash32
    time: str
    values: dict[str, Any]
    thresholds: dict[str, int]


class AlertRow(Struct, frozen=True, kw_only=True):
    """All that one rule found in one battery. ``alert`` names it for ever, whatever forks the chain takes."""

    alert: Hex  # 10 bytes
    deployment: str
    battery_key: Hash28
    rule: str
    severity: str  # the greatest of its findings
    findings: int
    first_fact: Hash32
    first_slot: int
    first_height: int
    first_block: Hash32
    first_time: str
    last_fact: Hash32
    last_slot: int
    last_height: int
    last_block: Hash32
    last_time: str
