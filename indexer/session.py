"""One session with one node: from the log's end and an intersection until something ends it."""

from collections.abc import Callable
from typing import Final, assert_never

import structlog
from msgspec import Struct

from indexer import metrics
from indexer.chain import (
    NO_BLOCK_HEIGHT,
    ORIGIN,
    Block,
    ChainMessage,
    Point,
    Tip,
    TipOrOrigin,
    UnreadableTransaction,
)
from indexer.decode import decode
from indexer.eras import EraHistory
from indexer.errors import OperatorMustAct, Retryable
from indexer.events import ChainEvent, TransactionQuarantined
from indexer.follow import Append, Cursor, NodeBehind, Undo, follow
from indexer.log.port import Log, Writer
from indexer.log.reach import Reach
from indexer.log.records import BlockEntry, Opened
from indexer.log.steps import PlacedEvent, forward_step, place, rollback_step
from indexer.log.tail import Tail, read_tail
from indexer.ogmios.connection import ConnectionLost, redacted
from indexer.ogmios.messages import (
    NEXT_BLOCK,
    NoIntersection,
    find_intersection,
    read_intersection,
)
from indexer.ogmios.node import NodeFacts
from indexer.ogmios.prefilter import make_prefilter, read_all
from indexer.outside import NodeConnection, Outside
from indexer.protocol.profile import Profile, needles

MAX_STEP_BLOCKS: Final = 1_000
MAX_STEP_EVENTS: Final = 2_000
MAX_STEP_AGE_SECONDS: Final = 0.25
"""A step closes at whichever comes first, and at the tip with each block: far from it, one fsync serves many blocks."""

log = structlog.get_logger(component="follower")


class Progress(Struct, frozen=True):
    """How far the follower is: counts since it started, and where the log and the node's chain end."""

    step: int
    height: int
    slot: int
    tip_height: int
    blocks: int
    events: int
    rollbacks: int


class NodeStalled(Retryable):
    """The node has sent no block for a long time, and there are others to ask."""


class Session:
    """Follows one node and writes what it says. One thread; whoever calls holds the log's lease."""

    def __init__(  # noqa: PLR0913  (the shell's parts, put together in one place)
        self,
        *,
        log: Log,
        writer: Writer,
        profiles: tuple[Profile, ...],
        outside: Outside,
        url: str,
        facts: NodeFacts,
        in_flight: int,
        silence_seconds: float,
        stall_seconds: float | None,
        on_progress: Callable[[Progress], None],
        counts: dict[str, int],
    ) -> None:
        self._log, self._writer, self._profiles = log, writer, profiles
        self._outside = outside
        self._url, self._eras = url, facts.eras
        self._in_flight = in_flight
        self._silence_seconds = silence_seconds
        self._stall_seconds = stall_seconds
        self._on_progress = on_progress
        self._counts = counts
        self._opened = log.opened()
        self._concerns = make_prefilter([needle for profile in profiles for needle in needles(profile)])
        tail = read_tail(log)
        self._cursor = cursor_of(tail, self._opened)
        self._reach = Reach(log, tail)
        self._offer = tail.intersection()
        self._tip: TipOrOrigin = ORIGIN
        self._pending_blocks: list[BlockEntry] = []
        self._pending_events: list[PlacedEvent] = []
        self._pending_parent = ""
        self._pending_boundaries: dict[str, str] = {}
        self._pending_since = 0.0

    def run(self, *, until_tip: bool, stop: Callable[[], bool]) -> None:
        """Follows until ``stop``, or the node's tip where asked. Everything else that ends it is an error."""
        connection = self._outside.connect(self._url, silence_seconds=self._silence_seconds)
        try:
            self._intersect(connection)
            connection.send(NEXT_BLOCK, times=self._in_flight)
            heard = self._outside.now()
            while not stop():
                timeout = MAX_STEP_AGE_SECONDS if self._pending_blocks else 1.0
                received = connection.receive(timeout)
                if received:
                    heard = self._outside.now()
                    try:
                        # Asked before the work: the node fetches while we decode.
                        connection.send(NEXT_BLOCK, times=len(received))
                    finally:
                        self._take(read_all(received, self._concerns))
                self._flush_if_due(idle=not received)
                if until_tip and received and self._at_tip():
                    self._flush()
                    return
                if self._stall_seconds is not None and self._outside.now() - heard > self._stall_seconds:
                    raise NodeStalled(f"{redacted(self._url)} has sent no block for {self._stall_seconds:.0f} s")
            self._flush()
        except ConnectionLost:
            # Or a node that closes after a few blocks, again and again, would never get us any further.
            self._flush()
            raise
        finally:
            connection.close()

    def _intersect(self, connection: NodeConnection) -> None:
        connection.send(find_intersection(self._offer))
        received = connection.receive(60.0)
        if not received:
            raise Retryable(f"{redacted(self._url)} did not answer findIntersection within 60 s")
        buffer, start, end = received[0]
        answer = read_intersection(bytes(buffer[start:end]))
        if not isinstance(answer, NoIntersection):
            # Judged now: a node that catches up fast may have overtaken us when it says its first rollback, which then
            # looks like a fork, and like one that is too deep where it was far behind.
            height = answer.tip.height if isinstance(answer.tip, Tip) else NO_BLOCK_HEIGHT
            if answer.intersection != self._cursor.point and height < self._cursor.height:
                raise NodeBehind(
                    f"{redacted(self._url)} has its tip at height {height}, our chain has {self._cursor.height}"
                )
            log.info("intersection_found", point=str(answer.intersection), offered_points=len(self._offer))
            self._tip = answer.tip
            self._report()
            return
        tip_slot = answer.tip.slot if isinstance(answer.tip, Tip) else -1
        newest = self._offer[0]
        if isinstance(newest, Point) and tip_slot < newest.slot:
            raise NodeBehind(f"{redacted(self._url)} has its tip at slot {tip_slot}, below our chain at {newest}")
        raise OperatorMustAct(
            f"{redacted(self._url)} knows none of the {len(self._offer)} points of this log, from {newest} down to "
            f"{self._offer[-1]}: it is on another chain, or the chain was rewritten deeper than k. Nothing was written"
        )

    def _take(self, messages: list[ChainMessage]) -> None:
        self._cursor, effects = follow(self._cursor, messages, self._opened.security_parameter)
        self._tip = messages[-1].tip
        for effect in effects:
            match effect:
                case Append():
                    self._gather(effect)
                case Undo():
                    self._flush()
                    self._undo(effect)
                case unreachable:
                    assert_never(unreachable)

    def _gather(self, effect: Append) -> None:
        if not self._pending_blocks:
            self._pending_parent = effect.parent
            self._pending_since = self._outside.now()
        self._pending_boundaries.update(effect.boundaries)
        for block in effect.blocks:
            entry = BlockEntry(block.height, block.point.slot, block.point.id)
            events = self._decoded(block) if block.transactions else ()
            # Telling the time may ask the node, and fail: until then the block is not gathered either.
            placed = place(events, entry, self._time(entry.slot), self._opened.network_magic) if events else ()
            self._pending_blocks.append(entry)
            self._pending_events += placed
            if len(self._pending_events) >= MAX_STEP_EVENTS:
                self._flush_gathered(effect)

    def _decoded(self, block: Block) -> list[ChainEvent]:
        _report_unreadable(block)
        return decode(block, self._profiles)

    def _flush_gathered(self, effect: Append) -> None:
        """Closes the step in the middle of a run of blocks: the next one goes on from its last block."""
        last = self._pending_blocks[-1].id
        self._flush()
        self._pending_parent = last
        self._pending_since = self._outside.now()
        self._pending_boundaries = dict(effect.boundaries)

    def _time(self, slot: int) -> str:
        if not self._eras.covers(slot):
            self._eras = self._refreshed_eras(slot)
        return self._eras.time(slot)

    def _refreshed_eras(self, slot: int) -> EraHistory:
        eras = self._outside.inspect(self._url).eras
        if not eras.covers(slot):
            raise Retryable(f"{redacted(self._url)} can't tell yet when slot {slot} is: its era history ends before it")
        return eras

    def _at_tip(self) -> bool:
        tip = self._tip
        return not isinstance(tip, Tip) or self._cursor.height >= tip.height

    def _flush_if_due(self, *, idle: bool) -> None:
        if not self._pending_blocks:
            return
        if (
            idle
            or self._at_tip()
            or len(self._pending_blocks) >= MAX_STEP_BLOCKS
            or self._outside.now() - self._pending_since >= MAX_STEP_AGE_SECONDS
        ):
            self._flush()

    def _flush(self) -> None:
        """Writes the blocks gathered so far as one step."""
        end = self._writer.end
        if not self._pending_blocks:
            return
        assert end is not None  # step 0 was written before the session
        events = self._pending_events
        # Only boundaries before blocks of this step belong to it.
        here = {block.id for block in self._pending_blocks}
        step = forward_step(
            end,
            blocks=self._pending_blocks,
            parent=self._pending_parent,
            boundaries={block: boundary for block, boundary in self._pending_boundaries.items() if block in here},
            tip=self._tip,
            security_parameter=self._opened.security_parameter,
            events=events,
            retracted=self._reach.retracted,
        )
        self._writer.append(step)
        self._reach.written(step.spine)
        metrics.LAST_STEP.set_to_current_time()
        for placed in events:
            metrics.EVENTS.labels(type(placed.event).__struct_config__.tag).inc()
            if isinstance(placed.event, TransactionQuarantined):
                metrics.QUARANTINED.inc()
                log.error(
                    "transaction_quarantined",
                    transaction=placed.event.transaction,
                    reason=placed.event.reason,
                    block=placed.block.id,
                )
        metrics.BLOCKS.inc(len(self._pending_blocks))
        self._counts["blocks"] += len(self._pending_blocks)
        self._counts["events"] += len(events)
        self._pending_blocks, self._pending_events, self._pending_boundaries = [], [], {}
        self._report()

    def _undo(self, effect: Undo) -> None:
        end = self._writer.end
        assert end is not None
        live = self._reach.live_above(effect.to_height)
        step = rollback_step(
            end,
            to=effect.to,
            to_height=effect.to_height,
            left=effect.left,
            depth_blocks=effect.depth_blocks,
            tip=effect.tip,
            live=live,
        )
        self._writer.append(step)
        metrics.LAST_STEP.set_to_current_time()
        self._reach.written(step.spine, live)
        metrics.ROLLBACKS.inc()
        metrics.ROLLBACK_DEPTH.observe(effect.depth_blocks)
        metrics.RETRACTED.inc(len(live))
        self._counts["rollbacks"] += 1
        log.info(
            "rolled_backward",
            slot=effect.to.slot,
            block=effect.to.id,
            depth_blocks=effect.depth_blocks,
            retracted_events=len(live),
        )
        self._report()

    def _report(self) -> None:
        end = self._writer.end
        assert end is not None
        spine = end.spine
        slot = spine.point.slot if isinstance(spine.point, Point) else 0
        tip = self._tip
        metrics.STEP.set(spine.step)
        metrics.HEIGHT.set(spine.height)
        metrics.SLOT.set(slot)
        metrics.TIP_SLOT.set(tip.slot if isinstance(tip, Tip) else 0)
        metrics.LAG.set(
            max(0.0, self._eras.seconds(tip.slot) - self._eras.seconds(slot)) if isinstance(tip, Tip) else 0
        )
        self._on_progress(
            Progress(
                step=spine.step,
                height=spine.height,
                slot=slot,
                tip_height=tip.height if isinstance(tip, Tip) else 0,
                blocks=self._counts["blocks"],
                events=self._counts["events"],
                rollbacks=self._counts["rollbacks"],
            )
        )


def cursor_of(tail: Tail, opened: Opened) -> Cursor:
    """The cursor that the log's tail holds: its last record is the follower's only memory."""
    reaches_root = opened.since in tail.points
    return Cursor(
        root=opened.since,
        blocks=tuple(reversed(tail.blocks)),
        final_height=tail.end.spine.final_height,
        whole=reaches_root,
    )


def _report_unreadable(block: Block) -> None:
    for index, transaction in enumerate(block.transactions):
        if isinstance(transaction, UnreadableTransaction):
            metrics.UNREADABLE.inc()
            log.error(
                "transaction_unreadable",
                block=block.point.id,
                transaction_index=index,
                length_bytes=len(transaction.raw),
                reason=transaction.reason,
            )
