"""The timeline: what a battery's events say together. Pure; the shell in ``store.py`` keeps what comes out."""

from hashlib import blake2b
from typing import Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from indexer.events import (
    CommitmentClosed,
    CommitmentMinted,
    OwnershipTokenMoved,
    PassportEvent,
    PassportRegistered,
    PassportUpdated,
    ReadingRejected,
    ReadingSubmitted,
    ReportingAccountClosed,
    ReportingAccountUpdated,
    TransactionQuarantined,
)
from projections.facts import Fact
from projections.readings import reading_row, with_reading
from projections.rows import BATTERIES, COMMITMENTS, READINGS, BatteryRow, CommitmentRow, Put
from projections.verdicts.state import MAX_COMMITMENTS

UNFOLLOWED: Final = "unfollowed"
"""How a commitment ended of which nobody will see the end: too many were open. It stays open, as far as is known."""


class State(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the next event of a battery is judged by. Grows with its keys only: anybody may mint commitments for it."""

    place: tuple[int, int, int] = (-1, -1, -1)  # of the last event
    battery: BatteryRow | None = None
    commitments: tuple[CommitmentRow, ...] = ()  # open ones that are followed, oldest first, at most MAX_COMMITMENTS
    unfollowed: int = 0  # commitments that were let go while open
    counters: dict[str, int] = {}  # public key -> counter of the last reading that took effect under it


EMPTY: Final = State()


def fold(state: State, fact: Fact) -> tuple[State, list[Put]]:
    """What one event changes. Facts of one battery come in the chain's order."""
    event = fact.event
    before = state.battery
    battery = before or BatteryRow(deployment=event.deployment, battery_key=event.battery_key)
    puts: list[Put] = []
    match event:
        case PassportRegistered() | PassportUpdated():
            battery = _with_passport(battery, event, fact)
        case OwnershipTokenMoved():
            battery = _with_owner(battery, event, fact)
        case CommitmentMinted():
            state, minted = _with_commitment(state, battery, _commitment(battery, event, fact))
            puts += minted
            battery = _named(replace(battery, commitments_minted=battery.commitments_minted + 1), event.battery_id)
        case CommitmentClosed():
            closed = _closed(state.commitments, event)
            state, ended = _ended(state, closed, "reclaimed" if event.how == "reclaimed" else "closed", event.how, fact)
            puts += ended
        case ReportingAccountUpdated():
            battery = _with_account(battery, event)
        case ReportingAccountClosed():
            # A top-up burns the thread token and mints it again in one transaction: the account that it opens stays.
            if not (battery.account_output or "").startswith(event.transaction):
                battery = replace(battery, account_open=False)
        case ReadingSubmitted() | ReadingRejected():
            taken = _consumed(state.commitments, event)
            row = reading_row(battery, state.counters, taken[0] if taken else None, event, fact)
            puts.append(Put(READINGS, (row.battery_key, row.deployment, row.fact), row, fresh=True))
            state, ended = _ended(state, taken, "consumed", "reading", fact)
            puts += ended
            battery = with_reading(battery, row, event)
            if row.counter_kind is not None and row.public_key is not None and row.counter is not None:
                state = replace(state, counters={**state.counters, row.public_key: row.counter})
        case TransactionQuarantined():
            battery = replace(battery, quarantined=battery.quarantined + 1)
        case unreachable:
            assert_never(unreachable)
    left_open = len(state.commitments) + state.unfollowed
    battery = replace(battery, commitments_open=left_open, slot=fact.slot, height=fact.height, block=fact.block)
    puts.append(Put(BATTERIES, (battery.battery_key, battery.deployment), battery, fresh=before is None))
    return replace(state, place=fact.place, battery=battery), puts


def _with_passport(battery: BatteryRow, event: PassportEvent, fact: Fact) -> BatteryRow:
    registered = isinstance(event, PassportRegistered)
    return _named(
        replace(
            battery,
            bms_public_key=event.bms_public_key,
            bms_key_alg=event.bms_key_alg,
            passport_version=event.metadata_version,
            metadata=event.metadata,
            registered_slot=fact.slot if registered else battery.registered_slot,
        ),
        event.battery_id,
    )


def _with_owner(battery: BatteryRow, event: OwnershipTokenMoved, fact: Fact) -> BatteryRow:
    output = event.output
    same = battery.owner_address == output.address
    return replace(
        battery,
        owner=output.payment or None,
        owner_kind=output.payment_kind or None,
        owner_address=output.address,
        owner_since_slot=battery.owner_since_slot if same else fact.slot,
    )


def _with_account(battery: BatteryRow, event: ReportingAccountUpdated) -> BatteryRow:
    """An account without the thread token moves nothing: anybody can make one."""
    if event.account_unproven:
        return battery
    datum = event.datum
    return _named(
        replace(
            battery,
            account_open=True,
            account_output=f"{event.transaction}#{event.output.index}",
            account_lovelace=event.output.lovelace,
            account_public_key=datum.bms_public_key,
            account_last_counter=datum.last_counter,
            account_reward_per_read=datum.reward_per_read,
            account_max_age_slots=datum.max_age_slots,
            account_last_soh_bp=datum.last_soh_bp,
            account_last_cycle_count=datum.last_cycle_count,
        ),
        datum.battery_id,
    )


def _named(battery: BatteryRow, battery_id: str) -> BatteryRow:
    """Takes a battery id where the battery key proves it (rules ``blake2b_224`` and ``raw``): anybody can claim one."""
    if battery.battery_id is not None or not battery_id:
        return battery
    raw = bytes.fromhex(battery_id)
    if battery.battery_key not in (battery_id, blake2b(raw, digest_size=28).hexdigest()):
        return battery
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = ""
    return replace(battery, battery_id=battery_id, battery_id_text=text if text.isprintable() and text else None)


def _commitment(battery: BatteryRow, event: CommitmentMinted, fact: Fact) -> CommitmentRow:
    return CommitmentRow(
        deployment=event.deployment,
        battery_key=event.battery_key,
        fact=fact.fact,
        transaction=event.transaction,
        output_index=event.output.index,
        token_name=event.token_name,
        user_pkh=event.user_pkh,
        claimed_slot=event.claimed_slot,
        nonce=event.nonce,
        max_age_slots=battery.account_max_age_slots,
        slot=fact.slot,
        height=fact.height,
        block=fact.block,
        time=fact.time,
    )


def _with_commitment(state: State, battery: BatteryRow, minted: CommitmentRow) -> tuple[State, list[Put]]:
    """One more is open. Of too many one is let go, and its row says so: expired ones first, then those of others than
    the battery's owner, oldest first. A reading that spends it will be one without a known commitment.
    """
    commitments = (*state.commitments, minted)
    if len(commitments) <= MAX_COMMITMENTS:
        return replace(state, commitments=commitments), [_put(minted, fresh=True)]

    def worth(each: CommitmentRow) -> tuple[bool, bool, int]:
        expired = each.max_age_slots is not None and minted.slot > each.slot + each.max_age_slots
        return (each.user_pkh == battery.owner, not expired, each.slot)

    let_go = min(commitments, key=worth)
    left = tuple(each for each in commitments if each is not let_go)
    told = replace(let_go, ended_how=UNFOLLOWED)
    puts = [_put(told, fresh=True)] if let_go is minted else [_put(minted, fresh=True), _put(told, fresh=False)]
    return replace(state, commitments=left, unfollowed=state.unfollowed + 1), puts


def _closed(commitments: tuple[CommitmentRow, ...], event: CommitmentClosed) -> list[CommitmentRow]:
    """Open commitments of this token in an output that the transaction spent."""
    spent = {(each.transaction, each.index) for each in event.candidates}
    return [
        each
        for each in commitments
        if each.token_name == event.token_name and (each.transaction, each.output_index) in spent
    ]


def _consumed(commitments: tuple[CommitmentRow, ...], event: ReadingSubmitted | ReadingRejected) -> list[CommitmentRow]:
    """Open commitments whose output the reading's transaction spent, and whose token it burned."""
    spent = {(each.transaction, each.index) for each in event.inputs}
    return [
        each
        for each in commitments
        if each.token_name in event.burned_commitments and (each.transaction, each.output_index) in spent
    ]


def _ended(state: State, ended: list[CommitmentRow], status: str, how: str, fact: Fact) -> tuple[State, list[Put]]:
    """Ends open commitments. A rejected transaction ends none: its inputs are still there."""
    if not ended or isinstance(fact.event, ReadingRejected):
        return state, []
    gone = {each.fact for each in ended}
    rows = [
        replace(
            each,
            status=status,
            ended_how=how,
            ended_fact=fact.fact,
            ended_transaction=fact.event.transaction,
            ended_slot=fact.slot,
            ended_height=fact.height,
            age_slots=fact.slot - each.slot,
        )
        for each in ended
    ]
    left = tuple(each for each in state.commitments if each.fact not in gone)
    return replace(state, commitments=left), [_put(row, fresh=False) for row in rows]


def _put(row: CommitmentRow, *, fresh: bool) -> Put:
    return Put(COMMITMENTS, (row.battery_key, row.deployment, row.fact), row, fresh)
