"""One WebSocket to Ogmios: blocking, text messages in order, nothing lost in silence.

The handshake, pings, closes and fragments are the library `websockets`' own (its protocol without I/O). A whole,
unfragmented text frame, which is what Ogmios sends, takes a short way past it: the library alone reads a fifth of what
the socket can give (docs/decisions/0003).
"""

import socket
import ssl
import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from indexer.errors import Retryable

RECEIVE_BYTES: Final = 4 << 20
"""Room for nearly all of 100 large blocks: what comes together is searched, linked and asked for again together."""

MAX_MESSAGE_BYTES: Final = 64 << 20
"""A block's JSON is some 200 kB, and at most a few MB with inflated metadata. More than this is no block."""

_END_OF_HEAD: Final = b"\r\n\r\n"
_MAX_HEAD_BYTES: Final = 65_536
_WHOLE_TEXT: Final = 0x81  # FIN and opcode 1, no extension bits


class ConnectionLost(Retryable):
    """The connection broke, was closed (with whatever code: a normal one can be a failure too), or fell silent."""


class Connection:
    """A connection to one endpoint. ``receive`` hands out messages in place: they are gone at the next call."""

    def __init__(
        self,
        url: str,
        *,
        connect_timeout_seconds: float = 10.0,
        silence_seconds: float = 120.0,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """Connects. ``silence_seconds``: Ogmios pings every 30 s, so a longer silence means that it is gone.

        Raises ConnectionLost.
        """
        self.url = url
        self._silence_seconds = silence_seconds
        self._max_message_bytes = max_message_bytes
        self._buffer = bytearray(RECEIVE_BYTES)
        self._start = self._end = 0
        self._fragments: list[bytes] = []
        self._fragments_bytes = 0
        self._ended: ConnectionLost | None = None
        uri = parse_uri(url)
        try:
            self._socket = _dial(uri.host, uri.port, secure=uri.secure, timeout_seconds=connect_timeout_seconds)
        except (OSError, ssl.SSLError) as error:
            raise ConnectionLost(f"can't connect to {redacted(url)}: {error}") from error
        self._protocol = ClientProtocol(uri, max_size=max_message_bytes)
        self._last_heard = time.monotonic()
        self._handshake(self._last_heard + connect_timeout_seconds)

    def _handshake(self, deadline: float) -> None:
        """Feeds the library the response's head and nothing after it: what comes with it may be a message already."""
        protocol = self._protocol
        protocol.send_request(protocol.connect())
        self._flush()
        while (end := self._buffer.find(_END_OF_HEAD, 0, self._end)) < 0:
            if time.monotonic() > deadline or self._end > _MAX_HEAD_BYTES:
                self._socket.close()
                raise ConnectionLost(f"{redacted(self.url)} did not finish the WebSocket handshake")
            self._fill(1.0)
        self._start = end + len(_END_OF_HEAD)
        protocol.receive_data(bytes(self._buffer[: self._start]))
        protocol.events_received()
        if protocol.state is not State.OPEN:
            self._socket.close()
            raise ConnectionLost(
                f"{redacted(self.url)} refused the WebSocket handshake: {protocol.handshake_exc}"
            ) from protocol.handshake_exc

    def send(self, message: bytes, *, times: int = 1) -> None:
        """Sends a text message, ``times`` over in one write."""
        self._write(Frame(Opcode.TEXT, message).serialize(mask=True) * times)

    def receive(self, timeout_seconds: float) -> list[tuple[bytearray | bytes, int, int]]:
        """The whole messages that are here, at least one unless the time is over: ``(buffer, start, end)`` each.

        A message is read where it was received; the place is used again by the next call. The time-out is for all of
        it: pings without end, or a message that comes in drops, keep nobody here. Raises ConnectionLost.
        """
        deadline = time.monotonic() + timeout_seconds
        while not (found := self._complete()):
            left = deadline - time.monotonic()
            if left <= 0 or not self._fill(left):
                return []
        return found

    def _complete(self) -> list[tuple[bytearray | bytes, int, int]]:
        """The messages in the buffer. What came before a close is handed out before the close is raised."""
        if self._ended is not None:
            raise self._ended
        found: list[tuple[bytearray | bytes, int, int]] = []
        try:
            found.extend(self._messages())
        except ConnectionLost as error:
            self._ended = error
            if not found:
                raise
        return found

    def _fill(self, timeout_seconds: float) -> bool:
        """Reads once from the socket. False at the time-out."""
        pending = self._end - self._start
        if self._start and (pending == 0 or self._end == len(self._buffer)):
            self._buffer[:pending] = self._buffer[self._start : self._end]
            self._start, self._end = 0, pending
        if self._end == len(self._buffer):
            self._grow()
        self._socket.settimeout(timeout_seconds)
        try:
            with memoryview(self._buffer) as view:
                received = self._socket.recv_into(view[self._end :])
        except (TimeoutError, ssl.SSLWantReadError):
            self._check_silence()
            return False
        except OSError as error:
            raise ConnectionLost(f"the connection to {redacted(self.url)} broke: {error}") from error
        if received == 0:
            raise ConnectionLost(f"{redacted(self.url)} hung up without a closing frame")
        self._end += received
        self._last_heard = time.monotonic()
        return True

    def _grow(self) -> None:
        if len(self._buffer) > self._max_message_bytes:
            raise ConnectionLost(f"{redacted(self.url)} sent a message of more than {self._max_message_bytes} bytes")
        self._buffer = self._buffer + bytearray(len(self._buffer))

    def _messages(self) -> Iterator[tuple[bytearray | bytes, int, int]]:
        """Steps over the complete frames in the buffer. RFC 6455 section 5.2."""
        buffer = self._buffer
        end = self._end
        while end - self._start >= 2:
            start = self._start
            length = buffer[start + 1]
            body = start + 2
            if length == 126:
                if end - start < 4:
                    return
                length = buffer[start + 2] << 8 | buffer[start + 3]
                body = start + 4
            elif length == 127:
                if end - start < 10:
                    return
                length = int.from_bytes(buffer[start + 2 : start + 10])
                body = start + 10
            if length > self._max_message_bytes:
                raise ConnectionLost(f"{redacted(self.url)} announced a message of {length} bytes")
            if body + length > end:
                return
            self._start = body + length
            if buffer[start] == _WHOLE_TEXT and not self._fragments:
                yield buffer, body, body + length
            else:
                yield from self._other_frame(bytes(buffer[start : body + length]))

    def _other_frame(self, frame: bytes) -> Iterator[tuple[bytes, int, int]]:
        for event in self._feed(frame):
            if not isinstance(event, Frame) or event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                continue
            self._fragments.append(bytes(event.data))
            self._fragments_bytes += len(event.data)
            if self._fragments_bytes > self._max_message_bytes:
                raise ConnectionLost(
                    f"{redacted(self.url)} sent a message of more than {self._max_message_bytes} bytes"
                )
            if event.fin:
                whole = b"".join(self._fragments)
                self._fragments, self._fragments_bytes = [], 0
                yield whole, 0, len(whole)

    def _feed(self, data: bytes) -> list[object]:
        """Gives bytes to the library, sends what it answers, and says why where it closes."""
        protocol = self._protocol
        if data:
            protocol.receive_data(data)
        self._flush()
        if protocol.parser_exc is not None:
            raise ConnectionLost(f"{redacted(self.url)} broke the WebSocket protocol: {protocol.parser_exc}")
        if protocol.close_rcvd is not None:
            why = protocol.close_rcvd
            raise ConnectionLost(f"{redacted(self.url)} closed the connection: {why.code} {why.reason}".rstrip())
        return list(protocol.events_received())

    def _check_silence(self) -> None:
        silence = time.monotonic() - self._last_heard
        if silence > self._silence_seconds:
            raise ConnectionLost(f"{redacted(self.url)} has said nothing for {silence:.0f} s")
        if silence > self._silence_seconds / 3:
            self._protocol.send_ping(b"")  # an answer, like any byte, ends the silence
            self._flush()

    def _flush(self) -> None:
        self._write(b"".join(self._protocol.data_to_send()))

    def _write(self, data: bytes) -> None:
        if self._ended is not None:
            raise self._ended
        try:
            self._socket.settimeout(self._silence_seconds)
            self._socket.sendall(data)
        except OSError as error:
            raise ConnectionLost(f"the connection to {redacted(self.url)} broke: {error}") from error

    def close(self) -> None:
        """Says goodbye if it can, and closes."""
        if self._protocol.state is State.OPEN:
            try:
                self._protocol.send_close(1000)
                self._flush()
            except (ConnectionLost, WebSocketException):
                pass  # the far side is gone already
        self._socket.close()


def redacted(url: str) -> str:
    """An address that can be shown: without a password or a query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'wss' else 80)}{parts.path}"


def _dial(host: str, port: int, *, secure: bool, timeout_seconds: float) -> socket.socket:
    connection = socket.create_connection((host, port), timeout_seconds)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not secure:
        return connection
    return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
