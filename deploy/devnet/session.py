"""One client of the node: its cursor, its waiting requests, and the answers to them in order."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from deploy.devnet.chain import Chain, Cursor
from deploy.devnet.misbehaviour import Conduct, Misbehaviour
from deploy.devnet.queries import Traffic, epoch, era_summaries, shelley_genesis, tip_height, tip_point
from deploy.devnet.rpc import (
    FORK_REFUSED,
    INTERSECTION_INTERLEAVED,
    INTERSECTION_NOT_FOUND,
    INVALID_GENESIS,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    BadRequest,
    Dialect,
    Era,
    ForkWanted,
    Points,
    Refusal,
    Request,
    Slots,
    fault,
    params,
    read_request,
)
from indexer.chain import Tip, TipOrOrigin
from indexer.errors import ConfigurationError

_BATCH_BLOCKS: Final = 256
_BATCH_BYTES: Final = 1 << 20
"""One write carries up to this much: a write a block costs more than the block."""
_TRICKLE_BLOCKS: Final = 4
_TRICKLE_BYTES: Final = 2_048
_TRICKLE_SECONDS: Final = 0.02


class Desk(Protocol):
    """What answers about a ledger, where the node has one: methods by name, their parameters as JSON text."""

    @property
    def methods(self) -> Mapping[str, Callable[[bytes], object]]:
        """They raise Refusal, and msgspec's errors for parameters of another shape."""


class Session:
    """Answers one connection. ``nextBlock`` requests wait in line; every other method is answered at once."""

    def __init__(  # noqa: PLR0913  # the node's parts
        self,
        chain: Chain,
        dialect: Dialect,
        connection: ServerConnection,
        traffic: Traffic,
        *,
        conduct: Conduct,
        misbehave: Callable[[Misbehaviour], object],
        desk: Desk | None,
    ) -> None:
        self._chain, self._dialect, self._connection, self._traffic = chain, dialect, connection, traffic
        self._conduct, self._misbehave, self._desk = conduct, misbehave, desk
        self._cursor = Cursor()
        self._waiting: deque[bytes] = deque()  # ids of nextBlock requests
        self._something = asyncio.Event()
        self._last_frame: bytes | str = b""
        self._last_id = b""
        self._methods: dict[str, Callable[[Request], bytes]] = {
            "findIntersection": self._find_intersection,
            "queryNetwork/tip": lambda r: self._result(r, tip_point(self._tip)),
            "queryNetwork/blockHeight": lambda r: self._result(r, tip_height(self._tip)),
            "queryNetwork/startTime": lambda r: self._result(r, chain.network.start_text),
            "queryNetwork/genesisConfiguration": self._genesis,
            "queryLedgerState/eraSummaries": lambda r: self._result(r, era_summaries(chain.network)),
            "queryLedgerState/epoch": lambda r: self._result(r, epoch(chain.network, self._tip)),
            "queryLedgerState/tip": lambda r: self._result(r, tip_point(self._tip)),
            "devnet/fork": self._fork,
            "devnet/grow": self._grow,
            "devnet/misbehave": self._misbehaves,
            "devnet/status": lambda r: self._result(r, self._status()),
        }

    async def close(self, code: int, reason: str) -> None:
        """Closes the connection from our side."""
        await self._connection.close(code, reason)

    def chain_changed(self) -> None:
        """There may be an answer now for those who wait at the tip."""
        self._something.set()

    async def listen(self) -> None:
        """Takes requests until the connection closes."""
        async for frame in self._connection:
            self._traffic.total_messages += 1
            # Clients send nextBlock as one constant frame; Ogmios too takes it again without decoding it.
            if frame == self._last_frame:
                self._waiting.append(self._last_id)
                self._something.set()
                continue
            try:
                answer = self._take(frame)
            except BadRequest as error:
                self._traffic.total_unrouted += 1
                answer = fault(error)
            if answer is not None:
                await self._while_stalled()
                await self._connection.send(answer, text=True)

    def _take(self, frame: bytes | str) -> bytes | None:
        request = read_request(frame)
        if request.method == "nextBlock":
            self._last_frame, self._last_id = frame, bytes(request.id)
            self._waiting.append(self._last_id)
            self._something.set()
            return None
        method = self._methods.get(request.method)
        if method is None and self._desk is not None and request.method in self._desk.methods:
            return self._at_desk(request, self._desk.methods[request.method])
        if method is None:
            raise BadRequest(METHOD_NOT_FOUND, f"Unknown method {request.method!r} here.", bytes(request.id))
        return method(request)

    async def answer(self) -> None:
        """Answers ``nextBlock`` requests in order, as blocks come, until the connection closes."""
        while True:
            await self._while_stalled()
            self._something.clear()
            frames = self._next_frames()
            if not frames:
                await self._something.wait()
                continue
            protocol = self._connection.protocol
            if protocol.state is not State.OPEN:
                return
            if self._conduct.slow:
                await self._trickle(frames)
                continue
            for frame in frames:
                protocol.send_text(frame)
            self._connection.transport.write(b"".join(protocol.data_to_send()))
            await self._connection.drain()
            await asyncio.sleep(0)  # let requests in: a client that is never paused would wait for all of the batch

    async def _while_stalled(self) -> None:
        await self._conduct.moving.wait()

    async def _trickle(self, frames: list[bytes]) -> None:
        """In fragments, with pauses between them. A ping may come in between, as RFC 6455 section 5.4 allows."""
        protocol, transport = self._connection.protocol, self._connection.transport
        for frame in frames:
            pieces = range(0, len(frame), _TRICKLE_BYTES)
            for start in pieces:
                if protocol.state is not State.OPEN:
                    return
                piece, fin = frame[start : start + _TRICKLE_BYTES], start == pieces[-1]
                protocol.send_continuation(piece, fin) if start else protocol.send_text(piece, fin)
                transport.write(b"".join(protocol.data_to_send()))
                await asyncio.sleep(_TRICKLE_SECONDS if self._conduct.slow else 0)

    @property
    def _tip(self) -> TipOrOrigin:
        return self._chain.tip_before(self._conduct.behind_blocks)

    def _next_frames(self) -> list[bytes]:
        if not self._waiting:
            return []
        limit = min(len(self._waiting), _TRICKLE_BLOCKS if self._conduct.slow else _BATCH_BLOCKS)
        hidden = self._conduct.behind_blocks
        point, blocks = self._chain.read(self._cursor, limit, _BATCH_BYTES, hidden=hidden)
        tip = self._chain.tip_before(hidden + self._conduct.tip_back_blocks)
        if point is not None:
            return self._doubled([self._dialect.backward(point, tip, self._waiting.popleft())])
        if not blocks:
            return []
        head, tail = self._dialect.forward_parts(tip)
        take = self._waiting.popleft
        return self._doubled([b"".join((head, block, tail, take(), b"}")) for block in blocks])

    def _doubled(self, frames: list[bytes]) -> list[bytes]:
        conduct = self._conduct
        if not conduct.doubled_answers:
            return frames
        twice = min(conduct.doubled_answers, len(frames))
        conduct.doubled_answers -= twice
        return [frame for each in frames[:twice] for frame in (each, each)] + frames[twice:]

    def _result(self, request: Request, value: object) -> bytes:
        return self._dialect.result(request.method, value, bytes(request.id))

    def _at_desk(self, request: Request, method: Callable[[bytes], object]) -> bytes:
        try:
            return self._result(request, method(bytes(request.params)))
        except Refusal as refusal:
            if refusal.code == INVALID_PARAMS and refusal.data is None:
                raise BadRequest(INVALID_PARAMS, str(refusal), bytes(request.id)) from refusal
            return self._dialect.error(request.method, refusal.code, str(refusal), bytes(request.id), refusal.data)
        except msgspec.DecodeError as error:
            message = f"Invalid parameters of {request.method}: {error}."
            raise BadRequest(INVALID_PARAMS, message, bytes(request.id)) from error

    def _find_intersection(self, request: Request) -> bytes:
        points = params(request, Points).points
        if self._waiting:
            return self._dialect.error(
                request.method,
                INTERSECTION_INTERLEAVED,
                "Cannot interleave 'findIntersection' requests with 'nextBlock'.",
                bytes(request.id),
            )
        found = self._chain.intersect(self._cursor, points, hidden=self._conduct.behind_blocks)
        tip = self._tip
        if found is None:
            return self._dialect.error(
                request.method, INTERSECTION_NOT_FOUND, "No intersection found.", bytes(request.id), {"tip": tip}
            )
        return self._result(request, {"intersection": found, "tip": tip})

    def _genesis(self, request: Request) -> bytes:
        era = params(request, Era).era
        if era == "shelley":
            return self._result(request, shelley_genesis(self._chain.network))
        return self._dialect.error(
            request.method,
            INVALID_GENESIS,
            f"The devnet has no genesis configuration of the era {era!r}.",
            bytes(request.id),
            "Only the Shelley genesis is known here: it holds all that a chain-sync client needs.",
        )

    def _fork(self, request: Request) -> bytes:
        wanted = params(request, ForkWanted)
        try:
            return self._result(request, self._chain.fork(wanted.depth, drop_share=wanted.drop_share))
        except ConfigurationError as error:
            return self._dialect.error(request.method, FORK_REFUSED, str(error), bytes(request.id))

    def _grow(self, request: Request) -> bytes:
        chain, before = self._chain, self._chain.tip
        until = (before.slot if isinstance(before, Tip) else 0) + params(request, Slots).slots
        blocks = 0
        while chain.next_slot() <= until:
            chain.grow(1)
            blocks += 1
        return self._result(request, {"blocks": blocks, "tip": chain.tip})

    def _misbehaves(self, request: Request) -> bytes:
        wanted = params(request, Misbehaviour)
        try:
            return self._result(request, self._misbehave(wanted))
        except ConfigurationError as error:
            return self._dialect.error(request.method, FORK_REFUSED, str(error), bytes(request.id))

    def _status(self) -> dict[str, object]:
        chain = self._chain
        return {
            "network": chain.network.name,
            "network_magic": chain.network.magic,
            "security_parameter": chain.network.k,
            "ogmios_version": self._dialect.version,
            "tip": self._tip,
            "blocks": len(chain),
            "forks": chain.forks,
            "connections": self._traffic.active_connections,
            "messages": self._traffic.total_messages,
        }
