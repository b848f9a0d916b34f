"""From what a transaction has to say to a whole one: money and collateral chosen, scripts evaluated, the fee exact."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from deploy.contracts.machine import Units
from deploy.contracts.parameters import ProtocolParameters
from deploy.devnet.keys import Key, Place
from deploy.devnet.transactions import Assets, Draft, Out, Transaction, Use, build
from deploy.user.node import Money, Refused, UserNode

_MOST: Final = Units(14_000_000, 10_000_000_000)
_FIRST_FEE: Final = 900_000
_LEAST_CHANGE_LOVELACE: Final = 1_000_000
_COLLATERAL_LOVELACE: Final = 3_000_000
_WITNESS_BYTES: Final = 102  # a key, a signature and the CBOR around them
_MARGIN: Final = 20  # one part in so many more units than evaluated: the slot in the context may still move


class Person(Struct, frozen=True):
    """Whoever pays and signs. Without a key, the transaction is left unsigned."""

    place: Place
    key: Key | None = None

    @property
    def hash(self) -> bytes:
        """The payment key's, 28 bytes."""
        return self.place.raw[1:29]


class Composed(Struct, frozen=True):
    """A whole transaction and what it costs."""

    transaction: Transaction
    fee: int


def compose(
    node: UserNode,
    draft: Draft,
    spent: Sequence[Money],
    payer: Person,
    references: Sequence[Money] = (),
) -> Composed:
    """Adds the payer's money, a change output behind the others, collateral, units and fee to the draft.

    ``spent`` are the inputs that the draft wants anyway, with what they hold. Raises Refused where the money doesn't
    suffice or a script refuses.
    """
    shown = node.parameters()
    parameters = _parameters(shown)
    draft = replace(
        draft,
        cost_model=tuple(shown["plutusCostModels"]["plutus:v3"]),
        signers=[payer.key] if payer.key else [],
        references=[money.utxo for money in references],
        fee=_FIRST_FEE,
    )
    draft = _with_units(draft, dict.fromkeys(draft.spends, _MOST), dict.fromkeys(draft.mints, _MOST))
    money = _choose(node, draft, spent, payer)
    if draft.spends or draft.mints:
        draft = replace(draft, collateral=max((each.utxo for each in money), key=lambda utxo: utxo.lovelace))
    inputs = [*spent, *money]
    unsigned = 0 if payer.key else _WITNESS_BYTES
    carried = sum(each.script_bytes for each in references)
    if draft.spends or draft.mints:
        draft = _evaluated(node, draft, build(_balanced(draft, inputs, payer)))
    for _ in range(4):  # the fee's own length may change the fee, by a byte or two
        built = build(_balanced(draft, inputs, payer))
        used = [*draft.spends.values(), *draft.mints.values()]
        units = Units(sum(use.memory for use in used), sum(use.cpu for use in used))
        fee = parameters.fee(len(built.cbor) + unsigned, units, carried)
        if fee == draft.fee:
            break
        draft = replace(draft, fee=fee)
    return Composed(build(_balanced(draft, inputs, payer)), draft.fee)


def _choose(node: UserNode, draft: Draft, spent: Sequence[Money], payer: Person) -> list[Money]:
    """The payer's largest outputs that hold nothing but lovelace, until they suffice."""
    wanted = sum(out.lovelace for out in draft.outputs) + draft.fee + _LEAST_CHANGE_LOVELACE
    have = sum(each.utxo.lovelace for each in spent)
    taken = {each.utxo.key for each in spent}
    chosen: list[Money] = []
    for each in sorted(node.at(payer.place.text), key=lambda money: -money.utxo.lovelace):
        if each.assets or each.script_bytes or each.utxo.key in taken:
            continue
        if chosen and have >= wanted:
            break
        chosen.append(each)
        have += each.utxo.lovelace
    if not chosen or have < wanted or chosen[0].utxo.lovelace < _COLLATERAL_LOVELACE:
        raise Refused(
            f"{payer.place.text} has {have / 1e6:,.6f} ADA to spend, {wanted / 1e6:,.6f} are needed, and "
            f"{_COLLATERAL_LOVELACE / 1e6:.0f} of it in one output as collateral"
        )
    return chosen


def _balanced(draft: Draft, inputs: Sequence[Money], payer: Person) -> Draft:
    """With its inputs, its change and what is given back of the collateral."""
    assets: dict[tuple[bytes, bytes], int] = {}
    for held, sign in (
        *((each.assets, 1) for each in inputs),
        (draft.mint, 1),
        *((out.assets, -1) for out in draft.outputs),
    ):
        for policy, names in held.items():
            for name, quantity in names.items():
                assets[policy, name] = assets.get((policy, name), 0) + sign * quantity
    left: Assets = {}
    for (policy, name), quantity in assets.items():
        if quantity:
            left.setdefault(policy, {})[name] = quantity
    change = sum(each.utxo.lovelace for each in inputs) - sum(out.lovelace for out in draft.outputs) - draft.fee
    collateral = draft.collateral
    return replace(
        draft,
        inputs=[each.utxo for each in inputs],
        outputs=[*draft.outputs, Out(place=payer.place, lovelace=change, assets=left)],
        collateral_back=Out(place=payer.place, lovelace=collateral.lovelace - _taken(draft)) if collateral else None,
    )


def _taken(draft: Draft) -> int:
    """150 % of the fee, and no less than a first guess needs."""
    return -(-draft.fee * 3 // 2)


def _evaluated(node: UserNode, draft: Draft, built: Transaction) -> Draft:
    """With the units that the node's evaluation found, and a little more."""
    units = node.evaluate(built.cbor)
    inputs = sorted((item["transaction"]["id"], item["index"]) for item in built.fields["inputs"])
    policies = sorted(draft.mint)

    def more(purpose: str, index: int) -> Units:
        memory, cpu = units[purpose, index]
        return Units(memory + memory // _MARGIN, cpu + cpu // _MARGIN)

    spends = {key: more("spend", inputs.index(key)) for key in draft.spends}
    mints = {policy: more("mint", policies.index(policy)) for policy in draft.mints}
    return _with_units(draft, spends, mints)


def _with_units(draft: Draft, spends: dict[tuple[str, int], Units], mints: dict[bytes, Units]) -> Draft:
    return replace(
        draft,
        spends={key: Use(use.redeemer, spends[key].memory, spends[key].cpu) for key, use in draft.spends.items()},
        mints={key: Use(use.redeemer, mints[key].memory, mints[key].cpu) for key, use in draft.mints.items()},
    )


def _parameters(shown: dict[str, Any]) -> ProtocolParameters:
    """What a node answers to ``queryLedgerState/protocolParameters``, as far as fees need it."""
    most = shown["maxExecutionUnitsPerTransaction"]
    return ProtocolParameters(
        source="the node",
        fee_per_byte=shown["minFeeCoefficient"],
        fee_constant=shown["minFeeConstant"]["ada"]["lovelace"],
        memory_price=shown["scriptExecutionPrices"]["memory"],
        cpu_price=shown["scriptExecutionPrices"]["cpu"],
        reference_script_fee_per_byte=round(shown["minFeeReferenceScripts"]["base"]),
        max_transaction_bytes=shown["maxTransactionSize"]["bytes"],
        max_transaction_memory=most["memory"],
        max_transaction_cpu=most["cpu"],
        plutus_v3_cost_model=tuple(shown["plutusCostModels"]["plutus:v3"]),
    )
