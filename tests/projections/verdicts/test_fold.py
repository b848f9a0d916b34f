"""What the fold says of honest readings, and of one thing changed at a time. Signatures and transactions are true."""

import random
from functools import lru_cache
from typing import Any

import cbor2
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from deploy.devnet.actors import Actor
from deploy.devnet.element import SecureElement, secret, sig_structure
from indexer.events import (
    CommitmentMinted,
    OwnershipTokenMoved,
    PassportUpdated,
    ReadingEvent,
    ReadingRejected,
    ReadingSubmitted,
    ReportingAccountUpdated,
)
from indexer.protocol.cose import read_cose
from projections.facts import Fact
from projections.rules.thresholds import ThresholdBook
from projections.verdicts.fold import EMPTY, Judged, State, decode_state, encode_state, fold
from projections.verdicts.model import Result, Verdicts
from projections.verdicts.signatures import SECP256K1_ORDER
from projections.verdicts.state import MAX_COMMITMENTS
from tests.projections.chain import Life, hash32
from tests.projections.verdicts.devnet import fact, facts, judged, profile

SEED = 11
BOOK = ThresholdBook()
OTHER = "ee" * 28


class Scene(Struct, frozen=True):
    """A reading of the devnet, and the state that it meets."""

    state: State
    fact: Fact

    @property
    def event(self) -> ReadingSubmitted:
        assert isinstance(self.fact.event, ReadingSubmitted)
        return self.fact.event

    def verdicts(self, slot: int = 0, to: Any = None, **changes: Any) -> Verdicts:
        """With fields of the event changed."""
        stated = replace(self.fact, event=replace(self.event, **changes), slot=self.fact.slot + slot)
        found = fold(self.state, stated, to or profile(), BOOK)[1].verdicts
        assert found is not None
        return found

    def says(self, **changes: Any) -> Verdicts:
        """With values of the decoded reading changed; the signed bytes stay."""
        reading = replace(self.event.decoded.reading, **changes)  # type: ignore[type-var]
        return self.verdicts(decoded=replace(self.event.decoded, reading=reading))

    def signed(self, element: SecureElement, *, twin: bool = False, **values: Any) -> dict[str, Any]:
        """Fields of the event with a message that ``element`` signed anew over changed values."""
        tagged = cbor2.loads(bytes.fromhex(self.event.cose))
        payload = cbor2.loads(tagged.value[2])
        payload |= {3: values.get("counter", payload[3])}
        protected, raw = cbor2.dumps({1: element.algorithm}), cbor2.dumps(payload, canonical=True)
        signature = element._sign(sig_structure(protected, raw))
        if twin:
            signature = signature[:32] + (SECP256K1_ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
        cose = cbor2.dumps(cbor2.CBORTag(18, [protected, {}, raw, signature]))
        return {"cose": cose.hex(), "decoded": read_cose(cose)}

    def output(self, index: int, **changes: Any) -> Verdicts:
        outputs = tuple(replace(o, **changes) if o.index == index else o for o in self.event.outputs)
        return self.verdicts(outputs=outputs)


@lru_cache
def chain() -> tuple[tuple[Fact, State, Judged], ...]:
    return tuple(judged(facts(seed=SEED)))


@lru_cache
def scene() -> Scene:
    """The fifth reading of a battery that signs with ES256K."""
    mine = [(f, s) for f, s, _ in chain() if isinstance(f.event, ReadingSubmitted) and f.event.decoded.algorithm == -47]
    key = mine[0][0].event.battery_key
    of_it = [(f, s) for f, s in mine if f.event.battery_key == key]
    return Scene(of_it[5][1], of_it[5][0])


def element() -> SecureElement:
    """The one that signed the scene's reading; a battery may have been given another before."""
    key = scene().state.history.key
    every = (Actor(number, SEED).element(epoch) for number in range(1, 13) for epoch in range(4))
    return next(each for each in every if each.public_key.hex() == key)


def twelve(found: Verdicts) -> dict[int, Result]:
    return {number: found.check(number).result for number in range(1, 13)}


def failed(found: Verdicts) -> set[int]:
    return {number for number, result in twelve(found).items() if result == "failed"}


def unassessed(found: Verdicts) -> set[int]:
    return {number for number, result in twelve(found).items() if result == "not_assessable"}


def results(found: Verdicts) -> tuple[Result, Result, Result, Result]:
    return found.ledger.result, found.crypto.result, found.binding.result, found.plausibility.result


def test_every_honest_reading_passes_all_twelve_checks_and_all_four_verdicts() -> None:
    readings = [(f, j.verdicts) for f, _, j in chain() if isinstance(f.event, ReadingSubmitted)]
    assert len(readings) > 600
    for _, found in readings:
        assert found is not None
        assert set(twelve(found).values()) == {"passed"}
        assert results(found) == ("passed",) * 4
        assert found.signed


def test_a_rejected_reading_fails_by_the_ledger_and_says_which_check_the_contract_refused() -> None:
    rejected = [j.verdicts for f, _, j in chain() if isinstance(f.event, ReadingRejected)]
    assert rejected
    for found in rejected:
        assert found is not None
        assert found.ledger.reasons == ("scripts_failed",)
        assert failed(found) in ({4}, {8})
        assert found.crypto.result == "passed"


def test_without_a_commitment_what_it_would_be_compared_with_can_t_be_assessed() -> None:
    for burned in ({}, {"aa": 1}, {**scene().event.burned_commitments, "aa": 1}):
        found = scene().verdicts(burned_commitments=burned)
        assert failed(found) == {1}
        assert unassessed(found) == {2, 3, 4, 5, 10, 12}
        assert (found.ledger.result, found.binding.result) == ("failed", "not_assessable")


def test_each_check_fails_by_its_own_cause_alone() -> None:
    s, event = scene(), scene().event
    datum, account = event.account_datum, s.state.chain.now.accounts[0]
    assert datum is not None
    policy, token = profile().passport_policy, "000de140" + event.battery_key
    cases: dict[str, tuple[Verdicts, set[int]]] = {
        "user": (s.verdicts(required_signers=(OTHER,)), {3}),
        "recent": (s.verdicts(slot=3_600), {4}),
        "challenge": (s.says(challenge="00" * 32), {5}),
        "challenge of 31 bytes": (s.says(challenge="00" * 31), {5}),
        "twin": (s.verdicts(**s.signed(element(), twin=True)), {6}),
        "another's signature": (s.verdicts(**s.signed(SecureElement("another"))), {6}),
        "trailing byte": (s.verdicts(decoded=read_cose(bytes.fromhex(event.cose) + b"\0")), {6}),
        "token to another": (s.output(1, payment=OTHER), {10, 12}),
        "no ownership token": (s.output(1, assets={}), {10}),
        "ownership token minted": (s.verdicts(minted={policy: {token: 1}}), {10}),
        "account moved": (s.output(0, address="addr_test1other"), {11}),
        "account's tokens": (s.output(0, assets={}), {11}),
        "reference script": (s.output(0, has_reference_script=True), {11}),
        "reward": (s.output(1, lovelace=account.datum.reward_per_read - 1), {12}),
        "account robbed": (s.output(0, lovelace=1), {11}),
        "age raised": (s.verdicts(account_datum=replace(datum, max_age_slots=1 << 40)), {11}),
        "key changed": (s.verdicts(account_datum=replace(datum, bms_public_key="02" * 33)), {11}),
    }
    for name, (found, expected) in cases.items():
        assert failed(found) == expected, name
        assert unassessed(found) == set(), name


def test_values_below_the_account_s_fail_their_checks_and_a_missing_one_fails_too() -> None:
    account = scene().state.chain.now.accounts[0].datum
    assert account.last_soh_bp is not None
    assert account.last_cycle_count is not None
    assert 7 in failed(scene().says(counter=account.last_counter))
    assert 7 not in failed(scene().says(counter=account.last_counter + 1))
    assert 8 in failed(scene().says(soh_bp=account.last_soh_bp + profile().soh_tolerance_bp + 1))
    assert 8 not in failed(scene().says(soh_bp=account.last_soh_bp + profile().soh_tolerance_bp))
    assert 9 in failed(scene().says(cycle_count=account.last_cycle_count - 1))
    assert failed(scene().says(counter=None, soh_bp=None, cycle_count=None)) >= {7, 8, 9}


def test_a_reading_of_another_battery_is_not_bound() -> None:
    found = scene().says(battery_id=b"urn:other".hex())
    assert failed(found) == {2}
    assert set(found.binding.reasons) == {"batteries_differ", "battery_id_not_of_passport"}


def test_an_account_in_the_short_form_leaves_soh_and_cycles_unassessed() -> None:
    s = scene()
    short = {"last_soh_bp": None, "last_cycle_count": None}
    now = s.state.chain.now
    account = replace(now.accounts[0], datum=replace(now.accounts[0].datum, **short))
    state = replace(s.state, chain=replace(s.state.chain, now=replace(now, accounts=(account,))))
    found = Scene(state, s.fact).verdicts(account_datum=replace(s.event.account_datum, **short))  # type: ignore[type-var]
    assert unassessed(found) == {8, 9}
    assert found.plausibility.result == "not_assessable"
    assert not failed(found)


def test_on_an_unproven_account_the_passport_s_key_judges_the_signature() -> None:
    s = scene()
    found = s.verdicts(account_unproven=True)
    assert unassessed(found) == {2, 4, 6, 7, 8, 9, 11, 12}
    assert found.crypto.result == "passed"
    assert "account_unproven" in found.crypto.reasons
    assert results(found)[2:] == ("not_assessable", "not_assessable")


def test_an_account_with_a_key_of_its_own_is_the_obvious_forgery() -> None:
    forger = SecureElement("forger")
    datum = replace(scene().event.account_datum, bms_public_key=forger.public_key.hex())  # type: ignore[type-var]
    found = scene().verdicts(account_unproven=True, account_datum=datum, **scene().signed(forger))
    assert found.crypto.result == "failed"
    assert {"account_with_a_key_of_its_own", "signed_by_key_of_unproven_account"} <= set(found.crypto.reasons)
    assert not found.signed


def test_a_high_s_twin_is_named_as_valid_and_fails_by_the_ledger_s_check() -> None:
    found = scene().verdicts(**scene().signed(element(), twin=True))
    assert found.crypto.result == "failed"
    assert {"builtin_false", "high_s_twin_valid"} <= set(found.crypto.reasons)
    assert found.signed


def test_an_untagged_reading_passes_and_is_named() -> None:
    raw = bytes.fromhex(scene().event.cose)[1:]
    found = scene().verdicts(decoded=read_cose(raw))
    assert found.crypto.result == "passed"
    assert found.crypto.reasons == ("untagged",)


def test_an_older_form_is_named_and_is_not_fresh() -> None:
    s = scene()
    payload = cbor2.dumps({1: bytes.fromhex(s.event.decoded.reading.battery_id or ""), 2: 1_000_000, 3: 7, 5: 1})  # type: ignore[union-attr]
    protected = cbor2.dumps({1: -47})
    signature = element()._sign(sig_structure(protected, payload))
    found = s.verdicts(decoded=read_cose(cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))))
    assert "legacy_slot_challenge" in found.crypto.reasons
    assert found.check(5).reasons == ("challenge_not_32_bytes",)
    assert found.signed


def with_new_key(state: State, place: tuple[int, int], transaction: str, key: str) -> State:
    """The state after an update of the passport at (slot, transaction index)."""
    update = next(f.event for f, _, _ in chain() if isinstance(f.event, PassportUpdated))
    event = replace(
        update,
        battery_key=scene().event.battery_key,
        battery_id=scene().event.decoded.reading.battery_id,  # type: ignore[union-attr]
        bms_public_key=key,
        bms_key_alg=-47,
        transaction=transaction,
        transaction_index=place[1],
    )
    return fold(state, fact(event, place[0], 1), profile(), BOOK)[0]


def test_a_replaced_module_is_known_by_its_signature_and_by_its_account() -> None:
    s, new = scene(), SecureElement("new module")
    state = with_new_key(s.state, (s.fact.slot - 1, 0), "aa" * 32, new.public_key.hex())
    old_account = Scene(state, s.fact).verdicts()
    assert old_account.crypto.reasons == ("account_key_replaced",)
    now = state.chain.now
    datum = replace(now.accounts[0].datum, bms_public_key=new.public_key.hex())
    moved = replace(now, accounts=(replace(now.accounts[0], datum=datum),))
    state = replace(state, chain=replace(state.chain, now=moved))
    old_module = Scene(state, s.fact).verdicts()
    assert "signed_by_replaced_key" in old_module.crypto.reasons
    assert Scene(state, s.fact).verdicts(**s.signed(new)).crypto.result == "passed"


def test_a_key_registered_earlier_in_the_block_counts_and_one_of_the_same_transaction_does_not() -> None:
    s, key = scene(), SecureElement("new module").public_key.hex()
    earlier = with_new_key(s.state, (s.fact.slot, s.event.transaction_index - 1), "aa" * 32, key)
    assert "account_key_replaced" in Scene(earlier, s.fact).verdicts().crypto.reasons
    same = with_new_key(s.state, (s.fact.slot, s.event.transaction_index), s.event.transaction, key)
    assert Scene(same, s.fact).verdicts().crypto.result == "passed"


def test_the_last_holder_is_the_one_before_the_reading_s_own_transaction() -> None:
    s = scene()
    moved = OwnershipTokenMoved(
        deployment=s.event.deployment,
        battery_key=s.event.battery_key,
        transaction=s.event.transaction,
        transaction_index=s.event.transaction_index,
        index=0,
        output=replace(s.event.outputs[1], payment=OTHER),
        quantity=1,
    )
    state = fold(s.state, replace(s.fact, event=moved), profile(), BOOK)[0]
    holder = s.state.chain.now.holder
    assert holder is not None
    assert Scene(state, s.fact).verdicts().check(10).inputs["last_holder"] == holder.payment != OTHER


def test_two_readings_in_one_transaction_are_both_judged_by_what_it_found() -> None:
    s = scene()
    state, _ = fold(s.state, s.fact, profile(), BOOK)
    again = Scene(state, s.fact).verdicts()
    assert twelve(again) == twelve(s.verdicts())


def test_an_account_that_is_not_the_one_known_can_t_be_compared_with() -> None:
    other = replace(scene().event.account_input, index=77)
    found = scene().verdicts(account_input=other)
    assert unassessed(found) == {2, 4, 6, 7, 8, 9, 11, 12}
    assert "account_before_unknown" in found.plausibility.reasons


def commitments(state: State, count: int, user: str, slot: int) -> State:
    minted = next(f.event for f, _, _ in chain() if isinstance(f.event, CommitmentMinted))
    for number in range(count):
        event = replace(
            minted, battery_key=scene().event.battery_key, transaction=hash32("spam", number, user), user_pkh=user
        )
        state, _ = fold(state, fact(event, slot, 1), profile(), BOOK)
    return state


def test_strangers_commitments_neither_grow_the_state_nor_push_the_holder_s_out() -> None:
    s = scene()
    grown = commitments(s.state, 2 * MAX_COMMITMENTS, OTHER, s.fact.slot)
    assert len(grown.chain.commitments) == MAX_COMMITMENTS
    assert grown.chain.forgotten > 0
    assert set(twelve(Scene(grown, s.fact).verdicts()).values()) == {"passed"}
    assert len(encode_state(grown)) < 120_000


def test_a_commitment_that_was_forgotten_is_never_failed() -> None:
    s = scene()
    chain_ = replace(s.state.chain, commitments=(), forgotten=1)
    found = Scene(replace(s.state, chain=chain_), s.fact).verdicts()
    assert found.check(1).result == "not_assessable"
    assert found.check(1).reasons == ("commitment_may_be_forgotten",)


def test_a_forged_or_rejected_reading_moves_no_reference() -> None:
    s = scene()
    forged = replace(s.fact, event=replace(s.event, **s.signed(SecureElement("forger"))))
    assert fold(s.state, forged, profile(), BOOK)[0].history == s.state.history
    fields = {name: getattr(s.event, name) for name in s.event.__struct_fields__}
    rejected = replace(s.fact, event=ReadingRejected(**fields))
    after = fold(s.state, rejected, profile(), BOOK)[0]
    assert after.history.recent == s.state.history.recent
    assert after.chain.now == s.state.chain.now


def test_equivocation_is_found_even_in_a_rejected_reading() -> None:
    s = scene()
    state, _ = fold(s.state, s.fact, profile(), BOOK)
    assert s.event.decoded.reading is not None
    other = s.signed(element(), counter=s.event.decoded.reading.counter)
    changed_payload = cbor2.loads(cbor2.loads(bytes.fromhex(other["cose"])).value[2])
    changed_payload[4][2] = 1
    raw, protected = cbor2.dumps(changed_payload, canonical=True), cbor2.dumps({1: -47})
    cose = cbor2.dumps(cbor2.CBORTag(18, [protected, {}, raw, element()._sign(sig_structure(protected, raw))]))
    fields = {name: getattr(s.event, name) for name in s.event.__struct_fields__}
    event = ReadingRejected(**fields | {"decoded": read_cose(cose), "transaction": "cc" * 32})
    _, said = fold(state, replace(s.fact, event=event), profile(), BOOK)
    assert "R09" in {finding.rule for finding in said.said.findings}


def test_old_readings_that_a_stranger_submits_again_raise_no_alarm_about_the_battery() -> None:
    """True readings of the battery, one after the other, on an account of the stranger's own."""
    s = scene()
    mine = [f for f, _, _ in chain() if f.event.battery_key == s.event.battery_key]
    old = [f.event for f in mine if isinstance(f.event, ReadingSubmitted) and f.slot < s.fact.slot]
    state, alarming = s.state, set()
    for number, event in enumerate([*old, *old, *reversed(old)]):
        replayed = replace(event, transaction=hash32("replay", number), account_unproven=True, burned_commitments={})
        state, said = fold(state, replace(s.fact, event=replayed), profile(), BOOK)
        alarming |= {f.rule for f in said.said.findings if f.severity in ("high", "critical")}
    assert alarming == set()
    state, said = fold(state, s.fact, profile(), BOOK)
    assert said.said.findings == fold(s.state, s.fact, profile(), BOOK)[1].said.findings
    assert state.history.recent[-1].slot == s.fact.slot


def test_a_level_far_off_is_put_aside_and_fails_even_where_no_rule_says_so() -> None:
    young = replace(scene().state.history, accepted=1, soh_reference_bp=5_000)
    found = Scene(replace(scene().state, history=young), scene().fact).verdicts()
    assert found.plausibility.result == "failed"
    assert found.plausibility.reasons == ("put_aside",)


def test_findings_name_a_twin_a_replaced_key_and_an_account_s_own_key() -> None:
    s = scene()

    def rules(state: State, **changes: Any) -> dict[str, str]:
        stated = replace(s.fact, event=replace(s.event, **changes))
        return {f.rule: f.severity for f in fold(state, stated, profile(), BOOK)[1].said.findings}

    assert rules(s.state, **s.signed(element(), twin=True))["R05"] == "info"
    new = with_new_key(s.state, (s.fact.slot - 1, 0), "aa" * 32, SecureElement("new").public_key.hex())
    assert rules(new)["R12"] == "high"
    own = SecureElement("own").public_key.hex()
    now = s.state.chain.now
    account = replace(now.accounts[0], datum=replace(now.accounts[0].datum, bms_public_key=own))
    state = replace(s.state, chain=replace(s.state.chain, now=replace(now, accounts=(account,))))
    assert rules(state)["R51"] == "high"
    opened = next(f.event for f, _, _ in chain() if isinstance(f.event, ReportingAccountUpdated))
    datum = replace(opened.datum, bms_public_key=own)
    event = replace(opened, battery_key=s.event.battery_key, transaction="bb" * 32, datum=datum)
    _, said = fold(s.state, fact(event, s.fact.slot, 1), profile(), BOOK)
    assert [f.rule for f in said.said.findings] == ["R51"]


def test_of_two_commitments_of_one_name_the_consumed_one_counts() -> None:
    """The same user, battery and slot give the same name twice."""
    s = scene()
    (spent,) = [c for c in s.state.chain.commitments if c.output in s.event.inputs]
    other = replace(spent, transaction="ab" * 32)
    chain_ = replace(s.state.chain, commitments=(other, spent))
    found = Scene(replace(s.state, chain=chain_), s.fact).verdicts(inputs=(other.output, *s.event.inputs))
    assert set(twelve(found).values()) == {"passed"}


def test_a_key_that_the_passport_does_not_name_ends_no_epoch() -> None:
    s, own = scene(), SecureElement("own")
    now = s.state.chain.now
    account = replace(now.accounts[0], datum=replace(now.accounts[0].datum, bms_public_key=own.public_key.hex()))
    state = replace(s.state, chain=replace(s.state.chain, now=replace(now, accounts=(account,))))
    after, said = fold(state, replace(s.fact, event=replace(s.event, **s.signed(own))), profile(), BOOK)
    assert said.verdicts is not None
    assert said.verdicts.signed
    assert said.verdicts.crypto.result == "failed"
    assert after.history == s.state.history


def test_states_survive_their_json() -> None:
    for _, state, _ in chain()[::50]:
        assert decode_state(encode_state(state)) == state


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_no_event_makes_the_fold_raise_and_every_reading_gets_twelve_answers(seed: int) -> None:
    """Events of a random life with hostile values, in no order that a chain would have."""
    life = Life(seed, 2, hostile=True)
    states: dict[str, State] = {}
    for number, event in enumerate(life.events([], 1, seed, 60)):
        stated = fact(event, random.Random(number).choice((0, number, 2**63)), number)
        before = states.get(event.battery_key, EMPTY)
        states[event.battery_key], said = fold(before, stated, profile(), BOOK)
        if isinstance(event, ReadingEvent):
            assert said.verdicts is not None
            assert len(twelve(said.verdicts)) == 12
        else:
            assert said.verdicts is None


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_facts_in_any_order_doubled_or_missing_make_the_fold_neither_raise_nor_grow(chance: random.Random) -> None:
    """As no chain would have them: what was judged by one order must hold its bounds in every other."""
    key = scene().event.battery_key
    mine = [f for f, _, _ in chain() if f.event.battery_key == key]
    state = EMPTY
    for stated in chance.choices(mine, k=60):
        state, said = fold(state, stated, profile(), BOOK)
        if isinstance(stated.event, ReadingEvent):
            assert said.verdicts is not None
            assert len(twelve(said.verdicts)) == 12
            assert said.verdicts.key is not None or said.verdicts.crypto.result == "not_assessable"
    assert len(encode_state(state)) < 40_000


def test_two_live_accounts_of_one_battery_are_both_known() -> None:
    s = scene()
    opened = next(f.event for f, _, _ in chain() if isinstance(f.event, ReportingAccountUpdated))
    event = replace(opened, battery_key=s.event.battery_key, transaction=secret("second").hex(), thread_minted=True)
    state, _ = fold(s.state, fact(event, s.fact.slot, 1), profile(), BOOK)
    assert len(state.chain.now.accounts) == 2
    found = Scene(state, s.fact).verdicts()
    assert set(twelve(found).values()) == {"passed"}
    assert found.ledger.reasons == ("two_live_accounts",)
