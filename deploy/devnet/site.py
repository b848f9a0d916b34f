"""The deployment as the transactions' makers see it: scripts, terms, operator, and where scripts can be referred to."""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from deploy.devnet import datums
from deploy.devnet.actors import Actor, Last, Made, State, genesis_utxo
from deploy.devnet.deployment import Scripts, Terms
from deploy.devnet.keys import Key
from deploy.devnet.transactions import Draft, Out, Transaction, Utxo, build

OPERATOR: Final = "operator"
"""The seed of the operator's key: one for every devnet, as the contracts have its hash baked in."""


Judge = Callable[[bytes], str]
"""Runs a transaction's scripts (its whole CBOR): why the first that refuses does so; empty where all accept."""


class Site(Struct):
    """What every step needs: the deployment, its operator, and where its scripts can be referred to."""

    scripts: Scripts
    terms: Terms
    operator: Key
    commitment_script: Utxo
    reporting_script: Utxo
    passport_script: Utxo
    weak: bool = False  # its contract checks nothing: whatever is submitted takes effect
    judge: Judge | None = None  # without one, what the contract would say is foreseen (``attempt.refusal``)


def deploy(seed: int, scripts: Scripts, terms: Terms, *, weak: bool = False) -> tuple[Site, Made]:
    """The chain's first transaction: outputs that carry the three scripts for all others to refer to."""
    operator = Key(OPERATOR)
    funds = genesis_utxo(f"{seed}/deploy", 1_000_000_000)
    fee = 301_009
    outs = [Out(place=operator.place, lovelace=20_000_000, script=script) for script in scripts.contents]
    outs.append(Out(place=operator.place, lovelace=funds.lovelace - 60_000_000 - fee))
    transaction = build(Draft(inputs=[funds], outputs=outs, fee=fee, signers=[operator]))
    at = [Utxo(transaction.id, index, 20_000_000) for index in range(3)]
    made = Made(actor="deployment", before=None, after=transaction.id, transaction=transaction, kind="deploy")
    return Site(scripts, terms, operator, at[0], at[1], at[2], weak), made


def made(actor: Actor, after: State, transaction: Transaction, kind: str, events: list[str], **label: Any) -> Made:
    return Made(
        actor=actor.name,
        before=actor.state,
        after=after,
        transaction=transaction,
        kind=kind,
        label={"kind": kind, "battery_id": actor.battery_id.decode(), "events": events, **label},
    )


def account_out(  # noqa: PLR0913  # a reporting account is as wide as that
    site: Site, actor: Actor, public_key: bytes, last: Last, lovelace: int, *, proven: bool = True
) -> Out:
    """A reporting account; without its thread token, a forged one."""
    return Out(
        place=site.scripts.reporting_place,
        lovelace=lovelace,
        assets={site.scripts.passport: {actor.key: 1}} if proven else {},
        datum=datums.reporting_datum(actor.battery_id, public_key, last, site.terms),
    )
