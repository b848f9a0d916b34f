"""What no node sends and no user writes by mistake: nothing of it may stop the decoder, or change a fact."""

import time
from collections.abc import Iterator
from hashlib import blake2b
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from indexer.chain import (
    Block,
    Output,
    OutputReference,
    Redeemer,
    Signatory,
    Transaction,
    TransactionReference,
    UnreadableTransaction,
    Validator,
    ValidityInterval,
)
from indexer.decode import MAX_NESTING, decode, transaction_id_in
from indexer.events import (
    QUARANTINE_KEEPS_BYTES,
    ChainEvent,
    TransactionQuarantined,
    decode_event,
    encode_event,
    event_kind,
)
from indexer.protocol.plutus import Constr
from indexer.protocol.profile import Profile, needles
from indexer.protocol.view import transaction_key
from tests.indexer import build
from tests.indexer.build import BATTERY, PROFILE, USER
from tests.shared import shared

SECOND = build.profile("another")
POLICIES = (PROFILE.commitment_policy, PROFILE.passport_policy)


def decoded(
    *transactions: Transaction | UnreadableTransaction, profiles: tuple[Profile, ...] = (PROFILE,)
) -> list[ChainEvent]:
    """Events that come back whole from their JSON."""
    events = decode(build.block(*transactions), profiles)
    for event in events:
        assert decode_event(encode_event(event)) == event
    return events


# (f) transactions that no parser reads


def unreadable(raw: bytes) -> UnreadableTransaction:
    return UnreadableTransaction(raw, "nested too deep")


def test_an_unreadable_transaction_is_quarantined_if_its_text_holds_a_needle() -> None:
    name = build.digest("x")
    for needle in needles(PROFILE):
        raw = (
            b'{"inputs":[{"transaction":{"id":"'
            + b"9" * 64
            + b'"}}],"id":"'
            + name.encode()
            + b'","x":"'
            + needle
            + b'"}'
        )
        (event,) = decoded(unreadable(raw))
        assert isinstance(event, TransactionQuarantined)
        assert (event.deployment, event.reason, event.detail) == (
            "example",
            "transaction_unreadable",
            "nested too deep",
        )
        assert (event.transaction, event.battery_key) == (name, transaction_key(name))
        assert event.raw == raw.hex()


def test_an_unreadable_transaction_without_a_needle_is_nobody_s() -> None:
    assert decoded(unreadable(b'{"id":"' + PROFILE.reporting_script.encode() + b'"}')) == []


def test_an_unreadable_transaction_is_quarantined_for_each_deployment_it_can_concern() -> None:
    raw = needles(PROFILE)[0] + needles(SECOND)[2]
    events = decoded(unreadable(raw), profiles=(PROFILE, SECOND))
    assert [event.deployment for event in events] == ["another", "example"]
    assert {event.transaction for event in events} == {blake2b(raw, digest_size=32).hexdigest()}


def test_a_large_unreadable_transaction_is_kept_by_hash_and_length() -> None:
    raw = needles(PROFILE)[0] + b" " * QUARANTINE_KEEPS_BYTES
    (event,) = decoded(unreadable(raw))
    assert isinstance(event, TransactionQuarantined)
    assert (event.raw, event.raw_length_bytes) == (None, len(raw))
    assert event.raw_blake2b_256 == blake2b(raw, digest_size=32).hexdigest()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"id":"%s"}', True),
        ('{"a":{"id":"no"},"id" : "%s"}', True),
        ('{"a":"\\"id\\":\\"}{","id":"%s"}', True),
        ('{"a":' + "[" * 20_000 + "]" * 20_000 + ',"id":"%s"}', True),
        ('{"a":{"id":"%s"}}', False),
        ('{"x":"id","y":"%s"}', False),
        ('{"id":"X%s"}', False),
        ('{"id":1,"b":"%s"}', False),
        ("%s", False),
        ("", False),
        ('"', False),
    ],
)
def test_the_id_of_the_outermost_object_is_found_at_any_depth_of_the_rest(text: str, found: bool) -> None:
    name = build.digest("x")
    started = time.perf_counter()
    assert transaction_id_in(text.replace("%s", name).encode()) == (name if found else None)
    assert time.perf_counter() - started < 1


@given(st.binary() | st.text(alphabet='{}[]":,\\id0').map(str.encode))
def test_any_text_has_an_id_or_none(raw: bytes) -> None:
    assert transaction_id_in(raw) is None


# the pre-filter


def wherever_it_matters() -> Iterator[Transaction]:
    for tx in (build.register(), build.commit(), build.submit(), build.reclaim(), build.close()):
        yield tx
        yield replace(tx, spends="collaterals", collateral_return=build.register().outputs[1])
        yield replace(build.transaction("outer"), sub_transactions=(tx,))
        for place in range(len(tx.outputs)):
            yield replace(tx, mint={}, outputs=tx.outputs[place : place + 1])


def test_whatever_gives_a_fact_holds_a_needle_in_its_text() -> None:
    for tx in wherever_it_matters():
        text = msgspec.json.encode(tx)
        if decoded(tx):
            assert any(needle in text for needle in needles(PROFILE))


def test_real_blocks_hold_no_needle_and_give_no_fact() -> None:
    frame = shared("vectors/kupo/golden_1_mainnet_mary_slot26366727.json").read_bytes()
    assert not any(needle in frame for needle in needles(PROFILE))


# nested transactions


def nest(tx: Transaction, levels: int) -> Transaction:
    for level in range(levels):
        tx = replace(build.transaction(f"level {level}"), sub_transactions=(build.transaction("sibling"), tx))
    return tx


def test_sub_transactions_state_facts_under_their_own_id_and_path() -> None:
    outer = replace(build.commit(), sub_transactions=(build.register(), nest(build.reclaim(), 1)))
    events = decoded(outer)
    assert [(event_kind(event), event.path, event.index) for event in events] == [
        ("commitment_minted", "", 0),
        ("passport_registered", "0", 1),
        ("ownership_token_moved", "0", 2),
        ("reporting_account_updated", "0", 3),
        ("commitment_closed", "1.1", 4),
    ]
    assert [event.transaction for event in events][-1] == build.reclaim().id


def test_sub_transactions_share_the_fate_of_the_outermost() -> None:
    outer = replace(build.transaction("x"), spends="collaterals", sub_transactions=(build.submit(), build.register()))
    assert [event_kind(event) for event in decoded(outer)] == ["reading_rejected"]


def test_nesting_is_read_to_its_bound_and_beyond_it_only_what_concerns_us_is_quarantined() -> None:
    assert event_kind(decoded(nest(build.commit(), MAX_NESTING))[0]) == "commitment_minted"
    (event,) = decoded(nest(build.commit(), MAX_NESTING + 1))
    assert isinstance(event, TransactionQuarantined)
    assert (event.reason, event.transaction) == ("nested_too_deep", build.commit().id)
    assert decoded(nest(build.transaction("x"), 5_000)) == []
    assert len(decoded(nest(build.commit(), 5_000))) == 1


# order


def reordered(held: Any) -> Any:
    """The same values, every dict the other way round."""
    if isinstance(held, dict):
        return {key: reordered(held[key]) for key in reversed(held)}
    if isinstance(held, list):
        return [reordered(item) for item in held]
    return held


def two_deployments() -> Block:
    mixed = replace(
        build.register(),
        outputs=build.register().outputs + build.register(build.Battery(2), SECOND).outputs + build.commit().outputs,
        mint=build.register().mint | build.register(build.Battery(2), SECOND).mint | build.commit().mint,
    )
    return build.block(mixed, build.submit(), build.submit(to=SECOND), unreadable(needles(SECOND)[0]))


def test_profiles_in_any_order_give_the_same_events() -> None:
    third = build.profile("third")
    expected = decode(two_deployments(), (PROFILE, SECOND, third))
    assert len({event.deployment for event in expected}) == 2
    for order in permutations((PROFILE, SECOND, third)):
        assert decode(two_deployments(), order) == expected


def test_events_do_not_depend_on_the_order_of_dicts_nor_of_inputs_and_redeemers() -> None:
    readable = [tx for tx in two_deployments().transactions if isinstance(tx, Transaction)]
    turned = [
        replace(tx, inputs=tx.inputs[::-1], redeemers=tx.redeemers[::-1])
        for tx in msgspec.convert(reordered(msgspec.to_builtins(readable)), list[Transaction])
    ]
    profiles = (PROFILE, SECOND)
    assert decode(build.block(*turned), profiles) == decode(build.block(*readable), profiles)


# values that no ledger allows


def faulty(**changes: Any) -> list[str]:
    return [
        event.reason if isinstance(event, TransactionQuarantined) else event_kind(event)
        for event in decoded(replace(build.commit(), **changes))
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": "x"}, "transaction_id_malformed"),
        ({"id": "A" * 64}, "transaction_id_malformed"),
        ({"id": "\ud800"}, "transaction_id_malformed"),
        ({"inputs": (OutputReference(TransactionReference("x"), 0),)}, "input_malformed"),
        ({"inputs": (build.reference("x", -1),)}, "input_malformed"),
        ({"inputs": (build.reference("x", 1 << 64),)}, "input_malformed"),
        ({"references": (OutputReference(TransactionReference(""), 0),)}, "input_malformed"),
        ({"required_extra_signatories": ("x",)}, "signatory_malformed"),
        ({"signatories": (Signatory("0" * 63),)}, "signatory_malformed"),
        ({"signatories": (Signatory("é" * 64),)}, "signatory_malformed"),
        ({"validity_interval": ValidityInterval(-1, None)}, "validity_interval_malformed"),
        ({"validity_interval": ValidityInterval(None, 1 << 64)}, "validity_interval_malformed"),
    ],
)
def test_a_transaction_with_an_unsound_frame_is_quarantined_whole(changes: dict[str, Any], reason: str) -> None:
    assert faulty(**changes) == [reason]


@pytest.mark.parametrize(
    "value",
    [
        {"ada": {"lovelace": 1 << 64}},
        {"ada": {"lovelace": -(10**5_000)}},
        {"ada": {"lovelace": 1}, "zz": {"": 1}},
        {"ada": {"lovelace": 1}, "A" * 56: {"": 1}},
        {"ada": {"lovelace": 1}, "a" * 56: {"AA": 1}},
        {"ada": {"lovelace": 1}, "a" * 56: {"0": 1}},
        {"ada": {"lovelace": 1}, "a" * 56: {"": 10**5_000}},
    ],
)
def test_an_output_that_no_event_can_carry_is_quarantined_alone(value: dict[str, dict[str, int]]) -> None:
    commit = build.commit()
    held = value | {PROFILE.commitment_policy: {build.challenge_name(): 1}}
    assert faulty(outputs=(replace(commit.outputs[0], value=held), commit.outputs[0])) == [
        "commitment_minted",
        "output_malformed",
    ]


def test_an_address_that_is_no_text_is_quarantined() -> None:
    out = build.output("\ud800é", {PROFILE.passport_policy: {BATTERY.ownership_token: 1}})
    (event,) = decoded(build.transaction("x", outputs=(out,)))
    assert isinstance(event, TransactionQuarantined)
    assert (event.reason, event.battery_key) == ("output_malformed", BATTERY.key)


def test_a_mint_that_no_event_can_carry_is_quarantined_alone() -> None:
    for policy in POLICIES:
        for name, quantity in (("AA", 1), ("0", -1), ("aa", 10**5_000)):
            mint = build.commit().mint | {policy: build.commit().mint.get(policy, {}) | {name: quantity}}
            assert "commitment_minted" in faulty(mint=mint)
            assert len(faulty(mint=mint)) == 2


def test_policies_in_upper_case_are_other_policies() -> None:
    mint = {policy.upper(): names for policy, names in build.commit().mint.items()}
    out = build.output(build.address(USER), {PROFILE.passport_policy.upper(): {BATTERY.ownership_token: 1}})
    assert decoded(build.transaction("x", mint=mint, outputs=(out,))) == []


def test_a_huge_integer_in_a_datum_is_named_without_being_printed() -> None:
    huge = build.plutus(Constr(0, (BATTERY.id, b"k" * 33, 1 << 400_000, 1, 1)))
    reasons = [
        event.reason
        for event in decoded(build.transaction("x", outputs=(build.account_output(datum=huge),)))
        if isinstance(event, TransactionQuarantined)
    ]
    assert reasons == ["reporting_datum_integer_too_large"]


numbers = st.integers(-3, 3) | st.integers() | st.sampled_from([1 << 63, 1 << 64, -(1 << 64), 10**5_000])
hexes = st.sampled_from(
    ["", "0", "zz", "AA", "00" * 33, "\ud800", BATTERY.key, BATTERY.reference_token, BATTERY.ownership_token]
) | st.binary(max_size=34).map(bytes.hex)
policies = st.sampled_from([*POLICIES, "ada", "zz", PROFILE.passport_policy.upper(), "a" * 56])
assets = st.dictionaries(policies, st.dictionaries(hexes | st.just("lovelace"), numbers, max_size=3), max_size=3)
addresses = st.sampled_from(
    [build.script(PROFILE.reporting_script), build.script(PROFILE.commitment_script), build.address(USER)]
) | st.text(max_size=8)
datums = (
    st.none()
    | hexes
    | st.sampled_from(
        [build.reporting_datum().hex(), build.commitment_datum().hex(), build.passport_datum().hex(), "81" * 16_000]
    )
)
outputs = st.builds(Output, addresses, assets, datums, st.none() | hexes)
redeemers = st.builds(
    Redeemer,
    st.builds(Validator, st.sampled_from(["spend", "mint", "x"]), numbers),
    hexes
    | st.sampled_from(
        [build.submit_redeemer(b"x" * 70).hex(), build.reclaim_redeemer().hex(), build.CONSUME.hex(), build.CLOSE.hex()]
    ),
)
ids = st.sampled_from([build.digest("a"), build.digest("b"), build.digest("c")])
references = st.builds(OutputReference, st.builds(TransactionReference, ids | hexes), st.integers(0, 2) | numbers)
sound_references = st.builds(OutputReference, st.builds(TransactionReference, ids), st.integers(0, 2))
transactions = st.builds(
    Transaction,
    id=ids | hexes,
    inputs=st.lists(sound_references, max_size=3).map(tuple) | st.lists(references, max_size=3).map(tuple),
    spends=st.sampled_from(["inputs", "inputs", "collaterals"]),
    outputs=st.lists(outputs, max_size=3).map(tuple),
    collateral_return=st.none() | outputs,
    mint=assets,
    redeemers=st.lists(redeemers, max_size=3).map(tuple),
    required_extra_signatories=st.just(()) | st.lists(hexes, max_size=2).map(tuple),
    signatories=st.just(()) | st.lists(st.builds(Signatory, hexes), max_size=1).map(tuple),
    validity_interval=st.builds(ValidityInterval, st.none() | numbers, st.none() | numbers)
    | st.just(ValidityInterval()),
    datums=st.dictionaries(hexes, hexes, max_size=2),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(transactions, min_size=1, max_size=2))
def test_nothing_that_a_block_holds_stops_the_decoder(found: list[Transaction]) -> None:
    events = decoded(*found, profiles=(PROFILE, SECOND))
    assert events == decode(build.block(*found), (SECOND, PROFILE))
