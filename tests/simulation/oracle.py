"""The invariants that are checked as each step is written, against a model that knows every block. Costs little."""

from collections import Counter
from typing import assert_never

from indexer.chain import ORIGIN, Point
from indexer.events import event_id, retraction_id
from indexer.log.partition import partition_of
from indexer.log.port import Step
from indexer.log.records import Forward, Opened, Record, Rollback, decode_marker
from tests.simulation.blocks import SimBlock, Tree
from tests.simulation.faults import InvariantBroken


class Live:
    """An event that holds now, and where its record lies."""

    __slots__ = ("partition", "record")

    def __init__(self, partition: int, record: Record) -> None:
        self.partition, self.record = partition, record


class Oracle:
    """What the log must say, step by step. Raises InvariantBroken at the step that says anything else."""

    def __init__(self, tree: Tree, k: int, partitions: int) -> None:
        self._tree, self.k, self.partitions = tree, k, partitions
        self.chain: list[SimBlock] = []  # as the log tells it
        self.live: list[list[Live]] = []  # by height
        self.retractions: Counter[tuple[str, str]] = Counter()  # (fact, block)
        self.last_seqs = [-1] * partitions
        self.steps = 0
        self.final_height = -1
        self.owner = ""  # the process that fenced last
        self.depths: Counter[int] = Counter()
        self.counts: Counter[str] = Counter()

    def observe(self, step: Step, who: str) -> None:
        spine = step.spine
        if self.owner and who != self.owner:
            raise InvariantBroken("I7", f"{who} wrote step {spine.step}, though {self.owner} fenced it off")
        if spine.step != self.steps:
            raise InvariantBroken("I6", f"step {spine.step} was written where {self.steps} comes next")
        self.steps += 1
        match spine:
            case Opened():
                self._sequence(step)
            case Forward():
                self._forward(step, spine)
            case Rollback():
                self._rollback(step, spine)
            case unreachable:
                assert_never(unreachable)
        height = self.chain[-1].entry.height if self.chain else -1
        point: object = self.chain[-1].point if self.chain else ORIGIN
        self.final_height = max(self.final_height, height - self.k)
        if (spine.height, spine.point, spine.final_height) != (height, point, self.final_height):
            raise InvariantBroken(
                "I6", f"step {spine.step} stands at {spine.height}, {spine.point}, final {spine.final_height}; "
                f"the chain at {height}, {point}, final {self.final_height}"
            )  # fmt: skip

    def _sequence(self, step: Step) -> None:
        """I2, and I6 for markers."""
        spine = step.spine
        if len(step.records) != self.partitions or len(step.blobs) != self.partitions:
            raise InvariantBroken("I2", f"step {spine.step} writes to {len(step.records)} partitions")
        raw, body = None, None
        for partition, records in enumerate(step.records):
            seq = self.last_seqs[partition]
            for record in records:
                seq += 1
                if record.seq != seq or record.step != spine.step:
                    raise InvariantBroken(
                        "I2", f"partition {partition}: record {record.seq} of step {record.step} is where {seq} belongs"
                    )
            said = spine.partitions[partition]
            if (said.first_seq, said.last_seq) != (self.last_seqs[partition] + 1, seq) or said.count != len(records):
                raise InvariantBroken("I2", f"partition {partition}: the spine says {said}, the records end with {seq}")
            marker = records[-1] if records else None
            if marker is None or marker.kind != "marker":
                raise InvariantBroken("I6", f"step {spine.step} has no marker in partition {partition}")
            if body is None or marker.body != raw:  # all markers of a step say the same
                raw, body = marker.body, decode_marker(marker.body)
            if (body.step, body.final_height, marker.height) != (spine.step, spine.final_height, spine.height):
                raise InvariantBroken("I6", f"the marker of step {spine.step} in partition {partition} says {body}")
            self.last_seqs[partition] = seq

    def _forward(self, step: Step, spine: Forward) -> None:
        chain = self.chain
        expected: list[list[tuple[str, str, bytes, SimBlock]]] = [[] for _ in range(self.partitions)]
        for entry in spine.blocks:
            block = self._tree.by_id.get(entry.id)
            if block is None or block.entry != entry:
                raise InvariantBroken("I1", f"step {spine.step} holds {entry}, which is no block of any chain")
            if block.parent is not (chain[-1] if chain else None):
                raise InvariantBroken("I1", f"step {spine.step}: {entry} does not follow {chain[-1:]}")
            if block.ours:
                for each in block.facts:
                    expected[partition_of(each.key, self.partitions)].append((each.fact, each.kind, each.body, block))
            chain.append(block)
            self.live.append([])
        self.counts["blocks"] += len(spine.blocks)
        self._sequence(step)
        for partition, (records, wanted) in enumerate(zip(step.records, expected, strict=True)):
            if len(records) - 1 != len(wanted):
                raise InvariantBroken(
                    "I1", f"step {spine.step}, partition {partition}: {len(records) - 1} events, not {len(wanted)}"
                )
            for record, (fact, kind, body, block) in zip(records, wanted, strict=False):
                incarnation = 1 + self.retractions[fact, block.entry.id]
                said = (record.kind, record.fact, record.type, bytes(record.body), record.block, record.incarnation)
                if said != ("event", fact, kind, body, block.entry.id, incarnation):
                    raise InvariantBroken("I1", f"step {spine.step}: {record} where {fact} of {block.entry} belongs")
                if record.id != event_id(fact, block.entry.id, incarnation):
                    raise InvariantBroken("I3", f"step {spine.step}: {record.id} is not the id of its event")
                self.live[block.entry.height].append(Live(partition, record))
                self.counts["events"] += 1

    def _rollback(self, step: Step, spine: Rollback) -> None:
        chain = self.chain
        keep = spine.height + 1
        if not 1 <= keep < len(chain):
            raise InvariantBroken("I4", f"step {spine.step} rolls back to height {spine.height} of {len(chain) - 1}")
        at = chain[keep - 1]
        if spine.point != Point(at.entry.slot, at.entry.id) or spine.left != chain[-1].entry:
            raise InvariantBroken(
                "I4", f"step {spine.step} rolls back from {spine.left} to {spine.point}, not our chain"
            )
        depth = len(chain) - keep
        if spine.depth_blocks != depth or depth > self.k or spine.height < self.final_height:
            raise InvariantBroken("I5", f"step {spine.step}: {spine.depth_blocks} of {depth} blocks undone, k {self.k}")
        self.depths[depth] += 1
        gone: dict[str, Live] = {}
        for height in range(keep, len(chain)):
            for live in self.live[height]:
                gone[live.record.id] = live
        del chain[keep:], self.live[keep:]
        self._sequence(step)
        for partition, records in enumerate(step.records):
            newest: int | None = None
            for record in records[:-1]:
                live_ = gone.pop(record.retracts, None)
                if live_ is None or live_.partition != partition:
                    raise InvariantBroken("I3", f"step {spine.step}: partition {partition} retracts {record.retracts}")
                target = live_.record
                if record.body != target.body or record.id != retraction_id(target.id) or record.kind != "retraction":
                    raise InvariantBroken("I3", f"step {spine.step}: {record} does not retract {target}")
                if newest is not None and target.seq > newest:
                    raise InvariantBroken("I3", f"step {spine.step}: retractions of partition {partition} out of order")
                newest = target.seq
                self.retractions[target.fact, target.block] += 1
                self.counts["retractions"] += 1
        if gone:
            raise InvariantBroken("I4", f"step {spine.step} leaves {len(gone)} events live above {spine.point}")
