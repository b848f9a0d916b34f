"""Tokens of the passport policy."""

import pytest
from msgspec.structs import replace

from indexer.events import (
    PassportRegistered,
)
from indexer.protocol.keys import label_prefix
from indexer.protocol.plutus import Constr, PlutusMap
from indexer.protocol.view import transaction_key
from tests.indexer import build
from tests.indexer.build import BATTERY, PROFILE, USER
from tests.indexer.test_decode import kinds, only, quarantine, with_outputs

OTHER = build.Battery(2)
POLICY = PROFILE.passport_policy
NAME = build.challenge_name()


def test_a_passport_with_an_unreadable_datum_is_quarantined_for_its_battery_and_hides_nothing() -> None:
    register = build.register()
    for datum in (None, "00", build.passport_datum()[:-1].hex(), "d8799f0001ff"):
        bad = replace(register.outputs[0], datum=datum)
        tx = with_outputs(register, bad, *register.outputs[1:])
        assert kinds(tx) == ["ownership_token_moved", "reporting_account_updated", "transaction_quarantined"]
        assert quarantine(tx)[0][1] == BATTERY.key


def test_a_passport_of_two_fields_is_read() -> None:
    register = build.register()
    datum = build.plutus(Constr(0, (PlutusMap(((b"battery_id", BATTERY.id),)), 2)))
    event = only(with_outputs(register, replace(register.outputs[0], datum=datum.hex())), PassportRegistered)
    assert event.departures == ("extra_missing", "bms_public_key_missing", "bms_key_alg_missing")


def test_odd_metadata_is_noted_and_the_rest_is_read() -> None:
    pairs = (
        (b"battery_id", OTHER.id),
        (b"battery_id", BATTERY.id),
        (b"bms_public_key", b"k" * 65),
        (b"bms_key_alg", b"ES256K"),
        (b"\xff", 1),
        (3, 1),
        (b"nested", PlutusMap(())),
        (b"chunks", (b"ab", b"cd")),
        (b"bytes", b"\x00\x01"),
        (b"text", b"0xff"),
        (b"large", 1 << 64),
    )
    register = build.register()
    datum = build.plutus(Constr(0, (PlutusMap(pairs), 1, ())))
    event = only(with_outputs(register, replace(register.outputs[0], datum=datum.hex())), PassportRegistered)
    assert event.battery_id == OTHER.id.hex()
    assert event.battery_key == BATTERY.key
    assert set(event.departures) == {
        "metadata_duplicate_key",
        "metadata_key_not_text",
        "metadata_value_nested",
        "metadata_integer_too_large",
        "bms_public_key_length",
        "bms_key_alg_wrong_type",
        "battery_id_not_of_token",
    }
    assert event.metadata["chunks"] == "abcd"
    assert event.metadata["bytes"] == "0x0001"
    assert event.metadata["text"] == "0x" + b"0xff".hex()


def test_burned_labelled_tokens_are_quarantined_for_their_battery() -> None:
    tx = build.transaction("x", mint={POLICY: {BATTERY.reference_token: -1, OTHER.ownership_token: -1}})
    assert quarantine(tx) == [("reference_token_burned", BATTERY.key), ("ownership_token_burned", OTHER.key)]


@pytest.mark.parametrize("name", ["", "aa", label_prefix(333).hex() + BATTERY.key, "AA" * 28, "0", "zz", "aa" * 33])
def test_a_name_that_follows_no_rule_is_quarantined_once(name: str) -> None:
    tx = build.transaction(
        "x", outputs=(build.output(build.address(USER), {POLICY: {name: 1}}),), mint={POLICY: {name: 1}}
    )
    assert quarantine(tx) == [("token_name_unknown", transaction_key(tx.id))]


def test_a_thread_token_away_from_the_reporting_script_is_quarantined_for_its_battery() -> None:
    tx = build.transaction("x", outputs=(build.output(build.address(USER), {POLICY: {BATTERY.key: 1}}),))
    assert quarantine(tx) == [("thread_token_astray", BATTERY.key)]


def test_a_bad_part_of_each_kind_leaves_the_good_parts_of_the_others() -> None:
    register, commit = build.register(), build.commit()
    tx = build.transaction(
        "mixed",
        outputs=(
            *register.outputs,
            *commit.outputs,
            replace(commit.outputs[0], datum="00"),
            replace(build.account_output(OTHER), datum="00"),
            build.output(build.address(USER), {POLICY: {"aa": 1, OTHER.reference_token: 1}}),
        ),
        mint={**register.mint, **commit.mint},
    )
    assert kinds(tx) == [
        "passport_registered",
        "ownership_token_moved",
        "commitment_minted",
        "reporting_account_updated",
        *["transaction_quarantined"] * 4,
    ]
