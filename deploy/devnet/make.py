"""Years of a chain in seconds: blocks for a file or for a chain in memory, with time as it passes or with the quiet
hours left out.
"""

import random
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from deploy.devnet.blocks import BlockTransaction, Header, make_block
from deploy.devnet.chain import FIRST_SLOT, Ledger
from deploy.devnet.maker import Maker
from deploy.devnet.network import SLOTS_PER_BLOCK
from deploy.devnet.preview import MEAN_INTERVAL_SLOTS

EMPTY_FOR_EACH_FULL: Final = 4
"""Four blocks of five are empty, as in the recorded run of the preview network (688 of 864)."""

_LEAD_SLOTS: Final = 240
"""After a stretch that was left out, so many slots pass before something happens."""


class MadeBlock(Struct, frozen=True):
    """A block, with its JSON and its transactions."""

    header: Header
    json: bytes
    transactions: list[BlockTransaction]


def slots(maker: Maker, until_slot: int, ledger: Ledger | None = None) -> Iterator[tuple[int, list[BlockTransaction]]]:
    """Slots with their transactions, some 25 apart.

    Unless the plan wants every block, stretches in which no battery is due are left out as soon as enough empty blocks
    stand for each full one: a year has 1.6 million blocks, and nearly all of a small fleet's would be empty.
    ``ledger`` is what takes the maker's transactions in; by default nobody does.
    """
    chance = random.Random(f"slots/{maker.plan.seed}")  # noqa: S311 reproducible, not secret
    slot, owed = FIRST_SLOT, 0
    while slot < until_slot:
        transactions = (ledger or maker).transactions(slot)
        yield slot, transactions
        owed += EMPTY_FOR_EACH_FULL if transactions else -1
        slot += 1 + int(chance.expovariate(1 / MEAN_INTERVAL_SLOTS))
        quiet_until = maker.next_due - _LEAD_SLOTS
        if not maker.plan.every_block and owed <= 0 and quiet_until > slot:
            slot = quiet_until + chance.randrange(SLOTS_PER_BLOCK)


def blocks(maker: Maker, until_slot: int, ledger: Ledger | None = None) -> Iterator[MadeBlock]:
    """A chain's blocks from the first on; ``ledger`` as of ``slots``."""
    parent: Header | None = None
    for slot, transactions in slots(maker, until_slot, ledger):
        height = parent.height + 1 if parent else 0
        parent, json = make_block(parent=parent, height=height, slot=slot, transactions=transactions)
        yield MadeBlock(parent, json, transactions)
