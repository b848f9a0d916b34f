"""What a follower says of itself and of the nodes that it may follow, to whoever watches it."""

from typing import Literal

from msgspec import Struct

State = Literal["followed", "sound", "unwell", "refused"]


class NodeState(Struct, frozen=True, kw_only=True):
    """One endpoint, as of the last time that the follower chose among them."""

    endpoint: str  # without a password
    state: State  # refused: not asked again while the follower runs
    reason: str = ""  # why it can't be followed now
    version: str = ""  # of its Ogmios
    network: str = ""
    tip_slot: int | None = None
    faults: int = 0  # sessions with it that ended in one, since the follower began
    last_fault: str = ""
    last_fault_at: float | None = None  # Unix seconds


class FollowerStatus(Struct, frozen=True, kw_only=True):
    """What ``/nodes`` of a follower answers. Times are Unix seconds, by the follower's clock."""

    at: float
    nodes: tuple[NodeState, ...]  # in order of preference; empty: it stands by, and asked none yet
    nodes_at: float | None = None  # when they were as they are told
    step: int | None = None
    slot: int | None = None
    height: int | None = None
    tip_height: int | None = None  # of the node that it follows, as it last said
    last_step_at: float | None = None
    rollbacks: int = 0  # since it began
