"""What is said about an alert, and the bytes of it that each kind of sink takes. Pure."""

import html
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from consumers.alerts import Stage
from consumers.text import visible

Kind = Literal["provisional", "confirmed", "changed", "withdrawn", "closed", "unrouted"]
SinkKind = Literal["webhook", "alertmanager", "slack", "mail"]

RESOLVING: Final = frozenset(("withdrawn", "closed", "unrouted"))
"""Kinds that end an episode: the receiver is to forget the alert."""

FORMAT: Final = "cellwitness.alerts.v1"
FIRES_FOR: Final = timedelta(days=366)
"""How long Alertmanager believes an alert that it hears no more of. An alert here ends by being resolved, not by
silence; and an alerter that is down must not make a stolen key look mended."""

TEST_FIRES_FOR: Final = timedelta(minutes=5)

MOST_CHARACTERS: Final = 200
"""Of a name from the chain, in a label or a line for people."""


class Said(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One notice: all that a receiver is told. Names in it come from the chain, as they are there: escape them."""

    key: str  # of this notice, 32 hex digits: another one for each alert, route, sink, episode and kind
    kind: Kind
    status: Literal["firing", "resolved"]
    stage: Stage  # provisional: a fork may still take it back
    severity: str
    before: str | None = None  # the severity told before, where it was another
    alert: str  # its name, as `cellwitness alerts show` takes it
    episode: int  # from 1: how often it was begun for this receiver
    route: str
    rule: str
    rule_name: str
    meaning: str  # for the battery's owner
    deployment: str
    battery: str | None = None  # its id, as text
    model: str | None = None
    subject: str  # battery key, public key or submitter, hex
    subject_kind: str
    findings: int
    first_time: str  # by the chain, RFC 3339
    first_slot: int
    first_height: int
    last_time: str
    last_slot: int
    last_height: int
    began_at: str  # the first finding, or the notice where that lies in the future
    noted_at: str
    reason: str | None = None  # of what resolves: why
    by: str | None = None  # who closed it
    link: str | None = None
    test: bool = False


class Envelope(Struct, frozen=True, kw_only=True):
    """Whom a mail is from and to. Empty for the other kinds."""

    sender: str = ""
    to: tuple[str, ...] = ()


def render(kind: SinkKind, key: str, said: Sequence[Said], envelope: Envelope) -> bytes:
    """The bytes of one message, of at least one notice. The same arguments give the same bytes, also after a crash."""
    match kind:
        case "webhook":
            test = any(each.test for each in said)
            return msgspec.json.encode({"format": FORMAT, "key": key, "test": test, "messages": said})
        case "alertmanager":
            return msgspec.json.encode([alert for each in said for alert in _for_alertmanager(each)])
        case "slack":
            text = "\n".join(_for_slack(each) for each in said)
            return msgspec.json.encode({"text": text})
        case "mail":
            return _for_mail(key, said, envelope)


def headline(said: Said) -> str:
    """One line for people, with nothing in it that a terminal, a header or a chat would act upon."""
    mark = "TEST, no alarm: " if said.test else ""
    sign = said.severity.upper() if said.status == "firing" else "RESOLVED"
    provisional = " (provisional: a fork may still take it back)" if said.stage == "provisional" else ""
    about = _cut(said.battery) if said.battery else f"{said.subject_kind} {said.subject[:16]}"
    was = f", before {said.before}" if said.before else ""
    why = f": {said.kind}, {visible(said.reason)}" if said.reason else ""
    by = f" ({_cut(said.by)})" if said.by else ""
    return f"{mark}[{sign}{was}] {said.rule} {said.rule_name}, {about}{provisional}{why}{by}"


def _cut(text: str) -> str:
    shown = visible(text)
    return shown if len(shown) <= MOST_CHARACTERS else f"{shown[: MOST_CHARACTERS - 1]}…"


def _for_alertmanager(said: Said) -> list[dict[str, Any]]:
    """Labels are what an alert is to Alertmanager: under another severity it is another, and the former one ends."""
    labels = {
        "alertname": f"cellwitness_{said.rule}",
        "severity": said.severity,
        "alert": said.alert,
        "rule": said.rule,
        "deployment": _cut(said.deployment),
        "subject": said.subject,
        "route": said.route,
    }
    labels |= {name: _cut(value) for name, value in (("battery", said.battery), ("model", said.model)) if value}
    labels |= {"test": "true"} if said.test else {}
    noted = datetime.fromisoformat(said.noted_at)
    fires_for = TEST_FIRES_FOR if said.test else FIRES_FOR
    ends = noted + fires_for if said.status == "firing" else noted
    body = {
        "labels": labels,
        "annotations": {
            "summary": headline(said),
            "description": said.meaning,
            "stage": said.stage,
            "kind": said.kind,
            "findings": str(said.findings),
            "key": said.key,
            "episode": str(said.episode),
        }
        | ({"reason": visible(said.reason)} if said.reason else {}),
        "startsAt": said.began_at,
        "endsAt": ends.isoformat(),
    }
    body |= {"generatorURL": said.link} if said.link else {}
    if said.before is None or said.before == said.severity:
        return [body]
    return [body | {"labels": labels | {"severity": said.before}, "endsAt": noted.isoformat()}, body]


def _for_slack(said: Said) -> str:
    """Slack reads three characters as markup, and these as entities. Source: Slack, "Formatting text"."""
    text = html.escape(headline(said), quote=False)
    link = f" <{said.link}|show>" if said.link else ""
    return f"{text}{link}\n> {html.escape(said.meaning, quote=False)} `cellwitness alerts show {said.alert[:10]}`"


def _for_mail(key: str, said: Sequence[Said], envelope: Envelope) -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = envelope.sender
    mail["To"] = ", ".join(envelope.to)
    mail["Subject"] = headline(said[0]) + (f" and {len(said) - 1} more" if len(said) > 1 else "")
    mail["Date"] = format_datetime(datetime.fromisoformat(said[-1].noted_at))
    # Mail's own idempotency key: a reader that gets it twice shows it once.
    mail["Message-ID"] = f"<{key}@cellwitness>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n\n".join(_paragraph(each) for each in said), charset="utf-8", cte="quoted-printable")
    return mail.as_bytes()


def _paragraph(said: Said) -> str:
    shown = {name: value for name, value in asdict(said).items() if name in _IN_MAIL and value is not None}
    lines = [f"{name.replace('_', ' '):<12} {_cut(str(value))}" for name, value in shown.items()]
    return "\n".join([headline(said), said.meaning, *lines, f"more         cellwitness alerts show {said.alert[:10]}"])


_IN_MAIL: Final = (
    *("stage", "severity", "deployment", "battery", "model", "subject", "findings", "first_time", "last_time"),
    *("reason", "by", "link", "key"),
)
