"""A server that hands out stored frames as fast as Python can: it counts requests by their bytes and parses none."""

import argparse
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from indexer.ogmios.messages import NEXT_BLOCK

REQUEST_BYTES = len(Frame(Opcode.TEXT, NEXT_BLOCK).serialize(mask=True))


def websocket_frame(message: bytes) -> bytes:
    return Frame(Opcode.TEXT, message).serialize(mask=False)


def serve_client(client: socket.socket, frames: Sequence[bytes], request_bytes: int) -> None:
    """Answers each ``request_bytes`` bytes with the next frame, round and round, until the client goes."""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    protocol = ServerProtocol()
    while not (events := protocol.events_received()):
        protocol.receive_data(client.recv(65536))
    request = events[0]
    assert isinstance(request, Request)
    protocol.send_response(protocol.accept(request))
    client.sendall(b"".join(protocol.data_to_send()))
    doubled = [*frames, *frames]
    count = len(frames)
    owed = at = 0
    while data := client.recv(1 << 20):
        owed += len(data)
        ready, owed = divmod(owed, request_bytes)
        while ready:
            some = min(ready, count, 64)
            client.sendall(b"".join(doubled[at : at + some]))
            at = (at + some) % count
            ready -= some


def listen(frames: Sequence[bytes], request_bytes: int, port: int = 0) -> None:
    """Prints its port, then serves for ever."""
    with socket.create_server(("127.0.0.1", port)) as server:
        print(server.getsockname()[1], flush=True)  # noqa: T201  # how the parent learns it
        while True:
            client, _ = server.accept()
            threading.Thread(target=_quietly, args=(client, frames, request_bytes), daemon=True).start()


def _quietly(client: socket.socket, frames: Sequence[bytes], request_bytes: int) -> None:
    try:
        serve_client(client, frames, request_bytes)
    except (ConnectionResetError, BrokenPipeError):
        pass  # the client has measured enough


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("frames", type=Path, help="one JSON message a line")
    arguments.add_argument("--request-bytes", type=int, default=REQUEST_BYTES)
    chosen = arguments.parse_args()
    listen([websocket_frame(line) for line in chosen.frames.read_bytes().splitlines()], chosen.request_bytes)
