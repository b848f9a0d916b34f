"""Whole transactions as CBOR from a node whose Ogmios gives them: for a pack, whose log keeps only their parts."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from msgspec import Struct

from consumers.audit.inclusion import Stretch
from indexer.errors import OperatorMustAct
from indexer.ogmios.connection import redacted
from indexer.ogmios.messages import NEXT_BLOCK, InvalidFrame, NoIntersection, find_intersection, read_intersection
from indexer.outside import NodeConnection, OgmiosNodes
from indexer.session import NodeStalled

ANSWER_SECONDS: Final = 60.0
IN_FLIGHT: Final = 100


class NoRawTransactions(OperatorMustAct):
    """The node does not give transactions' bytes, or no longer has the blocks."""


class _Transaction(Struct, frozen=True):
    id: str = ""
    cbor: str = ""


class _Block(Struct, frozen=True):
    id: str
    transactions: tuple[_Transaction, ...] = ()


class _Result(Struct, frozen=True):
    block: _Block | None = None  # none in a roll backward


class _Answer(Struct, frozen=True):
    result: _Result


_decode = msgspec.json.Decoder(_Answer).decode


def raw_transactions(url: str, stretches: Iterable[Stretch], wanted: frozenset[str]) -> dict[str, bytes]:
    """The CBOR of all wanted transactions, by id. Raises NoRawTransactions, and what a connection raises."""
    found: dict[str, bytes] = {}
    for stretch in stretches:
        for block in _blocks(OgmiosNodes().connect(url, silence_seconds=ANSWER_SECONDS), url, stretch):
            found |= {each.id: _bytes(each, url) for each in block.transactions if each.id in wanted}
    if missing := sorted(wanted - found.keys()):
        raise NoRawTransactions(f"{redacted(url)} has no transaction {missing[0]}: it is not on its chain")
    return found


def _blocks(connection: NodeConnection, url: str, stretch: Stretch) -> Iterator[_Block]:
    last = stretch.step.blocks[-1].id
    try:
        connection.send(find_intersection((stretch.before.spine.point,)))
        (first, *_) = _frames(connection, url)
        if isinstance(read_intersection(first), NoIntersection):
            raise NoRawTransactions(f"{redacted(url)} no longer has the block before {stretch.step.blocks[0].id}")
        connection.send(NEXT_BLOCK, times=IN_FLIGHT)
        while True:
            frames = _frames(connection, url)
            connection.send(NEXT_BLOCK, times=len(frames))
            for frame in frames:
                try:
                    block = _decode(frame).result.block
                except msgspec.MsgspecError as error:
                    raise InvalidFrame(f"{redacted(url)} sent what is no block: {error}") from error
                if block is None:
                    continue
                yield block
                if block.id == last:
                    return
    finally:
        connection.close()


def _frames(connection: NodeConnection, url: str) -> list[bytes]:
    received = connection.receive(ANSWER_SECONDS)
    if not received:
        raise NodeStalled(f"{redacted(url)} did not send its blocks within {ANSWER_SECONDS:.0f} s")
    return [bytes(buffer[start:end]) for buffer, start, end in received]


def _bytes(transaction: _Transaction, url: str) -> bytes:
    if not transaction.cbor:
        raise NoRawTransactions(
            f"{redacted(url)} does not give transactions' bytes: its Ogmios needs --include-transaction-cbor"
        )
    return bytes.fromhex(transaction.cbor)
