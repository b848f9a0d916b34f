"""Accounts and the readings submitted to them, of transactions that took effect and of those that failed."""

from typing import Any

import pytest
from msgspec.structs import replace

from indexer.chain import Output, Transaction
from indexer.events import (
    OwnershipTokenMoved,
    ReadingRejected,
    ReadingSubmitted,
    ReportingAccountUpdated,
)
from indexer.protocol.plutus import Constr
from indexer.protocol.view import transaction_key
from tests.indexer import build
from tests.indexer.build import BATTERY, PROFILE, USER
from tests.indexer.test_decode import facts, kinds, only, quarantine, with_outputs

OTHER = build.Battery(2)
POLICY = PROFILE.passport_policy
NAME = build.challenge_name()


def unproven(battery: build.Battery = BATTERY) -> Output:
    return replace(build.account_output(battery), value={"ada": {"lovelace": 2_000_000}})


def failed(tx: Transaction, **changes: Any) -> Transaction:
    return replace(tx, spends="collaterals", **changes)


def test_a_failed_submission_is_a_rejected_reading_and_nothing_else() -> None:
    assert kinds(failed(build.submit())) == ["reading_rejected"]
    event = only(failed(build.submit()), ReadingRejected)
    assert event.cose == only(build.submit(), ReadingSubmitted).cose


def test_no_other_part_of_a_failed_transaction_is_a_fact() -> None:
    for tx in (build.register(), build.commit(), build.reclaim(), build.close()):
        assert kinds(failed(tx)) == []


def test_an_ownership_token_in_the_collateral_return_has_moved_to_the_index_behind_the_outputs() -> None:
    back = build.output(build.address(USER), {POLICY: {BATTERY.ownership_token: 1}})
    event = only(failed(build.submit(), collateral_return=back), OwnershipTokenMoved)
    assert (event.output.index, event.collateral_return) == (2, True)
    assert kinds(replace(build.transaction("x"), collateral_return=back)) == []


def test_without_a_proven_account_the_reading_is_the_claimed_battery_s_and_marked() -> None:
    tx = with_outputs(build.submit(), unproven(), build.submit().outputs[1])
    event = only(tx, ReadingSubmitted)
    assert (event.account_unproven, event.battery_key) == (True, BATTERY.key)


def test_a_claim_beside_a_proven_account_takes_no_reading_and_is_recorded() -> None:
    tx = with_outputs(build.submit(), *build.submit().outputs, unproven(OTHER))
    assert only(tx, ReadingSubmitted).battery_key == BATTERY.key
    claim = only(tx, ReportingAccountUpdated)
    assert (claim.battery_key, claim.account_unproven) == (OTHER.key, True)


@pytest.mark.parametrize("second", [BATTERY, OTHER])
def test_a_reading_between_several_accounts_is_quarantined_for_each(second: build.Battery) -> None:
    tx = with_outputs(build.submit(), build.submit().outputs[0], build.account_output(second))
    assert "reading_submitted" not in kinds(tx)
    expected = [("ambiguous_accounts", BATTERY.key), ("ambiguous_accounts", second.key)]
    assert [found for found in quarantine(tx) if found[0] == "ambiguous_accounts"] == expected
    assert quarantine(failed(tx)) == expected


def test_several_accounts_without_a_reading_are_each_updated() -> None:
    tx = build.transaction("x", outputs=(build.account_output(), build.account_output(OTHER)))
    assert kinds(tx) == ["reporting_account_updated"] * 2


def test_a_thread_token_names_the_battery_of_a_reading_where_the_datum_cannot() -> None:
    for datum in (b"\x00", build.reporting_datum()[:-1], build.plutus(Constr(0, ()))):
        tx = with_outputs(build.submit(), build.account_output(datum=datum))
        event = only(tx, ReadingSubmitted)
        assert (event.battery_key, event.account_datum, event.account_unproven) == (BATTERY.key, None, False)


def test_a_datum_of_another_battery_than_the_thread_token_s_is_noted_and_the_token_counts() -> None:
    out = build.account_output(datum=build.reporting_datum(OTHER))
    event = only(with_outputs(build.submit(), out), ReadingSubmitted)
    assert event.battery_key == BATTERY.key
    assert event.account_departures == ("battery_id_not_of_thread",)


def test_an_account_without_a_readable_datum_is_quarantined_for_its_battery() -> None:
    tx = build.transaction("x", outputs=(build.account_output(datum=b"\x00"),))
    assert quarantine(tx) == [("reporting_datum_wrong_shape", BATTERY.key)]


def test_an_output_at_the_reporting_script_that_names_no_battery_is_quarantined_by_transaction() -> None:
    tx = build.transaction("x", outputs=(replace(unproven(), datum=None),))
    assert quarantine(tx) == [("reporting_datum_missing", transaction_key(tx.id))]


def test_two_thread_tokens_in_one_output_are_two_accounts() -> None:
    out = replace(build.account_output(), value={"ada": {"lovelace": 1}, POLICY: {BATTERY.key: 1, OTHER.key: 1}})
    assert "reading_submitted" not in kinds(with_outputs(build.submit(), out))


def test_more_than_one_of_a_thread_token_proves_nothing() -> None:
    out = replace(build.account_output(), value={"ada": {"lovelace": 1}, POLICY: {BATTERY.key: 2}})
    tx = with_outputs(build.submit(), out)
    assert quarantine(tx) == [("thread_token_quantity", BATTERY.key)]
    assert only(tx, ReadingSubmitted).account_unproven


@pytest.mark.parametrize(
    "redeemer",
    [
        Constr(0, ()),
        Constr(0, (b"a", b"b")),
        Constr(0, (1,)),
        Constr(0, ((b"a",),)),
        Constr(1, (b"a",)),
        Constr(2, (b"a",)),
        (b"a",),
        b"a",
    ],
)
def test_no_other_redeemer_is_a_reading(redeemer: Any) -> None:
    tx = replace(build.submit(), redeemers=(build.spend(0, build.plutus(redeemer)),), mint={})
    assert kinds(tx) == ["ownership_token_moved", "reporting_account_updated"]


def test_a_redeemer_of_another_purpose_is_no_reading() -> None:
    redeemer = build.spend(0, build.submit_redeemer(b"x"))
    for purpose in ("mint", "publish", "withdraw", "vote", "propose", "guard", "unheard_of"):
        changed = replace(redeemer, validator=replace(redeemer.validator, purpose=purpose))
        assert "reading_submitted" not in kinds(replace(build.submit(), redeemers=(changed,), mint={}))


def test_every_reading_of_a_transaction_is_its_account_s_in_the_order_of_inputs() -> None:
    first, second = build.cose_sign1(b"\x01"), build.cose_sign1(b"\x02")
    tx = replace(
        build.submit(),
        redeemers=(build.spend(1, build.submit_redeemer(second)), build.spend(0, build.submit_redeemer(first))),
    )
    readings = [event for event in facts(tx) if isinstance(event, ReadingSubmitted)]
    assert [event.cose for event in readings] == [first.hex(), second.hex()]
    assert [event.account_input for event in readings] == list(readings[0].inputs)


def test_any_bytes_submitted_are_a_reading_however_unreadable() -> None:
    for cose in (b"", b"\xff", b"x" * 5_000, b"\x81" * 16_000):
        event = only(build.submit(cose=cose), ReadingSubmitted)
        assert event.cose == cose.hex()
        assert event.decoded.unreadable


def test_every_truncation_of_a_submitted_redeemer_is_quarantined_for_the_battery() -> None:
    raw = build.submit_redeemer(b"x" * 70)
    for length in range(len(raw)):
        tx = replace(build.submit(), redeemers=(build.spend(0, raw[:length]),), mint={})
        assert quarantine(tx) == [("redeemer_truncated", BATTERY.key)]
        assert "reporting_account_updated" in kinds(tx)


def test_a_redeemer_too_deep_to_be_ours_is_another_script_s() -> None:
    tx = replace(build.submit(), redeemers=(*build.submit().redeemers, build.spend(7, b"\x81" * 16_000)))
    assert kinds(tx) == kinds(build.submit())


def test_a_redeemer_without_its_input_or_given_twice_is_quarantined_and_hides_nothing() -> None:
    extra = build.spend(9, build.submit_redeemer(b"x"))
    tx = replace(build.submit(), redeemers=(*build.submit().redeemers, extra))
    assert quarantine(tx) == [("redeemer_without_input", BATTERY.key)]
    twice = replace(build.submit(), redeemers=build.submit().redeemers * 2)
    assert quarantine(twice) == [("redeemer_twice", BATTERY.key)] * 2
    assert "reading_submitted" in kinds(twice)


def test_an_account_is_found_whatever_its_stake_part() -> None:
    out = replace(build.account_output(), address=build.address(PROFILE.reporting_script, "script", USER))
    assert only(with_outputs(build.submit(), out), ReadingSubmitted).account_output.address == out.address


def test_a_key_with_the_script_s_hash_is_no_script() -> None:
    out = replace(unproven(), address=build.address(PROFILE.reporting_script, "key"))
    assert kinds(build.transaction("x", outputs=(out,))) == []
