"""Where each chain-sync message leaves us. Pure: no clock, no socket, no log."""

from collections.abc import Iterable
from typing import Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from indexer.chain import (
    NO_BLOCK_HEIGHT,
    ORIGIN,
    Block,
    BoundaryBlock,
    ChainMessage,
    Point,
    PointOrOrigin,
    RollBackward,
    RollForward,
    Tip,
    TipOrOrigin,
)
from indexer.errors import InvalidChainData, OperatorMustAct, Retryable
from indexer.log.records import BlockEntry

_LARGEST: Final = 2**63 - 1
"""What a log and a table can hold. At a slot a second it is 290 billion years away."""


class ChainBroken(InvalidChainData):
    """A block does not follow the one before it: its parent or its height is another."""


class RollbackTooDeep(OperatorMustAct):
    """The node left a block that was final here. Nothing is written."""


class NodeBehind(Retryable):
    """The node's chain ends below ours. That is no rollback: it may catch up, or another node be ahead."""


class Cursor(Struct, frozen=True):
    """The chain we can return to: ``blocks`` from the final height on, newest last; below them ``root``.

    At most k + 1 blocks after each call of ``follow``.
    """

    root: PointOrOrigin  # what the log began after; a rollback may reach it while the log holds every block above it
    blocks: tuple[BlockEntry, ...] = ()
    final_height: int = NO_BLOCK_HEIGHT  # blocks at or below it are never left
    boundary: BoundaryBlock | None = None  # a Byron boundary block seen after the newest block
    whole: bool = True  # whether `blocks` reaches down to `root`

    @property
    def height(self) -> int:
        return self.blocks[-1].height if self.blocks else NO_BLOCK_HEIGHT

    @property
    def point(self) -> PointOrOrigin:
        """The newest point of our chain."""
        return Point(self.blocks[-1].slot, self.blocks[-1].id) if self.blocks else self.root


class Append(Struct, frozen=True):
    """The chain went on by these blocks, oldest first."""

    blocks: tuple[Block, ...]
    parent: str  # what the first of them names as its parent
    boundaries: dict[str, str]  # block id -> id of the boundary block just before it
    tip: TipOrOrigin


class Undo(Struct, frozen=True):
    """Everything above ``to`` is no longer on the chain. The block at ``to`` is."""

    to: Point
    to_height: int
    left: BlockEntry
    depth_blocks: int
    tip: TipOrOrigin


Effect = Append | Undo


def follow(cursor: Cursor, messages: Iterable[ChainMessage], security_parameter: int) -> tuple[Cursor, list[Effect]]:
    """Where these messages leave us, and what the log has to do about each run of them, in order.

    A rollback is judged against the blocks that precede it in the same call too. Raises ChainBroken, RollbackTooDeep
    and NodeBehind; then the cursor of before still holds, and nothing of the call may be written.
    """
    step = _Follow(cursor, security_parameter)
    for message in messages:
        match message:
            case RollForward(block=block, tip=tip):
                step.forward(block, tip)
            case RollBackward(point=point, tip=tip):
                step.backward(point, tip)
            case unreachable:
                assert_never(unreachable)
    return step.done()


class _Follow:
    """The working state of one call."""

    def __init__(self, cursor: Cursor, security_parameter: int) -> None:
        self.cursor = cursor
        self.k = security_parameter
        self.entries = list(cursor.blocks)
        self.final_height = cursor.final_height
        self.boundary = cursor.boundary
        self.effects: list[Effect] = []
        self.run: list[Block] = []
        self.run_parent = ""
        self.run_boundaries: dict[str, str] = {}
        self.tip: TipOrOrigin = ORIGIN

    def forward(self, block: Block | BoundaryBlock, tip: TipOrOrigin) -> None:
        self._check_link(block)
        self.tip = tip
        if isinstance(block, BoundaryBlock):
            self.boundary = block
            return
        if not self.run:
            self.run_parent = block.parent
        if self.boundary is not None:
            self.run_boundaries[block.point.id] = self.boundary.id
            self.boundary = None
        self.run.append(block)
        point, height = block.point, block.height
        self.entries.append(BlockEntry(height, point.slot, point.id))
        self.final_height = max(self.final_height, height - self.k)

    def _check_link(self, block: Block | BoundaryBlock) -> None:
        if max(block.height, block.point.slot if isinstance(block, Block) else 0) > _LARGEST:
            raise ChainBroken(f"block {_named(block)} (height {block.height}) is beyond all slots and heights")
        newest = self.entries[-1] if self.entries else None
        if self.boundary is not None:
            parent, height = self.boundary.id, self.boundary.height
        elif newest is not None:
            parent, height = newest.id, newest.height
        else:
            self._check_first(block)
            return
        if block.parent != parent:
            raise ChainBroken(
                f"block {_named(block)} (height {block.height}) names {block.parent} as its parent, but the block "
                f"before it is {parent} (height {height}): the node left a gap, and nothing of it was written"
            )
        # A Byron boundary block shares its predecessor's height.
        if block.height != height + 1 and not (block.height == height and isinstance(block, BoundaryBlock)):
            raise ChainBroken(f"block {_named(block)} has height {block.height}, but the block before it has {height}")
        if isinstance(block, Block) and newest is not None and block.point.slot <= newest.slot:
            raise ChainBroken(f"block {_named(block)} is not in a later slot than its parent in slot {newest.slot}")

    def _check_first(self, block: Block | BoundaryBlock) -> None:
        root = self.cursor.root
        if isinstance(root, Point) and block.parent != root.id:
            raise ChainBroken(
                f"block {_named(block)} names {block.parent} as its parent, but the log begins after {root}"
            )
        if root == ORIGIN and block.height not in (0, 1):
            raise ChainBroken(
                f"block {_named(block)} came first after the origin, but its height is {block.height}: to begin in the "
                "middle of a chain, name the block before it with --since"
            )

    def backward(self, point: PointOrOrigin, tip: TipOrOrigin) -> None:
        self.tip = tip
        newest = self.entries[-1] if self.entries else None
        if point == (self.cursor.root if newest is None else Point(newest.slot, newest.id)):
            self.boundary = None
            return  # the first answer after an intersection only says where we are
        tip_height = tip.height if isinstance(tip, Tip) else NO_BLOCK_HEIGHT
        if newest is None:
            raise self._too_deep(point)
        if tip_height < newest.height:
            raise NodeBehind(f"the node's tip has height {tip_height}, our chain has {newest.height}: not a rollback")
        target = self._target(point)
        depth = len(self.entries) - 1 - target
        to_height = self.entries[target].height if target >= 0 else self.entries[0].height - 1
        if to_height < self.final_height:
            raise self._too_deep(point)
        assert isinstance(point, Point)
        self._end_run()
        del self.entries[target + 1 :]
        self.boundary = None
        self.effects.append(Undo(point, to_height, newest, depth, tip))

    def _target(self, point: PointOrOrigin) -> int:
        """Index of the point among the entries; -1 for the root."""
        if isinstance(point, Point):
            for index in range(len(self.entries) - 1, -1, -1):
                entry = self.entries[index]
                if entry.id == point.id and entry.slot == point.slot:
                    return index
                if entry.slot < point.slot:
                    raise InvalidChainData(f"the node rolled back to {point}, which was never on the chain it sent")
        if point == self.cursor.root and self.cursor.whole and point != ORIGIN:
            return -1
        raise self._too_deep(point)

    def _too_deep(self, point: PointOrOrigin) -> RollbackTooDeep:
        return RollbackTooDeep(
            f"the node rolled back to {point}, but blocks up to height {self.final_height} are final "
            f"(k is {self.k}). A healthy node never does that: check that it follows the right network. If the chain "
            "really was rewritten this deep, the log must be made anew. Nothing was written"
        )

    def _end_run(self) -> None:
        if self.run:
            self.effects.append(Append(tuple(self.run), self.run_parent, self.run_boundaries, self.tip))
            self.run, self.run_boundaries = [], {}

    def done(self) -> tuple[Cursor, list[Effect]]:
        self._end_run()
        keep = next((i for i, e in enumerate(self.entries) if e.height >= self.final_height), len(self.entries))
        cursor = replace(
            self.cursor,
            blocks=tuple(self.entries[keep:]),
            final_height=self.final_height,
            boundary=self.boundary,
            whole=self.cursor.whole and keep == 0,
        )
        return cursor, self.effects


def _named(block: Block | BoundaryBlock) -> str:
    return str(block.point) if isinstance(block, Block) else f"boundary block {block.id}"
