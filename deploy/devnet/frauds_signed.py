"""Frauds with the signature, the binding and the transaction: each changes one thing of an honest submission."""

import json
from collections.abc import Callable
from typing import Final

import cbor2

from deploy.devnet.attempt import Attempt
from deploy.devnet.element import ES256K, SecureElement, cose_sign1
from deploy.devnet.fraud import Fraud, Means
from deploy.devnet.keys import Key

_SECP256K1_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_STOLEN_LOVELACE: Final = 3_000_000
_FLOOR_LOVELACE: Final = 6_000_000
_MOVED_CYCLES: Final = 10


def _parts(cose: bytes) -> tuple[bytes, bytes, bytes]:
    """Protected header, payload, signature of a message that an element made."""
    protected, _, payload, signature = cbor2.loads(cose).value
    return protected, payload, signature


def _counted(least: int) -> Callable[[Means], bool]:
    def fits(means: Means) -> bool:
        account = means.actor.state.account
        return account is not None and account.last.counter >= least and _has_read(means)

    return fits


def _has_read(means: Means) -> bool:
    """The newest accepted reading is known, and is what the account remembers."""
    tapped, account = means.actor.submitted, means.actor.state.account
    return tapped is not None and account is not None and tapped.counter == account.last.counter


def _has_moved(means: Means) -> bool:
    """Of a battery that moved nothing yet, no other course can be told."""
    account = means.actor.state.account
    return account is not None and account.last.cycle_count >= _MOVED_CYCLES


def _es256k(means: Means) -> bool:
    return means.actor.element(means.actor.state.epoch).algorithm == ES256K


def _accomplice(means: Means) -> Key:
    return Key(f"accomplice of {means.actor.name}")


# the counter


def _replay(attempt: Attempt, means: Means) -> None:
    old = means.actor.submitted
    assert old is not None
    attempt.cose, attempt.challenge = old.cose, old.challenge
    attempt.counter, attempt.state = old.counter, dict(old.state)


def _regress(attempt: Attempt, means: Means) -> None:
    attempt.counter = means.chance.randrange(max(0, attempt.account.last.counter - 5), attempt.account.last.counter)


def _same_counter(attempt: Attempt, means: Means) -> None:
    """The same values once more, with the counter that they had."""
    old = means.actor.submitted
    assert old is not None
    attempt.counter, attempt.state = old.counter, dict(old.state)


def _equivocate(attempt: Attempt, means: Means) -> None:
    """Other values under a counter that was used."""
    del means
    attempt.counter = attempt.account.last.counter


def _gap(attempt: Attempt, means: Means) -> None:
    attempt.element.counter += means.chance.randrange(30, 400)
    attempt.counter, attempt.element.counter = attempt.element.counter, attempt.element.counter + 1


def _leapfrog(attempt: Attempt, means: Means) -> None:
    """Every other reading comes from a second pack, on which a copy of the chip sits: it moved less energy."""
    energy = attempt.state[10]
    assert isinstance(energy, int)
    if means.round % 2:
        attempt.state[10] = energy * 2 // 5


# the signature


def _tamper(attempt: Attempt, means: Means) -> None:
    """A better state of health, written over what was signed; the contract's tolerance is respected."""
    protected, _, signature = _parts(attempt.element.sign(attempt.payload()))
    soh = attempt.state[1]
    assert isinstance(soh, int)
    ceiling = attempt.account.last.soh_bp + means.site.terms.soh_tolerance_bp
    attempt.state[1] = soh + 150 if soh + 150 <= min(ceiling, 12_000) else soh - 1
    attempt.cose = cose_sign1(protected, attempt.payload(), signature)


def _wrong_signer(attempt: Attempt, means: Means) -> None:
    attempt.element = SecureElement(f"stranger to {means.actor.name}", attempt.element.algorithm)


def _high_s(attempt: Attempt, means: Means) -> None:
    """The twin (r, n - s): mathematically as valid, refused by the ledger's builtin."""
    del means
    protected, payload, signature = _parts(attempt.element.sign(attempt.payload()))
    twin = _SECP256K1_ORDER - int.from_bytes(signature[32:])
    attempt.cose = cose_sign1(protected, payload, signature[:32] + twin.to_bytes(32))


def _other_battery(attempt: Attempt, means: Means) -> None:
    """A genuine reading of the battery next door, for this challenge."""
    other = means.neighbour
    assert other is not None
    attempt.element = other.element(other.state.epoch)
    attempt.battery_id = other.battery_id
    attempt.counter, attempt.element.counter = attempt.element.counter, attempt.element.counter + 1
    attempt.state = dict(other.battery(other.state.pack).measure(means.slot).state)


def _forged_account(attempt: Attempt, means: Means) -> None:
    """The account that the forger planted, and the key that he put into it."""
    forged = means.actor.state.forged
    assert forged is not None
    attempt.element = forger(means.actor.name)
    attempt.public_key = attempt.element.public_key
    attempt.account, attempt.proven = forged, False


def forger(name: str) -> SecureElement:
    """The chip of whoever forges accounts of a battery."""
    return SecureElement(f"forger of {name}")


# the encoding


def _non_deterministic(attempt: Attempt, means: Means) -> None:
    """Keys in falling order, or the schema version in more bytes than it needs. The signature is over just that."""
    if means.chance.random() < 0.5:
        payload = b"\xa5" + b"".join(
            cbor2.dumps(key) + cbor2.dumps(value, canonical=True)
            for key, value in reversed(list(cbor2.loads(attempt.payload()).items()))
        )
    else:
        payload = attempt.payload()[:-1] + b"\x18\x02"
    attempt.cose = attempt.element.sign(payload)


def _untagged(attempt: Attempt, means: Means) -> None:
    del means
    attempt.cose = cose_sign1(*_parts(attempt.element.sign(attempt.payload())), tagged=False)


def _trailing(attempt: Attempt, means: Means) -> None:
    attempt.cose = attempt.element.sign(attempt.payload()) + means.chance.randbytes(means.chance.randint(1, 4))


def _legacy(attempt: Attempt, means: Means) -> None:
    """A form of the drafts: slot as challenge, an interval of slots, or JSON text that signs nothing."""
    signed: dict[int, object] = {1: attempt.battery_id, 4: attempt.state, 5: 1}
    draft = {"battery_id": attempt.battery_id.decode(), "state": {"soh_percent": 93, "soc_percent": 60}}
    forms: tuple[Callable[[], bytes], ...] = (
        lambda: _signed(attempt, signed | {2: means.slot, 3: attempt.counter}),
        lambda: _signed(attempt, signed | {2: means.slot, 3: means.slot + 600}),
        lambda: json.dumps(draft | {"challenge": means.slot, "counter": attempt.counter}).encode(),
        lambda: json.dumps(draft | {"timestamp": "2026-03-01T12:00:00Z"}).encode(),
    )
    attempt.cose = means.chance.choice(forms)()
    attempt.readable = False


def _signed(attempt: Attempt, payload: dict[int, object]) -> bytes:
    return attempt.element.sign(cbor2.dumps(payload, canonical=True))


# the transaction


def _not_the_committer(attempt: Attempt, means: Means) -> None:
    """Somebody else is the one that a script sees; the committer only signs for his money."""
    other = _accomplice(means)
    attempt.required, attempt.signers = [other.hash], [attempt.user, other]


def _without_token(attempt: Attempt, means: Means) -> None:
    del means
    attempt.shows_token = False


def _without_burn(attempt: Attempt, means: Means) -> None:
    del means
    attempt.burns = False


def _unpaid(attempt: Attempt, means: Means) -> None:
    """The reward goes to somebody else."""
    attempt.rewarded = _accomplice(means)


def _drain(attempt: Attempt, means: Means) -> None:
    del means
    attempt.taken_lovelace += _STOLEN_LOVELACE


def _can_be_drained(means: Means) -> bool:
    account = means.actor.state.account
    return account is not None and account.utxo.lovelace > _FLOOR_LOVELACE


def _has_neighbour(means: Means) -> bool:
    """The battery next door can be tapped, and its key is not a copy of ours."""
    actor, other = means.actor, means.neighbour
    if other is None:
        return False
    return other.element(other.state.epoch).public_key != actor.element(actor.state.epoch).public_key


SIGNED: Final = (
    Fraud(name="replayed", change=_replay, fits=_has_read, checks=(5, 7), rules=("R10", "R48"), refused=True),
    Fraud(name="counter_regress", change=_regress, fits=_counted(1), checks=(7,), rules=("R08",), refused=True),
    Fraud(name="duplicate", change=_same_counter, fits=_has_read, checks=(7,), rules=("R09",), refused=True),
    Fraud(name="equivocation", change=_equivocate, fits=_has_read, checks=(7,), rules=("R09",), refused=True),
    Fraud(name="gap", change=_gap, fits=_has_read, rules=("R07",)),
    Fraud(name="leapfrog", change=_leapfrog, fits=_has_moved, rules=("R13", "R29"), readings=6),
    Fraud(name="tampered_payload", change=_tamper, checks=(6,), rules=("R04",), refused=True),
    Fraud(name="wrong_signer", change=_wrong_signer, checks=(6,), rules=("R04",), refused=True),
    Fraud(name="high_s", change=_high_s, fits=_es256k, checks=(6,), rules=("R05",), refused=True),
    Fraud(
        name="other_battery", change=_other_battery, fits=_has_neighbour, checks=(2, 6), rules=("R06",), refused=True
    ),
    Fraud(name="forged_account", change=_forged_account, rules=("R04",), refused=True),
    Fraud(name="non_deterministic", change=_non_deterministic, rules=("R02",), refused=True),
    Fraud(name="untagged", change=_untagged, refused=True, honest=True),
    Fraud(name="trailing_bytes", change=_trailing, checks=(6,), rules=("R01",), refused=True),
    Fraud(name="legacy_form", change=_legacy, checks=(5,), rules=("R48",), refused=True),
    Fraud(name="not_the_committer", change=_not_the_committer, checks=(3,), refused=True),
    Fraud(name="no_ownership_token", change=_without_token, checks=(10,), refused=True),
    Fraud(name="missing_burn", change=_without_burn, checks=(1,), refused=True),
    Fraud(name="unpaid_reward", change=_unpaid, checks=(10, 12), refused=True),
    Fraud(name="changed_account", change=_drain, fits=_can_be_drained, checks=(11,), refused=True),
)
