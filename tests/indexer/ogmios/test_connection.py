import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.sync.server import ServerConnection, serve

from indexer.ogmios.connection import Connection, ConnectionLost, redacted

Script = Callable[[ServerConnection], None]


@contextmanager
def server(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A WebSocket server of the library's that runs ``script`` with each client."""

    def handler(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            script(connection)

    with serve(handler, "127.0.0.1", 0, compression=None, max_size=None, ssl=tls) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        scheme = "wss" if tls else "ws"
        yield f"{scheme}://127.0.0.1:{running.socket.getsockname()[1]}"
        running.shutdown()


def messages(connection: Connection, count: int) -> list[bytes]:
    found: list[bytes] = []
    deadline = time.monotonic() + 20
    while len(found) < count:
        assert time.monotonic() < deadline
        found += [bytes(buffer[start:end]) for buffer, start, end in connection.receive(1.0)]
    return found


@contextmanager
def connected(script: Script, **settings: float) -> Iterator[Connection]:
    with server(script) as url:
        connection = Connection(url, **settings)  # type: ignore[arg-type]  # numbers all
        try:
            yield connection
        finally:
            connection.close()


def test_messages_arrive_whole_and_in_order_whatever_their_size() -> None:
    sent = [b"x" * size for size in (0, 1, 125, 126, 65_535, 65_536, 300_000, 3_000_000, 5)]

    def script(peer: ServerConnection) -> None:
        for each in sent:
            peer.send(each, text=True)
        peer.recv()

    with connected(script) as connection:
        assert messages(connection, len(sent)) == sent


def test_requests_sent_together_arrive_apart() -> None:
    def script(peer: ServerConnection) -> None:
        for _ in range(3):
            peer.send(b"got " + peer.recv(decode=False), text=True)
        peer.recv()

    with connected(script) as connection:
        connection.send(b"next", times=3)
        assert messages(connection, 3) == [b"got next"] * 3


def test_a_large_request_is_framed_as_the_standard_says() -> None:
    def script(peer: ServerConnection) -> None:
        peer.send(str(len(peer.recv(decode=False))).encode(), text=True)
        peer.send(str(len(peer.recv(decode=False))).encode(), text=True)
        peer.recv()

    with connected(script) as connection:
        connection.send(b"a" * 70_000)
        connection.send(b"a" * 200)
        assert messages(connection, 2) == [b"70000", b"200"]


def test_fragments_and_pings_between_messages_are_handled() -> None:
    def script(peer: ServerConnection) -> None:
        peer.send(b"first", text=True)
        waiting = peer.ping()
        peer.send(iter([b"in ", b"three ", b"pieces"]), text=True)
        peer.send(b"last", text=True)
        assert waiting.wait(10)
        peer.send(b"pong came", text=True)
        peer.recv()

    with connected(script) as connection:
        assert messages(connection, 4) == [b"first", b"in three pieces", b"last", b"pong came"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, ""),
        (1011, '{"error":{"code":-32000,"message":"Connection with the node lost or failed."}}'),
        (1001, "bye"),
    ],
)
def test_any_close_is_a_failure_that_names_its_reason(code: int, reason: str) -> None:
    def script(peer: ServerConnection) -> None:
        peer.close(code, reason)

    with connected(script) as connection, pytest.raises(ConnectionLost) as lost:
        messages(connection, 1)
    assert str(code) in str(lost.value)
    assert reason in str(lost.value)


def test_what_came_before_a_close_is_handed_out_first() -> None:
    def script(peer: ServerConnection) -> None:
        peer.send(b"last words", text=True)
        peer.close(1011, "gone")

    with connected(script) as connection:
        assert messages(connection, 1) == [b"last words"]
        with pytest.raises(ConnectionLost, match="gone"):
            messages(connection, 1)


def test_pings_without_end_keep_nobody_waiting_beyond_the_time_out() -> None:
    ended = threading.Event()

    def script(peer: ServerConnection) -> None:
        while not ended.wait(0.02):
            peer.ping()

    with connected(script) as connection:
        began = time.monotonic()
        assert connection.receive(0.3) == []
        assert time.monotonic() - began < 5
        ended.set()


def test_a_message_that_comes_in_drops_is_put_together_over_several_calls() -> None:
    whole = Frame(Opcode.TEXT, b"drop by drop").serialize(mask=False)

    def script(peer: ServerConnection) -> None:
        for byte in whole:
            peer.socket.sendall(bytes([byte]))
            time.sleep(0.05)
        peer.recv()

    with connected(script) as connection:
        assert connection.receive(0.1) == []
        assert messages(connection, 1) == [b"drop by drop"]


def test_a_connection_cut_off_is_a_failure() -> None:
    def script(peer: ServerConnection) -> None:
        peer.send(b"one", text=True)
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        peer.socket.close()

    with connected(script) as connection, pytest.raises(ConnectionLost):
        messages(connection, 2)


def test_a_server_that_falls_silent_is_a_failure_and_one_that_answers_pings_is_not() -> None:
    done = threading.Event()

    def script(peer: ServerConnection) -> None:
        time.sleep(1.2)  # the library answers pings meanwhile
        peer.send(b"still here", text=True)
        peer.recv()

    with connected(script, silence_seconds=0.6) as connection:
        found: list[bytes] = []
        while not found:
            found = [bytes(b[s:e]) for b, s, e in connection.receive(0.1)]
        assert found == [b"still here"]

    def mute() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ports.append(listener.getsockname()[1])
            ready.set()
            peer, _ = listener.accept()
            protocol = ServerProtocol()
            while not (events := protocol.events_received()):
                protocol.receive_data(peer.recv(65536))
            assert isinstance(events[0], Request)
            protocol.send_response(protocol.accept(events[0]))
            peer.sendall(b"".join(protocol.data_to_send()))
            done.wait(10)
            peer.close()

    ports: list[int] = []
    ready = threading.Event()
    threading.Thread(target=mute, daemon=True).start()
    ready.wait(5)
    connection = Connection(f"ws://127.0.0.1:{ports[0]}", silence_seconds=0.6)
    with pytest.raises(ConnectionLost, match="said nothing"):
        messages(connection, 1)
    done.set()
    connection.close()


def test_a_message_over_the_limit_is_refused_before_it_fills_memory() -> None:
    def script(peer: ServerConnection) -> None:
        peer.send(b"x" * 2_000_000, text=True)
        peer.recv()

    with connected(script, max_message_bytes=1_500_000) as connection, pytest.raises(ConnectionLost, match="2000000"):
        messages(connection, 1)


def test_fragments_over_the_limit_are_refused_too() -> None:
    def script(peer: ServerConnection) -> None:
        peer.send((b"x" * 100_000 for _ in range(100)), text=True)
        peer.recv()

    with connected(script, max_message_bytes=1_500_000) as connection, pytest.raises(ConnectionLost):
        messages(connection, 1)


def test_nobody_listening_is_a_failure_that_another_try_may_mend() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionLost, match="can't connect"):
        Connection(f"ws://127.0.0.1:{port}")


def test_a_server_that_is_no_websocket_is_refused() -> None:
    def answer_like_a_web_page(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        peer.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer_like_a_web_page, args=(listener,), daemon=True).start()
        with pytest.raises(ConnectionLost, match="handshake"):
            Connection(f"ws://127.0.0.1:{listener.getsockname()[1]}")


def test_a_certificate_that_nobody_signed_is_refused_and_a_known_one_accepted(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)

    def script(peer: ServerConnection) -> None:
        peer.send(b"secret" * 100_000, text=True)
        peer.recv()

    with server(script, context) as url:
        with pytest.raises(ConnectionLost, match="certificate"):
            Connection(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        connection = Connection(url.replace("127.0.0.1", "localhost"))
        assert messages(connection, 1) == [b"secret" * 100_000]
        connection.close()


def test_passwords_in_addresses_are_not_shown() -> None:
    assert redacted("wss://user:secret@node.example/path?token=1") == "wss://node.example:443/path"


def test_what_comes_together_with_the_handshake_is_not_lost() -> None:
    """Found by a test under load: the server's first message shared a packet with its response."""

    def answer_in_one_packet(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        protocol = ServerProtocol()
        while not (events := protocol.events_received()):
            protocol.receive_data(peer.recv(65536))
        assert isinstance(events[0], Request)
        protocol.send_response(protocol.accept(events[0]))
        protocol.send_text(b"at once")
        protocol.send_text(b"and again")
        peer.sendall(b"".join(protocol.data_to_send()))
        with peer:
            peer.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer_in_one_packet, args=(listener,), daemon=True).start()
        connection = Connection(f"ws://127.0.0.1:{listener.getsockname()[1]}")
        assert messages(connection, 2) == [b"at once", b"and again"]
        connection.close()
