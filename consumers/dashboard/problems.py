"""What went wrong with a request, as RFC 9457 has it: for a program its fields, for a person what to do."""

from http import HTTPStatus
from typing import Final

import msgspec
from msgspec import Struct

from consumers.access import NotAllowed
from consumers.as_of import NothingKnownThen
from consumers.timeline import StepNotReached
from indexer.errors import CellwitnessError, ConfigurationError, OperatorMustAct, Retryable

MEDIA_TYPE: Final = "application/problem+json"


class Problem(Struct, frozen=True, omit_defaults=True):
    """``type`` tells kinds of problems apart, for good; ``detail`` says what happened and what to do about it."""

    type: str
    title: str
    status: int
    detail: str
    parameter: str | None = None  # that can't be used


class Refused(CellwitnessError):
    """An answer that is a problem."""

    def __init__(
        self, status: HTTPStatus, kind: str, detail: str, *, parameter: str | None = None, retry_seconds: float = 0.0
    ) -> None:
        super().__init__(detail)
        self.problem = Problem(f"urn:cellwitness:problem:{kind}", status.phrase, int(status), detail, parameter)
        self.retry_seconds = retry_seconds


def refused(error: CellwitnessError) -> Refused:
    """What one of our errors is to whoever asked over HTTP: by who must act, as exit codes are."""
    detail = str(error)
    match error:
        case Refused():
            return error
        case NotAllowed():
            return Refused(HTTPStatus.FORBIDDEN, "not-for-your-profile", detail)
        case NothingKnownThen():
            return Refused(HTTPStatus.NOT_FOUND, "nothing-known-then", detail)
        case StepNotReached():
            return Refused(HTTPStatus.NOT_FOUND, "step-not-reached", detail, retry_seconds=1)
        case ConfigurationError():
            return Refused(HTTPStatus.BAD_REQUEST, "bad-request", detail, parameter=getattr(error, "parameter", None))
        case Retryable():
            return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "try-again", detail, retry_seconds=2)
        case OperatorMustAct() if error.exit_code == 1:
            return Refused(HTTPStatus.NOT_FOUND, "not-found", detail)
        case _:
            return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "operator-must-act", detail, retry_seconds=60)


def encode(problem: Problem) -> bytes:
    return msgspec.json.encode(problem)
