"""Other clients for Ogmios, reading the same frames the way their own documentation says, 100 requests in flight."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from tests.bench.fed import Feed
from tests.bench.readers import IN_FLIGHT


class Played(Struct, frozen=True):
    """What an opponent read. ``failed`` of its ``frames`` it refused."""

    frames: int
    seconds: float
    failed: int = 0
    why: str = ""

    @property
    def rate(self) -> float:
        """Frames a second, refused ones included: it worked on them as well."""
        return self.frames / self.seconds


class Missing(Exception):
    """An opponent that can't be had here, with the reason."""


def pypi_ogmios(feed: Feed, seconds: float) -> Played:
    """PyPI `ogmios`: synchronous, pydantic models of the answer, a few objects of its own."""
    if find_spec("ogmios") is None:
        raise Missing("not installed: it comes with `--extra devnet` and `--group bench`")
    from ogmios import Client, Origin  # noqa: PLC0415  # slow to import, and an opponent only
    from ogmios.errors import InvalidResponseError  # noqa: PLC0415

    logging.getLogger("ogmios").setLevel(logging.ERROR)
    address = urlsplit(feed.url)
    client = Client(host=address.hostname, port=address.port)
    client.connection.close_timeout = 0.05
    with client:
        client.find_intersection.execute([Origin()])
        client.next_block.execute()  # the roll backward
        for _ in range(IN_FLIGHT):
            client.next_block.send()

        def one() -> None:
            try:
                client.next_block.receive()
            finally:
                client.next_block.send()

        return _played(feed, seconds, one, (InvalidResponseError, ValueError, TypeError, KeyError, AttributeError))


def _played(feed: Feed, seconds: float, one: Callable[[], None], errors: tuple[type[Exception], ...]) -> Played:
    began = time.perf_counter()
    done = failed = 0
    why = ""
    while done < feed.frames and time.perf_counter() - began < seconds:
        try:
            one()
        except errors as error:
            failed += 1
            why = why or _first_line(error)
        done += 1
    return Played(done, time.perf_counter() - began, failed, why)


def pyogmios(feed: Feed, seconds: float) -> Played:
    """`pyogmios`: asynchronous, pydantic models generated from the schema of Ogmios v7."""
    if find_spec("pyogmios") is None:
        raise Missing("not installed: it comes with `--group bench`")
    return asyncio.run(_pyogmios(feed, seconds))


async def _pyogmios(feed: Feed, seconds: float) -> Played:
    from pyogmios import AsyncClient  # noqa: PLC0415
    from pyogmios.errors import OgmiosError  # noqa: PLC0415

    client = AsyncClient(feed.url, check_version="off")
    began = time.perf_counter()
    done = failed = 0
    why = ""
    async with client, client.chain_sync(["origin"], pipeline=IN_FLIGHT) as sync:
        following: Callable[[], Awaitable[Any]] = sync.__anext__
        await following()  # the roll backward
        began = time.perf_counter()
        while done < feed.frames and time.perf_counter() - began < seconds:
            try:
                await following()
            except (OgmiosError, ValueError) as error:
                failed += 1
                why = why or _first_line(error)
            done += 1
        spent = time.perf_counter() - began
    return Played(done, spent, failed, why)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:100]
