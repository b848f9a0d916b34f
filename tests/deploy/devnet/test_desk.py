"""What the node takes into its ledger and says of it: Ogmios' shapes, its error codes, and the contracts' word."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from deploy.contracts.context import SlotConfig
from deploy.devnet.chain import Chain
from deploy.devnet.desk import Desk as Window
from deploy.devnet.element import SecureElement
from deploy.devnet.keys import Key
from deploy.devnet.maker import Maker, Plan
from deploy.devnet.network import Network, OgmiosVersion
from deploy.devnet.open_ledger import OpenLedger
from deploy.devnet.server import Node, serve
from deploy.devnet.shown import Received
from deploy.devnet.transactions import Draft, Out, build
from deploy.user.compose import Composed, Person
from deploy.user.node import Refused, UserNode
from deploy.user.steps import Desk
from tests.deploy.devnet.client import SMALL_K, Client, Json, client
from tests.deploy.devnet.schemas import problems
from tests.deploy.devnet.test_transactions import KINDS, examples

BATTERY = b"urn:eudpp:battery:mine"
ALICE = Person(Key("user/alice").place, Key("user/alice"))
OPERATOR = Person(Key("operator").place, Key("operator"))
STATE: dict[int, int | list[int]] = {1: 9_500, 2: 5_000, 3: 12, 4: 100_000, 6: 350_000, 7: 0, 8: 10, 9: 12}


class Careless(UserNode):
    """Builds without asking whether the scripts agree."""

    def evaluate(self, cbor: bytes) -> dict[tuple[str, int], tuple[int, int]]:
        return {(each.purpose, each.index): (4_000_000, 2_000_000_000) for each in Received(cbor).seen.redeemers}


class World:
    """A devnet in this process, that grows when the test says so."""

    def __init__(self, node: Node, chain: Chain, one: Client) -> None:
        self.node, self.chain, self.one = node, chain, one
        self.user = UserNode(node.url)
        self.desk = Desk(self.user, self.user.deployment())
        self.chip = SecureElement("by hand")

    def submit(self, composed: Composed | bytes) -> Json:
        cbor = composed if isinstance(composed, bytes) else composed.transaction.cbor
        return self.one.call("submitTransaction", params={"transaction": {"cbor": cbor.hex()}})

    def take(self, composed: Composed) -> str:
        answer = self.submit(composed)
        assert "error" not in answer, answer
        self.chain.grow(1)
        return str(answer["result"]["transaction"]["id"])

    def give(self, person: Person, lovelace: int = 500_000_000) -> None:
        params = {"address": person.place.text, "lovelace": lovelace}
        assert "result" in self.one.call("devnet/faucet", params=params)
        self.chain.grow(1)

    def register(self) -> None:
        self.give(OPERATOR)
        self.give(ALICE)
        self.take(self.desk.register(OPERATOR, ALICE.place, BATTERY, self.chip, {"chemistry": b"LFP"}))

    def reading(self, challenge: str, **changed: int) -> bytes:
        names = {"soh_bp": 1, "cycle_count": 3}
        return self.chip.tap(BATTERY, bytes.fromhex(challenge), STATE | {names[key]: changed[key] for key in changed})


@contextmanager
def world(version: OgmiosVersion = "6.14") -> Iterator[World]:
    network = Network(k=SMALL_K)
    maker = Maker(Plan(batteries=1, reading_interval_slots=10**9, unrelated_share=0.0, ogmios_version=version))
    ledger = OpenLedger(maker)
    chain = Chain(network, ogmios_version=version, ledger=ledger)
    chain.grow(12)
    with serve(chain, desk=Window(ledger, network)) as node, client(node) as one:
        yield World(node, chain, one)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_transaction_reads_back_from_its_bytes_as_it_was_shown(kind: str) -> None:
    for made in examples()[kind]:
        read, shown = Received(made.transaction.cbor), dict(made.transaction.fields)
        shown.pop("metadata", None)
        assert read.id == made.transaction.id
        assert read.shown().fields == shown


def test_a_reading_by_hand_goes_through_the_contracts_and_onto_the_chain() -> None:
    with world() as here:
        here.register()
        challenge = here.take(here.desk.commit(ALICE, BATTERY))
        before = here.desk.account(BATTERY)
        done = here.take(here.desk.submit(ALICE, BATTERY, here.reading(challenge)))
        after = here.desk.account(BATTERY)
        assert after.utxo.transaction == done
        assert before.utxo.lovelace - after.utxo.lovelace == here.desk.deployment.terms.reward_lovelace
        with pytest.raises(Refused, match="no commitment that is still open"):
            here.desk.open_commitment(challenge)


@pytest.mark.parametrize(
    ("check", "changed"), [("check 8", {"soh_bp": 12_000}), ("check 9", {"cycle_count": 3}), ("check 4", {})]
)
def test_the_contract_names_the_check_that_a_reading_fails(check: str, changed: dict[str, int]) -> None:
    with world() as here:
        here.register()
        first = here.take(here.desk.commit(ALICE, BATTERY))
        here.take(here.desk.submit(ALICE, BATTERY, here.reading(first)))
        challenge = here.take(here.desk.commit(ALICE, BATTERY))
        if not changed:
            here.one.call("devnet/grow", params={"slots": 3_700})
        with pytest.raises(Refused, match=check):
            here.desk.submit(ALICE, BATTERY, here.reading(challenge, **changed))


def test_a_commitment_is_reclaimed_after_its_time_and_not_before() -> None:
    with world() as here:
        here.register()
        challenge = here.take(here.desk.commit(ALICE, BATTERY))
        with pytest.raises(Refused, match="can be reclaimed after slot"):
            here.desk.reclaim(ALICE, challenge)
        here.one.call("devnet/grow", params={"slots": 3_700})
        here.take(here.desk.reclaim(ALICE, challenge))
        with pytest.raises(Refused, match="still open"):
            here.desk.open_commitment(challenge)


def test_a_key_is_replaced_by_closing_and_opening() -> None:
    with world() as here:
        here.register()
        here.take(here.desk.close(OPERATOR, BATTERY))
        assert not here.desk.has_account(BATTERY)
        other = SecureElement("another chip", -19)
        here.take(here.desk.reopen(OPERATOR, BATTERY, other, {"chemistry": b"LFP"}))
        here.chip = other
        challenge = here.take(here.desk.commit(ALICE, BATTERY))
        here.take(here.desk.submit(ALICE, BATTERY, here.reading(challenge)))


def test_a_submitted_transaction_outlives_a_fork() -> None:
    with world() as here:
        here.register()
        challenge = here.take(here.desk.commit(ALICE, BATTERY))
        here.chain.grow(3)
        here.chain.fork(4, drop_share=0.0)
        here.chain.grow(2)
        assert here.user.output(challenge, 0) is not None
        here.chain.fork(8, drop_share=1.0)
        assert here.user.output(challenge, 0) is None
        here.chain.restore()
        assert here.user.output(challenge, 0) is not None


def test_pycardano_reads_what_users_submit(monkeypatch: pytest.MonkeyPatch) -> None:
    del monkeypatch
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pycardano: Any = pytest.importorskip("pycardano")
        with world() as here:
            here.register()
            composed = here.desk.commit(ALICE, BATTERY)
            assert str(pycardano.Transaction.from_cbor(composed.transaction.cbor).id) == composed.transaction.id


def payment(here: World, **changed: Any) -> bytes:
    """A plain payment of Alice to herself, with something wrong."""
    (money,) = here.user.at(ALICE.place.text)
    fee = changed.pop("fee", 200_000)
    lovelace = money.utxo.lovelace - fee + changed.pop("more", 0)
    assert ALICE.key is not None
    draft = Draft(
        inputs=[money.utxo], outputs=[Out(place=ALICE.place, lovelace=lovelace)], fee=fee, signers=[ALICE.key]
    )
    return build(replace(draft, **changed)).cbor


WRONG: dict[int, dict[str, Any]] = {
    3101: {"signers": []},
    3118: {"invalid_after": 3},
    3122: {"fee": 150_000},
    3123: {"more": 1},
    3121: {"inputs": []},
}


@pytest.mark.parametrize("code", WRONG)
def test_what_breaks_a_rule_is_turned_away_with_ogmios_code(code: int) -> None:
    with world() as here:
        here.give(ALICE)
        assert here.submit(payment(here, **WRONG[code]))["error"]["code"] == code
        answer = here.submit(payment(here, **WRONG[code]))
        assert problems("v6.14", "SubmitTransactionResponse", answer) == []


@pytest.mark.parametrize(("version", "schema"), [("6.14", "v6.14"), ("7", "v7.0")])
def test_every_answer_is_as_the_schema_has_it(version: OgmiosVersion, schema: str) -> None:
    with world(version) as here:
        here.register()
        one = here.one
        parameters = one.call("queryLedgerState/protocolParameters")
        assert problems(schema, "QueryLedgerStateProtocolParametersResponse", parameters) == []
        scripts = here.desk.deployment.scripts
        for params in (
            {"addresses": [ALICE.place.text]},
            {"outputReferences": [{"transaction": {"id": scripts.reporting.transaction}, "index": 1}]},
        ):
            answer = one.call("queryLedgerState/utxo", params=params)
            assert answer["result"]
            assert problems(schema, "QueryLedgerStateUtxoResponse", answer) == []
        commitment = here.desk.commit(ALICE, BATTERY).transaction.cbor
        evaluated = one.call("evaluateTransaction", params={"transaction": {"cbor": commitment.hex()}})
        assert evaluated["result"]
        assert problems(schema, "EvaluateTransactionResponse", evaluated) == []
        answer = here.submit(commitment)
        assert answer["result"]
        assert problems(schema, "SubmitTransactionResponse", answer) == []
        again = here.submit(commitment)
        assert again["error"]["code"] == 3117
        assert problems(schema, "SubmitTransactionResponse", again) == []
        for text in ("00", "ff", "8400"):
            wrong = here.submit(bytes.fromhex(text))
            assert wrong["error"]["code"] == -32602
            assert problems(schema, "SubmitTransactionResponse", wrong) == []


def test_a_refusing_script_is_named_when_it_is_evaluated_and_when_it_is_submitted() -> None:
    with world() as here:
        here.register()
        composed = here.desk.commit(ALICE, BATTERY)
        challenge = here.take(composed)
        reading = here.reading(challenge)
        forged = reading[:-1] + bytes((reading[-1] ^ 1,))
        careless = Desk(Careless(here.node.url), here.desk.deployment)
        bad = careless.submit(ALICE, BATTERY, forged).transaction.cbor
        evaluated = here.one.call("evaluateTransaction", params={"transaction": {"cbor": bad.hex()}})
        assert problems("v6.14", "EvaluateTransactionResponse", evaluated) == []
        submitted = here.submit(bad)
        assert problems("v6.14", "SubmitTransactionResponse", submitted) == []
        assert submitted["error"]["code"] == 3136
        assert "check 6" in submitted["error"]["data"]["mismatchReason"]
        # Said to be failing, it is taken: only its collateral is spent, and it is on the chain.
        assert bad[-2:] == b"\xf5\xf6"
        failing = bad[:-2] + b"\xf4\xf6"
        answer = here.submit(failing)
        assert "result" in answer, answer
        before = here.desk.account(BATTERY).utxo
        here.chain.grow(1)
        assert here.desk.account(BATTERY).utxo == before


def test_a_redeemer_that_was_exchanged_does_not_fit_the_integrity_hash() -> None:
    with world() as here:
        here.register()
        commitment = here.desk.commit(ALICE, BATTERY).transaction.cbor
        unit = b"\xa1\x82\x01\x00\x82\xd8\x79\x80"  # mint:0 with constructor 0
        assert commitment.count(unit) == 1
        answer = here.submit(commitment.replace(unit, unit[:-2] + b"\x7a\x80"))
        assert answer["error"]["code"] == 3113
        assert problems("v6.14", "SubmitTransactionResponse", answer) == []


def test_nobody_spends_what_the_fleet_owns() -> None:
    with world() as here:
        assert all(each.script_bytes for each in here.user.at(OPERATOR.place.text))


def test_the_slots_of_scripts_are_those_of_the_network() -> None:
    network = Network()
    config = SlotConfig(zero_time_ms=round(network.start_time.timestamp() * 1_000))
    assert config.time_ms(100) == network.time_of(100).timestamp() * 1_000
    assert msgspec.json.encode(config)
