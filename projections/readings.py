"""What a reading's event says, together with the battery and the commitment it meets. Pure."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from indexer.events import Reading, ReadingEvent, ReadingRejected
from projections.facts import Fact
from projections.rows import BatteryRow, CommitmentRow, ReadingRow

_NOTHING_READ: Final = Reading()


def reading_row(
    battery: BatteryRow,
    counters: Mapping[str, int],
    commitment: CommitmentRow | None,
    event: ReadingEvent,
    fact: Fact,
) -> ReadingRow:
    """A reading's row. ``commitment`` is the open one that its transaction spends."""
    decoded = event.decoded
    reading = decoded.reading or _NOTHING_READ
    rejected = isinstance(event, ReadingRejected)
    public_key = _public_key(battery, event)
    counts = reading.counter is not None and public_key is not None and not rejected and not event.account_unproven
    previous = counters.get(public_key or "") if counts else None
    delta = reading.counter - previous if previous is not None and reading.counter is not None else None
    return ReadingRow(
        deployment=event.deployment,
        battery_key=event.battery_key,
        fact=fact.fact,
        event_id=fact.event_id,
        transaction=event.transaction,
        transaction_index=event.transaction_index,
        event_index=event.index,
        slot=fact.slot,
        height=fact.height,
        block=fact.block,
        time=fact.time,
        rejected=rejected,
        account_unproven=event.account_unproven,
        form=decoded.form,
        departures=decoded.departures,
        unreadable=decoded.unreadable,
        payload_sha256=decoded.payload_sha256,
        public_key=public_key,
        challenge=reading.challenge,
        counter=reading.counter,
        schema_version=reading.schema_version,
        soh_bp=reading.soh_bp,
        soc_bp=reading.soc_bp,
        cycle_count=reading.cycle_count,
        full_charge_capacity_mah=reading.full_charge_capacity_mah,
        nominal_capacity_mah=reading.nominal_capacity_mah,
        voltage_mv=reading.voltage_mv,
        current_ma=reading.current_ma,
        temp_min_c=reading.temp_min_c,
        temp_max_c=reading.temp_max_c,
        energy_throughput_wh=reading.energy_throughput_wh,
        cell_count=reading.cell_count,
        commitment=commitment.fact if commitment else None,
        commitment_age_slots=fact.slot - commitment.slot if commitment else None,
        challenge_answers=reading.challenge == commitment.transaction if commitment else None,
        previous_counter=previous,
        counter_delta=delta,
        counter_kind=_counter_kind(delta) if counts else None,
        reward_lovelace=_reward(battery, event),
    )


def with_reading(battery: BatteryRow, row: ReadingRow, event: ReadingEvent) -> BatteryRow:
    """The battery after a reading. Only one that took effect, on the proven account, moves more than a count."""
    if row.rejected:
        return replace(battery, readings_rejected=battery.readings_rejected + 1)
    if row.account_unproven:
        return replace(battery, readings_unproven=battery.readings_unproven + 1)
    battery = replace(
        battery,
        readings_submitted=battery.readings_submitted + 1,
        last_reading=row.fact,
        last_reading_slot=row.slot,
        last_soh_bp=row.soh_bp,
        last_cycle_count=row.cycle_count,
        last_counter=row.counter,
        account_output=f"{event.transaction}#{event.account_output.index}",
        account_lovelace=event.account_output.lovelace,
    )
    datum = event.account_datum
    if datum is None:
        return battery
    return replace(
        battery,
        account_open=True,
        account_public_key=datum.bms_public_key,
        account_last_counter=datum.last_counter,
        account_reward_per_read=datum.reward_per_read,
        account_max_age_slots=datum.max_age_slots,
        account_last_soh_bp=datum.last_soh_bp,
        account_last_cycle_count=datum.last_cycle_count,
    )


def _public_key(battery: BatteryRow, event: ReadingEvent) -> str | None:
    if event.account_datum is not None:
        return event.account_datum.bms_public_key
    return battery.account_public_key or battery.bms_public_key


def _counter_kind(delta: int | None) -> str:
    """Where a counter stands in the sequence of its key. ``delta`` is None for a key's first reading."""
    if delta is None:
        return "first"
    if delta < 0:
        return "regress"
    return ("duplicate", "next")[delta] if delta <= 1 else "gap"


def _reward(battery: BatteryRow, event: ReadingEvent) -> int | None:
    """Lovelace that left the account. Known only when the account's output before is the one last seen."""
    spent = f"{event.account_input.transaction}#{event.account_input.index}"
    if isinstance(event, ReadingRejected) or event.account_unproven:
        return None
    if battery.account_output != spent or battery.account_lovelace is None:
        return None
    return battery.account_lovelace - event.account_output.lovelace
