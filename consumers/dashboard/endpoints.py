"""What the API's endpoints have in common: parameters and answers are structs, and these make its description."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import fields
from starlette.requests import Request
from starlette.responses import Response

from consumers.dashboard.followers import Said
from consumers.dashboard.gate import Asker
from consumers.dashboard.moment import GREATEST, Moment, read_moment
from consumers.dashboard.people import Right
from consumers.dashboard.problems import Refused
from consumers.queries.model import Data
from consumers.timeline import Finality, Holds

_T = TypeVar("_T")

MAX_BODY_BYTES: Final = 65_536

Slot = Annotated[int, Meta(ge=0, le=GREATEST)]
Cursor = Annotated[str, Meta(max_length=512, description="`next` of the answer before.")]
Time = Annotated[str, Meta(max_length=64, examples=["2026-05-03T14:02:00Z"])]


class Parameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In an address after ``?``. A parameter that is not there is UNSET: nobody can write null into an address."""


class AtMoment(Parameters, frozen=True, kw_only=True):
    """The moment that an answer is to speak of, and how far the tables must be."""

    as_of_slot: Annotated[Slot | UnsetType, Meta(description="Only what the chain said up to this slot.")] = UNSET
    as_of_step: Annotated[Slot | UnsetType, Meta(description="As it was known after this step of the log.")] = UNSET
    known_at: Annotated[
        Time | UnsetType, Meta(description="As it was known then, RFC 3339; of this and as_of_step one.")
    ] = UNSET
    min_step: Annotated[Slot | UnsetType, Meta(description="Wait, ten seconds at most, until the tables hold it.")] = (
        UNSET
    )

    def moment(self) -> Moment:
        said = {name: getattr(self, name) for name in ("as_of_slot", "as_of_step", "known_at")}
        return read_moment({name: str(value) for name, value in said.items() if value is not UNSET})


class Paged(AtMoment, frozen=True, kw_only=True):
    """Of a list that is long."""

    cursor: Cursor | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=1000, description="At most so many.")] = 100
    finality: Annotated[
        Finality | UnsetType, Meta(description="Only what is at least so deep: pending, confirmed or final.")
    ] = UNSET


class Answer(Struct, frozen=True, kw_only=True):
    """What every answer says of itself: the step, slot and block at which it holds, and what of the chain is final."""

    holds: Holds


class Ask(Struct, frozen=True, kw_only=True):
    """A request as an endpoint sees it. ``q`` is its parameters, ``path`` what its path says."""

    asker: Asker
    q: Any
    path: Mapping[str, str]
    body: Any = None
    followers: Sequence[Said] = ()  # what was last heard of each


class Endpoint(Struct, frozen=True, kw_only=True):
    """One operation of the API."""

    method: str
    path: str
    name: str  # operationId, and the method of the client
    summary: str
    answer: Any
    run: Callable[..., Any]
    parameters: type[Parameters] = Parameters
    body: type[Struct] | None = None
    right: Right = "read"
    needs: frozenset[Data] = frozenset()  # kinds of data without which it would say nothing
    problems: tuple[int, ...] = ()  # beside those that every endpoint may have


def read_pairs(request: Request, known: Collection[str] | None = None) -> dict[str, str]:
    """The address's parameters, each once. Raises Refused, naming the parameter; ``known`` None: any name will do."""
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    for name, value in given:
        if known is not None and name not in known:
            offered = ", ".join(sorted(known)) or "none"
            raise bad(name[:80], f"there is no parameter {name[:40]!r}: known are {offered}")
        if names.count(name) > 1:
            raise bad(name[:80], f"{name[:40]} is given {names.count(name)} times: give it once")
        if "\0" in value or "\0" in name:
            raise bad(name[:80], f"{name[:40]!r} has a NUL character in it")
    return dict(given)


def read_parameters(request: Request, kind: type[_T]) -> _T:
    """The address's parameters as a struct. Raises Refused, naming the parameter."""
    found = fields(kind)  # type: ignore[arg-type]
    values: dict[str, Any] = dict(read_pairs(request, [field.encode_name for field in found]))
    # msgspec would read "null" as None, and "1e3" or " 5" as numbers: only digits are numbers here.
    for field in found:
        if field.encode_name in values and _is_number(field.type):
            values[field.encode_name] = digits(field.encode_name, values[field.encode_name])
    try:
        return msgspec.convert(values, kind, strict=True)
    except msgspec.ValidationError as error:
        wrong = str(error).rpartition("$.")[2].partition("`")[0]
        raise bad(wrong or None, f"{wrong}: {error}") from error


def _is_number(kind: Any) -> bool:
    return "int" in str(kind) and "str" not in str(kind)


def digits(name: str, text: str) -> int:
    """A whole number. Raises Refused."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 19:
        raise bad(name, f"{name} is {text[:40]!r}: write a whole number from 0, in digits")
    return int(text)


def bad(parameter: str | None, detail: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, "bad-parameter", detail, parameter=parameter)


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The whole body. Raises Refused beyond the limit, before the rest is read."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", f"a body has at most {limit:,} bytes")
    return bytes(body)


def read_json(request: Request, body: bytes, kind: type[_T]) -> _T:
    """Raises Refused. No form of another site can send JSON: browsers ask first, and nobody says yes."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-json", "send the body as application/json")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "bad-body", f"the body can't be read: {error}") from error


def write_cursor(*values: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).rstrip(b"=").decode()


def read_cursor(text: str, kind: type[_T]) -> _T:
    """What a cursor of ours says; ``kind`` is a tuple's type. Raises Refused."""
    try:
        raw = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=kind)
    except (ValueError, binascii.Error, msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise bad("cursor", "cursor is none of ours: take `next` of an answer as it is, or leave it out") from error


def tagged(request: Request, content: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """An answer with its ETag, or 304 where the asker has it already."""
    tag = f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'
    kept = {"etag": tag, "cache-control": "private, no-cache", **(headers or {})}
    asked = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if tag in asked:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
    return Response(content, headers=kept, media_type=media_type)
