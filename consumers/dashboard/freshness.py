"""How fresh the tables are, by the chain's tip and by the clock: a frozen mark never passes for a healthy one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

from consumers.dashboard.words import duration

State = Literal["fresh", "behind", "stale", "empty", "unknown"]

BEHIND_BLOCKS: Final = 5
"""Blocks behind the node's tip from which on a page says so: a step or two are on their way at any moment."""

STALE_SECONDS: Final = 300.0
"""The mark's age from which on nothing is called fresh: a chain makes a block each 20 s on average."""


class Mark(Struct, frozen=True, kw_only=True):
    """Where the tables stand: the partition furthest behind."""

    step: int
    slot: int
    height: int
    block: str
    final_height: int
    tip_height: int
    age_seconds: float  # since the partition that moved longest ago moved, by the database's clock
    workers: int  # connected to the database
    parked_events: int


class Freshness(Struct, frozen=True, kw_only=True):
    """What a page says about it."""

    state: State
    reasons: list[str]  # why it is not fresh, each a sentence's worth
    mark: Mark | None
    at: datetime  # when it was judged, by the server's clock
    stale_seconds: float  # the mark's age from which on it is stale

    @property
    def healthy(self) -> bool:
        return self.state == "fresh"

    @property
    def holds_seconds(self) -> float:
        """For how long this may be shown as fresh without being judged again."""
        age = self.mark.age_seconds if self.mark else 0.0
        return max(1.0, self.stale_seconds - age)


def judge(mark: Mark | None, at: datetime, *, stale_seconds: float, trouble: Sequence[str] = ()) -> Freshness:
    """``mark`` None: nothing was projected yet. ``trouble``: what the reader itself met, such as a database away."""
    reasons = list(trouble)
    state: State = "fresh"
    if trouble:
        state = "unknown"
    elif mark is None:
        state, reasons = "empty", ["nothing was projected into these tables yet: run `cellwitness project`"]
    else:
        if mark.tip_height - mark.height > BEHIND_BLOCKS:
            state = "behind"
            reasons.append(f"{mark.tip_height - mark.height:,} blocks behind the node's tip")
        if not mark.workers:
            state = "stale"
            reasons.append("no worker is at work: run `cellwitness project`")
        if mark.age_seconds > stale_seconds:
            state = "stale"
            reasons.append(f"the last step came {duration(mark.age_seconds)} ago: is the follower at work?")
    return Freshness(state=state, reasons=reasons, mark=mark, at=at, stale_seconds=stale_seconds)
