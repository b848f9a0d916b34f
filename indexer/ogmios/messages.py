"""One tolerant reader for the answers of Ogmios v6.0 to v7.0. Pure: bytes in, chain values out.

Fields that concern nobody are skipped, fields that later versions omit have defaults, and nothing depends on
``method`` (``--strict-rpc`` drops it) or on the order of keys.
"""

import re

import msgspec
from msgspec import UNSET, Struct, UnsetType

from indexer.chain import (
    Block,
    BoundaryBlock,
    ChainMessage,
    Height,
    Point,
    PointOrOrigin,
    RollBackward,
    RollForward,
    Slot,
    Tip,
    TipOrOrigin,
    Transaction,
)
from indexer.errors import NOT_JSON, CellwitnessError, InvalidChainData, Retryable
from indexer.ogmios.salvage import read_transactions, salvage

INTERSECTION_NOT_FOUND = 1000
INTERSECTION_INTERLEAVED = 1001


class InvalidFrame(InvalidChainData):
    """A message that is not what Ogmios sends, even when read leniently."""


class RequestFailed(Retryable):
    """Ogmios answered a request with an error."""

    def __init__(self, what: str, code: int, message: str) -> None:
        super().__init__(f"Ogmios could not answer {what}: {message} (code {code})")
        self.code = code


class RpcError(Struct, frozen=True):
    """JSON-RPC 2.0 error object. Codes 1xxx are chain-sync's, 2xxx state queries', -32xxx JSON-RPC's own."""

    code: int
    message: str = ""
    data: msgspec.Raw = msgspec.Raw()


class _Header(Struct, frozen=True):
    id: str
    height: Height
    ancestor: str


class _Ebb(_Header, frozen=True, tag_field="type", tag="ebb"):
    pass


class _BftHeader(_Header, frozen=True, tag_field="type", tag="bft"):
    slot: Slot


class _PraosHeader(_Header, frozen=True, tag_field="type", tag="praos"):
    slot: Slot


class _BftBlock(_BftHeader, frozen=True, tag_field="type", tag="bft"):
    transactions: tuple[Transaction, ...] = ()


class _PraosBlock(_PraosHeader, frozen=True, tag_field="type", tag="praos"):
    transactions: tuple[Transaction, ...] = ()


class _RawPraosBlock(_PraosHeader, frozen=True, tag_field="type", tag="praos"):
    transactions: tuple[msgspec.Raw, ...] = ()


class _RawBftBlock(_BftHeader, frozen=True, tag_field="type", tag="bft"):
    transactions: tuple[msgspec.Raw, ...] = ()


class _Backward(Struct, frozen=True, tag_field="direction", tag="backward"):
    point: PointOrOrigin
    tip: TipOrOrigin


class _Forward(Struct, frozen=True, tag_field="direction", tag="forward"):
    block: _PraosBlock | _BftBlock | _Ebb
    tip: TipOrOrigin


class _ForwardHeader(Struct, frozen=True, tag_field="direction", tag="forward"):
    block: _PraosHeader | _BftHeader | _Ebb
    tip: TipOrOrigin


class _ForwardRaw(Struct, frozen=True, tag_field="direction", tag="forward"):
    block: _RawPraosBlock | _RawBftBlock | _Ebb
    tip: TipOrOrigin


class _Answer(Struct, frozen=True):
    result: _Forward | _Backward | UnsetType = UNSET
    error: RpcError | UnsetType = UNSET


class _AnswerHeader(Struct, frozen=True):
    result: _ForwardHeader | _Backward | UnsetType = UNSET
    error: RpcError | UnsetType = UNSET


class _AnswerRaw(Struct, frozen=True):
    result: _ForwardRaw | _Backward | UnsetType = UNSET
    error: RpcError | UnsetType = UNSET


_decode_whole = msgspec.json.Decoder(_Answer).decode
_decode_header = msgspec.json.Decoder(_AnswerHeader).decode
_decode_raw = msgspec.json.Decoder(_AnswerRaw).decode

_LARGEST = 2**64 - 1
_is_hash = re.compile(r"[0-9a-f]{64}").fullmatch

Frame = bytes | bytearray | memoryview


def read_header(frame: Frame) -> ChainMessage:
    """A nextBlock answer without its transactions, which are checked to be JSON and skipped.

    For frames that are known to concern no deployment; six times as fast as reading them. Raises as ``read_block``.
    """
    try:
        answer = _decode_header(frame)
    except NOT_JSON:
        return read_block(frame)
    return _message(answer, ())


def read_block(frame: Frame) -> ChainMessage:
    """A nextBlock answer, whole.

    A frame that defeats the typed decoder is read leniently: values nested too deep for a JSON parser are cut out
    (none is a part that concerns us), and a transaction that still can't be read becomes an UnreadableTransaction in
    its place. Raises InvalidFrame where even the block's header can't be read, RequestFailed for an error answer.
    """
    try:
        answer = _decode_whole(frame)
    except NOT_JSON as first:
        return _read_leniently(bytes(frame), first)
    result = answer.result
    transactions = (
        () if not isinstance(result, _Forward) or isinstance(result.block, _Ebb) else result.block.transactions
    )
    return _message(answer, transactions)


def _read_leniently(frame: bytes, first: Exception) -> ChainMessage:
    try:
        answer = _decode_raw(salvage(frame))
    except NOT_JSON as error:
        raise InvalidFrame(f"not an answer to nextBlock ({first}): {_excerpt(frame)}") from error
    result = answer.result
    if not isinstance(result, _ForwardRaw) or isinstance(result.block, _Ebb):
        return _message(answer, ())
    return _message(answer, read_transactions(result.block.transactions))


def _message(answer: _Answer | _AnswerHeader | _AnswerRaw, transactions: tuple[object, ...]) -> ChainMessage:
    result = answer.result
    if result is UNSET:
        raise _failure("nextBlock", answer.error)
    tip = result.tip
    if isinstance(tip, Tip) and (tip.slot > _LARGEST or tip.height > _LARGEST):
        raise InvalidFrame("the tip's slot or height is beyond 64 bits")
    if isinstance(result, _Backward):
        return RollBackward(result.point, tip)
    block = result.block
    # These become the log's links and what is offered to other nodes; the pattern in the types would cost more.
    if not _is_hash(block.id) or not (_is_hash(block.ancestor) or block.ancestor == "genesis"):
        raise InvalidFrame(f"ids are 64 hex digits, not {block.id!r} (ancestor {block.ancestor!r})")
    if isinstance(block, _Ebb):
        return RollForward(BoundaryBlock(block.id, block.height, block.ancestor), tip)
    return RollForward(Block(Point(block.slot, block.id), block.height, block.ancestor, transactions), tip)  # type: ignore[arg-type]  # the callers pass what their decoder made


class Intersection(Struct, frozen=True):
    """The first of the offered points that is on the node's chain."""

    intersection: PointOrOrigin
    tip: TipOrOrigin


class NoIntersection(Struct, frozen=True):
    """None of the offered points is on the node's chain. Its read pointer has not moved."""

    tip: TipOrOrigin = "origin"


class _IntersectionAnswer(Struct, frozen=True):
    result: Intersection | UnsetType = UNSET
    error: RpcError | UnsetType = UNSET


_decode_intersection = msgspec.json.Decoder(_IntersectionAnswer).decode
_decode_no_intersection = msgspec.json.Decoder(NoIntersection).decode


def read_intersection(frame: Frame) -> Intersection | NoIntersection:
    """The answer to findIntersection. Raises InvalidFrame, and RequestFailed for other errors than "not found"."""
    try:
        answer = _decode_intersection(frame)
        if answer.result is not UNSET:
            return answer.result
        if answer.error is not UNSET and answer.error.code == INTERSECTION_NOT_FOUND:
            return _decode_no_intersection(bytes(answer.error.data) or b"{}")
    except NOT_JSON as error:
        raise InvalidFrame(f"not an answer to findIntersection ({error}): {_excerpt(bytes(frame))}") from error
    raise _failure("findIntersection", answer.error)


class _QueryAnswer(Struct, frozen=True):
    result: msgspec.Raw | UnsetType = UNSET
    error: RpcError | UnsetType = UNSET


_decode_query = msgspec.json.Decoder(_QueryAnswer).decode


def read_result(frame: Frame, method: str) -> bytes:
    """The result of any other request, as JSON. Raises InvalidFrame and RequestFailed."""
    try:
        answer = _decode_query(frame)
    except NOT_JSON as error:
        raise InvalidFrame(f"not an answer to {method} ({error}): {_excerpt(bytes(frame))}") from error
    if answer.result is UNSET:
        raise _failure(method, answer.error)
    return bytes(answer.result)


def _failure(method: str, error: RpcError | UnsetType) -> CellwitnessError:
    if error is UNSET:
        return InvalidFrame(f"the answer to {method} has neither a result nor an error")
    return RequestFailed(method, error.code, error.message)


def _excerpt(frame: bytes) -> str:
    return frame[:200].decode("utf-8", "replace") + (f"… ({len(frame)} bytes)" if len(frame) > 200 else "")


NEXT_BLOCK = b'{"jsonrpc":"2.0","method":"nextBlock"}'
"""The one request that is sent over and over: the same bytes each time, so that the server need not parse them."""


def find_intersection(points: tuple[PointOrOrigin, ...]) -> bytes:
    """Asks where the node's chain and ours meet. The order of the points is the order of preference."""
    request = {"jsonrpc": "2.0", "method": "findIntersection", "params": {"points": points}}
    return msgspec.json.encode(request)


def query(method: str, params: dict[str, str] | None = None) -> bytes:
    """Any other request."""
    request: dict[str, object] = {"jsonrpc": "2.0", "method": method}
    return msgspec.json.encode(request | {"params": params} if params else request)
