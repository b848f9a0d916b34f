"""Nodes that get in the way of following, and what is in the log after them."""

import socket
import time
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from websockets.datastructures import Headers
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from indexer.chain import ORIGIN, Block, PointOrOrigin
from indexer.log.urls import open_log
from tests.indexer.nodes import ScriptedNode, as_json, backward, forward, scripted
from tests.indexer.test_follow import chain as linked
from tests.indexer.test_run import follow, following, last_step, points_in, wait_until


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'events.db'}"


class Fickle(ScriptedNode):
    """Sends some blocks from where it was asked to, in one go, and hangs up right behind them."""

    def __init__(self, blocks: list[Block], at_once: int) -> None:
        super().__init__([])
        self._blocks, self._at_once = blocks, at_once
        self._done = False

    def _answer(self, peer: ServerConnection, request: dict[str, Any], raw: bytes) -> None:
        if request["method"] == "findIntersection":
            self._done = False
        if request["method"] != "nextBlock":
            super()._answer(peer, request, raw)
            return
        if self._done:
            return
        self._done = True
        newest, tip = self.offered[-1][0], self._blocks[-1]
        start = next((i for i, b in enumerate(self._blocks, 1) if as_json(b.point) == newest), 0)
        point: PointOrOrigin = self._blocks[start - 1].point if start else ORIGIN
        frames = [backward(point, tip), *(forward(b, tip) for b in self._blocks[start : start + self._at_once])]
        data = b"".join(Frame(Opcode.TEXT, frame).serialize(mask=False) for frame in frames)
        with suppress(OSError):
            peer.socket.sendall(data + Frame(Opcode.CLOSE, Close(1000, "bye").serialize()).serialize(mask=False))
            peer.socket.shutdown(socket.SHUT_RDWR)


def test_a_node_that_closes_behind_every_few_blocks_is_followed_all_the_same(url: str) -> None:
    blocks = linked(50)
    with scripted(Fickle(blocks, 10)) as node, following(url, node) as seen:
        wait_until(lambda: bool(seen) and seen[-1].height == 49)
    assert points_in(url) == [block.point for block in blocks]


class Forgetful(ScriptedNode):
    """Its era history ends early, and it is away when asked again."""

    def __init__(self, frames: list[bytes]) -> None:
        super().__init__(frames)
        self.asked = 0
        self.well = False

    def page(self, peer: ServerConnection, request: Request) -> Response | None:
        if request.path == "/health":
            self.asked += 1
            if self.asked > 1 and not self.well:
                return Response(HTTPStatus.BAD_GATEWAY, "Bad Gateway", Headers({"Content-Length": "0"}), b"")
        return super().page(peer, request)

    def era(self) -> dict[str, Any]:
        end = {"time": {"seconds": 10}, "slot": 10, "epoch": 0}
        return super().era() | ({} if self.well else {"end": end})


def test_no_block_is_written_without_its_events_when_the_time_can_not_be_told(url: str) -> None:
    """The node went away just when it had to say how late a slot beyond its forecast is."""
    blocks = linked(3)
    mint = {"id": "01" * 32, "spends": "inputs", "inputs": [], "outputs": [], "mint": {"b3" * 28: {"aa": 1}}}
    frames = [backward(ORIGIN, blocks[-1]), *(forward(b, blocks[-1], [mint] if b is blocks[1] else []) for b in blocks)]
    node = Forgetful(list(frames))
    with scripted(node) as endpoint, following(url, endpoint) as seen:
        wait_until(lambda: node.asked > 2)
        assert last_step(url) <= 1
        assert len(points_in(url)) <= 1
        node.frames = list(frames)
        if points_in(url):
            node.frames = [backward(blocks[0].point, blocks[-1]), *frames[2:]]
        node.well = True
        wait_until(lambda: bool(seen) and seen[-1].height == 2)
    log = open_log(url)
    events = [r for p in range(12) for r in log.read(p, 0, 1_000).records if r.kind == "event"]
    log.close()
    assert [(event.type, event.height) for event in events] == [("transaction_quarantined", 1)]


def test_a_node_that_stalled_is_asked_again_although_the_other_is_refused_for_good(url: str) -> None:
    blocks = linked(3)
    good = ScriptedNode([backward(ORIGIN, blocks[-1]), *(forward(b, blocks[-1]) for b in blocks)])
    with scripted(good) as node, scripted(ScriptedNode([], magic=7)) as other, capture_logs() as logs:
        with following(url, node, other, stall_seconds=0.3) as seen:
            wait_until(lambda: sum(entry["event"] == "node_stalled" for entry in logs) >= 2)
            good.frames = [backward(blocks[-1].point, blocks[-1])]
            time.sleep(0.1)
        assert seen[-1].height == 2
    assert points_in(url) == [block.point for block in blocks]


def test_the_message_about_a_node_set_aside_names_it(url: str) -> None:
    with scripted(ScriptedNode([b"not json"])) as node, pytest.raises(Exception, match=node.removeprefix("ws://")):
        follow(url, node)
