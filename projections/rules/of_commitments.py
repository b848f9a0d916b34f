"""R43, R44, R46, R47, R49 and R50: the life of commitments. Pure.

Anybody may mint a commitment for any battery: what strangers do is information and raises no alarm about the battery,
and bursts and parallel ones count those of the ownership token's holder only.
"""

from indexer.events import CommitmentClosed, CommitmentMinted
from indexer.protocol.keys import UNVERIFIED
from projections.rules.history import DAY
from projections.rules.model import NOTHING, Hit, Outcome, Severity
from projections.rules.thresholds import Thresholds
from projections.verdicts.state import OpenCommitment, State, held_by


def expired_burst(
    state: State, event: CommitmentMinted | CommitmentClosed, slot: int, thresholds: Thresholds
) -> Outcome:
    """R43, of one battery; of one submitter over all batteries see ``fleet.expired_share``.

    Asked when a challenge is asked for, and when one ends without a reading: taken back, it has expired all the same.
    """
    holder, mine = _holder(state), _holders(state)
    if mine is None or holder not in _users(state, event):
        return None
    ends = [c.slot + c.max_age_slots for c in mine if c.expired(slot)]
    ends += [end for user, end in state.expired if user == holder]
    expired = sum(slot - end < DAY for end in ends)
    return (Hit("warning", {"expired": expired}),) if expired >= thresholds.expired_in_day else NOTHING


def parallel(state: State, event: CommitmentMinted, slot: int, thresholds: Thresholds) -> Outcome:
    """R44. ``state`` is the one after the event."""
    mine = _holders(state)
    if mine is None or event.user_pkh != _holder(state):
        return None
    waiting = sum(not c.expired(slot) for c in mine)
    return (Hit("warning", {"open": waiting}),) if waiting > thresholds.parallel_open else NOTHING


def drift(state: State, event: CommitmentMinted, slot: int, thresholds: Thresholds) -> Outcome:
    """R46."""
    if event.claimed_slot is None:
        return None
    drifted = slot - event.claimed_slot
    far = abs(drifted) > thresholds.claimed_drift_slots
    values = {"drift_slots": drifted, "claimed_slot": event.claimed_slot}
    return (Hit(_grave(state, event.user_pkh), values),) if far else NOTHING


def precomputable(state: State, event: CommitmentMinted, slot: int, thresholds: Thresholds) -> Outcome:
    """R47. An input's age is known only where its transaction is one of the battery's latest."""
    if event.references:
        return NOTHING
    known = dict(state.transactions)
    ages = [slot - known[each.transaction] if each.transaction in known else None for each in event.inputs]
    if any(age is not None and age <= thresholds.precomputable_days * DAY for age in ages):
        return NOTHING
    if not ages or None in ages:
        return None
    return (Hit("info", {"youngest_input_slots": min(age for age in ages if age is not None)}),)


def odd_token(state: State, event: CommitmentMinted, __: int, ___: Thresholds) -> Outcome:
    """R49."""
    odd = event.tokens_minted != 1 or event.quantity != 1 or event.name_scheme == UNVERIFIED
    values = {"tokens_minted": event.tokens_minted, "quantity": event.quantity, "name_scheme": event.name_scheme}
    return (Hit(_grave(state, event.user_pkh), values),) if odd else NOTHING


def without_reading(state: State, event: CommitmentClosed, _: int, __: Thresholds) -> Outcome:
    """R50. ``state`` is the one before the event."""
    closed = held_by(state.commitments, event.candidates, {event.token_name})
    if not closed:
        return None
    users = {each.user_pkh for each in closed}
    by_user = users <= {*event.required_signers, *event.witnesses}
    plain = event.how == "reclaimed" and by_user
    return (Hit("info" if plain else _grave(state, *users), {"how": event.how, "by_its_user": by_user}),)


def _users(state: State, event: CommitmentMinted | CommitmentClosed) -> set[str]:
    """Whose commitments an event is about. ``state`` still has those that it ended."""
    if isinstance(event, CommitmentMinted):
        return {event.user_pkh}
    return {each.user_pkh for each in held_by(state.commitments, event.candidates, {event.token_name})}


def _grave(state: State, *users: str) -> Severity:
    """A warning about the holder's own commitments; what strangers do is information."""
    return "warning" if _holder(state) in users else "info"


def _holder(state: State) -> str | None:
    holder = state.standing.holder
    return holder.payment if holder is not None and holder.payment_kind == "key" else None


def _holders(state: State) -> list[OpenCommitment] | None:
    holder = _holder(state)
    return None if holder is None else [each for each in state.commitments if each.user_pkh == holder]
