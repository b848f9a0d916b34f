"""The node's door: a WebSocket server that speaks Ogmios' protocol, and its health and metrics pages.

As Ogmios, it has no password and no TLS, and it obeys ``devnet/fork`` from anyone: it listens on the loopback only,
unless told otherwise. ``POST /`` (stateless calls over HTTP) isn't here.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, assert_never

import msgspec
import structlog
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from deploy.devnet.chain import Chain
from deploy.devnet.misbehaviour import Conduct, Misbehaviour, Mischief
from deploy.devnet.network import Network
from deploy.devnet.queries import Traffic, health, metrics
from deploy.devnet.rpc import Dialect, encode
from deploy.devnet.session import Desk, Session
from indexer.errors import ConfigurationError

_MAX_REQUEST_BYTES: Final = 16 << 20
_REQUEST_QUEUE: Final = 4_096
_WRITE_BYTES: Final = 4 << 20


log = structlog.get_logger(component="devnet")


class Node:
    """A chain behind a port. Lives in one event loop; ``stop`` may be called from any thread."""

    def __init__(
        self,
        chain: Chain,
        *,
        host: str = "127.0.0.1",
        port: int = 1337,
        strict_rpc: bool = False,
        desk: Desk | None = None,
    ) -> None:
        self.chain = chain
        self.host = host
        self.port = port
        self._dialect = Dialect(chain.ogmios_version, strict_rpc)
        self._traffic = Traffic(datetime.now(UTC))
        self._sessions: set[Session] = set()
        self._conduct = Conduct()
        self._desk = desk
        self._impostor: Chain | None = None
        self._monsters = 0
        self._closing: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._told = False

    @property
    def url(self) -> str:
        return f"ws://{self.host}:{self.port}"

    async def run(self, ready: threading.Event | None = None) -> None:
        """Serves until ``stop``. Raises ConfigurationError where the port can't be had."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        unwatch = self.chain.watch(self._chain_changed)
        try:
            server = await serve_websocket(
                self._connected,
                self.host,
                self.port,
                process_request=self._page,
                compression=None,
                max_size=_MAX_REQUEST_BYTES,
                max_queue=_REQUEST_QUEUE,
                write_limit=_WRITE_BYTES,
                ping_interval=30,
                ping_timeout=90,
                close_timeout=1,
            )
        except OSError as error:
            unwatch()
            raise ConfigurationError(f"can't listen on {self.host}:{self.port}: {error.strerror or error}") from error
        try:
            async with server:
                self.port = next(iter(server.sockets)).getsockname()[1]
                if ready is not None:
                    ready.set()
                await self._stop.wait()
        finally:
            unwatch()

    def stop(self) -> None:
        """Ends ``run`` and closes every connection."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)

    def disconnect(self, *, code: int = 1011, reason: str = "") -> None:
        """Closes every connection, as a node does that lost its own; the server goes on."""
        assert self._loop is not None
        for session in tuple(self._sessions):
            asyncio.run_coroutine_threadsafe(session.close(code, reason), self._loop)

    async def _connected(self, connection: ServerConnection) -> None:
        session = Session(
            self._shown(),
            self._dialect,
            connection,
            self._traffic,
            conduct=self._conduct,
            misbehave=self.misbehave,
            desk=self._desk,
        )
        self._sessions.add(session)
        self._traffic.total_connections += 1
        self._traffic.active_connections += 1
        answering = asyncio.create_task(session.answer())
        try:
            with suppress(ConnectionClosed):
                await session.listen()
        finally:
            self._sessions.discard(session)
            self._traffic.active_connections -= 1
            answering.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosed):
                await answering

    def misbehave(self, wanted: Misbehaviour) -> dict[str, object]:
        """Does one thing wrong, for its time. In the node's own loop only; ``misbehave_soon`` is for other threads.

        Returns what was done. Raises ConfigurationError where the chain is too short for it.
        """
        chain, conduct, done = self.chain, self._conduct, msgspec.structs.asdict(wanted)
        match wanted.kind:
            case "fork":
                return done | msgspec.to_builtins(chain.fork(wanted.blocks))  # type: ignore[no-any-return]
            case "flip":
                fork = chain.fork(wanted.blocks)
                self._later(wanted.seconds, chain.restore)
                return done | msgspec.to_builtins(fork)  # type: ignore[no-any-return]
            case "behind":
                self._for_a_while(wanted, "behind_blocks", wanted.blocks, 0)
                self._close_all(wanted)
            case "tip-back":
                self._for_a_while(wanted, "tip_back_blocks", wanted.blocks, 0)
            case "drop":
                self._close_all(wanted)
            case "stall":
                conduct.moving.clear()
                self._later(wanted.seconds, conduct.moving.set)
            case "slow":
                self._for_a_while(wanted, "slow", True, False)
            case "double":
                conduct.doubled_answers = wanted.blocks
            case "huge" | "poison":
                from deploy.devnet.monsters import huge, poison  # noqa: PLC0415 needs the extra `devnet`

                self._monsters += 1
                size = round(wanted.megabytes * (1 << 20))
                monster = poison(self._monsters) if wanted.kind == "poison" else huge(self._monsters, size)
                return done | {"block": chain.grow_with([monster]).id, "transaction": monster.id}
            case "other-network":
                self._for_a_while(wanted, "elsewhere", True, False)
                self._close_all(wanted)
            case unreachable:
                assert_never(unreachable)
        return done

    def misbehave_soon(self, wanted: Misbehaviour) -> dict[str, object]:
        """``misbehave`` from any thread."""
        assert self._loop is not None

        async def do() -> dict[str, object]:
            return self.misbehave(wanted)

        return asyncio.run_coroutine_threadsafe(do(), self._loop).result()

    def misbehave_often(self, mischief: Mischief, seconds: float) -> None:
        """One thing after the other, so many seconds apart, until the node stops. From any thread."""
        assert self._loop is not None

        def again() -> None:
            wanted = mischief.next()
            with suppress(ConfigurationError):  # the chain is too short for it
                log.info("misbehaved", kind=wanted.kind, blocks=wanted.blocks, seconds=wanted.seconds)
                self.misbehave(wanted)
            self._later(seconds, again)

        self._loop.call_soon_threadsafe(again)

    def _for_a_while(self, wanted: Misbehaviour, name: str, value: object, after: object) -> None:
        setattr(self._conduct, name, value)

        def end() -> None:
            setattr(self._conduct, name, after)
            if name == "elsewhere":
                self._close_all(wanted)
            self._tell()

        self._later(wanted.seconds, end)

    def _later(self, seconds: float, do: Callable[[], object]) -> None:
        def unless_impossible() -> None:
            # A fork on command may have come between: then there is nothing to go back to.
            with suppress(ConfigurationError):
                do()

        assert self._loop is not None
        self._loop.call_later(seconds, unless_impossible)

    def _close_all(self, wanted: Misbehaviour) -> None:
        assert self._loop is not None
        for session in tuple(self._sessions):
            task = self._loop.create_task(session.close(wanted.code, wanted.reason))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _shown(self) -> Chain:
        """The chain that answers now: ours, or that of the other network that took our address."""
        if not self._conduct.elsewhere:
            return self.chain
        if self._impostor is None:
            self._impostor = Chain(Network(name="elsewhere", magic=self.chain.network.magic + 1), seed=666)
            self._impostor.grow(50)
        return self._impostor

    def _chain_changed(self) -> None:
        # A chain that grows by thousands of blocks must not fill the loop with as many calls.
        if not self._told and self._loop is not None:
            self._told = True
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._told = False
        self._traffic.last_tip_update = datetime.now(UTC)
        for session in self._sessions:
            session.chain_changed()

    def _page(self, connection: ServerConnection, request: Request) -> Response | None:
        del connection
        chain = self._shown()
        match request.path.partition("?")[0]:
            case "/health":
                value = health(
                    chain.network, chain.ogmios_version, chain.tip, self._traffic, synchronized=chain.complete
                )
                status = HTTPStatus.OK if chain.complete else HTTPStatus.ACCEPTED
                return _response(status, "application/json;charset=utf-8", encode(value))
            case "/metrics":
                text = metrics(chain.network, chain.tip, self._traffic, synchronized=chain.complete)
                return _response(HTTPStatus.OK, "text/plain; version=0.0.4", text.encode())
            case "/":
                return None
            case _:
                return _response(HTTPStatus.NOT_FOUND, "text/plain", b"Not found.\n")


def _response(status: HTTPStatus, kind: str, body: bytes) -> Response:
    headers = Headers({"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"})
    headers["Access-Control-Allow-Origin"] = "*"
    return Response(status.value, status.phrase, headers, body)


@contextmanager
def serve(
    chain: Chain, *, host: str = "127.0.0.1", port: int = 0, strict_rpc: bool = False, desk: Desk | None = None
) -> Iterator[Node]:
    """A node in a thread of this process, for tests and the demo; port 0 takes a free one (``node.url`` tells it)."""
    node = Node(chain, host=host, port=port, strict_rpc=strict_rpc, desk=desk)
    ready = threading.Event()
    failed: list[ConfigurationError] = []

    def work() -> None:
        try:
            asyncio.run(node.run(ready))
        except ConfigurationError as error:
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=work, name="devnet", daemon=True)
    thread.start()
    ready.wait()
    if failed:
        raise failed[0]
    try:
        yield node
    finally:
        node.stop()
        thread.join()
