"""Simulated nodes, and the transport between them and the follower."""

from collections.abc import Callable
from typing import Final

import msgspec

from indexer.chain import ORIGIN, Tip, TipOrOrigin
from indexer.ogmios.connection import ConnectionLost
from indexer.ogmios.messages import NEXT_BLOCK
from indexer.ogmios.prefilter import Place
from tests.simulation.blocks import SimBlock, Tree, backward_frame, forward_frame, point_json, point_of, tip_json
from tests.simulation.faults import InvariantBroken

BUFFER_BYTES: Final = 1 << 18

GARBAGE: Final = b'{"result":{"direction":"sideways"}}'
FAILED: Final = b'{"jsonrpc":"2.0","error":{"code":-32603,"message":"Internal error."},"id":null}'
"""No answer that any node gives; and one that says, in JSON-RPC's own words, that the node could not answer."""


class SimNode:
    """A node: the chain it holds, and a read pointer for each connection. Blocks stand at the index of their height."""

    def __init__(self, url: str, tree: Tree) -> None:
        self.url, self.tree = url, tree
        self.up = True
        self.late = False  # grows only when it is told to
        self.chain: list[SimBlock] = []
        self.links: list[SimLink] = []
        self._said: SimBlock | None = None
        self._tip_text = b""

    @property
    def tip_block(self) -> SimBlock | None:
        return self.chain[-1] if self.chain else None

    @property
    def tip(self) -> TipOrOrigin:
        block = self.tip_block
        return ORIGIN if block is None else Tip(block.entry.slot, block.entry.id, block.entry.height)

    @property
    def tip_text(self) -> bytes:
        """The tip as JSON: the same in answer after answer."""
        block = self.tip_block
        if self._said is not block or not self._tip_text:
            self._said, self._tip_text = block, tip_json(block)
        return self._tip_text

    def cut(self, keep: int) -> None:
        """Leaves all blocks but the first ``keep``. Read pointers above go back, and say so first of all."""
        del self.chain[keep:]
        for link in self.links:
            if link.position > keep:
                link.position, link.must_roll = keep, True

    def disconnect(self, *, in_flight: bool) -> int:
        """Every connection breaks: with what is on its way still arriving, or without. Returns how many did."""
        for link in self.links:
            link.break_off(in_flight=in_flight)
        broken = len(self.links)
        self.links.clear()
        return broken


class SimLink:
    """A connection: in order, nothing twice (TCP's promise), and read in place as the real one is."""

    def __init__(
        self,
        node: SimNode,
        batch: int,
        begins: Callable[[str], None],
        ends: Callable[[str], None],
        before_receive: Callable[["SimLink", float], None],
    ) -> None:
        self.node, self.batch = node, batch
        self._begins, self._ends, self._before_receive = begins, ends, before_receive
        self.position = 0  # blocks of the node's chain that were sent; the read pointer
        self.must_roll = False
        self.broken = self.closed = self.frozen = False
        self.instead = b""  # comes once, in place of an answer
        self.held_back = 0  # so often nothing arrives, though answers are on their way
        self.lie = ""
        self.k = 0
        self._requests = 0
        self._answers: list[bytes] = []
        self._buffer = bytearray(BUFFER_BYTES)
        self._used = 0
        node.links.append(self)

    def send(self, message: bytes, *, times: int = 1) -> None:
        self._require_open()
        self._begins("send")
        if self.broken:
            raise ConnectionLost(f"the connection to {self.node.url} broke")
        if message == NEXT_BLOCK:
            self._requests += times
        else:
            request = msgspec.json.decode(message)
            if request["method"] != "findIntersection":
                raise InvariantBroken("protocol", f"the follower asked for {request['method']}")
            self._answers.append(self._intersect(request["params"]["points"]))
        self._ends("send")

    def receive(self, timeout_seconds: float) -> list[Place]:
        self._require_open()
        self._buffer[: self._used] = bytes(self._used)  # what was handed out before is gone
        self._used = 0
        self._before_receive(self, timeout_seconds)
        found = self._fill()
        if self.broken and not found:
            raise ConnectionLost(f"{self.node.url} closed the connection: 1000")
        self._ends("receive")
        return found

    def break_off(self, *, in_flight: bool) -> None:
        """Nothing more comes but what is on its way: answers of before, whatever the node does meanwhile."""
        rest: list[bytes] = []
        while in_flight and not self.frozen and len(rest) < self.batch and (frame := self._next()) is not None:
            rest.append(frame)
        self.broken, self._answers, self._requests, self.frozen = True, rest, 0, False

    def waiting(self) -> bool:
        """Whether there is anything to hand out."""
        if self.frozen or self.held_back:
            return False
        return bool(self._answers) or (self._requests > 0 and (self.must_roll or self.position < len(self.node.chain)))

    def close(self) -> None:
        self.closed = True
        if self in self.node.links:
            self.node.links.remove(self)

    def _require_open(self) -> None:
        if self.closed:
            raise InvariantBroken("protocol", "answers of a connection that was closed are read")

    def _fill(self) -> list[Place]:
        found: list[Place] = []
        if self.held_back and not self.broken:
            # What the node says meanwhile arrives later, all together and in its order.
            while len(self._answers) < self.batch and (frame := self._produced()) is not None:
                self._answers.append(frame)
            self.held_back -= 1
            return found
        buffer, used = self._buffer, 0
        while not self.frozen and len(found) < self.batch:
            frame = self._next()
            if frame is None:
                break
            end = used + len(frame)
            if end > BUFFER_BYTES:
                self._answers.insert(0, frame)
                break
            buffer[used:end] = frame
            found.append((buffer, used, end))
            used = end
        self._used = used
        return found

    def _next(self) -> bytes | None:
        frame = self._answers.pop(0) if self._answers else self._produced()
        if self.instead and frame is not None:
            frame, self.instead = self.instead, b""
        return frame

    def _produced(self) -> bytes | None:
        """The node's answer to the next request."""
        if not self._requests or self.broken:
            return None
        node = self.node
        if self.lie == "deep" and not self.must_roll and self.position >= self.k + 2:
            # One block deeper than a node may ever go.
            self._requests, self.lie = self._requests - 1, ""
            return backward_frame(node.chain[self.position - self.k - 2].point, node.tip_text)
        if self.must_roll:
            self._requests, self.must_roll = self._requests - 1, False
            at = node.chain[self.position - 1] if self.position else None
            return backward_frame(point_of(at), node.tip_text)
        if self.position >= len(node.chain):
            return None
        self._requests -= 1
        return self._forward()

    def _forward(self) -> bytes:
        node = self.node
        block = node.chain[self.position]
        if self.lie == "gap" and self.position + 1 < len(node.chain):
            self.position += 1
            block, self.lie = node.chain[self.position], ""
        said = block.json()
        if self.lie == "height":
            said = said.replace(b'"height":%d,' % block.entry.height, b'"height":%d,' % (block.entry.height + 1), 1)
            self.lie = ""
        if self.lie == "slot" and block.parent is not None:
            said = said.replace(b'"slot":%d,' % block.entry.slot, b'"slot":%d,' % block.parent.entry.slot, 1)
            self.lie = ""
        self.position += 1
        return forward_frame(said, node.tip_text)

    def _intersect(self, points: list[dict[str, object] | str]) -> bytes:
        chain = self.node.chain
        tip = self.node.tip_text
        for point in points:
            if isinstance(point, str):
                self.position, self.must_roll = 0, True
                return b'{"result":{"intersection":"origin","tip":%s}}' % tip
            block = self.node.tree.by_id.get(str(point["id"]))
            at = block.entry.height if block else len(chain)
            if at < len(chain) and chain[at] is block and block.entry.slot == point["slot"]:
                self.position, self.must_roll = at + 1, True
                return b'{"result":{"intersection":%s,"tip":%s}}' % (point_json(chain[at].point), tip)
        return b'{"error":{"code":1000,"message":"No intersection found.","data":{"tip":%s}}}' % tip
