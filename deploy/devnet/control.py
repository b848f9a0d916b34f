"""Asking a running devnet: one request, one answer."""

import json
from typing import Any

from msgspec import Struct
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from indexer.errors import ConfigurationError, Retryable


class Answered(Struct, frozen=True):
    """A result, or the error that stands for it."""

    result: Any = None
    code: int | None = None  # of an error
    message: str = ""
    data: Any = None


def call(url: str, method: str, params: dict[str, Any] | None = None) -> Answered:
    """One request and its answer.

    Raises Retryable where nobody answers, ConfigurationError where the answer is none of JSON-RPC.
    """
    request = {"jsonrpc": "2.0", "method": method, "params": params or {}, "id": "cellwitness"}
    try:
        with connect(url, compression=None, open_timeout=5, close_timeout=1, max_size=None) as connection:
            connection.send(json.dumps(request))
            answer = json.loads(connection.recv(timeout=60))
    except (OSError, TimeoutError, WebSocketException) as error:
        raise Retryable(f"no devnet answers at {url}: {error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{url} is no Ogmios: {error}") from error
    if "error" in answer:
        wrong = answer["error"]
        return Answered(code=wrong["code"], message=wrong["message"], data=wrong.get("data"))
    return Answered(result=answer["result"])


def ask(url: str, method: str, params: dict[str, Any] | None = None) -> Any:
    """The result of a request to a devnet. Raises as ``call``, and ConfigurationError where the answer is an error."""
    answer = call(url, method, params)
    if answer.code is not None:
        raise ConfigurationError(f"the devnet at {url} refused {method}: {answer.message}")
    return answer.result
