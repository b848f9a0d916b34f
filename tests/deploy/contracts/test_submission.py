"""The twelve checks: the honest submission passes, the same with one thing changed is refused by that check."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from deploy.contracts.judge import Refused
from deploy.devnet import datums
from deploy.devnet.actors import Last
from deploy.devnet.element import Algorithm, SecureElement
from deploy.devnet.keys import script_place
from deploy.devnet.plutus_writer import UNIT, UNIT_1, constructor, integer, octets
from deploy.devnet.transactions import Out, Script
from tests.deploy.contracts import scene
from tests.deploy.contracts.scene import (
    ACCOUNT,
    BATTERY_ID,
    CLAIMED_SLOT,
    COMMITTED,
    CONTRACTS,
    LAST,
    OTHER,
    OTHER_BATTERY_ID,
    OWNERSHIP,
    PASSPORT,
    POLICY,
    STATE,
    TERMS,
    USER,
    Case,
    Change,
    at,
    commitment_out,
    element,
    key_of,
    submit,
    use,
    user_name,
    with_stake,
)

Accept = Callable[[Case], None]
Refuse = Callable[[Case, str], Refused]

CHALLENGE = bytes.fromhex(COMMITTED.transaction)


@pytest.mark.parametrize("algorithm", [-47, -8, -19])
def test_an_honest_submission_passes(accepted: Accept, algorithm: Algorithm) -> None:
    accepted(submit(algorithm=algorithm))


def test_the_first_reading_of_an_account_may_have_counter_0(accepted: Accept) -> None:
    case = submit(counter=0)
    opening = scene.account_out(element().public_key, Last(-1, 12_000, 0), ACCOUNT.lovelace)
    case.outputs[ACCOUNT.key] = opening
    accepted(case)


def test_a_battery_id_of_64_bytes_passes(accepted: Accept) -> None:
    accepted(submit(battery_id=b"urn:" + b"x" * 60))


@pytest.mark.parametrize("cells", [96, 200])
def test_a_reading_with_every_optional_value_passes(accepted: Accept, cells: int) -> None:
    state = STATE | {5: 3_000, 10: 5_000_000_000, 11: cells, 12: [3_650 + cell for cell in range(cells)]}
    accepted(submit(state=state))


def test_a_reading_at_each_limit_passes(accepted: Accept) -> None:
    """Exactly the tolerance above the last SoH, exactly the last cycles, and at the last moment."""
    case = submit(state=STATE | {1: LAST.soh_bp + TERMS.soh_tolerance_bp, 3: LAST.cycle_count})
    case.draft.invalid_after = CLAIMED_SLOT + TERMS.max_age_slots
    accepted(case)


def test_the_reward_may_come_with_more_lovelace_and_the_account_keeps_its_stake_part(accepted: Accept) -> None:
    case = submit()
    case.change_output(1, lovelace=5_000_000)
    staked = with_stake(scene.REPORTING_PLACE)
    case.outputs[ACCOUNT.key] = replace(case.outputs[ACCOUNT.key], place=staked)
    case.change_output(0, place=staked)
    accepted(case)


# One thing changed. Each entry: what an attacker does, and the check that stops him.


def no_commitment(case: Case) -> None:
    case.unspent(COMMITTED)


def token_not_burned(case: Case) -> None:
    case.draft.mint, case.draft.mints = {}, {}


def token_burned_while_another_is_minted(case: Case) -> None:
    case.draft.mint[POLICY][bytes(32)] = 1


def another_token_burned(case: Case) -> None:
    case.draft.mint = {POLICY: {bytes(32): -1}}


def two_commitments(case: Case) -> None:
    case.spent(at("second", 1_700_000, first="23"), commitment_out(slot=CLAIMED_SLOT + 1), UNIT)


def two_commitments_of_one_token_name(case: Case) -> None:
    case.spent(at("second", 1_700_000, first="23"), commitment_out(), UNIT)


def commitment_of_another_battery(case: Case) -> None:
    out = commitment_out(OTHER_BATTERY_ID)
    case.outputs[COMMITTED.key] = out
    case.draft.mint = {POLICY: dict.fromkeys(out.assets[POLICY], -1)}


def commitment_without_its_token(case: Case) -> None:
    """Anybody can put a datum at the script's address."""
    case.outputs[COMMITTED.key] = replace(case.outputs[COMMITTED.key], assets={})


def reading_of_another_battery(case: Case) -> None:
    forged(case, element().tap(OTHER_BATTERY_ID, CHALLENGE, STATE))


def not_signed_by_the_committer(case: Case) -> None:
    case.draft.required, case.draft.signers = [OTHER.hash], [OTHER]


def too_old(case: Case) -> None:
    case.draft.invalid_after = CLAIMED_SLOT + TERMS.max_age_slots + 1


def validity_without_end(case: Case) -> None:
    case.draft.invalid_after = None


def another_challenge(case: Case) -> None:
    """A reading tapped for an earlier commitment."""
    forged(case, element().tap(BATTERY_ID, bytes(32), STATE))


def challenge_of_31_bytes(case: Case) -> None:
    forged(case, element().tap(BATTERY_ID, CHALLENGE[:31], STATE))


def forged(case: Case, cose: bytes) -> None:
    case.draft.spends[ACCOUNT.key] = use(datums.submit_redeemer(cose))


def honest_cose() -> bytes:
    return element().tap(BATTERY_ID, CHALLENGE, STATE)


def tampered_payload(case: Case) -> None:
    cose = honest_cose()
    changed = cose.replace(b"\x19\x98\x08", b"\x19\x98\x09")  # the voltage
    assert changed != cose
    forged(case, changed)


def tampered_signature(case: Case) -> None:
    cose = honest_cose()
    forged(case, cose[:-1] + bytes((cose[-1] ^ 1,)))


def high_s_twin(case: Case) -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    cose = honest_cose()
    twin = order - int.from_bytes(cose[-32:], "big")
    forged(case, cose[:-32] + twin.to_bytes(32, "big"))


def wrong_key(case: Case) -> None:
    """The account keeps its own key, another chip signs."""
    chip = SecureElement("test/another")
    chip.counter = 7
    forged(case, chip.tap(BATTERY_ID, CHALLENGE, STATE))


def another_algorithm_number(case: Case) -> None:
    forged(case, honest_cose().replace(b"\xa1\x01\x38\x2e", b"\xa1\x01\x38\x2f"))


def counter_not_above(case: Case) -> None:
    case.outputs[ACCOUNT.key] = scene.account_out(
        element().public_key, replace(LAST, counter=scene.COUNTER), ACCOUNT.lovelace
    )


def soh_above_tolerance(case: Case) -> None:
    last = replace(LAST, soh_bp=STATE_SOH - TERMS.soh_tolerance_bp - 1)
    case.outputs[ACCOUNT.key] = scene.account_out(element().public_key, last, ACCOUNT.lovelace)


STATE_SOH = 9_350


def cycles_below(case: Case) -> None:
    case.outputs[ACCOUNT.key] = scene.account_out(
        element().public_key, replace(LAST, cycle_count=122), ACCOUNT.lovelace
    )


def no_ownership_token(case: Case) -> None:
    case.change_output(1, assets={})


def ownership_token_of_another_battery(case: Case) -> None:
    case.change_output(1, assets={PASSPORT: {user_name(OTHER_BATTERY_ID): 1}})


def ownership_token_minted_here(case: Case) -> None:
    """With the operator's help: no input held it."""
    case.unspent(OWNERSHIP)
    case.draft.mint[PASSPORT] = {user_name(BATTERY_ID): 1}
    case.draft.mints[PASSPORT] = use(UNIT)
    case.draft.required.append(scene.OPERATOR.hash)
    case.draft.signers.append(scene.OPERATOR)
    case.refer(CONTRACTS.passport)


def account_at_another_stake_part(case: Case) -> None:
    case.change_output(0, place=with_stake(scene.REPORTING_PLACE))


def account_at_another_script(case: Case) -> None:
    case.change_output(0, place=scene.COMMITMENT_PLACE)


def account_loses_more_than_the_reward(case: Case) -> None:
    case.change_output(0, lovelace=ACCOUNT.lovelace - TERMS.reward_lovelace - 1)


def reward_paid_from_somebodys_own_input(case: Case) -> None:
    """The account keeps all its lovelace, the wallet pays."""
    case.change_output(0, lovelace=ACCOUNT.lovelace)


def account_gets_a_reference_script(case: Case) -> None:
    case.change_output(0, script=Script(CONTRACTS.passport.content))


def account_gets_another_token(case: Case) -> None:
    assets = {PASSPORT: {key_of(BATTERY_ID): 1}, bytes(28): {b"junk": 1}}
    case.change_output(0, assets=assets)


def account_loses_its_thread_token(case: Case) -> None:
    case.change_output(0, assets={})
    case.change_output(2, assets={PASSPORT: {key_of(BATTERY_ID): 1}})


def account_datum_as_hash_only(case: Case) -> None:
    case.change_output(0, datum=None)


def _datum(case: Case, **changes: int | bytes) -> None:
    fields: dict[str, int | bytes] = {
        "battery_id": BATTERY_ID,
        "key": element().public_key,
        "counter": scene.COUNTER,
        "reward": TERMS.reward_lovelace,
        "age": TERMS.max_age_slots,
        "soh": STATE_SOH,
        "cycles": 121,
        **changes,
    }
    case.change_output(
        0, datum=constructor(0, *(octets(v) if isinstance(v, bytes) else integer(v) for v in fields.values()))
    )


def datum_keeps_the_old_counter(case: Case) -> None:
    _datum(case, counter=LAST.counter)


def datum_with_another_key(case: Case) -> None:
    _datum(case, key=bytes(33))


def datum_with_a_higher_reward(case: Case) -> None:
    _datum(case, reward=TERMS.reward_lovelace * 2)


def datum_with_another_age(case: Case) -> None:
    _datum(case, age=TERMS.max_age_slots * 2)


def datum_with_another_soh(case: Case) -> None:
    _datum(case, soh=12_000)


def datum_with_other_cycles(case: Case) -> None:
    _datum(case, cycles=0)


def datum_with_a_field_more(case: Case) -> None:
    _datum(case, more=0)


def reward_too_small(case: Case) -> None:
    case.change_output(1, lovelace=TERMS.reward_lovelace - 1)


def reward_to_another(case: Case) -> None:
    case.change_output(1, place=OTHER.place)


def reward_to_a_script_of_the_same_hash(case: Case) -> None:
    case.change_output(1, place=script_place(USER.hash))


def two_accounts(case: Case) -> None:
    """Two genuine accounts of one battery, of which one would be drained."""
    case.spent(at("another account", ACCOUNT.lovelace, first="12"), case.outputs[ACCOUNT.key], UNIT_1)


def account_without_thread_token(case: Case) -> None:
    """Anybody can put a datum with a key of his own at the script's address."""
    case.outputs[ACCOUNT.key] = replace(case.outputs[ACCOUNT.key], assets={})
    case.change_output(0, assets={})


def redeemer_with_a_field_more(case: Case) -> None:
    case.draft.spends[ACCOUNT.key] = use(constructor(0, octets(honest_cose()), integer(1)))


ATTACKS: list[tuple[Change, str]] = [
    (no_commitment, "check 1:"),
    (token_not_burned, "check 1:"),
    (token_burned_while_another_is_minted, "check 1:"),
    (another_token_burned, "check 1:"),
    (two_commitments, "check 1:"),
    (two_commitments_of_one_token_name, "check 1:"),
    (commitment_without_its_token, "check 1:"),
    (commitment_of_another_battery, "check 2:"),
    (reading_of_another_battery, "check 2:"),
    (not_signed_by_the_committer, "check 3:"),
    (too_old, "check 4:"),
    (validity_without_end, "check 4:"),
    (another_challenge, "check 5:"),
    (challenge_of_31_bytes, "check 5:"),
    (tampered_payload, "check 6:"),
    (tampered_signature, "check 6:"),
    (high_s_twin, "check 6:"),
    (wrong_key, "check 6:"),
    (another_algorithm_number, "check 6:"),
    (counter_not_above, "check 7:"),
    (soh_above_tolerance, "check 8:"),
    (cycles_below, "check 9:"),
    (no_ownership_token, "check 10:"),
    (ownership_token_of_another_battery, "check 10:"),
    (ownership_token_minted_here, "check 1:"),  # nothing but the challenge token is minted or burned
    (account_at_another_stake_part, "check 11:"),
    (account_at_another_script, "check 11:"),
    (account_loses_more_than_the_reward, "check 11:"),
    (reward_paid_from_somebodys_own_input, "check 11:"),
    (account_gets_a_reference_script, "check 11:"),
    (account_gets_another_token, "check 11:"),
    (account_loses_its_thread_token, "check 11:"),
    (account_datum_as_hash_only, "check 11:"),
    (datum_keeps_the_old_counter, "check 11:"),
    (datum_with_another_key, "check 11:"),
    (datum_with_a_higher_reward, "check 11:"),
    (datum_with_another_age, "check 11:"),
    (datum_with_another_soh, "check 11:"),
    (datum_with_other_cycles, "check 11:"),
    (datum_with_a_field_more, "check 11:"),
    (account_without_thread_token, "check 11:"),
    (reward_too_small, "check 12:"),
    (reward_to_another, "check 12:"),
    (reward_to_a_script_of_the_same_hash, "check 12:"),
    (two_accounts, "check 1:"),
    (redeemer_with_a_field_more, "redeemer:"),
]


@pytest.mark.parametrize(("attack", "check"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
def test_the_same_with_one_thing_changed_is_refused(refused: Refuse, attack: Change, check: str) -> None:
    case = submit()
    attack(case)
    refused(case, check)


def test_every_one_of_the_twelve_checks_is_tried() -> None:
    assert {f"check {number}:" for number in range(1, 13)} <= {check for _, check in ATTACKS}


@pytest.mark.parametrize("algorithm", [-8, -19])
@pytest.mark.parametrize("position", [0, 5, 40, -1, -33])
def test_any_changed_byte_of_an_ed25519_reading_is_refused(
    refused: Refuse, algorithm: Algorithm, position: int
) -> None:
    case = submit(algorithm=algorithm)
    cose = bytearray(element(algorithm).tap(BATTERY_ID, CHALLENGE, STATE))
    cose[position] ^= 4
    forged(case, bytes(cose))
    refused(case, "")


def test_an_account_that_was_given_a_reference_script_loses_it(accepted: Accept) -> None:
    case = submit()
    loaded = replace(case.outputs[ACCOUNT.key], script=Script(CONTRACTS.passport.content))
    case.outputs[ACCOUNT.key] = loaded
    accepted(case)


def test_change_may_go_to_several_outputs(accepted: Accept) -> None:
    case = submit()
    case.draft.outputs.append(Out(place=OTHER.place, lovelace=1_000_000))
    accepted(case)
