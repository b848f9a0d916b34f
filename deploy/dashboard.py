"""The dashboard as a server: its parts put together, its address guarded, and stopped with its process."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import structlog
import uvicorn
from msgspec import Struct

from consumers.dashboard import vendor
from consumers.dashboard.app import make_app
from consumers.dashboard.assets import Assets
from consumers.dashboard.door import LOCAL_NAMES, Proxy, is_loopback
from consumers.dashboard.feed import Feed
from consumers.dashboard.followers import Followers
from consumers.dashboard.freshness import STALE_SECONDS
from consumers.dashboard.gate import Rules
from consumers.dashboard.layout import Layout
from consumers.dashboard.people import Person, TokenFile
from consumers.dashboard.server import Parts
from consumers.dashboard.sessions import Sessions
from consumers.dashboard.tables import Tables, reader_connection
from indexer.errors import ConfigurationError
from projections.database import SCHEMA, connect
from projections.migrate import migrate
from projections.roles import has_roles, make_roles

log = structlog.get_logger(component="serve")

TOKENS: Final = "tokens.json"
"""Below the data directory."""

DEFAULT_ADDRESS: Final = "127.0.0.1:8600"
LOCAL: Final = Person(
    name="local", role="admin", profile="auditor", legal_basis="operation of this machine", by="loopback"
)
GOODBYE_SECONDS: Final = 2


class ServeOptions(Struct, frozen=True, kw_only=True):
    """How the dashboard is served."""

    host: str
    port: int
    token_file: Path
    require_login: bool = False  # on loopback too
    proxy: Proxy | None = None
    host_names: tuple[str, ...] = ()
    https: bool = False
    stale_seconds: float = STALE_SECONDS
    connections: int = 8
    statement_seconds: float = 5.0
    followers: tuple[str, ...] = ()  # http://HOST:PORT of each, who tells of its nodes there


def read_address(text: str) -> tuple[str, int]:
    """HOST:PORT. Raises ConfigurationError."""
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > 65_535:
        raise ConfigurationError(f"{text!r} is not HOST:PORT, such as {DEFAULT_ADDRESS}")
    return host.strip("[]"), int(port)


def rules_of(options: ServeOptions) -> Rules:
    """How strict the gate must be there. Raises ConfigurationError where everybody could come in."""
    local = is_loopback(options.host)
    closed = options.require_login or options.proxy is not None or not local
    if closed and options.proxy is None and not TokenFile(options.token_file).tokens():
        where = f"{options.host} can be reached from other machines" if not local else "--require-login asks who comes"
        raise ConfigurationError(
            f"{where}, and nobody has a token: make one with `cellwitness token new`, or name a proxy that logs people "
            "in with --trust-proxy"
        )
    return Rules(
        open=None if closed else LOCAL,
        proxy=options.proxy,
        # Whoever shows who he is can't be a page that fooled a browser about our name.
        hosts=(*LOCAL_NAMES, *options.host_names) if local or options.host_names else (),
        https=options.https,
    )


def prepare_tables(url: str) -> None:
    """What an embedded server needs before a reader can ask: the tables, and the roles. Raises SchemaMismatch."""
    with contextlib.closing(connect(url)) as connection:
        migrate(connection)
        if not has_roles(connection, SCHEMA):  # what they may is granted with each migration: once is enough
            make_roles(connection)


def fetch_assets() -> None:
    """Brings what browsers load and nobody committed. Without a network pages work, and do not move."""
    if not vendor.missing():
        return
    try:
        vendor.fetch()
    except vendor.AssetsUnavailable as error:
        log.warning("assets_unavailable", reason=str(error), effect="pages are neither live nor have charts that zoom")


@contextmanager
def parts_of(url: Callable[[], str], options: ServeOptions, fork: Callable[[], Any] | None = None) -> Iterator[Parts]:
    """The parts of a dashboard over a database. Raises what can't be mended by waiting."""
    fetch_assets()
    assets = Assets()
    with Tables(url, connections=options.connections, statement_seconds=options.statement_seconds) as tables:
        yield Parts(
            tables=tables,
            feed=Feed(lambda: reader_connection(url()), stale_seconds=options.stale_seconds),
            layout=Layout(assets),
            assets=assets,
            tokens=TokenFile(options.token_file),
            sessions=Sessions(tables.doorkeeping),
            followers=Followers(options.followers),
            fork=fork,
        )


class _Server(uvicorn.Server):
    """Ends its streams of events before it waits for its connections to end."""

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        super().__init__(config)
        self._feed = feed

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._feed.end()
        await super().shutdown(sockets)


class Server:
    """A dashboard that listens. ``run`` serves until ``stop``; ``start`` does it in a thread."""

    def __init__(self, parts: Parts, options: ServeOptions) -> None:
        self._socket = _listen(options.host, options.port)
        host, port = self._socket.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url: Final = f"http://{shown}:{port}"
        config = uvicorn.Config(
            make_app(parts, rules_of(options)),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # whom a proxy speaks for is the gate's business
            lifespan="on",
            timeout_graceful_shutdown=GOODBYE_SECONDS,
            h11_max_incomplete_event_size=32_768,
        )
        self._server = _Server(config, parts.feed)
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def start(self) -> None:
        """Returns at once: the socket listens already, and whoever asks too early waits a moment."""
        self._thread = threading.Thread(target=self.run, name="dashboard")
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()


def free_port(host: str) -> int:
    """One that nobody has at this moment."""
    with _listen(host, 0) as listener:
        port: int = listener.getsockname()[1]
        return port


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol: asyncio switches Nagle off for those only, and each answer would wait 40 ms for the reader.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"can't listen on {host}:{port}: {error.strerror}; name another with --address"
        ) from error
    listener.listen(1024)
    return listener
