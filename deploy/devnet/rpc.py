"""JSON-RPC 2.0 as Ogmios speaks it: requests read, answers and errors written. Pure."""

from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from deploy.devnet.network import OgmiosVersion
from indexer.chain import Point, PointOrOrigin, TipOrOrigin

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERSECTION_NOT_FOUND: Final = 1000
INTERSECTION_INTERLEAVED: Final = 1001
INVALID_GENESIS: Final = 2004
FORK_REFUSED: Final = -32000

NULL: Final = b"null"

T = TypeVar("T")

encode = msgspec.json.Encoder().encode


class Request(Struct, frozen=True):
    """A request as it came, its parameters and id still JSON text."""

    jsonrpc: Literal["2.0"]
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    id: msgspec.Raw = msgspec.Raw(NULL)


class Points(Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of findIntersection, in order of preference."""

    points: tuple[Point | Literal["origin"], ...] = ()


class Era(Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of queryNetwork/genesisConfiguration."""

    era: str


class ForkWanted(Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of devnet/fork, a method of our own."""

    depth: int
    drop_share: Annotated[float, Meta(ge=0, le=1)] = 0.1  # of the transactions that the new branch lacks


class Slots(Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of devnet/grow, a method of our own."""

    slots: Annotated[int, Meta(ge=1, le=2_000_000)]


_decode = msgspec.json.Decoder(Request).decode


class BadRequest(Exception):
    """What a request did wrong, as the error object that answers it."""

    def __init__(self, code: int, message: str, request_id: bytes = NULL) -> None:
        super().__init__(message)
        self.code, self.message, self.request_id = code, message, request_id


class Refusal(Exception):
    """What a method answers instead of a result: one of the errors that its documentation lists."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.data = code, data


def read_request(frame: bytes | str) -> Request:
    """Raises BadRequest for what isn't JSON (-32700) or isn't a JSON-RPC 2.0 request (-32600)."""
    try:
        return _decode(frame)
    except msgspec.ValidationError as error:
        raise BadRequest(INVALID_REQUEST, f"Invalid request: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(PARSE_ERROR, f"The request is not well-formed JSON: {error}.") from error


def params(request: Request, kind: type[T]) -> T:
    """The request's parameters. Raises BadRequest (-32602) for others."""
    try:
        return msgspec.json.decode(request.params, type=kind)
    except msgspec.DecodeError as error:
        raise BadRequest(INVALID_PARAMS, f"Invalid parameters of {request.method}: {error}.", request.id) from error


class Dialect(Struct, frozen=True):
    """How answers look: Ogmios' version, and whether ``--strict-rpc`` drops ``method`` from them."""

    version: OgmiosVersion = "6.14"
    strict: bool = False

    def _head(self, method: str) -> bytes:
        return b'{"jsonrpc":"2.0",' + (b"" if self.strict else b'"method":"' + method.encode() + b'",')

    def result(self, method: str, value: Any, request_id: bytes) -> bytes:
        """The answer to a request that could be answered."""
        return self._head(method) + b'"result":' + encode(value) + b',"id":' + request_id + b"}"

    def error(self, method: str, code: int, message: str, request_id: bytes, data: Any = None) -> bytes:
        """The answer of a method that failed in one of the ways that its documentation lists."""
        body: dict[str, Any] = {"code": code, "message": message}
        if data is not None:
            body["data"] = data
        return self._head(method) + b'"error":' + encode(body) + b',"id":' + request_id + b"}"

    def forward_parts(self, tip: TipOrOrigin) -> tuple[bytes, bytes]:
        """What stands before and behind a block's JSON; the id and a brace come after that."""
        head = self._head("nextBlock") + b'"result":{"direction":"forward","block":'
        return head, b',"tip":' + encode(tip) + b'},"id":'

    def backward(self, point: PointOrOrigin, tip: TipOrOrigin, request_id: bytes) -> bytes:
        """The answer that rolls a client backward."""
        return self.result("nextBlock", {"direction": "backward", "point": point, "tip": tip}, request_id)


def fault(error: BadRequest) -> bytes:
    """The answer to a request that no method took: without ``method``, as the schema ``RpcError`` has it."""
    body = encode({"code": error.code, "message": error.message})
    return b'{"jsonrpc":"2.0","error":' + body + b',"id":' + bytes(error.request_id) + b"}"
