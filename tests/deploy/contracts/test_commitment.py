"""Commit and reclaim: the honest transaction passes, the same with one thing changed is refused by that check."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from deploy.contracts.judge import Refused
from deploy.devnet import datums
from deploy.devnet.plutus_writer import UNIT, UNIT_1, constructor, integer, octets
from deploy.devnet.transactions import Out, Script
from tests.deploy.contracts import scene
from tests.deploy.contracts.scene import (
    ACCOUNT,
    BATTERY_ID,
    CLAIMED_SLOT,
    COMMITTED,
    CONTRACTS,
    OTHER,
    OTHER_BATTERY_ID,
    PASSPORT,
    POLICY,
    TERMS,
    USER,
    Case,
    Change,
    at,
    commit,
    commitment_out,
    key_of,
    reclaim,
    submit,
    use,
    with_stake,
)

Accept = Callable[[Case], None]
Refuse = Callable[[Case, str], Refused]


def test_an_honest_commitment_passes(accepted: Accept) -> None:
    accepted(commit())


def test_a_commitment_for_a_battery_id_of_64_bytes_passes(accepted: Accept) -> None:
    accepted(commit(b"urn:" + b"x" * 60))


def test_an_honest_reclaim_passes(accepted: Accept) -> None:
    accepted(reclaim())


def committed_out(case: Case, out: Out) -> None:
    """Another commitment, its own token minted."""
    case.draft.outputs[0] = out
    case.draft.mint = {POLICY: dict(out.assets[POLICY])}


def two_tokens(case: Case) -> None:
    case.draft.mint[POLICY][bytes(32)] = 1


def quantity_two(case: Case) -> None:
    name = next(iter(case.draft.mint[POLICY]))
    case.draft.mint[POLICY][name] = 2


def token_of_another_name(case: Case) -> None:
    """A colliding name: another commitment's, so that a burn would not tell which."""
    name = datums.commitment_token(BATTERY_ID, OTHER.hash, CLAIMED_SLOT)
    case.draft.mint = {POLICY: {name: 1}}
    case.change_output(0, assets={POLICY: {name: 1}})


def something_else_minted(case: Case) -> None:
    case.draft.mint[PASSPORT] = {key_of(BATTERY_ID): 1}
    case.draft.mints[PASSPORT] = use(UNIT)
    case.draft.required.append(scene.OPERATOR.hash)
    case.draft.signers.append(scene.OPERATOR)
    case.refer(CONTRACTS.passport)


def token_to_the_wallet(case: Case) -> None:
    assets = case.draft.outputs[0].assets
    case.change_output(0, assets={})
    case.change_output(1, assets=assets)


def token_in_the_second_output(case: Case) -> None:
    case.draft.outputs.reverse()


def output_at_a_key(case: Case) -> None:
    case.change_output(0, place=USER.place)


def output_with_a_stake_part(case: Case) -> None:
    case.change_output(0, place=with_stake(scene.COMMITMENT_PLACE))


def output_with_a_reference_script(case: Case) -> None:
    case.change_output(0, script=Script(CONTRACTS.passport.content))


def output_with_another_token(case: Case) -> None:
    case.change_output(0, assets=case.draft.outputs[0].assets | {bytes(28): {b"junk": 1}})


def datum_missing(case: Case) -> None:
    case.change_output(0, datum=None)


def datum_with_a_field_more(case: Case) -> None:
    fields = (octets(BATTERY_ID), octets(USER.hash), integer(CLAIMED_SLOT), integer(0))
    case.change_output(0, datum=constructor(0, *fields))


def datum_with_another_constructor(case: Case) -> None:
    fields = (octets(BATTERY_ID), octets(USER.hash), integer(CLAIMED_SLOT))
    case.change_output(0, datum=constructor(1, *fields))


def user_that_is_no_key_hash(case: Case) -> None:
    committed_out(case, commitment_out(user=USER.hash[:27]))


def battery_id_of_65_bytes(case: Case) -> None:
    committed_out(case, commitment_out(b"x" * 65))


def slot_in_the_future(case: Case) -> None:
    committed_out(case, commitment_out(slot=CLAIMED_SLOT + 1))


def slot_in_the_past(case: Case) -> None:
    committed_out(case, commitment_out(slot=CLAIMED_SLOT - 1))


def window_too_long(case: Case) -> None:
    case.draft.invalid_after = CLAIMED_SLOT + TERMS.window_slots + 1


def validity_without_begin(case: Case) -> None:
    case.draft.invalid_before = None


def validity_without_end(case: Case) -> None:
    case.draft.invalid_after = None


def minted_by_a_burn(case: Case) -> None:
    case.draft.mints[POLICY] = use(UNIT_1)


def unknown_redeemer(case: Case) -> None:
    case.draft.mints[POLICY] = use(constructor(2))


def mint_redeemer_with_a_field(case: Case) -> None:
    case.draft.mints[POLICY] = use(constructor(0, integer(0)))


COMMITS: list[tuple[Change, str]] = [
    (two_tokens, "commit: mints something else"),
    (quantity_two, "commit: mints something else"),
    (token_of_another_name, "commit: mints something else"),
    (something_else_minted, "commit: mints something else"),
    (slot_in_the_future, "commit: slot is not"),
    (slot_in_the_past, "commit: slot is not"),
    (token_to_the_wallet, "commit: output 0"),
    (token_in_the_second_output, "commit: datum is not inline"),
    (output_at_a_key, "commit: output 0"),
    (output_with_a_stake_part, "commit: output 0"),
    (output_with_a_reference_script, "commit: output 0"),
    (output_with_another_token, "commit: output 0"),
    (datum_missing, "commit: datum is not inline"),
    (datum_with_a_field_more, "commit: output 0"),
    (datum_with_another_constructor, "commit: output 0"),
    (user_that_is_no_key_hash, "commit: user is no key hash"),
    (battery_id_of_65_bytes, "commit: battery id over 64 bytes"),
    (window_too_long, "commit: validity is longer"),
    (validity_without_begin, "commit: validity has no begin"),
    (validity_without_end, "commit: validity has no end"),
    (minted_by_a_burn, "burn: not exactly one token"),
    (unknown_redeemer, "redeemer: neither mint nor burn"),
    (mint_redeemer_with_a_field, "redeemer: neither mint nor burn"),
]


@pytest.mark.parametrize(("attack", "check"), COMMITS, ids=[attack.__name__ for attack, _ in COMMITS])
def test_a_commitment_with_one_thing_changed_is_refused(refused: Refuse, attack: Change, check: str) -> None:
    case = commit()
    attack(case)
    refused(case, check)


# Reclaim.


def one_slot_too_early(case: Case) -> None:
    assert case.draft.invalid_before is not None
    case.draft.invalid_before -= 1


def no_begin(case: Case) -> None:
    case.draft.invalid_before = None


def by_somebody_else(case: Case) -> None:
    case.draft.required, case.draft.signers = [OTHER.hash], [OTHER]


def naming_another_battery(case: Case) -> None:
    """It would be recorded under that battery."""
    case.draft.spends[COMMITTED.key] = use(datums.reclaim_redeemer(OTHER_BATTERY_ID))


def with_a_field_more(case: Case) -> None:
    case.draft.spends[COMMITTED.key] = use(constructor(1, octets(BATTERY_ID), integer(0)))


def with_an_unknown_redeemer(case: Case) -> None:
    case.draft.spends[COMMITTED.key] = use(constructor(2, octets(BATTERY_ID)))


def as_if_with_a_reading(case: Case) -> None:
    """The way of a reading, without one."""
    case.draft.spends[COMMITTED.key] = use(UNIT)


def as_if_with_a_reading_to_a_false_account(case: Case) -> None:
    """An output at the reporting script is no account without its thread token."""
    as_if_with_a_reading(case)
    out = scene.account_out(bytes(33), scene.LAST, 2_000_000)
    case.draft.outputs.insert(0, replace(out, assets={}))


def token_kept(case: Case) -> None:
    case.change_output(0, assets=dict(commitment_out().assets))
    case.draft.mint, case.draft.mints = {}, {}


def another_commitments_token_burned(case: Case) -> None:
    other = commitment_out(slot=CLAIMED_SLOT - 1)
    loose = at("loose token", 2_000_000)
    case.spent(loose, Out(place=USER.place, lovelace=2_000_000, assets=other.assets))
    case.draft.mint = {POLICY: dict.fromkeys(other.assets[POLICY], -1)}
    case.change_output(0, assets=dict(commitment_out().assets))


def burned_while_another_is_minted(case: Case) -> None:
    case.draft.mint[POLICY][bytes(32)] = 1


def two_at_once(case: Case) -> None:
    other = commitment_out(slot=CLAIMED_SLOT - 1)
    case.spent(at("second", 1_700_000, first="23"), other, datums.reclaim_redeemer(BATTERY_ID))
    case.draft.mint[POLICY] |= dict.fromkeys(other.assets[POLICY], -1)


def two_of_one_name_for_one_burned_token(case: Case) -> None:
    """Committed twice in one slot: one burned token must not free two commitments."""
    case.spent(at("second", 1_700_000, first="23"), commitment_out(), datums.reclaim_redeemer(BATTERY_ID))


def a_token_of_the_same_name_of_another_policy(case: Case) -> None:
    """A policy of the attacker's own, so that the challenge token would stay in the world."""
    name = next(iter(case.draft.mint[POLICY]))
    case.draft.mint = {PASSPORT: {name: -1}}
    case.draft.mints = {PASSPORT: use(UNIT_1)}
    case.draft.required.append(scene.OPERATOR.hash)
    case.draft.signers.append(scene.OPERATOR)
    case.refer(CONTRACTS.passport)


RECLAIMS: list[tuple[Change, str]] = [
    (one_slot_too_early, "reclaim: not expired yet"),
    (no_begin, "reclaim: validity has no begin"),
    (by_somebody_else, "reclaim: the user has not signed"),
    (naming_another_battery, "reclaim: does not name"),
    (with_a_field_more, "reclaim: does not name"),
    (with_an_unknown_redeemer, "reclaim: does not name"),
    (as_if_with_a_reading, "consume: output 0 is no account"),
    (as_if_with_a_reading_to_a_false_account, "consume: output 0 is no account"),
    (token_kept, "spend: nothing is burned"),
    (another_commitments_token_burned, "spend: does not burn"),
    (burned_while_another_is_minted, "spend: does not burn"),
    (two_at_once, "spend: not the one commitment"),
    (two_of_one_name_for_one_burned_token, "spend: not the one commitment"),
    (a_token_of_the_same_name_of_another_policy, "spend: not the one commitment"),
]


@pytest.mark.parametrize(("attack", "check"), RECLAIMS, ids=[attack.__name__ for attack, _ in RECLAIMS])
def test_a_reclaim_with_one_thing_changed_is_refused(refused: Refuse, attack: Change, check: str) -> None:
    case = reclaim()
    attack(case)
    refused(case, check)


def test_consuming_needs_the_account_of_the_very_battery(refused: Refuse) -> None:
    case = submit()
    case.unspent(ACCOUNT)
    case.draft.outputs[0] = Out(
        place=scene.REPORTING_PLACE, lovelace=2_000_000, assets={PASSPORT: {key_of(OTHER_BATTERY_ID): 1}}
    )
    refused(case, "consume: output 0 is no account")
