"""Asking a running devnet: one request, one answer."""

import json
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from indexer.errors import ConfigurationError, Retryable


def ask(url: str, method: str, params: dict[str, Any] | None = None) -> Any:
    """The result of a request.

    Raises Retryable where nobody answers, ConfigurationError where the answer is an error.
    """
    request = {"jsonrpc": "2.0", "method": method, "params": params or {}, "id": "cellwitness"}
    try:
        with connect(url, compression=None, open_timeout=5, close_timeout=1) as connection:
            connection.send(json.dumps(request))
            answer = json.loads(connection.recv(timeout=30))
    except (OSError, TimeoutError, WebSocketException) as error:
        raise Retryable(f"no devnet answers at {url}: {error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{url} is no Ogmios: {error}") from error
    if "error" in answer:
        raise ConfigurationError(f"the devnet at {url} refused {method}: {answer['error']['message']}")
    return answer["result"]
