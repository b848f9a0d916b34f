"""One attempt to bring one message to its sink, under one deadline, and what became of it."""

import asyncio
import base64
import binascii
import hmac
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import aiosmtplib
import httpx
from msgspec import Struct

from consumers.alerting.sinks import Alertmanager, AnySink, Mail, Slack, Webhook, secrets_of
from consumers.text import visible
from indexer.errors import ConfigurationError

MOST_ERROR_BYTES: Final = 500
"""Of what a refusing receiver says; the rest of an answer is not read, however long it is."""

_A_STEP: Final = 0.9
"""Of the deadline, for one step of the conversation: a connection whose handshake stalls is closed in order then, while
one that is cut off at the deadline itself is left to the garbage collector."""

PASSING: Final = frozenset((408, 421, 425, 429))
"""Answers below 500 that another try may change. Source: RFC 9110, RFC 8470, RFC 6585."""


class Delivered(Struct, frozen=True):
    """The receiver took it."""


class TryAgain(Struct, frozen=True):
    """It may take it later, after so long at the least if it said so."""

    reason: str
    after_seconds: float | None = None


class Refused(Struct, frozen=True):
    """The same bytes will be refused again: a person has to look."""

    reason: str


Outcome = Delivered | TryAgain | Refused


def sign(secret: str, key: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature``. Source: Standard Webhooks 1.0, "Signature scheme", HMAC-SHA256."""
    digest = hmac.digest(_secret_bytes(secret), f"{key}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def trust(sink: AnySink) -> ssl.SSLContext:
    """Whom a sink's certificate must be from. Raises ConfigurationError."""
    context = ssl.create_default_context()
    if sink.ca_file is not None:
        try:
            context.load_verify_locations(sink.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"ca_file {sink.ca_file!r} holds no certificate that can be read") from error
    return context


def send(sink: AnySink, tls: ssl.SSLContext, key: str, body: bytes, now: float) -> Outcome:
    """Tries once. ``now`` is Unix time, for the signature."""
    outcome = asyncio.run(_attempt(sink, tls, key, body, now))
    match outcome:
        case Delivered():
            return outcome
        case TryAgain() | Refused():
            return _without_secrets(outcome, sink)


async def _attempt(sink: AnySink, tls: ssl.SSLContext, key: str, body: bytes, now: float) -> Outcome:
    try:
        return await _within_deadline(sink, tls, key, body, now)
    except TimeoutError:
        return TryAgain(f"no answer within {sink.timeout_seconds:g} s")
    finally:
        await asyncio.sleep(
            0
        )  # a connection that was given up is closed in the loop's next round, and this is the last


async def _within_deadline(sink: AnySink, tls: ssl.SSLContext, key: str, body: bytes, now: float) -> Outcome:
    # One deadline over all: a receiver that sends a byte now and then would never meet a time-out of each read.
    async with asyncio.timeout(sink.timeout_seconds):
        same = {"Idempotency-Key": key}
        match sink:
            case Webhook():
                timestamp = int(now)
                headers = {
                    "webhook-id": key,
                    "webhook-timestamp": str(timestamp),
                    "webhook-signature": sign(sink.secret, key, timestamp, body),
                }
                return await _post(sink.url, tls, body, same | headers, sink.timeout_seconds)
            case Slack():
                return await _post(sink.url, tls, body, same, sink.timeout_seconds)
            case Alertmanager():
                url = sink.url.rstrip("/") + "/api/v2/alerts"
                return await _post(url, tls, body, same | _authorization(sink), sink.timeout_seconds)
            case Mail():
                return await _mail(sink, tls, body)


async def _post(
    url: str, tls: ssl.SSLContext, body: bytes, headers: Mapping[str, str], deadline_seconds: float
) -> Outcome:
    said = {"Content-Type": "application/json", "User-Agent": "cellwitness", **headers}
    try:
        async with (
            httpx.AsyncClient(verify=tls, timeout=_A_STEP * deadline_seconds, follow_redirects=False) as client,
            client.stream("POST", url, content=body, headers=said) as answer,
        ):
            if answer.is_success:
                return Delivered()  # its head says so; what follows, or does not, changes nothing
            return _refusal(answer, await _beginning(answer))
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        return Refused(f"its address can't be used: {error}")
    except httpx.TimeoutException:
        raise TimeoutError from None
    except httpx.HTTPError as error:
        return TryAgain(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


async def _beginning(answer: httpx.Response) -> str:
    read = b""
    try:
        async for part in answer.aiter_raw(MOST_ERROR_BYTES):
            read += part
            if len(read) >= MOST_ERROR_BYTES:
                break
    except httpx.HTTPError:
        pass  # the answer's head has said what counts
    return visible(read[:MOST_ERROR_BYTES].decode(errors="replace"))


def _refusal(answer: httpx.Response, text: str) -> Outcome:
    status = answer.status_code
    if answer.has_redirect_location:
        # Not followed: it would carry the signed message to wherever the answer says.
        to = urlsplit(answer.headers["location"])
        return Refused(f"status {status}: it sends us on to {visible(to.netloc) or 'another path'}; give that address")
    reason = f"status {status}" + (f": {text}" if text else "")
    if status >= 500 or status in PASSING:
        return TryAgain(reason, _retry_after(answer.headers.get("retry-after"), answer.headers.get("date")))
    return Refused(reason)


def _retry_after(value: str | None, date: str | None) -> float | None:
    """Seconds; None where it says nothing that can be read. Source: RFC 9110, 10.2.3."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - parsedate_to_datetime(date or "")).total_seconds())
    except (TypeError, ValueError):
        return None


async def _mail(sink: Mail, tls: ssl.SSLContext, body: bytes) -> Outcome:
    login: dict[str, Any] = {}
    if sink.username is not None and sink.password is not None:
        login = {"username": sink.username, "password": sink.password}
    try:
        async with aiosmtplib.SMTP(
            hostname=sink.host,
            port=sink.port,
            timeout=None,
            use_tls=sink.security == "tls",
            start_tls=sink.security == "starttls",  # where the server can't, this fails: never in clear instead
            tls_context=None if sink.security == "none" else tls,
            **login,
        ) as smtp:
            refused, _ = await smtp.sendmail(sink.sender, list(sink.to), body)
    except aiosmtplib.SMTPRecipientsRefused as error:
        codes = [each.code for each in error.recipients]
        return _of_smtp(max(codes), "every recipient was refused")
    except aiosmtplib.SMTPResponseException as error:
        return _of_smtp(error.code, visible(str(error.message)[:MOST_ERROR_BYTES]))
    except (aiosmtplib.SMTPException, OSError) as error:
        return TryAgain(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    if refused:
        # Others have it: to send it again would be to them a second time.
        return Refused(
            f"of {len(sink.to)} recipients {len(refused)} were refused: {', '.join(refused)}; the others have it"
        )
    return Delivered()


def _of_smtp(code: int, text: str) -> Outcome:
    """4yz passes, 5yz does not. Source: RFC 5321, 4.2.1."""
    reason = f"SMTP {code}: {text}"
    return Refused(reason) if code >= 500 else TryAgain(reason)


def _authorization(sink: Alertmanager) -> dict[str, str]:
    if sink.token is not None:
        return {"Authorization": f"Bearer {sink.token}"}
    if sink.username is not None:
        pair = f"{sink.username}:{sink.password or ''}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _secret_bytes(secret: str) -> bytes:
    """Standard Webhooks writes secrets as whsec_ and base64; any other text is taken as it is."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def _without_secrets(outcome: TryAgain | Refused, sink: AnySink) -> Outcome:
    """A receiver's words, and a library's, may repeat what we sent."""
    reason = outcome.reason
    for secret in secrets_of(sink):
        reason = reason.replace(secret, "…")
    return TryAgain(reason, outcome.after_seconds) if isinstance(outcome, TryAgain) else Refused(reason)
