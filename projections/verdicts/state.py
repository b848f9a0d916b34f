"""What the next reading of a battery is judged by, and how events move it. Pure, and bounded whoever writes them."""

from collections.abc import Container
from typing import Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from indexer.events import (
    CommitmentClosed,
    CommitmentMinted,
    OutputRef,
    OwnershipTokenMoved,
    PassportRegistered,
    PassportUpdated,
    ReadingRejected,
    ReadingSubmitted,
    ReportingAccountClosed,
    ReportingAccountUpdated,
    TransactionQuarantined,
)
from indexer.hexes import Hash28, Hash32, Hex
from projections.facts import Fact
from projections.verdicts.standing import (
    Standing,
    after_reading,
    with_account,
    with_holder,
    with_passport,
    without_account,
)

MAX_COMMITMENTS: Final = 256
"""Open commitments that are remembered: anybody may mint one for any battery, at the price of the ada that it locks.

Expired ones are forgotten first, then those of others than the holder of the ownership token, oldest first. A reading
that spends one of the forgotten is "not assessable" by check 1, never failed and never passed.
"""

MAX_EXPIRED: Final = 16
"""Latest commitments of the holder's that ended without a reading after their time (rule R43). Strangers' don't count,
or they could push them out."""

MAX_TRANSACTIONS: Final = 16
"""Latest transactions of the battery, by which the age of a commitment's inputs is known (rule R47)."""


class OpenCommitment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A challenge that waits for its reading."""

    transaction: Hash32
    index: int
    token_name: Hex
    battery_id: Hex
    user_pkh: Hash28
    slot: int
    claimed_slot: int | None = None
    max_age_slots: int  # of the account as it stood at the commitment's own place

    @property
    def output(self) -> OutputRef:
        return OutputRef(self.transaction, self.index)

    def expired(self, slot: int) -> bool:
        return slot > self.slot + self.max_age_slots


class State(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one battery in one deployment.

    ``before`` is the standing before the transaction of the last event: a reading is judged by it, and not by what its
    own transaction moved. None where that transaction moved nothing of it.
    """

    transaction: str = ""
    now: Standing = Standing()
    before: Standing | None = None
    commitments: tuple[OpenCommitment, ...] = ()  # oldest first, at most MAX_COMMITMENTS
    ended: tuple[OpenCommitment, ...] = ()  # in the last event's transaction
    forgotten: int = 0  # commitments dropped while open
    expired: tuple[tuple[Hash28, int], ...] = ()  # holder and slot of expiry, at most MAX_EXPIRED
    transactions: tuple[tuple[Hash32, int], ...] = ()  # id and slot, at most MAX_TRANSACTIONS

    @property
    def standing(self) -> Standing:
        """As the last event's transaction found it."""
        return self.now if self.before is None else self.before


EMPTY: Final = State()


def enter(state: State, transaction: str, slot: int) -> State:
    """The state as the next event's transaction finds it: what the last one moved is now how things stand."""
    if transaction == state.transaction:
        return state
    transactions = (*state.transactions, (transaction, slot))[-MAX_TRANSACTIONS:]
    return replace(state, transaction=transaction, before=None, ended=(), transactions=transactions)


def advance(state: State, fact: Fact, max_age_slots: int) -> State:
    """The state after an event, which ``enter`` has let in. ``max_age_slots`` holds where there is no account."""
    event, now = fact.event, state.now
    match event:
        case PassportRegistered() | PassportUpdated():
            return _moved(state, with_passport(now, event, fact.slot))
        case OwnershipTokenMoved():
            return _moved(state, with_holder(now, event, fact.slot))
        case ReportingAccountUpdated():
            return _moved(state, with_account(now, event))
        case ReportingAccountClosed():
            return _moved(state, without_account(now, event))
        case CommitmentMinted():
            return _with_commitment(state, event, fact, max_age_slots)
        case CommitmentClosed():
            return _closed(state, event, fact.slot)
        case ReadingSubmitted():
            state = _without(state, event.inputs, event.burned_commitments.keys())
            return _moved(state, after_reading(state.now, event))
        case ReadingRejected() | TransactionQuarantined():
            return state
        case unreachable:
            assert_never(unreachable)


def _moved(state: State, now: Standing) -> State:
    return state if now is state.now else replace(state, now=now, before=state.standing)


def _with_commitment(state: State, event: CommitmentMinted, fact: Fact, max_age_slots: int) -> State:
    accounts = state.standing.accounts
    commitment = OpenCommitment(
        transaction=event.transaction,
        index=event.output.index,
        token_name=event.token_name,
        battery_id=event.battery_id,
        user_pkh=event.user_pkh,
        slot=fact.slot,
        claimed_slot=event.claimed_slot,
        max_age_slots=accounts[-1].datum.max_age_slots if accounts else max_age_slots,
    )
    commitments = (*state.commitments, commitment)
    if len(commitments) <= MAX_COMMITMENTS:
        return replace(state, commitments=commitments)
    holder = state.now.holder
    dropped = min(
        commitments,
        key=lambda each: (
            holder is not None and each.user_pkh == holder.payment,
            not each.expired(fact.slot),
            each.slot,
        ),
    )
    left = tuple(each for each in commitments if each is not dropped)
    return replace(state, commitments=left, forgotten=state.forgotten + 1)


def _closed(state: State, event: CommitmentClosed, slot: int) -> State:
    """The state after commitments ended without a reading."""
    holder = state.now.holder
    late = tuple(
        (each.user_pkh, each.slot + each.max_age_slots)
        for each in held_by(state.commitments, event.candidates, {event.token_name})
        if holder is not None and each.user_pkh == holder.payment and each.expired(slot)
    )
    state = replace(state, expired=(*state.expired, *late)[-MAX_EXPIRED:]) if late else state
    return _without(state, event.candidates, {event.token_name})


def _without(state: State, spent: tuple[OutputRef, ...], names: Container[str]) -> State:
    gone = held_by(state.commitments, spent, names)
    if not gone:
        return state
    left = tuple(each for each in state.commitments if each not in gone)
    return replace(state, commitments=left, ended=state.ended + gone)


def held_by(
    commitments: tuple[OpenCommitment, ...], spent: tuple[OutputRef, ...], names: Container[str]
) -> tuple[OpenCommitment, ...]:
    """Commitments of these tokens in outputs that a transaction spends."""
    outputs = set(spent)
    return tuple(each for each in commitments if each.token_name in names and each.output in outputs)
