"""Metrics and health over HTTP, for Prometheus and whatever restarts processes. Loopback unless told otherwise."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, Info, generate_latest

from indexer.errors import ConfigurationError
from indexer.nodes import FollowerStatus

BUILD = Info("cellwitness_build", "The version that runs.")
BUILD.info({"version": version("cellwitness")})

Readiness = Callable[[float], list[str]]
"""Unix time -> why not ready, in words; empty when ready."""


def serve_health(
    address: str, readiness: Readiness, nodes: Callable[[float], FollowerStatus] | None = None
) -> ThreadingHTTPServer:
    """Serves /metrics, /health/live and /health/ready on HOST:PORT in a thread; a follower's nodes at /nodes.

    Raises ConfigurationError.
    """
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise ConfigurationError(f"--http {address!r} is not HOST:PORT, such as 127.0.0.1:9100")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # http.server's name
            match self.path.partition("?")[0]:
                case "/metrics":
                    self._answer(200, generate_latest(), CONTENT_TYPE_LATEST)
                case "/health/live":
                    self._answer(200, b'{"live": true}', "application/json")
                case "/health/ready":
                    reasons = readiness(time.time())
                    body = json.dumps({"ready": not reasons, "reasons": reasons}).encode()
                    self._answer(503 if reasons else 200, body, "application/json")
                case "/nodes" if nodes is not None:
                    self._answer(200, msgspec.json.encode(nodes(time.time())), "application/json")
                case _:
                    paths = ["/metrics", "/health/live", "/health/ready", *(["/nodes"] if nodes else [])]
                    self._answer(404, json.dumps({"paths": paths}).encode(), "application/json")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes come every few seconds; they are no news."""

    try:
        server = ThreadingHTTPServer((host.strip("[]") or "127.0.0.1", int(port)), Handler)
    except OSError as error:
        raise ConfigurationError(f"can't listen on {address} for metrics and health: {error}") from error
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
