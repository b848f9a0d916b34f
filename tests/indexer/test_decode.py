"""Each kind of event, from an honest transaction."""

import json
from hashlib import blake2b
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from indexer.chain import Output, Signatory, Transaction
from indexer.decode import decode
from indexer.events import (
    ChainEvent,
    CommitmentClosed,
    CommitmentMinted,
    OutputRef,
    OwnershipTokenMoved,
    PassportRegistered,
    PassportUpdated,
    ReadingSubmitted,
    ReportingAccountClosed,
    ReportingAccountUpdated,
    TransactionQuarantined,
    decode_event,
    encode_event,
    event_kind,
    fact_id,
)
from indexer.log.records import BlockEntry
from indexer.log.steps import place
from indexer.protocol.plutus import Constr, datum_hash
from tests.indexer import build
from tests.indexer.build import BATTERY, OPERATOR, PROFILE, USER
from tests.shared import shared

E = TypeVar("E", bound=ChainEvent)


def facts(tx: Transaction) -> list[ChainEvent]:
    """The events of one transaction; each comes back whole from its JSON."""
    events = decode(build.block(tx), [PROFILE])
    assert [event.index for event in events] == list(range(len(events)))
    for event in events:
        assert decode_event(encode_event(event)) == event
    return events


def only(tx: Transaction, kind: type[E]) -> E:
    """The one event of a kind."""
    (found,) = [event for event in facts(tx) if isinstance(event, kind)]
    return found


def kinds(tx: Transaction) -> list[str]:
    return [event_kind(event) for event in facts(tx)]


def quarantine(tx: Transaction) -> list[tuple[str, str]]:
    """Reason and key of each quarantined part."""
    return [(event.reason, event.battery_key) for event in facts(tx) if isinstance(event, TransactionQuarantined)]


def with_outputs(tx: Transaction, *outputs: Output) -> Transaction:
    return replace(tx, outputs=outputs)


def test_a_registration_is_a_passport_an_owner_and_an_open_account() -> None:
    assert kinds(build.register()) == ["passport_registered", "ownership_token_moved", "reporting_account_updated"]


def test_a_passport_says_battery_key_algorithm_and_what_its_metadata_holds() -> None:
    event = only(build.register(), PassportRegistered)
    assert event.battery_key == BATTERY.key
    assert event.battery_id == BATTERY.id.hex()
    assert event.bms_public_key == BATTERY.public_key.hex()
    assert (event.bms_key_alg, event.metadata_version, event.departures) == (-47, 1, ())
    assert event.metadata["model"] == "M-1"
    assert event.metadata["cell_count"] == 96
    assert event.metadata["bms_public_key"] == "0x" + BATTERY.public_key.hex()
    assert event.output.index == 0


def test_a_passport_re_created_without_a_mint_is_an_update() -> None:
    tx = replace(build.register(), mint={})
    assert only(tx, PassportUpdated).battery_key == BATTERY.key
    assert only(tx, ReportingAccountUpdated).thread_minted is False
    assert only(tx, OwnershipTokenMoved).minted is False


def test_an_ownership_token_shows_its_holder() -> None:
    event = only(build.register(), OwnershipTokenMoved)
    assert (event.output.payment, event.output.payment_kind) == (USER, "key")
    assert (event.quantity, event.minted, event.collateral_return) == (1, True, False)


def test_an_account_opens_with_its_datum_proved_by_its_thread_token() -> None:
    event = only(build.register(), ReportingAccountUpdated)
    assert (event.account_unproven, event.thread_minted) == (False, True)
    assert (event.datum.last_counter, event.datum.last_soh_bp, event.datum.last_cycle_count) == (-1, 12_000, 0)
    assert event.datum.battery_id == BATTERY.id.hex()


def test_a_commitment_says_battery_user_slot_and_who_signed() -> None:
    event = only(build.commit(), CommitmentMinted)
    assert (event.battery_key, event.battery_id, event.user_pkh) == (BATTERY.key, BATTERY.id.hex(), USER)
    assert (event.claimed_slot, event.nonce, event.tokens_minted, event.quantity) == (990, None, 1, 1)
    assert event.name_scheme == "blake2b_256/serialise_data"
    assert (event.invalid_before, event.invalid_after) == (990, 1_500)
    assert event.required_signers == (USER,)
    key = bytes.fromhex(build.digest("user key"))
    assert event.witnesses == (blake2b(key, digest_size=28).hexdigest(),)
    assert event.output.index == 0


def test_a_bootstrap_witness_counts_by_its_key_without_the_chain_code() -> None:
    key = build.digest("user key")
    tx = replace(build.commit(), signatories=(Signatory(key + "00" * 32), Signatory(key)))
    first, second = only(tx, CommitmentMinted).witnesses
    assert first == second


def test_a_reading_carries_all_that_its_twelve_checks_need() -> None:
    tx = build.submit()
    event = only(tx, ReadingSubmitted)
    committed = OutputRef(build.commit().id, 0)
    account = OutputRef(build.digest("register 1"), 2)
    assert event.battery_key == BATTERY.key
    assert event.burned_commitments == {build.challenge_name(): 1}
    assert event.consumed == (committed,)
    assert event.account_input == account
    assert event.inputs == tuple(sorted((committed, account), key=lambda ref: (ref.transaction, ref.index)))
    assert event.required_signers == (USER,)
    assert event.decoded.reading is not None
    assert event.decoded.reading.challenge == build.commit().id
    assert event.decoded.departures == ()
    assert event.account_datum is not None
    assert event.account_datum.last_counter == 1
    assert (event.account_unproven, event.account_departures) == (False, ())
    assert event.account_output == event.outputs[0]
    assert event.outputs[1].assets == {PROFILE.passport_policy: {BATTERY.ownership_token: 1}}
    assert (event.outputs[1].payment, event.outputs[1].payment_kind) == (USER, "key")
    assert event.outputs[0].datum == tx.outputs[0].datum
    assert event.minted == {PROFILE.commitment_policy: {build.challenge_name(): -1}}
    assert (event.invalid_before, event.invalid_after) == (995, 1_600)
    assert kinds(tx) == ["ownership_token_moved", "reading_submitted"]


def test_a_reclaim_closes_the_commitment_it_names() -> None:
    event = only(build.reclaim(), CommitmentClosed)
    assert (event.how, event.quantity, event.token_name) == ("reclaimed", 1, build.challenge_name())
    assert event.candidates == (OutputRef(build.commit().id, 0),)
    assert (event.battery_key, event.battery_id) == (BATTERY.key, BATTERY.id.hex())


def test_a_burned_thread_token_closes_the_account() -> None:
    event = only(build.close(), ReportingAccountClosed)
    assert (event.battery_key, event.quantity, event.required_signers) == (BATTERY.key, 1, (OPERATOR,))
    assert kinds(build.close()) == ["reporting_account_closed"]


def test_definite_lists_give_the_same_facts_as_indefinite_ones() -> None:
    register = build.register()
    outputs = list(register.outputs)
    outputs[0] = replace(outputs[0], datum=build.passport_datum(definite=True).hex())
    outputs[2] = replace(outputs[2], datum=build.reporting_datum(definite=True).hex())
    changed = replace(register, outputs=tuple(outputs))
    assert only(changed, PassportRegistered).metadata == only(register, PassportRegistered).metadata
    assert only(changed, ReportingAccountUpdated).datum == only(register, ReportingAccountUpdated).datum
    commit = build.commit()
    spelt = replace(commit.outputs[0], datum=build.commitment_datum(definite=True).hex())
    definite = only(replace(commit, outputs=(spelt, commit.outputs[1])), CommitmentMinted)
    assert definite.user_pkh == only(commit, CommitmentMinted).user_pkh


@pytest.mark.parametrize("names", ["commitment_datum_slot", "commitment_datum_nonce"])
def test_the_worked_example_s_commitment_is_read(names: str) -> None:
    worked = json.loads(shared("vectors/protocol_worked_example.json").read_text())
    commit = build.commit()
    out = replace(commit.outputs[0], datum=worked["plutus_data_hex"][names])
    event = only(replace(commit, outputs=(out,)), CommitmentMinted)
    assert bytes.fromhex(event.battery_id).decode() == worked["inputs"]["battery_id"]
    assert event.user_pkh == worked["inputs"]["user_pkh"]
    assert (event.claimed_slot, event.nonce) == (
        (worked["inputs"]["slot"], None) if names.endswith("slot") else (None, bytes(range(16)).hex())
    )


def test_the_worked_example_s_reading_is_read() -> None:
    worked = json.loads(shared("vectors/protocol_worked_example.json").read_text())
    redeemer = bytes.fromhex(worked["plutus_data_hex"]["redeemer_submit"])
    datum = bytes.fromhex(worked["plutus_data_hex"]["reporting_datum"])
    battery_id = worked["inputs"]["battery_id"].encode()
    key = blake2b(battery_id, digest_size=28).hexdigest()
    out = build.output(build.script(PROFILE.reporting_script), {PROFILE.passport_policy: {key: 1}}, datum)
    tx = build.transaction("worked", redeemers=(build.spend(0, redeemer),), outputs=(out,))
    event = only(tx, ReadingSubmitted)
    assert (event.cose, event.redeemer, event.battery_key) == (worked["inputs"]["cose"], redeemer.hex(), key)
    assert event.decoded.reading is not None
    assert event.decoded.reading.counter == 4_891
    assert event.account_datum is not None
    assert event.account_datum.last_soh_bp is None
    assert event.outputs[0].datum is not None
    assert datum_hash(bytes.fromhex(event.outputs[0].datum)) == worked["datum_hash_blake2b_256"]["reporting_datum"]


def test_a_commitment_of_four_fields_has_slot_and_nonce() -> None:
    commit = build.commit()
    datum = build.plutus(Constr(0, (BATTERY.id, bytes.fromhex(USER), 990, b"n")))
    event = only(replace(commit, outputs=(replace(commit.outputs[0], datum=datum.hex()),)), CommitmentMinted)
    assert (event.claimed_slot, event.nonce) == (990, b"n".hex())


def test_a_transaction_that_concerns_nobody_says_nothing() -> None:
    assert facts(build.transaction("x", outputs=(build.output(build.address(USER)),))) == []
    assert decode(build.block(build.register()), []) == []
    assert decode(build.block(build.register()), [build.profile("other")]) == []


def test_events_stand_in_the_order_of_transactions_and_count_from_0_in_each() -> None:
    events = decode(build.block(build.transaction("x"), build.register(), build.commit()), [PROFILE])
    assert [(event.transaction_index, event.index) for event in events] == [(1, 0), (1, 1), (1, 2), (2, 0)]


def facts_of(events: list[ChainEvent], network_magic: int = 2) -> list[str]:
    """The identities that the log gives them."""
    return [placed.fact for placed in place(events, BlockEntry(7, 140, "ab" * 32), "", network_magic)]


def test_facts_of_one_kind_are_told_apart_within_one_transaction() -> None:
    second = build.Battery(2)
    both = replace(
        build.register(),
        outputs=build.register().outputs + build.register(second).outputs,
        mint={PROFILE.passport_policy: build.register().mint[PROFILE.passport_policy]},
    )
    events = decode(build.block(both, build.commit()), [PROFILE])
    counts: dict[tuple[str, str], int] = {}
    expected = []
    for event in events:
        key = (event.transaction, event_kind(event))
        counts[key] = counts.get(key, -1) + 1
        expected.append(fact_id(2, *key, counts[key]))
    assert facts_of(events) == expected
    assert len(set(expected)) == len(events)
    assert max(counts.values()) == 1
    assert facts_of(events, network_magic=1) != expected


def test_the_facts_of_a_transaction_do_not_depend_on_its_block() -> None:
    tx: Any = build.submit()
    here = decode(build.block(tx), [PROFILE])
    there = decode(build.block(build.transaction("x"), build.register(), tx), [PROFILE])[-len(here) :]
    assert facts_of(here) == facts_of(there)
