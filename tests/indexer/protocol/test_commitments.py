"""Commitments minted, and closed without a reading."""

import pytest
from msgspec.structs import replace

from indexer.events import (
    CommitmentClosed,
    CommitmentMinted,
    OutputRef,
    TransactionQuarantined,
)
from indexer.protocol.plutus import Constr, datum_hash
from indexer.protocol.view import transaction_key
from tests.indexer import build
from tests.indexer.build import BATTERY, PROFILE, USER
from tests.indexer.test_decode import facts, kinds, only, quarantine, with_outputs

OTHER = build.Battery(2)
POLICY = PROFILE.passport_policy
NAME = build.challenge_name()


def test_a_commitment_minted_elsewhere_is_quarantined_for_the_battery_it_names() -> None:
    commit = build.commit()
    astray = replace(commit.outputs[0], address=build.address(USER))
    assert quarantine(with_outputs(commit, astray)) == [("commitment_astray", BATTERY.key)]
    assert quarantine(with_outputs(commit)) == [("commitment_astray", transaction_key(commit.id))]


def test_each_output_with_a_minted_token_is_a_commitment() -> None:
    commit = build.commit()
    tx = replace(
        with_outputs(commit, commit.outputs[0], commit.outputs[0]), mint={PROFILE.commitment_policy: {NAME: 2}}
    )
    assert kinds(tx) == ["commitment_minted"] * 2
    names = {NAME: 1, "aa" * 32: 1, "": 1}
    several = replace(commit.outputs[0], value={"ada": {"lovelace": 1}, PROFILE.commitment_policy: names})
    tx = replace(with_outputs(commit, several), mint={PROFILE.commitment_policy: names})
    found = [event for event in facts(tx) if isinstance(event, CommitmentMinted)]
    assert [event.token_name for event in found] == sorted(names)
    assert {event.tokens_minted for event in found} == {3}
    assert found[0].name_scheme == "unverified"


def test_a_datum_of_the_witnesses_is_used_if_its_hash_is_right() -> None:
    commit, raw = build.commit(), build.commitment_datum()
    hashed = replace(commit.outputs[0], datum=None, datum_hash=datum_hash(raw))
    tx = with_outputs(commit, hashed)
    good = replace(tx, datums={datum_hash(raw): raw.hex()})
    assert only(good, CommitmentMinted).output.datum is None
    assert [r for r, _ in quarantine(tx)] == ["commitment_datum_not_in_transaction"]
    wrong = replace(tx, datums={datum_hash(raw): "00"})
    assert [r for r, _ in quarantine(wrong)] == ["commitment_datum_hash_mismatch"]


@pytest.mark.parametrize(
    ("datum", "reason"),
    [
        (None, "commitment_datum_missing"),
        (b"", "commitment_datum_truncated"),
        (b"\x00\x00", "commitment_datum_trailing_bytes"),
        (b"\x60", "commitment_datum_not_plutus_data"),
        (b"\x81" * 10_000, "commitment_datum_too_deep"),
        (build.plutus(Constr(0, (BATTERY.id, b"u" * 27, 1))), "commitment_datum_user_pkh_length"),
        (build.plutus(Constr(0, (b"", b"u" * 28, 1))), "commitment_datum_battery_id_length"),
        (build.plutus(Constr(0, (b"b" * 65, b"u" * 28, 1))), "commitment_datum_battery_id_length"),
        (build.plutus(Constr(0, (BATTERY.id, b"u" * 28, 1 << 64))), "commitment_datum_integer_too_large"),
        (build.plutus(Constr(0, (BATTERY.id, b"u" * 28))), "commitment_datum_wrong_shape"),
        (build.plutus(Constr(1, (BATTERY.id, b"u" * 28, 1))), "commitment_datum_wrong_shape"),
        (build.plutus(Constr(0, (BATTERY.id, b"u" * 28, b"n", 1))), "commitment_datum_wrong_shape"),
    ],
)
def test_a_commitment_without_a_sound_datum_is_quarantined_with_the_reason(datum: bytes | None, reason: str) -> None:
    commit = build.commit()
    out = replace(commit.outputs[0], datum=None if datum is None else datum.hex())
    event = only(with_outputs(commit, out), TransactionQuarantined)
    assert (event.reason, event.battery_key) == (reason, transaction_key(commit.id))
    assert (event.raw, event.raw_length_bytes) == ((datum or b"").hex(), len(datum or b""))


def test_a_burn_without_reading_or_reclaim_is_the_account_s_battery_s() -> None:
    spent = build.commit().id
    redeemers = tuple(replace(r, redeemer=build.CONSUME.hex()) for r in build.submit().redeemers)
    tx = replace(build.submit(), redeemers=redeemers)
    event = only(tx, CommitmentClosed)
    assert (event.how, event.battery_key, event.quantity) == ("burned", BATTERY.key, 1)
    assert OutputRef(spent, 0) in event.candidates


def test_a_burn_that_nothing_names_is_quarantined() -> None:
    tx = replace(build.reclaim(), redeemers=())
    assert quarantine(tx) == [("burned_commitment_unnamed", transaction_key(tx.id))]
    two = replace(
        build.submit(),
        outputs=(build.account_output(), build.account_output(OTHER)),
        redeemers=build.submit().redeemers,
    )
    assert ("burned_commitment_unnamed", transaction_key(two.id)) in quarantine(two)


def test_reclaims_of_two_batteries_list_for_each_the_inputs_that_may_have_held_the_token() -> None:
    inputs = tuple(sorted((build.reference("a"), build.reference("b")), key=lambda r: r.key))
    tx = build.transaction(
        "both",
        inputs,
        redeemers=(build.spend(0, build.reclaim_redeemer(BATTERY)), build.spend(1, build.reclaim_redeemer(OTHER))),
        mint={PROFILE.commitment_policy: {NAME: -1, build.challenge_name(OTHER): -1}},
    )
    found = [event for event in facts(tx) if isinstance(event, CommitmentClosed)]
    places = {battery: OutputRef(inputs[n].transaction.id, 0) for n, battery in enumerate((BATTERY.key, OTHER.key))}
    assert len(found) == 4
    assert all(event.candidates == (places[event.battery_key],) for event in found)


def test_a_flood_of_reclaims_is_one_quarantined_fact() -> None:
    tx = build.transaction(
        "flood",
        tuple(build.reference(str(n)) for n in range(40)),
        redeemers=tuple(build.spend(n, build.reclaim_redeemer(build.Battery(n))) for n in range(40)),
        mint={PROFILE.commitment_policy: {f"{n:02x}": -1 for n in range(40)}},
    )
    assert [r for r, _ in quarantine(tx)] == ["too_many_reclaims"]


def test_a_token_that_moves_on_unburned_closes_its_commitment() -> None:
    held = {PROFILE.commitment_policy: {NAME: 1}}
    stays = build.output(build.script(PROFILE.commitment_script), held, build.commitment_datum())
    event = only(replace(build.reclaim(), mint={}, outputs=(stays,)), CommitmentClosed)
    assert (event.how, event.quantity, event.battery_key) == ("moved", 0, BATTERY.key)
    leaves = build.output(build.address(USER), held)
    named = only(replace(build.reclaim(), mint={}, outputs=(leaves,)), CommitmentClosed)
    assert (named.how, named.battery_key) == ("moved", BATTERY.key)
    assert named.candidates == (OutputRef(build.commit().id, 0),)
    unnamed = build.transaction("x", outputs=(leaves,))
    assert quarantine(unnamed) == [("moved_commitment_unnamed", transaction_key(unnamed.id))]


def test_with_a_reading_the_burn_is_part_of_the_reading() -> None:
    assert "commitment_closed" not in kinds(build.submit())
