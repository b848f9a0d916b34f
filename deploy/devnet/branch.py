"""Which transactions of an abandoned branch enter the other one, and where."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from deploy.devnet.blocks import BlockTransaction
from deploy.devnet.network import SLOTS_PER_BLOCK
from indexer.chain import OutputReference, ValidityInterval
from indexer.ogmios.salvage import DEPTH_KEPT, salvage

_TOKEN: Final = re.compile(rb'[{}\[\]]|"(?:[^"\\]|\\.)*+"', re.DOTALL)

_LATER_SHARE: Final = 0.3
"""How often a block of the new branch leaves the newest of its transactions to the next block."""


class _Links(Struct, frozen=True, rename="camel"):
    id: str
    inputs: tuple[OutputReference, ...] = ()
    collaterals: tuple[OutputReference, ...] = ()
    references: tuple[OutputReference, ...] = ()
    validity_interval: ValidityInterval = ValidityInterval()
    cbor: str = ""


class _Body(Struct, frozen=True):
    transactions: tuple[msgspec.Raw, ...] = ()


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_links = msgspec.json.Decoder(_Links).decode


class CarriedTransaction(Struct, frozen=True):
    """A transaction of the old branch, with what decides whether another branch can take it."""

    made: BlockTransaction
    needs: frozenset[str]  # ids of the transactions whose outputs it names
    validity: ValidityInterval

    @property
    def id(self) -> str:
        return self.made.id

    def valid_at(self, slot: int) -> bool:
        """Whether a block at this slot may hold it."""
        before, after = self.validity.invalid_before, self.validity.invalid_after
        return (before is None or slot >= before) and (after is None or slot < after)


class Carried(Struct, frozen=True, kw_only=True):
    """An old block: its slot and its transactions."""

    slot: int
    transactions: tuple[CarriedTransaction, ...]


def transactions_of(block: bytes) -> tuple[CarriedTransaction, ...]:
    """The transactions of a block as Ogmios shows it."""
    try:
        return tuple(_carried(bytes(raw)) for raw in _decode_body(block).transactions)
    except RecursionError:  # a block that we nested too deep for any parser
        return tuple(map(_carried, _split(block)))


def _split(block: bytes) -> Iterator[bytes]:
    """The transactions of a block, however deep. They are its last field, and no other holds an array of objects."""
    start = depth = 0
    for token in _TOKEN.finditer(block, block.index(b'"transactions":[')):
        text = token.group()
        if text in (b"{", b"["):
            depth += 1
            if depth == 2:
                start = token.start()
        elif text in (b"}", b"]"):
            depth -= 1
            if depth == 1:
                yield block[start : token.end()]


def _carried(raw: bytes) -> CarriedTransaction:
    links = _decode_links(salvage(raw) if raw.count(b"[") > DEPTH_KEPT else raw)
    named = (*links.inputs, *links.collaterals, *links.references)
    return CarriedTransaction(
        # A recording doesn't tell a transaction's size unless it holds the CBOR: guess, the header only shows the sum.
        BlockTransaction(links.id, raw, len(links.cbor) // 2 or len(raw) // 3),
        frozenset(reference.transaction.id for reference in named),
        links.validity_interval,
    )


def rebranch(
    old: Sequence[Carried],
    after_slot: int,
    drop_share: float,
    chance: random.Random,
    redo: Callable[[str, int], bool],
) -> Iterator[tuple[int, list[BlockTransaction]]]:
    """The blocks (slot, transactions) of a branch one block longer than the old one.

    Slots move by a few, so that most validity intervals still hold. The order of the transactions is kept, and one
    whose needs were lost is lost too. ``redo`` has the last word on each.
    """
    lost: set[str] = set()
    waiting: list[CarriedTransaction] = []
    slot = after_slot
    for place in range(len(old) + 1):
        last = place == len(old)
        slot = slot + 1 + chance.randrange(SLOTS_PER_BLOCK) if last else max(slot + 1, old[place].slot + _shift(chance))
        if not last:
            waiting += old[place].transactions
        take = len(waiting)
        if not last and take and chance.random() < _LATER_SHARE:
            take = chance.randrange(take)
        taken: list[BlockTransaction] = []
        for transaction in waiting[:take]:
            if (
                chance.random() < drop_share
                or not lost.isdisjoint(transaction.needs)
                or not transaction.valid_at(slot)
                or not redo(transaction.id, slot)
            ):
                lost.add(transaction.id)
            else:
                taken.append(transaction.made)
        del waiting[:take]
        yield slot, taken


def _shift(chance: random.Random) -> int:
    return chance.randrange(-3, 8)
