"""The off-chain checks say of a transaction what the contracts decide. Where they don't, the reason stands here."""

import re
from functools import lru_cache
from typing import Any, Final

import pytest

from indexer.events import ReadingEvent
from projections.verdicts.fold import Judged
from projections.verdicts.model import Check
from tests.deploy.contracts import test_reading as readings
from tests.deploy.contracts import test_submission as submissions
from tests.deploy.contracts.scene import POLICY, Case, Change, submit
from tests.judge.made import Done, Sizes, make
from tests.judge.offchain import events_of, judged_off_chain
from tests.judge.score import checks_of

NUMBER: Final = re.compile(r"check (\d+):")
ALL_PASSED: Final = dict.fromkeys(range(1, 13), "passed")

BY_BLOCKS: Final = (
    "check 4 asks for the blocks' slots (protocol, check 4); the contract sees the claimed slot and the end of the "
    "interval only, which is never before the block"
)
ONE_BURNED: Final = (
    "check 1 asks for exactly one burned token and the open output that held it (protocol, check 1), which is so; what "
    "else is spent or minted stands in the event"
)

EXCEPTIONS: Final[dict[str, tuple[str, str]]] = {
    "too_old": ("passed", BY_BLOCKS),
    "validity_without_end": ("passed", BY_BLOCKS),
    "token_burned_while_another_is_minted": ("passed", ONE_BURNED),
    "two_commitments": ("passed", ONE_BURNED),
    "two_commitments_of_one_token_name": ("passed", ONE_BURNED),
    "two_accounts": ("passed", "A is the account of the submission (protocol section 5); the second is the operator's"),
    "ownership_token_minted_here": ("passed", "the protocol asks for it in check 10, which fails"),
}
"""Attack -> what the check says that the contract names, and why not "failed"."""

NO_READING: Final = {
    "account_at_another_script": "output 0 is at no reporting script, so there is no account after",
    "redeemer_with_a_field_more": "the redeemer is none that submits a reading",
}
"""Attack -> why the decoder sees no reading; it must see something else."""


def attacked(attack: Change) -> Case:
    case = submit()
    attack(case)
    return case


def said_of(case: Case) -> tuple[ReadingEvent, Judged]:
    found = judged_off_chain(case)
    assert found is not None
    return found


def check_of(judged: Judged, number: int) -> Check:
    assert judged.verdicts is not None
    return judged.verdicts.check(number)


@lru_cache
def accepted_cases() -> tuple[Case, ...]:
    """What the contracts' own tests show to be accepted."""
    found: list[Case] = []
    for algorithm in (-47, -8, -19):
        submissions.test_an_honest_submission_passes(found.append, algorithm)
    for cells in (96, 200):
        submissions.test_a_reading_with_every_optional_value_passes(found.append, cells)
    submissions.test_the_first_reading_of_an_account_may_have_counter_0(found.append)
    submissions.test_a_battery_id_of_64_bytes_passes(found.append)
    submissions.test_a_reading_at_each_limit_passes(found.append)
    submissions.test_the_reward_may_come_with_more_lovelace_and_the_account_keeps_its_stake_part(found.append)
    submissions.test_an_account_that_was_given_a_reference_script_loses_it(found.append)
    submissions.test_change_may_go_to_several_outputs(found.append)
    return tuple(found)


@pytest.mark.parametrize("number", range(11))
def test_what_the_contracts_accept_passes_all_twelve_checks(number: int) -> None:
    cases = accepted_cases()
    assert len(cases) == 11
    _, judged = said_of(cases[number])
    assert judged.verdicts is not None
    assert {check.number: check.result for check in judged.verdicts.checks[:12]} == ALL_PASSED


@pytest.mark.parametrize(
    ("attack", "trace"), submissions.ATTACKS, ids=[attack.__name__ for attack, _ in submissions.ATTACKS]
)
def test_what_a_check_of_the_contracts_refuses_fails_that_check(attack: Change, trace: str) -> None:
    if attack.__name__ in NO_READING:
        assert judged_off_chain(attacked(attack)) is None
        assert events_of(attacked(attack))
        return
    number = NUMBER.match(trace)
    assert number is not None
    _, judged = said_of(attacked(attack))
    check = check_of(judged, int(number[1]))
    if attack.__name__ in EXCEPTIONS:
        assert check.result == EXCEPTIONS[attack.__name__][0]
    else:
        assert check.result == "failed" or "account_unproven" in check.reasons, check


def test_what_check_1_leaves_to_others_is_said_by_others() -> None:
    _, minted = said_of(attacked(submissions.ownership_token_minted_here))
    assert check_of(minted, 10).reasons == ("ownership_token_minted",)
    for attack in (submissions.two_commitments, submissions.two_commitments_of_one_token_name):
        event, _ = said_of(attacked(attack))
        assert len(event.consumed) == 2
    event, _ = said_of(attacked(submissions.token_burned_while_another_is_minted))
    assert sorted(event.minted[POLICY.hex()].values()) == [-1, 1]


@pytest.mark.parametrize("name", readings.MALFORMED)
def test_what_the_contracts_can_t_read_is_named(name: str) -> None:
    event, judged = said_of(submit(readings.MALFORMED[name]))
    assert judged.verdicts is not None
    assert event.decoded.departures or "untagged" in judged.verdicts.crypto.reasons


# A devnet's labelled cases, each kind of which the contracts' scripts were run on.


@lru_cache
def labelled() -> tuple[Done, ...]:
    sizes = Sizes(seed=5, batteries=12, days=12, reading_hours=8, fraud_share=0.6, asked_of_each=1)
    found = make("contracts", sizes).done()
    return tuple(each for each in found if "contracts_say" in each.label and isinstance(each.fact.event, ReadingEvent))


def explained_otherwise(done: Done, number: int) -> bool:
    """Check 4 by blocks, where the contract counts from the claimed slot to the interval's end."""
    assert done.judged.verdicts is not None
    inputs: dict[str, Any] = done.judged.verdicts.check(4).inputs
    if number != 4 or inputs.get("invalid_after") is None:
        return False
    claimed_age = inputs["age_slots"] + inputs["claimed_slot_drift_slots"] + inputs["invalid_after"] - done.fact.slot
    return bool(claimed_age > inputs["max_age_slots"])


@pytest.mark.long
def test_of_every_labelled_kind_the_checks_say_what_the_contracts_decide() -> None:
    kinds = {done.label["fraud"] for done in labelled() if "fraud" in done.label}
    assert len(kinds) >= 30
    for done in labelled():
        why, verdicts = done.label["contracts_say"], done.judged.verdicts
        assert verdicts is not None
        assert bool(why) == (done.label["kind"] == "rejected"), done.label
        number = NUMBER.match(why)
        if not why:
            assert checks_of(done) == ALL_PASSED, done.label
        elif number is not None:
            check = verdicts.check(int(number[1]))
            named = check.result == "failed" or "account_unproven" in check.reasons
            assert named or explained_otherwise(done, check.number), (done.label, check)
        else:
            # The reading or the account is none that the contract can read: what is wrong with it has a name.
            codes = {code for check in verdicts.checks for code in check.reasons} | {*verdicts.crypto.reasons}
            rules = {finding.rule for finding in done.judged.said.findings}
            assert codes - {"scripts_failed"} or rules, done.label
