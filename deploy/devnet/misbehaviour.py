"""What a served node does wrong, on command or drawn by a seed. Values here; the node carries them out."""

import asyncio
import random
from typing import Final, Literal, get_args

from msgspec import Struct

Kind = Literal[
    "fork",  # another branch
    "flip",  # another branch, and after a while the first one again
    "behind",  # the newest blocks are hidden, as on a node that lags
    "tip-back",  # answers name an older tip than the block that they carry
    "drop",  # every connection is closed, with a code and a reason
    "stall",  # no answers, and no close either
    "double",  # answers are sent twice
    "slow",  # answers trickle, in fragments
    "huge",  # a block of many megabytes
    "poison",  # a block that no recursive parser survives
    "other-network",  # another network answers at the same address
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

NODE_LOST: Final = '{"error":{"code":-32000,"message":"Connection with the node lost or failed."}}'
"""The reason with which Ogmios closes when it lost its node."""


class Misbehaviour(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing to do wrong. Only the fields that its kind needs are looked at."""

    kind: Kind
    blocks: int = 5  # deep, behind, back; answers to double
    seconds: float = 3.0  # until it ends by itself
    code: int = 1011  # of a close
    reason: str = NODE_LOST  # of a close
    megabytes: float = 4.0


class Mischief:
    """An endless row of misbehaviours that a follower must survive without a person's help, by seed."""

    def __init__(self, seed: int, k: int) -> None:
        self._chance = random.Random(f"mischief/{seed}")  # noqa: S311 reproducible, not secret
        self._k = k

    def next(self) -> Misbehaviour:
        """Not among them: doubled answers and another network, at which a follower rightly stops or stays away."""
        chance = self._chance
        kinds = [kind for kind in KINDS if kind not in ("double", "other-network")]
        kind = chance.choice(kinds)
        # A flip goes back over all that grew meanwhile, and no honest rollback is deeper than k.
        deepest, longest = (self._k // 4, 0.6) if kind == "flip" else (self._k, 3.0)
        depths = (1, 1, 2, 3, 5, 8, chance.randint(1, self._k))
        return Misbehaviour(
            kind=kind,
            blocks=max(1, min(chance.choice(depths), deepest)),
            seconds=round(chance.uniform(0.3, longest), 2),
            code=chance.choice((1000, 1001, 1011, 1012)),
            reason=chance.choice((NODE_LOST, "", "restarting")),
            megabytes=round(chance.uniform(0.5, 6.0), 1),
        )


class Conduct:
    """How a node behaves just now. One for all of its connections; used in its event loop only."""

    def __init__(self) -> None:
        self.behind_blocks = 0
        self.tip_back_blocks = 0
        self.moving = asyncio.Event()  # not set: stalled
        self.moving.set()
        self.slow = False
        self.doubled_answers = 0  # still to be sent twice
        self.elsewhere = False  # another network answers
