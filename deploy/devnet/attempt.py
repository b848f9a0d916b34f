"""A submission before it is signed and built, as honest people make it and as frauds change it."""

from typing import Any, Final

from msgspec import Struct

from deploy.devnet import datums, deployment
from deploy.devnet.actors import Account, Actor, Commitment, Last, Tapped
from deploy.devnet.deployment import Terms
from deploy.devnet.element import SecureElement, State, reading_payload
from deploy.devnet.keys import Key
from deploy.devnet.site import Site, account_out
from deploy.devnet.transactions import Draft, Out, Transaction, Utxo, build

_COLLATERAL_TAKEN: Final = 1_100_000
_TOKENLESS_LOVELACE: Final = 1_200_000
_FEE_SUBMIT: Final = 712_262


class Attempt(Struct, kw_only=True):
    """What a submission is made of. Each field is a thing that some fraud gets wrong."""

    # the reading
    battery_id: bytes
    challenge: bytes
    counter: int
    state: dict[int, int | list[int]]
    element: SecureElement  # signs it
    cose: bytes | None = None  # a message made otherwise; None: the element signs the fields above
    readable: bool = True  # the message says what the fields above say
    # the account
    account: Account
    public_key: bytes  # in the account's datum
    proven: bool = True  # the account holds the thread token
    taken_lovelace: int  # out of the account
    # the transaction
    commitment: Commitment
    token: Utxo  # holds (222)
    user: Key
    rewarded: Key
    required: list[bytes]
    signers: list[Key]
    shows_token: bool = True
    burns: bool = True

    def last(self) -> Last:
        """What the account remembers afterwards: the reading's values, as the contract demands."""
        soh, cycles = self.state[1], self.state[3]
        assert isinstance(soh, int)
        assert isinstance(cycles, int)
        return Last(self.counter, soh, cycles)

    def tap(self) -> bytes:
        """The signed message. An element that is asked for its own next counter has used it up."""
        if self.cose is None:
            self.cose = self.element.sign(self.payload())
        return self.cose

    def payload(self, state: State | None = None) -> bytes:
        return reading_payload(self.battery_id, self.challenge, self.counter, self.state if state is None else state)

    def tapped(self) -> Tapped:
        return Tapped(
            cose=self.tap(),
            battery_id=self.battery_id,
            challenge=self.challenge,
            counter=self.counter,
            state=self.state,
        )


def honest(site: Site, actor: Actor, slot: int) -> Attempt:
    """The battery is tapped: its element gives the next counter, its gauge the values."""
    state = actor.state
    account, commitment, token = state.account, state.commitment, state.token
    assert account is not None
    assert commitment is not None
    assert token is not None
    user, element = actor.owner(state.owner), actor.element(state.epoch)
    counter, element.counter = element.counter, element.counter + 1
    return Attempt(
        battery_id=actor.battery_id,
        challenge=bytes.fromhex(commitment.utxo.transaction),
        counter=counter,
        state=dict(actor.battery(state.pack).measure(slot).state),
        element=element,
        account=account,
        public_key=element.public_key,
        taken_lovelace=site.terms.reward_lovelace,
        commitment=commitment,
        token=token,
        user=user,
        rewarded=user,
        required=[user.hash],
        signers=[user],
    )


class Submission(Struct, frozen=True, kw_only=True):
    """A submission as a transaction, and where its outputs went."""

    transaction: Transaction
    valid: bool
    account: Utxo
    token: Utxo
    wallet: Utxo
    collateral: Utxo  # what is left of it, should a script fail


def assemble(site: Site, actor: Actor, attempt: Attempt, before: int, *, valid: bool) -> Submission:
    """The transaction: account first, then the reward beside the ownership token, then what is left."""
    scripts, user, terms = site.scripts, attempt.user, site.terms
    wallet, collateral = actor.state.wallet, actor.state.collateral
    account, commitment, token = attempt.account.utxo, attempt.commitment, attempt.token
    token_assets = {scripts.passport: {actor.user_name: 1}}
    left = account.lovelace - attempt.taken_lovelace
    together = attempt.shows_token and attempt.rewarded is user
    paid = (token.lovelace if together else _TOKENLESS_LOVELACE) + terms.reward_lovelace
    outs = [
        account_out(site, actor, attempt.public_key, attempt.last(), left, proven=attempt.proven),
        Out(place=attempt.rewarded.place, lovelace=paid, assets=token_assets if together else {}),
    ]
    inputs = [account, commitment.utxo, wallet]
    if attempt.shows_token:
        inputs.append(token)
        if not together:
            outs.append(Out(place=user.place, lovelace=token.lovelace, assets=token_assets))
    if not attempt.burns:
        kept = {scripts.commitment: {commitment.token: 1}}
        outs.append(Out(place=user.place, lovelace=_TOKENLESS_LOVELACE, assets=kept))
    change = sum(utxo.lovelace for utxo in inputs) - sum(out.lovelace for out in outs) - _FEE_SUBMIT
    outs.append(Out(place=user.place, lovelace=change))
    transaction = build(
        Draft(
            inputs=inputs,
            outputs=outs,
            fee=_FEE_SUBMIT,
            signers=attempt.signers,
            mint={scripts.commitment: {commitment.token: -1}} if attempt.burns else {},
            mints={scripts.commitment: deployment.BURN_CHALLENGE} if attempt.burns else {},
            spends={
                account.key: deployment.submit(datums.submit_redeemer(attempt.tap())),
                commitment.utxo.key: deployment.CONSUME,
            },
            references=[site.commitment_script, site.reporting_script],
            collateral=collateral,
            collateral_back=collateral_back(collateral, user),
            required=attempt.required,
            invalid_before=before,
            invalid_after=before + 900,
            valid=valid,
        )
    )
    identity = transaction.id
    token_at = 1 if together else 2
    return Submission(
        transaction=transaction,
        valid=valid,
        account=Utxo(identity, 0, left),
        token=Utxo(identity, token_at, outs[token_at].lovelace) if attempt.shows_token else token,
        wallet=Utxo(identity, len(outs) - 1, change),
        collateral=Utxo(identity, len(outs), collateral.lovelace - _COLLATERAL_TAKEN),
    )


def collateral_back(collateral: Utxo, user: Key) -> Out:
    """What a script's failure leaves of the collateral."""
    return Out(place=user.place, lovelace=collateral.lovelace - _COLLATERAL_TAKEN)


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


STATE_NAMES: Final = {
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


def reading_label(attempt: Attempt) -> dict[str, Any]:
    """What a decoder must find in the message; nothing where it says something else than the fields."""
    if not attempt.readable:
        return {}
    values = {STATE_NAMES[key]: value for key, value in sorted(attempt.state.items())}
    return {"reading": {"counter": attempt.counter} | values, "challenge": attempt.challenge.hex()}
