"""The dashboard's API as Python has it: ``from consumers.client import Client``.

Answers are as the API's description has them (``/api/v1/openapi.json``): dicts with ``holds``, which says at which
step, slot and block an answer holds. What goes wrong is raised by who must act, as everywhere here.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import quote

import httpx

from indexer.errors import CellwitnessError, ConfigurationError, OperatorMustAct, Retryable

TIMEOUT_SECONDS: Final = 30.0

Answer = dict[str, Any]


class BadRequest(ConfigurationError):
    """The server can't use what was asked. ``problem`` is what it said, RFC 9457."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail", problem)))
        self.problem = problem


class NotAllowed(OperatorMustAct):
    """No such token, or it does not give this right, or the access profile keeps this back."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail", problem)))
        self.problem = problem


class NotFound(OperatorMustAct):
    """There is no such thing, or there was none at that moment."""

    exit_code = 1

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail", problem)))
        self.problem = problem


class ServerUnwell(Retryable):
    """The server is away or busy, or does not hold the step yet. ``retry_seconds``: when another try may work."""

    def __init__(self, detail: str, retry_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.retry_seconds = retry_seconds


class Client:
    """One dashboard. ``token`` as `cellwitness token new` prints it; on loopback none is needed.

    Each method takes the endpoint's parameters by name, among them ``as_of_slot``, ``as_of_step``, ``known_at``,
    ``min_step`` and, of lists, ``finality``, ``limit`` and ``cursor``. Raises BadRequest, NotAllowed, NotFound,
    ServerUnwell.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def status(self) -> Answer:
        """How fresh the tables are."""
        return self._get("/status", {})

    def system(self) -> Answer:
        """Nodes, workers, rollbacks, what is parked and quarantined, rebuilds: as of now."""
        return self._get("/system", {})

    def fleet(self, **asked: Any) -> Answer:
        """A whole fleet in numbers."""
        return self._get("/fleet", asked)

    def batteries(self, **asked: Any) -> Answer:
        """Batteries by what they have in common, the gravest first."""
        return self._get("/batteries", asked)

    def timeline(self, deployment: str, battery_key: str, **asked: Any) -> Answer:
        """Everything known of a battery, in the chain's order."""
        return self._get(_battery(deployment, battery_key), asked)

    def series(self, deployment: str, battery_key: str, **asked: Any) -> Answer:
        """A battery's readings as columns."""
        return self._get(f"{_battery(deployment, battery_key)}/series", asked)

    def beliefs(self, deployment: str, battery_key: str, **asked: Any) -> Answer:
        """What was believed of a battery and taken back."""
        return self._get(f"{_battery(deployment, battery_key)}/beliefs", asked)

    def evidence(self, deployment: str, battery_key: str, event_id: str, **asked: Any) -> Answer:
        """One event as it was received."""
        return self._get(f"{_battery(deployment, battery_key)}/events/{event_id}", asked)

    def alerts(self, **asked: Any) -> Answer:
        """Alerts, the gravest first."""
        return self._get("/alerts", asked)

    def alert(self, alert: str) -> Answer:
        """One alert, with its evidence and what people did."""
        return self._get(f"/alerts/{alert}", {})

    def act(self, alert: str, act: Literal["ack", "note", "close"], why: str) -> Answer:
        """Acknowledges, annotates or closes an alert, in the token's name."""
        return self._answer(self._send("POST", f"/alerts/{alert}/acts", json={"act": act, "why": why}))

    def steps(self, **asked: Any) -> Answer:
        """Steps of the log, newest first."""
        return self._get("/steps", asked)

    def queries(self) -> list[Answer]:
        """What there is to ask."""
        found: list[Answer] = self._get("/queries", {})["queries"]
        return found

    def query(self, name: str, **asked: Any) -> Answer:
        """One of the twenty-five: ``data`` is its rows."""
        return self._get(f"/queries/{quote(name, safe='')}", asked)

    def query_file(self, name: str, form: Literal["csv", "parquet", "json"], **asked: Any) -> bytes:
        """The same as a file."""
        return self._send("GET", f"/queries/{quote(name, safe='')}", params={**_said(asked), "format": form}).content

    def pages(self, ask: Callable[..., Answer], *which: str, **asked: Any) -> Iterator[Answer]:
        """All parts of a long list, each asked for when it is needed: ``client.pages(client.alerts, limit=100)``."""
        while True:
            part = ask(*which, **asked)
            yield part
            if not part["next"]:
                return
            asked["cursor"] = part["next"]

    def events(self) -> Iterator[tuple[str, Answer]]:
        """News as they come: ``mark``, ``step``, ``rollback`` and ``alert``, each with what it says. Ends never."""
        kind = ""
        with self._http.stream("GET", "/api/v1/events", timeout=httpx.Timeout(TIMEOUT_SECONDS)) as answer:
            if answer.is_error:
                answer.read()
                raise _error(answer)
            try:
                for line in answer.iter_lines():
                    name, _, value = line.partition(": ")
                    if name == "event":
                        kind = value
                    elif name == "data":
                        yield kind, json.loads(value)
            except httpx.TransportError as error:
                raise ServerUnwell(f"the stream of events broke: {error}") from error

    def _get(self, path: str, asked: Mapping[str, Any]) -> Answer:
        return self._answer(self._send("GET", path, params=_said(asked) or None))

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, f"/api/v1{path}", **more)
        except httpx.TransportError as error:
            raise ServerUnwell(f"no answer from {self._http.base_url}: {error}") from error
        if answer.is_error:
            raise _error(answer)
        return answer

    @staticmethod
    def _answer(answer: httpx.Response) -> Answer:
        said: Answer = answer.json()
        return said


def _battery(deployment: str, battery_key: str) -> str:
    return f"/batteries/{quote(deployment or '-', safe='')}/{battery_key}"


def _said(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that are None are not given; truth is yes or no."""
    words = {True: "yes", False: "no"}
    return {
        name: words[value] if isinstance(value, bool) else value for name, value in asked.items() if value is not None
    }


def _error(answer: httpx.Response) -> CellwitnessError:
    try:
        problem = answer.json()
    except ValueError:
        problem = {"detail": f"HTTP {answer.status_code} from {answer.url}"}
    match answer.status_code:
        case 401 | 403:
            return NotAllowed(problem)
        case 404:
            return NotFound(problem)
        case 408 | 429 | 500 | 502 | 503 | 504:
            after = answer.headers.get("retry-after", "")
            return ServerUnwell(str(problem.get("detail", problem)), float(after) if after.isdecimal() else None)
        case _:
            return BadRequest(problem)
