"""Registration, passports and the closing of an account: the operator's alone."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from deploy.contracts.judge import Refused
from deploy.devnet.plutus_writer import UNIT_1, constructor, integer
from deploy.devnet.transactions import Out
from tests.deploy.contracts import scene
from tests.deploy.contracts.scene import (
    ACCOUNT,
    BATTERY_ID,
    CONTRACTS,
    LAST,
    OPERATOR,
    OTHER,
    OTHER_BATTERY_ID,
    PASSPORT,
    USER,
    Case,
    Change,
    account_out,
    at,
    close,
    element,
    key_of,
    register,
    update_passport,
    use,
    user_name,
)

Accept = Callable[[Case], None]
Refuse = Callable[[Case, str], Refused]
HONEST = {"register": register, "close": close, "update passport": update_passport}


@pytest.mark.parametrize("kind", HONEST)
def test_what_the_operator_does_passes(accepted: Accept, kind: str) -> None:
    accepted(HONEST[kind]())


@pytest.mark.parametrize("kind", HONEST)
def test_the_same_without_the_operators_signature_is_refused(refused: Refuse, kind: str) -> None:
    case = HONEST[kind]()
    case.draft.required, case.draft.signers = [USER.hash], [USER]
    refused(case, "operator: has not signed")


def test_the_devnets_operator_is_the_committed_blueprints() -> None:
    assert CONTRACTS.deployment.operator == OPERATOR.hash.hex()


def thread_token_not_burned(case: Case) -> None:
    case.draft.mint, case.draft.mints = {}, {}
    case.change_output(0, assets={PASSPORT: {key_of(BATTERY_ID): 1}})


def thread_token_of_another_battery(case: Case) -> None:
    case.draft.mint = {PASSPORT: {key_of(OTHER_BATTERY_ID): -1}}
    case.spent(
        at("loose thread", 2_000_000),
        Out(place=OPERATOR.place, lovelace=2_000_000, assets={PASSPORT: {key_of(OTHER_BATTERY_ID): 1}}),
    )


def burned_while_another_is_minted(case: Case) -> None:
    case.draft.mint[PASSPORT][key_of(OTHER_BATTERY_ID)] = 1


def a_token_of_another_policy(case: Case) -> None:
    """The challenge token's policy lets anybody burn; only the passport policy asks the operator."""
    scene_policy = scene.POLICY
    case.draft.mint = {scene_policy: {key_of(BATTERY_ID): -1}}
    case.draft.mints = {scene_policy: use(UNIT_1)}
    case.draft.required, case.draft.signers = [OTHER.hash], [OTHER]
    case.refer(CONTRACTS.commitment)


def ownership_token_in_its_place(case: Case) -> None:
    case.draft.mint = {PASSPORT: {user_name(BATTERY_ID): -1}}


def close_with_a_field_more(case: Case) -> None:
    case.draft.spends[ACCOUNT.key] = use(constructor(1, integer(0)))


def unknown_redeemer(case: Case) -> None:
    case.draft.spends[ACCOUNT.key] = use(constructor(2))


CLOSES: list[tuple[Change, str]] = [
    (thread_token_not_burned, "close: not exactly the thread token"),
    (thread_token_of_another_battery, "close: not exactly the thread token"),
    (burned_while_another_is_minted, "close: not exactly the thread token"),
    (a_token_of_another_policy, "close: not exactly the thread token"),
    (ownership_token_in_its_place, "close: not exactly the thread token"),
    (close_with_a_field_more, "redeemer: neither a reading nor a closing"),
    (unknown_redeemer, "redeemer: neither a reading nor a closing"),
]


@pytest.mark.parametrize(("attack", "check"), CLOSES, ids=[attack.__name__ for attack, _ in CLOSES])
def test_a_closing_with_one_thing_changed_is_refused(refused: Refuse, attack: Change, check: str) -> None:
    case = close()
    attack(case)
    refused(case, check)


def test_an_output_without_a_thread_token_can_not_be_spent_by_whoever_put_it_there(refused: Refuse) -> None:
    case = close()
    case.outputs[ACCOUNT.key] = replace(account_out(element().public_key, LAST, ACCOUNT.lovelace), assets={})
    case.draft.mint, case.draft.mints = {}, {}
    refused(case, "close: not exactly the thread token")
