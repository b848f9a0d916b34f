"""What the maker foresees of the contracts is what the contracts say, for honest people and for each fraud."""

from collections.abc import Iterator
from functools import lru_cache

import pytest

from deploy.contracts.blueprint import load_contracts
from deploy.contracts.context import SlotConfig
from deploy.contracts.judge import Accepted, Refused, Verdict, judge
from deploy.contracts.ledger import Output, OutputReference
from deploy.contracts.machine import Units
from deploy.contracts.parameters import load_mainnet_parameters
from deploy.devnet.actors import Made
from deploy.devnet.chain import Chain
from deploy.devnet.deployment import Scripts, Terms
from deploy.devnet.desk import Desk
from deploy.devnet.keys import Key
from deploy.devnet.make import slots
from deploy.devnet.maker import Maker, Plan
from deploy.devnet.network import Network
from deploy.devnet.open_ledger import OpenLedger
from deploy.devnet.schemes import CATALOGUE
from deploy.devnet.shown import Received
from deploy.devnet.site import OPERATOR

pytestmark = pytest.mark.long

CONFIG = SlotConfig(zero_time_ms=round(Network().start_time.timestamp() * 1_000))
EXPECTED = {
    "stale": "check 4",
    "replayed": "check 5",
    "counter_regress": "check 7",
    "duplicate": "check 7",
    "equivocation": "check 7",
    "tampered_payload": "check 6",
    "wrong_signer": "check 6",
    "high_s": "check 6",
    "not_the_committer": "check 3",
    "no_ownership_token": "check 10",
    "missing_burn": "",  # two scripts have a word in it: whichever runs first
    "unpaid_reward": "check 12",
    "changed_account": "check 11",
    "soh_jump": "check 8",
    "decreasing_cycles": "check 9",
    "odometer_reset": "check 9",
}


@lru_cache
def judged() -> list[tuple[Made, Received, Verdict]]:
    return list(_judged())


def _judged() -> Iterator[tuple[Made, Received, Verdict]]:
    """The first two of each kind of transaction and fraud."""
    parameters = load_mainnet_parameters()
    maker = Maker(Plan(seed=3, batteries=12, reading_interval_slots=40_000, fraud_share=0.6, unrelated_share=0.0))
    outputs: dict[OutputReference, Output] = {}
    seen: dict[tuple[str, str], int] = {}
    for slot, _ in slots(maker, 20 * 86_400):
        assert slot >= 0
        for made in maker.last:
            received = Received(made.transaction.cbor)
            kind = (made.kind, (made.label or {}).get("fraud", ""))
            if received.seen.redeemers and seen.get(kind, 0) < 2:
                seen[kind] = seen.get(kind, 0) + 1
                unknown = Output(address=received.seen.outputs[-1].address, lovelace=10**11)
                named = (*received.seen.inputs, *received.seen.references)
                resolved = {reference: outputs.get(reference, unknown) for reference in named}
                yield made, received, judge(received.cbor, resolved, CONFIG, parameters)
            outputs.update(received.made())


def test_the_contracts_accept_what_the_maker_makes_as_accepted_and_refuse_the_rest() -> None:
    kinds = {made.kind for made, _, _ in judged()}
    assert {"register", "commit", "submit", "rejected", "reclaim", "close", "replace_key"} <= kinds
    for made, received, verdict in judged():
        assert isinstance(verdict, Accepted) == received.valid, (made.kind, made.label, verdict)


@pytest.mark.parametrize("fraud", sorted(EXPECTED))
def test_each_fraud_is_refused_by_its_check(fraud: str) -> None:
    found = [v for made, _, v in judged() if made.kind == "rejected" and (made.label or {}).get("fraud") == fraud]
    assert found
    for verdict in found:
        assert isinstance(verdict, Refused)
        # Another thing may be wrong by chance too: the contract names the first.
        assert verdict.trace
    assert any(isinstance(v, Refused) and v.trace.startswith(EXPECTED[fraud]) for v in found)


def test_every_fraud_that_a_contract_should_refuse_was_judged() -> None:
    frauds = {(made.label or {}).get("fraud") for made, _, _ in judged() if made.kind == "rejected"}
    assert {fraud.name for fraud in CATALOGUE if fraud.refused} <= frauds


def test_a_running_devnet_lets_the_contracts_decide() -> None:
    network = Network(k=20)
    plan = Plan(batteries=3, reading_interval_slots=400, fraud_share=0.6, unrelated_share=0.0)
    ledger = OpenLedger(Maker(plan))
    asked: list[str] = []
    desk = Desk(ledger, network)

    def counted(received: Received, outputs: dict[OutputReference, Output]) -> str:
        why = desk.admission.why_refused(received, outputs)
        asked.append(why)
        return why

    ledger.run_scripts(counted)  # type: ignore[arg-type]
    chain = Chain(network, ledger=ledger)
    reasons = set()
    for _ in range(120):
        chain.grow(1)
        reasons |= {made.label["reason"] for made in ledger.maker.last if made.label and made.kind == "rejected"}
    assert len(asked) > 15
    assert "" in asked
    assert reasons
    assert reasons <= set(asked)


def test_the_terms_are_those_that_the_contracts_have_baked_in() -> None:

    baked, terms = load_contracts().deployment, Terms()
    assert (baked.window_slots, baked.reclaim_after_slots) == (terms.window_slots, terms.reclaim_after_slots)
    assert baked.soh_tolerance_bp == terms.soh_tolerance_bp
    assert baked.operator == Key(OPERATOR).hash.hex()
    assert baked.slot_zero_ms == CONFIG.zero_time_ms
    assert Scripts().reporting == load_contracts().reporting.hash


def test_fees_and_collateral_suffice_for_what_is_declared() -> None:
    parameters = load_mainnet_parameters()
    sizes = [len(script.content) for script in Scripts().contents]  # as the deployment's outputs carry them
    for made, received, _ in judged():
        redeemers = received.seen.redeemers
        units = Units(sum(each.memory for each in redeemers), sum(each.cpu for each in redeemers))
        least = parameters.fee(len(received.cbor), units, sum(sizes[index] for _, index in received.seen.references))
        assert received.seen.fee >= least, made.kind
        if received.total_collateral is not None:
            assert 2 * received.total_collateral >= 3 * received.seen.fee, made.kind
