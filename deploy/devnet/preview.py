"""What a public test network's blocks are like, as numbers: from a recorded run of preview.

Source: preview, heights 910412 to 911275, slots 27756007 to 27777565 (2023-09-11, Babbage): 864 blocks without a gap,
233 transactions. Measured once; nothing of the recording itself is read here.
"""

import random
from typing import Final

MEAN_INTERVAL_SLOTS: Final = 24.98
"""Between two blocks. Exponential as a draw of slot leaders makes it: deciles 3, 6, 9, 13, 18, 24, 31, 41, 55."""

FULL_SHARE: Final = 176 / 864
"""Of the blocks hold a transaction at all."""

_TRANSACTIONS: Final = (1, 2, 3, 4, 8)
_TRANSACTIONS_SEEN: Final = (143, 22, 6, 3, 2)
"""How many a block holds that holds any, and how often that was seen."""

KINDS: Final = ("swap", "pay", "mint")
_KINDS_SEEN: Final = (166, 45, 22)
"""Transactions that spend from scripts, plain ones, and ones that mint."""

_BYTES_DECILES: Final = (200, 321, 705, 771, 1_281, 2_252, 2_718, 3_019, 3_021, 3_042, 9_900)
"""Of a transaction's CBOR, least and greatest included (one of 29 kB of JSON left out)."""


def transactions(chance: random.Random) -> int:
    """How many a block with any holds."""
    return chance.choices(_TRANSACTIONS, _TRANSACTIONS_SEEN)[0]


def kind(chance: random.Random) -> str:
    """What one of them does."""
    return chance.choices(KINDS, _KINDS_SEEN)[0]


def transaction_bytes(chance: random.Random) -> int:
    """How large one is: linear between the deciles."""
    place, rest = divmod(chance.random() * (len(_BYTES_DECILES) - 1), 1)
    low, high = _BYTES_DECILES[int(place) : int(place) + 2]
    return round(low + (high - low) * rest)
