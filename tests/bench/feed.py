"""A server that hands out chains of stored or made blocks as fast as Python can.

Clients whose requests are the same bytes each time (ours, and all that send no ``id``) are answered by counting bytes:
no request is parsed. A client that numbers its requests gets each one parsed and its ``id`` echoed.
"""

import argparse
import json
import mmap
import socket
import threading
from array import array
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Protocol

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from tests.bench.template import SLOTS_PER_BLOCK, Template, block_id
from tests.indexer.nodes import MAGIC

SECURITY_PARAMETER: Final = 2_160
_CLOSE_BYTES: Final = 8  # header, mask and status of a closing frame
_MADE_AT_ONCE: Final = 64

_ERA: Final = {
    "start": {"time": {"seconds": 0}, "slot": 0, "epoch": 0},
    "parameters": {"epochLength": 86_400, "slotLength": {"milliseconds": 1000}, "safeZone": 100},
}


class Source(Protocol):
    """Where frames come from. Heights count from 0."""

    count: int

    def wire(self, start: int, end: int) -> bytes | memoryview:
        """WebSocket frames of the blocks at these heights, as they go out."""

    def message(self, height: int) -> bytes: ...


class Made:
    """Frames made while they are served: any number of them in no memory."""

    def __init__(self, templates: Sequence[Template], count: int) -> None:
        self._templates, self.count, self.variety = templates, count, len(templates)

    def message(self, height: int) -> bytes:
        return self._templates[height % len(self._templates)].message(height, self.count - 1)

    def wire(self, start: int, end: int) -> bytes | memoryview:
        end = min(end, start + _MADE_AT_ONCE)
        return b"".join(websocket_frame(self.message(height)) for height in range(start, end))


class Stored:
    """The same frames, made before anybody asks. Served without a copy."""

    def __init__(self, source: Made) -> None:
        self._source, self.count = source, source.count
        self._ends = array("Q", [0])
        last = source.count - 1
        # No frame is longer than the one that the same block makes at the chain's end.
        most = max(len(source.wire(height, height + 1)) for height in range(max(0, last - source.variety), last + 1))
        self._bytes = mmap.mmap(-1, most * source.count)  # what stays empty takes no memory
        for height in range(self.count):
            self._ends.append(self._ends[-1] + self._bytes.write(source.wire(height, height + 1)))
        self._view = memoryview(self._bytes)

    def message(self, height: int) -> bytes:
        return self._source.message(height)

    def wire(self, start: int, end: int) -> bytes | memoryview:
        return self._view[self._ends[start] : self._ends[end]]


def websocket_frame(message: bytes) -> bytes:
    """A whole text frame, unmasked as a server's are. RFC 6455 section 5.2."""
    size = len(message)
    if size < 126:
        return bytes((0x81, size)) + message
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2) + message
    return b"\x81\x7f" + size.to_bytes(8) + message


class Client:
    """One connection. Its chain is at height ``_at``."""

    def __init__(self, client: socket.socket, source: Source) -> None:
        self._socket, self._source = client, source
        self._protocol = ServerProtocol()
        self._at = 0
        self._backward = False  # the first answer after an intersection

    def serve(self) -> None:
        """Answers until the client goes."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        protocol = self._protocol
        while not (events := protocol.events_received()):
            protocol.receive_data(self._received())
        request = events[0]
        assert isinstance(request, Request)
        if request.path == "/health":
            body = json.dumps(
                {
                    "version": "v6.14.0 (00000000)",
                    "connectionStatus": "connected",
                    "network": "devnet",
                    "lastTipUpdate": "2026-01-01T00:00:00Z",
                    "networkSynchronization": 1.0,
                }
            )
            answer = protocol.reject(HTTPStatus.OK, body)
            answer.headers["Content-Type"] = "application/json"
            protocol.send_response(answer)
            self._flush()
            return
        protocol.send_response(protocol.accept(request))
        self._flush()
        self._parse()

    def _parse(self) -> None:
        """Reads requests one by one, until one comes that will come again."""
        waiting = b""
        while True:
            waiting += self._received()
            while (size := _frame_size(waiting)) and len(waiting) >= size:
                frame, waiting = waiting[:size], waiting[size:]
                self._protocol.receive_data(frame)
                for event in self._protocol.events_received():
                    assert isinstance(event, Frame)
                    if event.opcode is Opcode.CLOSE:
                        self._flush()
                        return
                    if event.opcode is not Opcode.TEXT:
                        continue
                    request = json.loads(bytes(event.data))
                    if request["method"] == "nextBlock" and request.get("id") is None:
                        self._count(size, size + len(waiting))
                        return
                    self._answer(request)
            self._flush()

    def _count(self, request_bytes: int, owed: int) -> None:
        """Answers each ``request_bytes`` bytes with the next frame, then falls silent as at a tip."""
        source, send = self._source, self._socket.sendall
        while True:
            ready, owed = divmod(owed, request_bytes)
            if ready and self._backward:
                self._backward = False
                ready -= 1
                send(websocket_frame(_backward(source.count - 1)))
            goal = min(self._at + ready, source.count)
            while self._at < goal:
                end = min(goal, self._at + _MADE_AT_ONCE)
                send(source.wire(self._at, end))
                self._at = end
            data = self._received()
            owed += len(data)
            if owed % request_bytes == _CLOSE_BYTES and data[-_CLOSE_BYTES : 2 - _CLOSE_BYTES] == b"\x88\x82":
                return

    def _answer(self, request: dict[str, Any]) -> None:
        name, identity = request["method"], json.dumps(request.get("id")).encode()
        if name == "nextBlock":
            if self._backward:
                self._backward = False
                message = _backward(self._source.count - 1)
            elif self._at < self._source.count:
                message = self._source.message(self._at)
                self._at += 1
            else:
                return
            self._protocol.send_text(message.removesuffix(b"null}") + identity + b"}")
            return
        result: Any
        match name:
            case "findIntersection":
                self._backward = True
                result = {"intersection": "origin", "tip": _tip(self._source.count - 1)}
            case "queryNetwork/genesisConfiguration":
                k = SECURITY_PARAMETER
                result = {"era": "shelley", "network": "testnet", "networkMagic": MAGIC, "securityParameter": k}
            case "queryNetwork/startTime":
                result = "2026-01-01T00:00:00Z"
            case "queryLedgerState/eraSummaries":
                result = [_ERA]
            case _:
                result = "origin"
        answer = {"jsonrpc": "2.0", "method": name, "result": result, "id": request.get("id")}
        self._protocol.send_text(json.dumps(answer).encode())

    def _received(self) -> bytes:
        data = self._socket.recv(1 << 20)
        if not data:
            raise ConnectionResetError
        return data

    def _flush(self) -> None:
        self._socket.sendall(b"".join(self._protocol.data_to_send()))


def _tip(height: int) -> dict[str, Any]:
    return {"slot": height * SLOTS_PER_BLOCK, "id": block_id(height).decode(), "height": height}


def _backward(tip_height: int) -> bytes:
    result = {"direction": "backward", "point": "origin", "tip": _tip(tip_height)}
    return json.dumps({"jsonrpc": "2.0", "method": "nextBlock", "result": result, "id": None}).encode()


def _frame_size(data: bytes) -> int:
    """Length of the masked frame that begins here, head included; 0 while that can't be told."""
    if len(data) < 4:
        return 0
    length = data[1] & 0x7F
    if length == 126:
        return 8 + int.from_bytes(data[2:4])
    assert length < 126, "no request is this long"
    return 6 + length


def listen(source: Source, port: int = 0) -> None:
    """Prints its port, then serves for ever."""
    with socket.create_server(("127.0.0.1", port)) as server:
        print(server.getsockname()[1], flush=True)  # noqa: T201  # how the parent learns it
        while True:
            client, _ = server.accept()
            threading.Thread(target=_quietly, args=(client, source), daemon=True).start()


def _quietly(client: socket.socket, source: Source) -> None:
    with client:
        try:
            Client(client, source).serve()
        except (ConnectionResetError, BrokenPipeError):
            pass  # the client has measured enough


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("blocks", type=Path, help="one block's JSON a line; they follow each other round and round")
    arguments.add_argument("--count", type=int, required=True, help="length of the chain, in blocks")
    arguments.add_argument("--store", action="store_true", help="make all frames before the first request")
    chosen = arguments.parse_args()
    made = Made([Template(line) for line in chosen.blocks.read_bytes().splitlines()], chosen.count)
    listen(Stored(made) if chosen.store else made)
