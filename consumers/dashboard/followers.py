"""What followers say of themselves and their nodes: asked by a thread now and again, so that no page ever waits."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, Self

import httpx
import msgspec
from msgspec import Struct

from indexer.errors import ConfigurationError
from indexer.nodes import FollowerStatus

ASK_SECONDS: Final = 5.0
TIMEOUT_SECONDS: Final = 2.0
MAX_BYTES: Final = 1 << 20


class Said(Struct, frozen=True, kw_only=True):
    """The last that was heard of one follower."""

    url: str
    told: FollowerStatus | None = None  # None: it never answered
    heard_at: datetime | None = None
    trouble: str = ""  # why it does not answer now, in words


def without_addresses(said: Said) -> Said:
    """For those whose affair it is not where nodes are: faults are told in words that may name them."""
    told = said.told
    if told is not None:
        nodes = [msgspec.structs.replace(each, endpoint="", reason="", last_fault="") for each in told.nodes]
        told = msgspec.structs.replace(told, nodes=tuple(nodes))
    trouble = "it does not answer" if said.trouble else ""
    return msgspec.structs.replace(said, url="", told=told, trouble=trouble)


class Followers:
    """The followers at these addresses. ``said`` is never older than a look that is under way, and never waits."""

    def __init__(self, urls: Sequence[str] = (), *, get: Callable[[str], bytes] | None = None) -> None:
        """Raises ConfigurationError for an address that can't be one."""
        for url in urls:
            parts = httpx.URL(url) if url.startswith(("http://", "https://")) else None
            if parts is None or not parts.host or parts.path not in ("", "/"):
                raise ConfigurationError(f"--follower {url[:80]!r} is no address: write http://HOST:PORT of its --http")
        self._get = get or _get
        self._said = {url: Said(url=url, trouble="not asked yet") for url in urls}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="followers", daemon=True)

    def __enter__(self) -> Self:
        if self._said:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()  # whom it waits for just then is not waited for

    @property
    def said(self) -> list[Said]:
        return list(self._said.values())

    def ask(self) -> None:
        """Asks each once."""
        for url, before in self._said.items():
            try:
                status = msgspec.json.decode(self._get(f"{url.rstrip('/')}/nodes"), type=FollowerStatus)
            except (httpx.HTTPError, msgspec.MsgspecError, RecursionError) as error:
                why = f"it does not answer as a follower does: {str(error)[:200] or type(error).__name__}"
                self._said[url] = msgspec.structs.replace(before, trouble=why)
            else:
                self._said[url] = Said(url=url, told=status, heard_at=datetime.now(UTC))

    def _work(self) -> None:
        while not self._stopped.is_set():
            self.ask()
            self._stopped.wait(ASK_SECONDS)


def _get(url: str) -> bytes:
    """The body of an answer. Raises httpx.HTTPError, also where it is too long, or takes too long altogether."""
    deadline = time.monotonic() + 2 * TIMEOUT_SECONDS
    body = b""
    with httpx.stream("GET", url, timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as answer:
        answer.raise_for_status()
        for part in answer.iter_bytes():
            body += part
            if len(body) > MAX_BYTES or time.monotonic() > deadline:
                raise httpx.ReadError(f"{url} answers too much, or too slowly")
    return body
