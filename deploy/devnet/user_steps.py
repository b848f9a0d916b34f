"""A reading's way onto the chain: commit, tap and submit, or reclaim what expired.

One function each: an actor and a slot in, a transaction and the actor's new state out.
"""

import random
from typing import Final

from msgspec.structs import replace

from deploy.devnet import datums, deployment
from deploy.devnet.actors import Account, Actor, Commitment, Last, Made
from deploy.devnet.attempt import assemble, collateral_back, honest, reading_label, refusal
from deploy.devnet.fraud import Means
from deploy.devnet.frauds_signed import forger
from deploy.devnet.site import Site, account_out, made
from deploy.devnet.transactions import Draft, Out, Utxo, build

_COMMITMENT_LOVELACE: Final = 1_700_000

_FEE_COMMIT: Final = 225_418
_FEE_RECLAIM: Final = 228_115
_FEE_PLANT: Final = 178_953
_FORGED_LOVELACE: Final = 2_000_000


def commit(site: Site, actor: Actor, slot: int, chance: random.Random) -> Made:
    """The owner asks for a challenge. The slot that the datum claims is some seconds before the block's."""
    state = actor.state
    user = actor.owner(state.owner)
    claimed = max(0, slot - chance.randint(2, 90))
    token = datums.commitment_token(actor.battery_id, user.hash, claimed)
    change = state.wallet.lovelace - _COMMITMENT_LOVELACE - _FEE_COMMIT
    transaction = build(
        Draft(
            inputs=[state.wallet],
            outputs=[
                Out(
                    place=site.scripts.commitment_place,
                    lovelace=_COMMITMENT_LOVELACE,
                    assets={site.scripts.commitment: {token: 1}},
                    datum=datums.commitment_datum(actor.battery_id, user.hash, claimed),
                ),
                Out(place=user.place, lovelace=change),
            ],
            fee=_FEE_COMMIT,
            signers=[user],
            mint={site.scripts.commitment: {token: 1}},
            mints={site.scripts.commitment: deployment.MINT_CHALLENGE},
            references=[site.commitment_script],
            collateral=state.collateral,
            collateral_back=collateral_back(state.collateral, user),
            required=[user.hash],
            invalid_before=claimed,
            invalid_after=claimed + site.terms.window_slots,
        )
    )
    after = replace(
        state,
        phase="committed",
        wallet=Utxo(transaction.id, 1, change),
        commitment=Commitment(
            utxo=Utxo(transaction.id, 0, _COMMITMENT_LOVELACE), token=token, claimed_slot=claimed, block_slot=slot
        ),
    )
    return made(
        actor, after, transaction, "commit", ["commitment_minted"], user_pkh=user.hash.hex(), claimed_slot=claimed
    )


def submit(site: Site, actor: Actor, slot: int, chance: random.Random, means: Means | None = None) -> Made:
    """The battery is tapped and its reading submitted. Where the contract would refuse it, only collateral is spent."""
    state, terms = actor.state, site.terms
    attempt = honest(site, actor, slot)
    fraud = means.fraud if means else None
    if means is not None and means.fraud.change is not None:
        means.fraud.change(attempt, means)
    attempt.tap()
    refused = ""
    if not site.weak:
        age = slot - attempt.commitment.claimed_slot
        refused = refusal(terms, attempt.account.last, attempt.last(), age)
        if fraud is not None and fraud.refused:
            refused = fraud.name
    before = max(0, slot - chance.randint(5, 120))
    done = assemble(site, actor, attempt, before, valid=not refused)
    if site.judge is not None:
        refused = site.judge(done.transaction.cbor)
        if done.valid != (not refused):
            done = assemble(site, actor, attempt, before, valid=not refused)
    label = reading_label(attempt) | (fraud.label() if fraud else {})
    if refused:
        after = replace(state, collateral=done.collateral)
        return made(actor, after, done.transaction, "rejected", ["reading_rejected"], reason=refused, **label)
    account = Account(done.account, attempt.last())
    after = replace(
        state,
        phase="idle",
        wallet=done.wallet,
        token=done.token,
        account=account if attempt.proven else state.account,
        forged=state.forged if attempt.proven else None,
        commitment=None,
    )
    if attempt.proven and attempt.readable:
        actor.submitted = attempt.tapped()
    events = ["reading_submitted"]
    if attempt.shows_token:
        events.append("ownership_token_moved")
    if not attempt.burns:
        events.append("transaction_quarantined")  # the token moves on, and nothing names its battery
    return made(actor, after, done.transaction, "submit", events, **label)


def plant_account(site: Site, actor: Actor, slot: int) -> Made:
    """Somebody puts an account of this battery at the reporting script, with a key of his own. Nobody can stop him."""
    state = actor.state
    user = actor.owner(state.owner)
    account = Last(-1, site.terms.opening_soh_bp, 0)
    held = site.terms.reward_lovelace + _FORGED_LOVELACE
    change = state.wallet.lovelace - held - _FEE_PLANT
    transaction = build(
        Draft(
            inputs=[state.wallet],
            outputs=[
                account_out(site, actor, forger(actor.name).public_key, account, held, proven=False),
                Out(place=user.place, lovelace=change),
            ],
            fee=_FEE_PLANT,
            signers=[user],
            invalid_after=slot + 7_200,
        )
    )
    after = replace(
        state, wallet=Utxo(transaction.id, 1, change), forged=Account(Utxo(transaction.id, 0, held), account)
    )
    return made(actor, after, transaction, "plant", ["reporting_account_updated"])


def reclaim(site: Site, actor: Actor, slot: int) -> Made:
    """The owner takes back an expired commitment."""
    state = actor.state
    commitment = state.commitment
    assert commitment is not None
    user = actor.owner(state.owner)
    change = state.wallet.lovelace + commitment.utxo.lovelace - _FEE_RECLAIM
    redeemer = datums.reclaim_redeemer(actor.battery_id)
    transaction = build(
        Draft(
            inputs=[commitment.utxo, state.wallet],
            outputs=[Out(place=user.place, lovelace=change)],
            fee=_FEE_RECLAIM,
            signers=[user],
            mint={site.scripts.commitment: {commitment.token: -1}},
            mints={site.scripts.commitment: deployment.BURN_CHALLENGE},
            spends={commitment.utxo.key: deployment.reclaim(redeemer)},
            references=[site.commitment_script],
            collateral=state.collateral,
            collateral_back=collateral_back(state.collateral, user),
            required=[user.hash],
            invalid_before=max(commitment.claimed_slot + site.terms.reclaim_after_slots, slot - 60),
            invalid_after=slot + 900,
        )
    )
    after = replace(state, phase="idle", wallet=Utxo(transaction.id, 0, change), commitment=None)
    return made(actor, after, transaction, "reclaim", ["commitment_closed"])
