"""Doors between the processes, to be cut, stalled and slowed down: what a network does to those who rely on it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

CHUNK_BYTES: Final = 1 << 16

Place = int | Path
"""A port of the loopback, or a Unix socket."""


class Door:
    """One address that stands for another. Every change is for all its connections, those to come included."""

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str, target: Place) -> None:
        self._loop, self.name, self._target = loop, name, target
        self.place: Place = 0
        self._server: asyncio.Server | None = None
        self._flows: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()  # cleared: nothing passes, and nobody is told
        self._open.set()
        self._delay_seconds = 0.0
        self._refuses = False

    @property
    def port(self) -> int:
        assert isinstance(self.place, int)
        return self.place

    def cut(self, *, refuse: bool) -> None:
        """Breaks every connection; ``refuse``: and closes each new one until ``heal``."""

        def act() -> None:
            self._refuses = refuse
            for flow in self._flows:
                flow.cancel()

        self._loop.call_soon_threadsafe(act)

    def stall(self) -> None:
        """Nothing passes until ``heal``; connections stay."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def slow_down(self, seconds: float) -> None:
        """What passes comes so much later."""

        def act() -> None:
            self._delay_seconds = seconds

        self._loop.call_soon_threadsafe(act)

    def heal(self) -> None:
        def act() -> None:
            self._refuses, self._delay_seconds = False, 0.0
            self._open.set()

        self._loop.call_soon_threadsafe(act)

    async def listen(self, place: Place) -> None:
        if isinstance(place, Path):
            self._server = await asyncio.start_unix_server(self._come_in, place)
            self.place = place
        else:
            self._server = await asyncio.start_server(self._come_in, "127.0.0.1", place)
            self.place = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for flow in self._flows:
            flow.cancel()
        await asyncio.gather(*self._flows, return_exceptions=True)

    async def _come_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._flows.add(task)
        try:
            if not self._refuses:
                await self._carry(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # either end is gone, or we cut it
        finally:
            self._flows.discard(task)
            # At once, as a cut cable: an orderly end would first deliver what is on its way.
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = self._target
        if isinstance(target, Path):
            far_reader, far_writer = await asyncio.open_unix_connection(target)
        else:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        ways = [
            asyncio.ensure_future(self._pass_on(reader, far_writer)),
            asyncio.ensure_future(self._pass_on(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            far_writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            await self._open.wait()
            if self._delay_seconds:
                await asyncio.sleep(self._delay_seconds)
            writer.write(chunk)
            await writer.drain()
        # The other way may still have something to bring: closing by halves is passed on as it came.
        with suppress(OSError, NotImplementedError):
            writer.write_eof()
            await asyncio.sleep(1)


class Doors:
    """All doors of a system, in a thread of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="doors", daemon=True)
        self.all: dict[str, Door] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for door in self.all.values():
            self._run(door.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def add(self, name: str, target: Place, place: Place = 0) -> Door:
        """Opens a door to ``target``, at ``place``: a Unix socket, or a free port."""
        made: Callable[[], Coroutine[Any, Any, Door]] = lambda: self._made(name, target, place)  # noqa: E731
        door: Door = self._run(made())
        return door

    async def _made(self, name: str, target: Place, place: Place) -> Door:
        door = self.all[name] = Door(self._loop, name, target)
        await door.listen(place)
        return door

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)
