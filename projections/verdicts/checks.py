"""The twelve checks of the published contract, for one reading. C is the commitment that its transaction S spends, and
A the account before it. Pure. Source: docs/protocol.md section 5.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from indexer.events import OutputView, Reading, ReadingEvent, ReadingRejected
from indexer.protocol.keys import USER_LABEL, label_prefix
from indexer.protocol.profile import Profile
from projections.facts import Fact
from projections.verdicts.model import Check, Result, Value, VerdictName
from projections.verdicts.standing import Account, Standing
from projections.verdicts.state import OpenCommitment, State, held_by

CHALLENGE_HEX: Final = 64
DRIFT_WARNING_SLOTS: Final = 120
"""A claimed slot further off than this is named, and fails nothing. Rule R46 has a threshold of its own."""

_NOTHING: Final = Reading()
_USER_PREFIX: Final = label_prefix(USER_LABEL).hex()

NAMES: Final[dict[int, tuple[str, VerdictName]]] = {
    1: ("commitment_consumed", "ledger"),
    2: ("battery", "binding"),
    3: ("user", "binding"),
    4: ("recent", "binding"),
    5: ("challenge", "binding"),
    6: ("signature", "crypto"),
    7: ("counter", "plausibility"),
    8: ("soh", "plausibility"),
    9: ("cycles", "plausibility"),
    10: ("ownership", "binding"),
    11: ("account_kept", "ledger"),
    12: ("reward", "ledger"),
}


class Case(Struct, frozen=True):
    """A reading and what it is judged by."""

    event: ReadingEvent
    slot: int
    profile: Profile
    standing: Standing  # before S
    commitment: OpenCommitment | None  # C
    account: Account | None  # A
    no_commitment: tuple[str, ...] = ()  # why there is no C
    forgotten: bool = False  # C may be one that the state has dropped
    no_account: tuple[str, ...] = ()  # why there is no A

    @property
    def reading(self) -> Reading:
        return self.event.decoded.reading or _NOTHING


def case_of(state: State, fact: Fact, event: ReadingEvent, profile: Profile) -> Case:
    """Puts C and A together. ``state`` is the one that S found (``enter``), with what S ended so far in ``ended``."""
    burned = event.burned_commitments
    commitment: OpenCommitment | None = None
    reasons: tuple[str, ...] = ()
    forgotten = False
    found = held_by((*state.commitments, *state.ended), event.inputs, burned)
    if not burned:
        reasons = ("no_commitment_token_burned",)
    elif sum(burned.values()) != 1:
        reasons = ("several_commitment_tokens_burned",)
    elif not found:
        reasons, forgotten = ("no_open_commitment_spent",), state.forgotten > 0
    else:
        # Two may have one name: the one that a "consume with a reading" redeemer is for is C.
        commitment = min(found, key=lambda each: each.output not in event.consumed)
    account = None if event.account_unproven else state.standing.account_at(event.account_input)
    missing = () if account else ("account_unproven",) if event.account_unproven else ("account_before_unknown",)
    return Case(event, fact.slot, profile, state.standing, commitment, account, reasons, forgotten, missing)


def chain_checks(case: Case) -> Iterator[Check]:
    """All twelve but number 6, which asks for cryptography."""
    yield _consumed(case)
    yield _battery(case)
    yield _user(case)
    yield _recent(case)
    yield _challenge(case)
    yield _counter(case)
    yield _soh(case)
    yield _cycles(case)
    yield _ownership(case)
    yield _account_kept(case)
    yield _reward(case)


def answer(number: int, result: Result, *reasons: str, **inputs: Value) -> Check:
    name, verdict = NAMES[number]
    return Check(name=name, number=number, verdict=verdict, result=result, reasons=reasons, inputs=inputs)


def compared(number: int, passes: bool, reason: str, **inputs: Value) -> Check:
    """Passed, or failed for the reason."""
    name, verdict = NAMES[number]
    result: Result = "passed" if passes else "failed"
    reasons = () if passes else (reason,)
    return Check(name=name, number=number, verdict=verdict, result=result, reasons=reasons, inputs=inputs)


def _consumed(case: Case) -> Check:
    commitment = case.commitment
    if commitment is not None:
        return answer(1, "passed", commitment=f"{commitment.transaction}#{commitment.index}")
    if case.forgotten:
        return answer(1, "not_assessable", "commitment_may_be_forgotten")
    return answer(1, "failed", *case.no_commitment, burned=sum(case.event.burned_commitments.values()))


def _battery(case: Case) -> Check:
    claimed = case.reading.battery_id
    if case.commitment is None or case.account is None:
        return answer(2, "not_assessable", *case.no_commitment, *case.no_account, reading=claimed)
    committed, account = case.commitment.battery_id, case.account.datum.battery_id
    inputs: dict[str, Value] = {"commitment": committed, "account": account, "reading": claimed}
    if claimed is None:
        return answer(2, "failed", "battery_id_missing", **inputs)
    return compared(2, committed == account == claimed, "batteries_differ", **inputs)


def _user(case: Case) -> Check:
    if case.commitment is None:
        return answer(3, "not_assessable", *case.no_commitment)
    user, event = case.commitment.user_pkh, case.event
    inputs: dict[str, Value] = {"user": user, "signed_as_witness": user in event.witnesses}
    return compared(3, user in event.required_signers, "user_not_required_to_sign", **inputs)


def _recent(case: Case) -> Check:
    """By the slots of blocks. What the contract saw, the claimed slot and the interval, is shown beside."""
    commitment, account = case.commitment, case.account
    if commitment is None or account is None:
        return answer(4, "not_assessable", *case.no_commitment, *case.no_account)
    age, greatest = case.slot - commitment.slot, account.datum.max_age_slots
    drift = None if commitment.claimed_slot is None else commitment.slot - commitment.claimed_slot
    inputs: dict[str, Value] = {
        "age_slots": age,
        "max_age_slots": greatest,
        "claimed_slot_drift_slots": drift,
        "invalid_before": case.event.invalid_before,
        "invalid_after": case.event.invalid_after,
    }
    warnings = ("claimed_slot_drifts",) if drift is not None and abs(drift) > DRIFT_WARNING_SLOTS else ()
    if age > greatest:
        return answer(4, "failed", "commitment_too_old", *warnings, **inputs)
    return answer(4, "passed", *warnings, **inputs)


def _challenge(case: Case) -> Check:
    challenge = case.reading.challenge
    if case.commitment is None:
        return answer(5, "not_assessable", *case.no_commitment, challenge=challenge)
    inputs: dict[str, Value] = {"challenge": challenge, "commitment": case.commitment.transaction}
    if challenge is None or len(challenge) != CHALLENGE_HEX:
        return answer(5, "failed", "challenge_not_32_bytes", **inputs)
    return compared(5, challenge == case.commitment.transaction, "challenge_of_another_commitment", **inputs)


def _counter(case: Case) -> Check:
    counter = case.reading.counter
    if case.account is None:
        return answer(7, "not_assessable", *case.no_account, counter=counter)
    last = case.account.datum.last_counter
    if counter is None:
        return answer(7, "failed", "counter_missing", last_counter=last)
    return compared(7, counter > last, "counter_not_above_last", counter=counter, last_counter=last)


def _soh(case: Case) -> Check:
    """A graded observation, not a truth: real batteries break the strict rule often, hence the tolerance."""
    soh = case.reading.soh_bp
    if case.account is None:
        return answer(8, "not_assessable", *case.no_account, soh_bp=soh)
    last, tolerance = case.account.datum.last_soh_bp, case.profile.soh_tolerance_bp
    if last is None:
        return answer(8, "not_assessable", "account_without_soh", soh_bp=soh)
    if soh is None:
        return answer(8, "failed", "soh_missing", last_soh_bp=last)
    inputs: dict[str, Value] = {"soh_bp": soh, "last_soh_bp": last, "tolerance_bp": tolerance}
    return compared(8, soh <= last + tolerance, "soh_above_tolerance", **inputs)


def _cycles(case: Case) -> Check:
    cycles = case.reading.cycle_count
    if case.account is None:
        return answer(9, "not_assessable", *case.no_account, cycle_count=cycles)
    last = case.account.datum.last_cycle_count
    if last is None:
        return answer(9, "not_assessable", "account_without_cycles", cycle_count=cycles)
    if cycles is None:
        return answer(9, "failed", "cycle_count_missing", last_cycle_count=last)
    return compared(9, cycles >= last, "cycles_below_last", cycle_count=cycles, last_cycle_count=last)


def _ownership(case: Case) -> Check:
    if case.commitment is None:
        return answer(10, "not_assessable", *case.no_commitment)
    name, policy = ownership_token(case.event.battery_key), case.profile.passport_policy
    user, holder = case.commitment.user_pkh, case.standing.holder
    inputs: dict[str, Value] = {"user": user, "last_holder": holder.payment if holder else None}
    if case.event.minted.get(policy, {}).get(name, 0) > 0:
        return answer(10, "failed", "ownership_token_minted", **inputs)
    output = _output(case, 1)
    if output is None or not _pays(output, user):
        return answer(10, "failed", "output_1_not_to_user", **inputs)
    held = output.assets.get(policy, {}).get(name, 0)
    return compared(10, held > 0, "output_1_without_ownership_token", **inputs)


def ownership_token(battery_key: str) -> str:
    """The (222) token's name, hex."""
    return _USER_PREFIX + battery_key


def _account_kept(case: Case) -> Check:
    account = case.account
    if account is None:
        return answer(11, "not_assessable", *case.no_account)
    faults = tuple(_changes(case, account))
    after = _output(case, 0)
    inputs: dict[str, Value] = {
        "lovelace_before": account.lovelace,
        "lovelace_after": None if after is None else after.lovelace,
        "reward_per_read": account.datum.reward_per_read,
    }
    return answer(11, "failed" if faults else "passed", *faults, **inputs)


def _changes(case: Case, before: Account) -> Iterator[str]:
    """What of the account is not as it was."""
    output, datum, reading = _output(case, 0), case.event.account_datum, case.reading
    if output is None or output.index != case.event.account_output.index:
        yield "account_not_in_output_0"
        return
    if output.address != before.address:
        yield "account_address_changed"
    if output.assets != before.assets:
        yield "account_tokens_changed"
    if output.lovelace != before.lovelace - before.datum.reward_per_read:
        yield "account_lovelace_not_less_by_reward"
    if output.has_reference_script:
        yield "account_with_reference_script"
    if output.datum is None:
        yield "account_datum_not_inline"
    elif datum is None:
        yield "account_datum_unreadable"
    else:
        long = before.datum.last_soh_bp is not None
        expected = replace(
            before.datum,
            last_counter=datum.last_counter if reading.counter is None else reading.counter,
            last_soh_bp=reading.soh_bp if long else None,
            last_cycle_count=reading.cycle_count if long else None,
        )
        if datum != expected:
            yield "account_datum_not_of_reading"


def _reward(case: Case) -> Check:
    if case.commitment is None or case.account is None:
        return answer(12, "not_assessable", *case.no_commitment, *case.no_account)
    reward, output = case.account.datum.reward_per_read, _output(case, 1)
    inputs: dict[str, Value] = {"reward_per_read": reward, "lovelace": None if output is None else output.lovelace}
    if output is None or not _pays(output, case.commitment.user_pkh):
        return answer(12, "failed", "output_1_not_to_user", **inputs)
    return compared(12, output.lovelace >= reward, "reward_too_small", **inputs)


def _output(case: Case, index: int) -> OutputView | None:
    return next((output for output in case.event.outputs if output.index == index), None)


def _pays(output: OutputView, user: str) -> bool:
    return (output.payment_kind, output.payment) == ("key", user)


def scripts_passed(case: Case) -> Check:
    """Whether the ledger accepted it. Beside the twelve; says too where the operator minted a second account."""
    rejected = isinstance(case.event, ReadingRejected)
    reasons = ("scripts_failed",) if rejected else ()
    if len(case.standing.accounts) > 1:
        reasons = (*reasons, "two_live_accounts")
    return Check(name="scripts", verdict="ledger", result="failed" if rejected else "passed", reasons=reasons)
