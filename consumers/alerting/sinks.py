"""Sinks: where messages go, as the file of routes describes them."""

from typing import Final, Literal
from urllib.parse import urlsplit

from msgspec import Struct, field

from consumers.alerting.messages import Envelope, SinkKind
from indexer.errors import ConfigurationError

LEAST_SECRET_BYTES: Final = 16


class SinkSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every sink has."""

    timeout_seconds: float = 15.0  # of one attempt, all of it
    ca_file: str | None = None  # whom to trust beside the system's authorities, PEM


class Webhook(SinkSettings, frozen=True, kw_only=True, tag="webhook", tag_field="kind"):
    """JSON by POST, signed as "Standard Webhooks" says."""

    url: str
    secret: str


class Alertmanager(SinkSettings, frozen=True, kw_only=True, tag="alertmanager", tag_field="kind"):
    """Alertmanager's API, version 2."""

    url: str  # without /api/v2
    username: str | None = None
    password: str | None = None
    token: str | None = None  # bearer
    refresh_seconds: float = 60.0  # Alertmanager forgets at a restart: what fires is told again so often


class Slack(SinkSettings, frozen=True, kw_only=True, tag="slack", tag_field="kind"):
    """An incoming webhook of Slack, or of what understands the same. The address is the secret."""

    url: str


class Mail(SinkSettings, frozen=True, kw_only=True, tag="mail", tag_field="kind"):
    """SMTP."""

    host: str
    sender: str = field(name="from")
    to: tuple[str, ...]
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: str | None = None


AnySink = Webhook | Alertmanager | Slack | Mail
KINDS: Final[dict[str, type[AnySink]]] = {
    "webhook": Webhook,
    "alertmanager": Alertmanager,
    "slack": Slack,
    "mail": Mail,
}


def kind_of(sink: AnySink) -> SinkKind:
    match sink:
        case Webhook():
            return "webhook"
        case Alertmanager():
            return "alertmanager"
        case Slack():
            return "slack"
        case Mail():
            return "mail"


def secrets_of(sink: AnySink) -> tuple[str, ...]:
    """What of a sink must reach no log and no screen: the path of an address may be one, too."""
    found = [getattr(sink, name, None) for name in ("secret", "password", "token")]
    url = getattr(sink, "url", "")
    parts = urlsplit(url)
    found += [url, parts.password, parts.path if len(parts.path) > 1 else None, parts.query]
    return tuple(sorted({each for each in found if each}, key=len, reverse=True))


def check_sink(sink: AnySink, where: str) -> None:
    """Raises ConfigurationError for what the types let through."""
    if sink.timeout_seconds <= 0:
        raise ConfigurationError(f"{where}.timeout_seconds: write a number above 0, such as 15")
    if isinstance(sink, Mail):
        if not sink.to:
            raise ConfigurationError(f'{where}.to: name whom to write to, such as ["fleet@example.org"]')
        for address in (sink.sender, *sink.to):
            if "@" not in address or not address.isprintable():
                raise ConfigurationError(f"{where}: {address!r} is no mail address")
        if (sink.username is None) != (sink.password is None):
            raise ConfigurationError(f"{where}: username and password go together: give both (password_file), or none")
        if sink.password is not None and sink.security == "none":
            raise ConfigurationError(f"{where}.security: a password must not cross the network in clear: use starttls")
        return
    parts = urlsplit(sink.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"{where}.url is no address: write https://HOST/PATH")
    if isinstance(sink, Webhook) and len(sink.secret.encode()) < LEAST_SECRET_BYTES:
        raise ConfigurationError(
            f"{where}.secret: {LEAST_SECRET_BYTES} bytes at least, such as of `openssl rand -base64 32`"
        )
    if isinstance(sink, Alertmanager):
        if sink.refresh_seconds <= 0:
            raise ConfigurationError(f"{where}.refresh_seconds: write a number above 0, such as 60")
        if sink.token is not None and sink.username is not None:
            raise ConfigurationError(f"{where}: token and username are two ways to log in: keep one")


def envelope_of(sink: AnySink) -> Envelope:
    """Whom its mails are from and to."""
    return Envelope(sender=sink.sender, to=sink.to) if isinstance(sink, Mail) else Envelope()
