"""Everybody else on the chain: payments, tokens of others, another deployment's contract."""

import random
from typing import Final

from msgspec import Struct

from deploy.devnet import preview
from deploy.devnet.actors import Made, genesis_utxo
from deploy.devnet.deployment import placeholder
from deploy.devnet.keys import Key, script_place
from deploy.devnet.plutus_writer import UNIT, constructor, integer, octets
from deploy.devnet.transactions import Draft, Out, Script, Use, Utxo, build

_WALLETS: Final = 48
_FEE: Final = 174_257
_SCRIPT_FEE: Final = 334_901
_LOCKED_LOVELACE: Final = 2_500_000

_POLICIES: Final = tuple(
    placeholder(f"somebody else's token, {size} bytes" + "." * size) for size in (100, 700, 1_300, 2_300, 2_700, 9_000)
)
_PLAIN_BYTES: Final = 480  # of a transaction beside its script or redeemer
_OTHER_VALIDATOR: Final = placeholder("somebody else's market")
_OTHER_PLACE: Final = script_place(_OTHER_VALIDATOR.hash)
_RUN: Final = Use(UNIT, 512_942, 235_693_247)


class Purse(Struct, frozen=True):
    """What the chain says one of the others owns: money, and maybe an offer locked in a contract."""

    money: Utxo
    locked: Utxo | None = None


class Other:
    """Somebody with a wallet and nothing to do with batteries."""

    def __init__(self, number: int, seed: int) -> None:
        self.name = f"other/{number}"
        self.key = Key(f"{seed}/other/{number}")
        self.state = Purse(genesis_utxo(f"{seed}/other/{number}", 30_000_000_000_000))


class Crowd:
    """All the others. ``make`` lets one of them do something."""

    def __init__(self, seed: int, chance: random.Random) -> None:
        self._chance = chance
        self.others = [Other(number, seed) for number in range(_WALLETS)]

    def make(self, slot: int) -> Made:
        """Of a kind and a size as preview's transactions have them."""
        chance = self._chance
        who, kind, size = chance.choice(self.others), preview.kind(chance), preview.transaction_bytes(chance)
        if kind == "mint":
            return self._mint(who, size)
        if kind == "pay":
            return (
                self._take(who, size)
                if who.state.locked is not None and chance.random() < 0.3
                else self._pay(who, slot)
            )
        return self._swap(who, size) if who.state.locked is not None else self._lock(who)

    def _made(self, who: Other, draft: Draft, kind: str, *, money: int, locked: int | None = None) -> Made:
        """``money`` and ``locked`` are the indices of the outputs that stay theirs."""
        transaction = build(draft)
        after = Purse(
            Utxo(transaction.id, money, draft.outputs[money].lovelace),
            who.state.locked if locked is None else Utxo(transaction.id, locked, draft.outputs[locked].lovelace),
        )
        if kind == "take":
            after = Purse(after.money)
        return Made(actor=who.name, before=who.state, after=after, transaction=transaction, kind=kind)

    def _pay(self, who: Other, slot: int) -> Made:
        chance = self._chance
        amount = chance.randint(1_000_000, 90_000_000)
        outputs = [
            Out(place=chance.choice(self.others).key.place, lovelace=amount),
            Out(place=who.key.place, lovelace=who.state.money.lovelace - amount - _FEE),
        ]
        draft = Draft(
            inputs=[who.state.money],
            outputs=outputs,
            fee=_FEE,
            signers=[who.key],
            message=f"invoice {chance.randint(1, 99_999)}" if chance.random() < 0.2 else "",
            invalid_after=slot + 7_200 if chance.random() < 0.8 else None,
        )
        return self._made(who, draft, "pay", money=1)

    def _mint(self, who: Other, size: int) -> Made:
        policy = _script(_POLICIES, size)
        name = f"Ticket{self._chance.randint(1, 9_999)}".encode()
        left = who.state.money.lovelace - _LOCKED_LOVELACE - _SCRIPT_FEE
        draft = Draft(
            inputs=[who.state.money],
            outputs=[
                Out(place=who.key.place, lovelace=_LOCKED_LOVELACE, assets={policy.hash: {name: 1}}),
                Out(place=who.key.place, lovelace=left),
            ],
            fee=_SCRIPT_FEE,
            signers=[who.key],
            mint={policy.hash: {name: 1}},
            mints={policy.hash: _RUN},
            scripts=[policy],
            collateral=who.state.money,
        )
        return self._made(who, draft, "mint", money=1)

    def _lock(self, who: Other) -> Made:
        left = who.state.money.lovelace - _LOCKED_LOVELACE - _FEE
        draft = Draft(
            inputs=[who.state.money],
            outputs=[self._offer(who), Out(place=who.key.place, lovelace=left)],
            fee=_FEE,
            signers=[who.key],
        )
        return self._made(who, draft, "lock", money=1, locked=0)

    def _offer(self, who: Other) -> Out:
        """Locked in a contract, with a datum."""
        datum = constructor(0, octets(who.key.hash), integer(self._chance.randint(1, 10**12)))
        return Out(place=_OTHER_PLACE, lovelace=_LOCKED_LOVELACE, datum=datum)

    def _swap(self, who: Other, size: int) -> Made:
        """Takes an offer and makes another one. The redeemer looks like a reading's: constructor 0, one bytes field."""
        locked = who.state.locked
        assert locked is not None
        left = who.state.money.lovelace + locked.lovelace - _LOCKED_LOVELACE - _SCRIPT_FEE
        outputs = [self._offer(who), Out(place=who.key.place, lovelace=left)]
        return self._made(who, self._spending(who, locked, outputs, size), "swap", money=1, locked=0)

    def _take(self, who: Other, size: int) -> Made:
        """Takes an offer, and leaves."""
        locked = who.state.locked
        assert locked is not None
        left = who.state.money.lovelace + locked.lovelace - _SCRIPT_FEE
        outputs = [Out(place=who.key.place, lovelace=left)]
        return self._made(who, self._spending(who, locked, outputs, size), "take", money=0)

    def _spending(self, who: Other, locked: Utxo, outputs: list[Out], size: int) -> Draft:
        """Script, redeemer and the rest, some ``size`` bytes together."""
        redeemer = constructor(0, octets(self._chance.randbytes(max(80, size - _PLAIN_BYTES))))
        return Draft(
            inputs=[who.state.money, locked],
            outputs=outputs,
            fee=_SCRIPT_FEE,
            signers=[who.key],
            spends={locked.key: Use(redeemer, 257_013, 103_762_055)},
            scripts=[_OTHER_VALIDATOR],
            collateral=who.state.money,
        )


def _script(scripts: tuple[Script, ...], size: int) -> Script:
    """The smallest one that makes a transaction of this size, or the largest."""
    wanted = size - _PLAIN_BYTES
    return next((script for script in scripts if len(script.content) >= wanted), scripts[-1])
