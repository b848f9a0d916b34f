"""Nodes for tests: the devnet's, and one that says exactly what a test tells it to."""

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from indexer.chain import Block, PointOrOrigin
from indexer.protocol.profile import Profile

MAGIC = 42424
K = 20

PROFILE = Profile(
    name="test",
    network="devnet",
    network_magic=MAGIC,
    commitment_policy="c1" * 28,
    commitment_script="c1" * 28,
    reporting_script="a2" * 28,
    passport_policy="b3" * 28,
)


def as_json(point: PointOrOrigin) -> Any:
    return point if isinstance(point, str) else {"slot": point.slot, "id": point.id}


def forward(block: Block, tip: Block, transactions: Sequence[Any] = ()) -> bytes:
    body = {
        "type": "praos",
        "era": "conway",
        "id": block.point.id,
        "ancestor": block.parent,
        "height": block.height,
        "slot": block.point.slot,
        "transactions": list(transactions),
    }
    result = {"direction": "forward", "block": body, "tip": as_json(tip.point) | {"height": tip.height}}
    return json.dumps({"jsonrpc": "2.0", "method": "nextBlock", "result": result, "id": None}).encode()


def backward(point: PointOrOrigin, tip: Block | None) -> bytes:
    said = "origin" if tip is None else as_json(tip.point) | {"height": tip.height}
    result = {"direction": "backward", "point": as_json(point), "tip": said}
    return json.dumps({"jsonrpc": "2.0", "method": "nextBlock", "result": result, "id": None}).encode()


class ScriptedNode:
    """Answers queries truthfully and each nextBlock with the next prepared frame, then waits."""

    def __init__(self, frames: Sequence[bytes], *, magic: int = MAGIC, version: str = "v6.14.0", k: int = K) -> None:
        self.frames = list(frames)
        self.offered: list[Any] = []
        self.requests: list[bytes] = []
        self.version, self.url = version, ""
        self._genesis = {"era": "shelley", "network": "testnet", "networkMagic": magic, "securityParameter": k}

    def health(self) -> dict[str, Any]:
        return {"version": self.version, "connectionStatus": "connected", "network": "devnet"}

    def era(self) -> dict[str, Any]:
        return {
            "start": {"time": {"seconds": 0}, "slot": 0, "epoch": 0},
            "parameters": {"epochLength": 86_400, "slotLength": {"milliseconds": 1000}, "safeZone": 100},
        }

    def page(self, _: ServerConnection, request: Request) -> Response | None:
        if request.path != "/health":
            return None
        body = json.dumps(self.health()).encode()
        return Response(HTTPStatus.OK, "OK", Headers({"Content-Length": str(len(body)), "Connection": "close"}), body)

    def talk(self, peer: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            for message in peer:
                self._answer(peer, json.loads(message), message.encode() if isinstance(message, str) else message)

    def _answer(self, peer: ServerConnection, request: dict[str, Any], raw: bytes) -> None:
        method = request["method"]
        if method == "nextBlock":
            self.requests.append(raw)
            if self.frames:
                peer.send(self.frames.pop(0), text=True)
            return
        results: dict[str, Any] = {
            "queryNetwork/genesisConfiguration": self._genesis,
            "queryNetwork/startTime": "2026-01-01T00:00:00Z",
            "queryLedgerState/eraSummaries": [self.era()],
            "queryNetwork/tip": "origin",
        }
        if method == "findIntersection":
            self.offered.append(request["params"]["points"])
            results[method] = {"intersection": request["params"]["points"][0], "tip": "origin"}
        peer.send(json.dumps({"jsonrpc": "2.0", "result": results[method], "id": None}))


@contextmanager
def scripted(node: ScriptedNode) -> Iterator[str]:
    """Serves a scripted node on a free port of the loopback."""
    with serve(node.talk, "127.0.0.1", 0, process_request=node.page, compression=None) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"ws://127.0.0.1:{running.socket.getsockname()[1]}"
        running.shutdown()
