"""What is seen of a follower that runs: whether it is ready, where it stands, and its nodes."""

import threading
from typing import Final

from msgspec.structs import replace

from indexer.nodes import FollowerStatus, NodeState
from indexer.session import Progress

STALE_SECONDS: Final = 300.0
"""Ready no longer when the last step is older: a chain makes a block each 20 s on average."""


class Watch:
    """Noted by the follower's thread, asked by others. Times are Unix seconds."""

    def __init__(self) -> None:
        self.last: Progress | None = None
        self._last_step_at = 0.0
        self._nodes: tuple[NodeState, ...] = ()
        self._nodes_at: float | None = None
        self._mutex = threading.Lock()

    def note(self, progress: Progress, now: float) -> None:
        """Each session reports where it begins: that is no step, or a node that hangs up again and again would pass
        for one that sends blocks.
        """
        if self.last is None or progress.step != self.last.step:
            self._last_step_at = now
        self.last = progress

    def note_nodes(self, nodes: tuple[NodeState, ...], now: float) -> None:
        """The follower tells how often each failed; when it did is ours to say."""
        with self._mutex:
            before = {each.endpoint: each for each in self._nodes}
            self._nodes = tuple(_dated(each, before.get(each.endpoint), now) for each in nodes)
            self._nodes_at = now

    def status(self, now: float) -> FollowerStatus:
        last = self.last
        with self._mutex:
            nodes, nodes_at = self._nodes, self._nodes_at
        if last is None:
            return FollowerStatus(at=now, nodes=nodes, nodes_at=nodes_at)
        return FollowerStatus(
            at=now,
            nodes=nodes,
            nodes_at=nodes_at,
            step=last.step,
            slot=last.slot,
            height=last.height,
            tip_height=last.tip_height,
            last_step_at=self._last_step_at,
            rollbacks=last.rollbacks,
        )

    def why_not_ready(self, now: float) -> list[str]:
        """Lag is measured against the tip and against the clock: a frozen mark must never read as healthy."""
        if self.last is None:
            return ["no step was written since the start"]
        reasons = []
        behind = self.last.tip_height - self.last.height
        if behind > 1:
            reasons.append(f"{behind} blocks behind the node's tip")
        age = now - self._last_step_at
        if age > STALE_SECONDS:
            reasons.append(f"the last step is {age:.0f} s old")
        return reasons


def _dated(node: NodeState, before: NodeState | None, now: float) -> NodeState:
    if before is not None and before.faults == node.faults:
        return replace(node, last_fault_at=before.last_fault_at)
    return replace(node, last_fault_at=now) if node.faults else node
