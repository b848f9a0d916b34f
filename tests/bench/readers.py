"""Ways to read a feed, each as fast as it can: ours, step by step, and the bare library that ours is built on."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

from indexer.chain import ORIGIN
from indexer.decode import decode
from indexer.follow import Append, Cursor, follow
from indexer.ogmios.connection import Connection
from indexer.ogmios.messages import NEXT_BLOCK
from indexer.ogmios.prefilter import Concerns, make_prefilter, read_all
from indexer.protocol.profile import Profile, needles
from tests.bench.fed import Feed
from tests.bench.feed import SECURITY_PARAMETER

IN_FLIGHT: Final = 100
SILENCE_SECONDS: Final = 20.0


class Read(Struct, frozen=True):
    """What one measurement read."""

    frames: int
    seconds: float
    events: int = 0

    @property
    def rate(self) -> float:
        """Frames a second."""
        return self.frames / self.seconds


Reader = Callable[[Feed, float], Read]
"""Reads a feed until its end, or until about so many seconds are over."""


def follow_and_decode(profiles: Sequence[Profile], *, prefilter: bool) -> Reader:
    """All that the follower does with a frame, except writing: read, link to the chain, decode. No intersection."""

    def read(feed: Feed, seconds: float) -> Read:
        return _follow(feed, seconds, profiles, make_prefilter(_patterns(profiles)) if prefilter else _whole)

    return read


def _patterns(profiles: Sequence[Profile]) -> list[bytes]:
    return [needle for profile in profiles for needle in needles(profile)]


def _whole(buffer: bytearray | bytes, start: int, end: int) -> bool:
    del buffer, start, end
    return True


def _follow(feed: Feed, seconds: float, profiles: Sequence[Profile], concerns: Concerns) -> Read:
    cursor = Cursor(root=ORIGIN)
    events = 0
    connection = Connection(feed.url)
    connection.send(NEXT_BLOCK, times=IN_FLIGHT)
    began = time.perf_counter()
    done = 0
    while done < feed.frames and time.perf_counter() - began < seconds:
        received = connection.receive(SILENCE_SECONDS)
        connection.send(NEXT_BLOCK, times=len(received))
        cursor, effects = follow(cursor, read_all(received, concerns), SECURITY_PARAMETER)
        for effect in effects:
            assert isinstance(effect, Append)
            for block in effect.blocks:
                if block.transactions:
                    events += len(decode(block, profiles))
        done += len(received)
    spent = time.perf_counter() - began
    assert cursor.height == done - 1
    connection.close()
    return Read(done, spent, events)


def undecoded(feed: Feed, seconds: float) -> Read:
    """Our connection alone: the limit of whatever is built on it."""
    connection = Connection(feed.url)
    connection.send(NEXT_BLOCK, times=IN_FLIGHT)
    began = time.perf_counter()
    done = 0
    while done < feed.frames and time.perf_counter() - began < seconds:
        received = connection.receive(SILENCE_SECONDS)
        connection.send(NEXT_BLOCK, times=len(received))
        done += len(received)
    spent = time.perf_counter() - began
    connection.close()
    return Read(done, spent)


def bare_library(feed: Feed, seconds: float) -> Read:
    """The synchronous client of `websockets`, as its documentation shows it: a request for each answer."""
    return _bare(feed, seconds, 1)


def bare_library_batched(feed: Feed, seconds: float) -> Read:
    """The same with requests written 32 at a time past the library, as ours are: the fairest bare reader."""
    return _bare(feed, seconds, 32)


def _bare(feed: Feed, seconds: float, batch: int) -> Read:
    with connect(
        feed.url,
        compression=None,
        max_size=None,
        max_queue=None,  # faster than the default, which pauses its reading thread at 16 messages
        ping_interval=None,
        close_timeout=0.05,
        proxy=None,
    ) as connection:
        requests = Frame(Opcode.TEXT, NEXT_BLOCK).serialize(mask=True) * batch
        for _ in range(IN_FLIGHT):
            connection.send(NEXT_BLOCK, text=True)
        began = time.perf_counter()
        done = 0
        while done < feed.frames and time.perf_counter() - began < seconds:
            connection.recv(SILENCE_SECONDS, decode=False)
            done += 1
            if batch == 1:
                connection.send(NEXT_BLOCK, text=True)
            elif done % batch == 0:
                connection.socket.sendall(requests)
        spent = time.perf_counter() - began
    return Read(done, spent)
