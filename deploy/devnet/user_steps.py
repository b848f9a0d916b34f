"""A reading's way onto the chain: commit, tap and submit, or reclaim what expired.

One function each: an actor and a slot in, a transaction and the actor's new state out.
"""

import random
from typing import Any, Final

from msgspec.structs import replace

from deploy.devnet import datums, deployment
from deploy.devnet.actors import Account, Actor, Commitment, Last, Made, State
from deploy.devnet.deployment import Terms
from deploy.devnet.keys import Key
from deploy.devnet.site import Site, account_out, made
from deploy.devnet.transactions import Draft, Out, Utxo, build

_COMMITMENT_LOVELACE: Final = 1_700_000
_COLLATERAL_TAKEN: Final = 700_000

_FEE_COMMIT: Final = 231_808
_FEE_SUBMIT: Final = 398_262
_FEE_RECLAIM: Final = 246_115


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
            collateral_back=_collateral_back(state, user),
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


def _collateral_back(state: State, user: Key) -> Out:
    return Out(place=user.place, lovelace=state.collateral.lovelace - _COLLATERAL_TAKEN)


def refusal(terms: Terms, last: Last, read: Last, age_slots: int) -> str:
    """Why the contract would refuse a reading, by the checks that honest people can fail; empty if it wouldn't."""
    if age_slots > terms.max_age_slots:
        return "commitment_too_old"
    if read.counter <= last.counter:
        return "counter_not_above_last"
    if read.soh_bp > last.soh_bp + terms.soh_tolerance_bp:
        return "soh_above_tolerance"
    if read.cycle_count < last.cycle_count:
        return "cycles_below_last"
    return ""


def submit(site: Site, actor: Actor, slot: int, chance: random.Random) -> Made:
    """The battery is tapped and its reading submitted. Where the contract would refuse it, only collateral is spent."""
    state, terms = actor.state, site.terms
    account, commitment, token = state.account, state.commitment, state.token
    assert account is not None
    assert commitment is not None
    assert token is not None
    user, element = actor.owner(state.owner), actor.element(state.epoch)
    read = actor.battery.measure(slot)
    counter = element.counter
    cose = element.tap(actor.battery_id, bytes.fromhex(commitment.utxo.transaction), read.state)
    last = Last(counter, read.soh_bp, read.cycle_count)
    refused = refusal(terms, account.last, last, slot - commitment.claimed_slot)
    paid = token.lovelace + terms.reward_lovelace
    change = state.wallet.lovelace + commitment.utxo.lovelace - _FEE_SUBMIT
    left = account.utxo.lovelace - terms.reward_lovelace
    before = max(0, slot - chance.randint(5, 120))
    transaction = build(
        Draft(
            inputs=[account.utxo, commitment.utxo, token, state.wallet],
            outputs=[
                account_out(site, actor, state.epoch, last, left),
                Out(place=user.place, lovelace=paid, assets={site.scripts.passport: {actor.user_name: 1}}),
                Out(place=user.place, lovelace=change),
            ],
            fee=_FEE_SUBMIT,
            signers=[user],
            mint={site.scripts.commitment: {commitment.token: -1}},
            mints={site.scripts.commitment: deployment.BURN_CHALLENGE},
            spends={
                account.utxo.key: deployment.submit(datums.submit_redeemer(cose)),
                commitment.utxo.key: deployment.CONSUME,
            },
            references=[site.commitment_script, site.reporting_script],
            collateral=state.collateral,
            collateral_back=_collateral_back(state, user),
            required=[user.hash],
            invalid_before=before,
            invalid_after=before + 900,
            valid=not refused,
        )
    )
    label = {"reading": _reading_label(read.state, counter), "challenge": commitment.utxo.transaction}
    if refused:
        returned = Utxo(transaction.id, 3, state.collateral.lovelace - _COLLATERAL_TAKEN)
        after = replace(state, collateral=returned)
        return made(actor, after, transaction, "rejected", ["reading_rejected"], reason=refused, **label)
    after = replace(
        state,
        phase="idle",
        wallet=Utxo(transaction.id, 2, change),
        token=Utxo(transaction.id, 1, paid),
        account=Account(Utxo(transaction.id, 0, left), last),
        commitment=None,
    )
    return made(actor, after, transaction, "submit", ["reading_submitted", "ownership_token_moved"], **label)


_STATE_NAMES = {
    1: "soh_bp",
    2: "soc_bp",
    3: "cycle_count",
    4: "full_charge_capacity_mah",
    5: "nominal_capacity_mah",
    6: "voltage_mv",
    7: "current_ma",
    8: "temp_min_c",
    9: "temp_max_c",
    10: "energy_throughput_wh",
    11: "cell_count",
    12: "cell_voltages_mv",
}


def _reading_label(state: dict[int, int | list[int]], counter: int) -> dict[str, Any]:
    return {"counter": counter} | {_STATE_NAMES[key]: value for key, value in state.items()}


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
            collateral_back=_collateral_back(state, user),
            required=[user.hash],
            invalid_before=max(commitment.claimed_slot + site.terms.reclaim_after_slots, slot - 60),
            invalid_after=slot + 900,
        )
    )
    after = replace(state, phase="idle", wallet=Utxo(transaction.id, 0, change), commitment=None)
    return made(actor, after, transaction, "reclaim", ["commitment_closed"])
