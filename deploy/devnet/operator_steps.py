"""What operator and owners do beside readings: registration, closing and opening an account, a new owner.

One function each: an actor and a slot in, a transaction and the actor's new state out.
"""

from typing import Final

from msgspec.structs import replace

from deploy.devnet import datums, deployment
from deploy.devnet.actors import Account, Actor, Last, Made
from deploy.devnet.site import Site, account_out, made
from deploy.devnet.transactions import Draft, Out, Utxo, build

_TOKEN_LOVELACE: Final = 2_000_000
_PASSPORT_LOVELACE: Final = 3_000_000

_FEE_REGISTER: Final = 512_417
_FEE_CLOSE: Final = 242_930
_FEE_OPEN: Final = 371_554
_FEE_MOVE: Final = 173_289


def register(site: Site, actor: Actor, slot: int) -> Made:
    """Mints the pair and the thread token, writes the passport, opens the account."""
    state, scripts, terms = actor.state, site.scripts, site.terms
    user = actor.owner(0)
    policy = scripts.passport
    opening = Last(-1, terms.opening_soh_bp, 0)
    change = state.operator.lovelace - _PASSPORT_LOVELACE - _TOKEN_LOVELACE - terms.account_lovelace - _FEE_REGISTER
    transaction = build(
        Draft(
            inputs=[state.operator],
            outputs=[
                Out(
                    place=scripts.passport_place,
                    lovelace=_PASSPORT_LOVELACE,
                    assets={policy: {actor.reference_name: 1}},
                    datum=datums.passport_datum(actor, 0, state.pack),
                ),
                Out(place=user.place, lovelace=_TOKEN_LOVELACE, assets={policy: {actor.user_name: 1}}),
                account_out(site, actor, actor.element(0).public_key, opening, terms.account_lovelace),
                Out(place=site.operator.place, lovelace=change),
            ],
            fee=_FEE_REGISTER,
            signers=[site.operator],
            mint={policy: {actor.reference_name: 1, actor.user_name: 1, actor.key: 1}},
            mints={policy: deployment.MINT_PASSPORT},
            references=[site.passport_script],
            required=[site.operator.hash],
            invalid_after=slot + 7_200,
        )
    )
    after = replace(
        state,
        phase="idle",
        operator=Utxo(transaction.id, 3, change),
        passport=Utxo(transaction.id, 0, _PASSPORT_LOVELACE),
        token=Utxo(transaction.id, 1, _TOKEN_LOVELACE),
        account=Account(Utxo(transaction.id, 2, terms.account_lovelace), opening),
    )
    return made(
        actor,
        after,
        transaction,
        "register",
        ["passport_registered", "ownership_token_moved", "reporting_account_updated"],
        public_key=actor.element(0).public_key.hex(),
        algorithm=actor.element(0).algorithm,
    )


def close(site: Site, actor: Actor, slot: int, *, new_key: bool) -> Made:
    """The operator burns the thread token: to fill the account up, or because the battery gets a new element."""
    state = actor.state
    account = state.account
    assert account is not None
    change = state.operator.lovelace + account.utxo.lovelace - _FEE_CLOSE
    policy = site.scripts.passport
    transaction = build(
        Draft(
            inputs=[account.utxo, state.operator],
            outputs=[Out(place=site.operator.place, lovelace=change)],
            fee=_FEE_CLOSE,
            signers=[site.operator],
            mint={policy: {actor.key: -1}},
            mints={policy: deployment.BURN_THREAD},
            spends={account.utxo.key: deployment.CLOSE},
            references=[site.reporting_script, site.passport_script],
            required=[site.operator.hash],
            invalid_after=slot + 7_200,
        )
    )
    after = replace(
        state,
        phase="closed",
        operator=Utxo(transaction.id, 0, change),
        account=None,
        carried=None if new_key else account.last,
    )
    return made(actor, after, transaction, "close", ["reporting_account_closed"])


def reopen(site: Site, actor: Actor, slot: int, *, pack: int | None = None) -> Made:
    """The operator opens the account again; with a new key it writes the passport anew, and all starts from -1.

    ``pack`` is the number of the pack that the battery has from now on; None where it keeps its own.
    """
    state, terms, policy = actor.state, site.terms, site.scripts.passport
    pack = state.pack if pack is None else pack
    actor.battery(pack, slot)
    passport = state.passport
    assert passport is not None
    new_key = state.carried is None
    epoch = state.epoch + 1 if new_key else state.epoch
    last = state.carried or Last(-1, terms.opening_soh_bp, 0)
    change = state.operator.lovelace - terms.account_lovelace - _FEE_OPEN
    outputs = [account_out(site, actor, actor.element(epoch).public_key, last, terms.account_lovelace)]
    if new_key:
        outputs.append(
            Out(
                place=site.scripts.passport_place,
                lovelace=passport.lovelace,
                assets={policy: {actor.reference_name: 1}},
                datum=datums.passport_datum(actor, epoch, pack),
            )
        )
    outputs.append(Out(place=site.operator.place, lovelace=change))
    transaction = build(
        Draft(
            inputs=[state.operator, passport] if new_key else [state.operator],
            outputs=outputs,
            fee=_FEE_OPEN,
            signers=[site.operator],
            mint={policy: {actor.key: 1}},
            mints={policy: deployment.MINT_PASSPORT},
            spends={passport.key: deployment.UPDATE_PASSPORT} if new_key else {},
            references=[site.passport_script],
            required=[site.operator.hash],
            invalid_after=slot + 7_200,
        )
    )
    after = replace(
        state,
        phase="idle",
        epoch=epoch,
        pack=pack,
        operator=Utxo(transaction.id, len(outputs) - 1, change),
        passport=Utxo(transaction.id, 1, passport.lovelace) if new_key else passport,
        account=Account(Utxo(transaction.id, 0, terms.account_lovelace), last),
        carried=None,
    )
    events = ["reporting_account_updated", "passport_updated"] if new_key else ["reporting_account_updated"]
    return made(
        actor,
        after,
        transaction,
        "replace_key" if new_key else "top_up",
        events,
        public_key=actor.element(epoch).public_key.hex(),
        algorithm=actor.element(epoch).algorithm,
    )


def sell(site: Site, actor: Actor, slot: int) -> Made:
    """The battery gets another owner, and with it the (222) token."""
    state = actor.state
    token = state.token
    assert token is not None
    seller, buyer = actor.owner(state.owner), actor.owner(state.owner + 1)
    change = state.wallet.lovelace - _FEE_MOVE
    transaction = build(
        Draft(
            inputs=[token, state.wallet],
            outputs=[
                Out(
                    place=buyer.place,
                    lovelace=token.lovelace,
                    assets={site.scripts.passport: {actor.user_name: 1}},
                ),
                Out(place=seller.place, lovelace=change),
            ],
            fee=_FEE_MOVE,
            signers=[seller],
            invalid_after=slot + 7_200,
        )
    )
    after = replace(
        state,
        owner=state.owner + 1,
        token=Utxo(transaction.id, 0, token.lovelace),
        wallet=actor.owners_wallet(state.owner + 1),
        collateral=actor.owners_collateral(state.owner + 1),
    )
    return made(actor, after, transaction, "sell", ["ownership_token_moved"], holder=buyer.hash.hex())
