"""A made chain with its labels, decoded and judged as the projection does it: what was done, beside what is said."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from deploy.contracts.blueprint import load_contracts
from deploy.contracts.context import SlotConfig
from deploy.contracts.ledger import Output
from deploy.contracts.parameters import load_mainnet_parameters
from deploy.devnet.actors import Made
from deploy.devnet.admission import Admission
from deploy.devnet.battery import DAY_SLOTS, Battery, Measurement
from deploy.devnet.blocks import BlockTransaction, Header, make_block
from deploy.devnet.deployment import Terms, profile_toml
from deploy.devnet.make import slots
from deploy.devnet.maker import Maker, Plan
from deploy.devnet.network import Network
from deploy.devnet.open_ledger import OpenLedger
from deploy.devnet.shown import Received
from indexer.chain import Block, RollForward
from indexer.decode import decode
from indexer.ogmios.messages import read_block
from indexer.protocol.profile import Profile, load_profile
from projections.facts import Fact
from projections.rules.thresholds import ThresholdBook
from projections.verdicts.fold import EMPTY, Judged, State, fold

Kind = Literal["contracts", "weak", "field", "laboratory"]

KINDS: Final[dict[Kind, str]] = {
    "contracts": "frauds, refused as the contracts refuse them",
    "weak": "frauds, and contracts that accept whatever they are told",
    "field": "honest people, gauges as in the field",
    "laboratory": "honest people, gauges as in a laboratory",
}


class Sizes(Struct, frozen=True, kw_only=True):
    """How much is made of each kind."""

    seed: int = 7
    batteries: int = 14
    days: int = 40
    reading_hours: float = 11.0  # mean, between two readings of a battery where there are frauds
    fraud_share: float = 0.3
    honest_days: int = 400
    honest_reading_days: float = 5.0
    asked_of_each: int = 0  # submissions of each kind that the contracts' scripts are run on


class Done(Struct, frozen=True):
    """One event of a transaction that has a label: what was done, what it became, and what is said of it."""

    label: dict[str, Any]
    fact: Fact
    judged: Judged


class Chain(Struct, frozen=True):
    """Everything on a made chain that concerns a battery, in the chain's order."""

    kind: Kind
    labels: tuple[dict[str, Any], ...]  # each with its transaction's id and slot
    facts: tuple[tuple[Fact, Judged], ...]
    states: dict[str, State]  # at the end, by battery key

    def done(self) -> Iterator[Done]:
        by_transaction = {label["transaction"]: label for label in self.labels}
        for fact, judged in self.facts:
            label = by_transaction.get(fact.event.transaction)
            if label is not None:
                yield Done(label, fact, judged)


class LaboratoryBattery(Battery):
    """Measured as cells are in a laboratory: no drift, no season, no quick charge, and capacity to 0.03 points.

    Source: domain.md 5.1, HUST: from cycle to cycle the increases have a 99th percentile of 0.05 points.
    """

    def measure(self, slot: int) -> Measurement:
        soh_bp = max(0, min(12_000, round(100 * (self.true_soh(slot) + self._chance.gauss(0, 0.03)))))
        self._last_cycles = self.cycles(slot)
        return Measurement(self._state(soh_bp, 0.0), soh_bp, self._last_cycles)


class Asked:
    """A ledger (see ``chain.Ledger``) that runs the contracts' scripts on some submissions of each kind."""

    def __init__(self, maker: Maker, of_each: int) -> None:
        self._maker, self._of_each = maker, of_each
        self._ledger = OpenLedger(maker)
        zero = SlotConfig(zero_time_ms=load_contracts().deployment.slot_zero_ms)
        self._admission = Admission(self._ledger, load_mainnet_parameters(), zero)
        self._count: Counter[tuple[str, str]] = Counter()
        self.said: dict[str, str] = {}  # by transaction: why the contracts refuse it; empty where they accept

    def transactions(self, slot: int) -> list[BlockTransaction]:
        before = dict(self._ledger.outputs)
        transactions = self._ledger.transactions(slot)
        for made in self._maker.last:
            name = (made.kind, (made.label or {}).get("fraud", ""))
            if made.kind in ("submit", "rejected") and self._count[name] < self._of_each:
                self._count[name] += 1
                received = Received(made.transaction.cbor)
                seen = received.seen
                # Money from before the first block is on no chain: its owner is whoever gets the change.
                unknown = Output(address=seen.outputs[-1].address, lovelace=0)
                named = {key: before.get(key, unknown) for key in (*seen.inputs, *seen.references)}
                self.said[received.id] = self._admission.why_refused(received, named)
        return transactions

    def undo(self, transactions: Sequence[str]) -> None:
        self._ledger.undo(transactions)

    def redo(self, transaction: str, slot: int) -> bool:
        return self._ledger.redo(transaction, slot)


def _label(made: Made, slot: int, asked: Asked | None) -> dict[str, Any]:
    label = {"transaction": made.transaction.id, "slot": slot} | (made.label or {})
    if asked is not None and made.transaction.id in asked.said:
        label["contracts_say"] = asked.said[made.transaction.id]
    return label


def make(kind: Kind, sizes: Sizes, progress: Callable[[float], None] = lambda _: None) -> Chain:
    """Makes a chain and judges it. ``progress`` hears the share that is done."""
    honest = kind in ("field", "laboratory")
    days = sizes.honest_days if honest else sizes.days
    mean_days = sizes.honest_reading_days if honest else sizes.reading_hours / 24
    plan = Plan(
        seed=sizes.seed,
        batteries=sizes.batteries,
        reading_interval_slots=int(mean_days * DAY_SLOTS),
        unrelated_share=0.02,
        fraud_share=0.0 if honest else sizes.fraud_share,
        weak_contract=kind == "weak",
    )
    maker = Maker(plan)
    if kind == "laboratory":
        for actor in maker.fleet:
            actor._packs[0] = LaboratoryBattery(actor._seed)  # the maker has no such gauge
    asked = Asked(maker, sizes.asked_of_each) if kind == "contracts" and sizes.asked_of_each else None
    profile = load_profile(profile_toml(Network(), Terms(), weak=kind == "weak"), "devnet.toml")
    book, until = ThresholdBook(), days * DAY_SLOTS
    labels: list[dict[str, Any]] = []
    facts: list[tuple[Fact, Judged]] = []
    states: dict[str, State] = defaultdict(lambda: EMPTY)
    parent: Header | None = None
    for slot, transactions in slots(maker, until, asked):
        height = parent.height + 1 if parent else 0
        parent, json = make_block(parent=parent, height=height, slot=slot, transactions=transactions)
        labels += [_label(made, slot, asked) for made in maker.last if made.label]
        for fact in _facts(json, profile):
            key = fact.event.battery_key
            states[key], judged = fold(states[key], fact, profile, book)
            facts.append((fact, judged))
        progress(min(1.0, slot / until))
    progress(1.0)
    return Chain(kind, tuple(labels), tuple(facts), dict(states))


def decoded(transaction: BlockTransaction, slot: int, profile: Profile) -> Iterator[Fact]:
    """The facts of one transaction, alone in its block."""
    return _facts(make_block(parent=None, height=0, slot=slot, transactions=[transaction])[1], profile)


def _facts(json: bytes, profile: Profile) -> Iterator[Fact]:
    tip = b'{"slot":1,"id":"' + b"00" * 32 + b'","height":1}'
    result = b'{"direction":"forward","block":' + json + b',"tip":' + tip + b"}"
    message = read_block(b'{"jsonrpc":"2.0","method":"nextBlock","result":' + result + b"}")
    assert isinstance(message, RollForward)
    block = message.block
    assert isinstance(block, Block)
    for event in decode(block, [profile]):
        identity = f"{event.transaction}/{event.index}"
        yield Fact(event, identity, identity, block.point.slot, block.height, block.point.id, "2026-01-01T00:00:00Z")
