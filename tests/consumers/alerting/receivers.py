"""Receivers that take what they are sent, and receivers that fail in every way, on sockets of this machine."""

import base64
import hmac
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from msgspec import Struct

SECRET: Final = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


class Request(Struct, frozen=True):
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]

    def verified(self) -> Any:
        """The body, if its signature is good. As docs/alerting.md shows it."""
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        digest = hmac.digest(base64.b64decode(SECRET.removeprefix("whsec_")), signed, "sha256")
        assert hmac.compare_digest(f"v1,{base64.b64encode(digest).decode()}", self.headers["webhook-signature"])
        assert abs(time.time() - int(self.headers["webhook-timestamp"])) < 300
        return json.loads(self.body)


Answer = Callable[[socket.socket, Request], None]
"""Writes whatever it likes to the connection, which is closed afterwards."""


def status(code: int, *headers: str, body: str = "") -> Answer:
    head = "".join(f"{line}\r\n" for line in (f"Content-Length: {len(body)}", "Connection: close", *headers))
    return lambda connection, _: connection.sendall(f"HTTP/1.1 {code} x\r\n{head}\r\n{body}".encode())


def hang(connection: socket.socket, _: Request) -> None:
    """Says nothing until the other side goes away."""
    connection.settimeout(60)
    connection.recv(1)


def drip(connection: socket.socket, _: Request) -> None:
    """A byte now and then: no single read ever times out."""
    for _again in range(600):
        connection.sendall(b"H")
        time.sleep(0.1)


def slow_body(connection: socket.socket, _: Request) -> None:
    """Refuses, and is never done with saying why."""
    connection.sendall(b"HTTP/1.1 500 x\r\nContent-Length: 1000000\r\n\r\n")
    for _again in range(600):
        connection.sendall(b"x")
        time.sleep(0.1)


def half_a_head(connection: socket.socket, _: Request) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")


def half_a_body(connection: socket.socket, _: Request) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")


def huge(connection: socket.socket, _: Request) -> None:
    """A gigabyte of reasons."""
    connection.sendall(b"HTTP/1.1 400 x\r\nContent-Length: 1000000000\r\n\r\n")
    for _again in range(1000):
        connection.sendall(b"y" * 1_000_000)


def garbage(connection: socket.socket, _: Request) -> None:
    connection.sendall(b"\x00\xff not http at all\r\n\r\n")


class Receiver:
    """Answers as it is told; ``answers`` are used up one by one, the last one stays."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.answers: list[Answer] = [status(200)]
        self.closed = False
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://{'localhost' if self._tls else '127.0.0.1'}:{self.port}/hook"

    def close(self) -> None:
        self.closed = True
        # Only this wakes whoever waits in accept().
        try:
            self._listening.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listening.close()

    def _accept(self) -> None:
        while not self.closed:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                if self._tls is None:
                    self._answer(connection)
                else:
                    with self._tls.wrap_socket(connection, server_side=True) as wrapped:
                        self._answer(wrapped)
        except OSError:
            pass  # the other side went away, as some tests want

    def _answer(self, connection: socket.socket) -> None:
        request = _read(connection)
        if request is None:
            return
        self.requests.append(request)
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        answer(connection, request)


def _read(connection: socket.socket) -> Request | None:
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65_536)
        if not part:
            return None
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        part = connection.recv(65_536)
        if not part:
            return None
        body += part
    return Request(first.split(" ")[1], headers, body)


@contextmanager
def receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    made = Receiver(tls)
    try:
        yield made
    finally:
        made.close()
