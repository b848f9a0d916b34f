"""Rows: what the fold says of a battery, as PostgreSQL keeps it. Fields are the tables' columns.

Bytes are lowercase hex here and bytea there, so that a row can stand in a state, which is JSON.
"""

from typing import Any, Final

from msgspec import Struct

from indexer.hexes import Hash28, Hash32, Hex
from projections.verdict_rows import AlertRow, FindingRow, VerdictRow


class EventRow(Struct, frozen=True, gc=False, kw_only=True):
    """One event of the log, at its place on the chain."""

    deployment: str
    battery_key: Hash28
    height: int
    transaction_index: int
    event_index: int
    slot: int
    block: Hash32
    time: str  # RFC 3339, UTC
    fact: Hash32
    event_id: Hash32
    incarnation: int
    type: str
    transaction: Hash32
    body: bytes


class BatteryRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a battery."""

    deployment: str
    battery_key: Hash28
    battery_id: Hex | None = None
    battery_id_text: str | None = None
    bms_public_key: Hex | None = None
    bms_key_alg: int | None = None
    passport_version: int | None = None
    metadata: dict[str, Any] | None = None
    registered_slot: int | None = None
    owner: Hex | None = None
    owner_kind: str | None = None
    owner_address: str | None = None
    owner_since_slot: int | None = None
    account_open: bool | None = None
    account_output: str | None = None
    account_lovelace: int | None = None
    account_public_key: Hex | None = None
    account_last_counter: int | None = None
    account_reward_per_read: int | None = None
    account_max_age_slots: int | None = None
    account_last_soh_bp: int | None = None
    account_last_cycle_count: int | None = None
    last_reading: Hash32 | None = None
    last_reading_slot: int | None = None
    last_soh_bp: int | None = None
    last_cycle_count: int | None = None
    last_counter: int | None = None
    readings_submitted: int = 0
    readings_rejected: int = 0
    readings_unproven: int = 0
    commitments_minted: int = 0
    commitments_open: int = 0
    quarantined: int = 0
    slot: int = 0
    height: int = 0
    block: Hex = ""


class CommitmentRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A commitment and its end."""

    deployment: str
    battery_key: Hash28
    fact: Hash32
    transaction: Hash32
    output_index: int
    token_name: Hex
    user_pkh: Hex
    claimed_slot: int | None = None
    nonce: Hex | None = None
    max_age_slots: int | None = None
    status: str = "open"
    slot: int
    height: int
    block: Hash32
    time: str
    ended_how: str | None = None
    ended_fact: Hash32 | None = None
    ended_transaction: Hash32 | None = None
    ended_slot: int | None = None
    ended_height: int | None = None
    age_slots: int | None = None


class ReadingRow(Struct, frozen=True, gc=False, kw_only=True):
    """A reading, with what the chain around it says."""

    deployment: str
    battery_key: Hash28
    fact: Hash32
    event_id: Hash32
    transaction: Hash32
    transaction_index: int
    event_index: int
    slot: int
    height: int
    block: Hash32
    time: str
    rejected: bool
    account_unproven: bool
    form: str
    departures: tuple[str, ...]
    unreadable: str | None
    payload_sha256: Hash32 | None
    public_key: Hex | None
    challenge: Hex | None
    counter: int | None
    schema_version: int | None
    soh_bp: int | None
    soc_bp: int | None
    cycle_count: int | None
    full_charge_capacity_mah: int | None
    nominal_capacity_mah: int | None
    voltage_mv: int | None
    current_ma: int | None
    temp_min_c: int | None
    temp_max_c: int | None
    energy_throughput_wh: int | None
    cell_count: int | None
    commitment: Hash32 | None
    commitment_age_slots: int | None
    challenge_answers: bool | None
    previous_counter: int | None
    counter_delta: int | None
    counter_kind: str | None
    reward_lovelace: int | None


Row = EventRow | BatteryRow | CommitmentRow | ReadingRow | VerdictRow | FindingRow | AlertRow
Key = tuple[str | int, ...]


class Table(Struct, frozen=True):
    """A table with spans of knowledge. ``key`` names the columns that tell its rows apart, now."""

    name: str
    row: type[Row]
    key: tuple[str, ...]


EVENTS: Final = Table("events", EventRow, ("battery_key", "deployment", "height", "transaction_index", "event_index"))
BATTERIES: Final = Table("batteries", BatteryRow, ("battery_key", "deployment"))
COMMITMENTS: Final = Table("commitments", CommitmentRow, ("battery_key", "deployment", "fact"))
READINGS: Final = Table("readings", ReadingRow, ("battery_key", "deployment", "fact"))
VERDICTS: Final = Table("verdicts", VerdictRow, ("battery_key", "deployment", "fact"))
FINDINGS: Final = Table("findings", FindingRow, ("battery_key", "deployment", "fact", "rule", "number"))
ALERTS: Final = Table("alerts", AlertRow, ("battery_key", "deployment", "rule"))

TABLES: Final = (EVENTS, BATTERIES, COMMITMENTS, READINGS, VERDICTS, FINDINGS, ALERTS)
"""In the order in which they are written."""


class Put(Struct, frozen=True, gc=False):
    """The row under this key now says this. ``fresh``: no row had this key before."""

    table: Table
    key: Key
    row: Row
    fresh: bool
