"""The bytes of messages: stable, escaped, and as each kind of sink wants them."""

import base64
import email
import email.policy
import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from consumers.alerting.backoff import wait_seconds
from consumers.alerting.messages import Envelope, Said, SinkKind, headline, render
from consumers.alerting.send import sign
from tests.consumers.alerting.made import START, Memory, minutes, routing, standing

ENVELOPE = Envelope(sender="cellwitness@example.org", to=("a@example.org", "b@example.org"))
KINDS: tuple[SinkKind, ...] = ("webhook", "alertmanager", "slack", "mail")
HOSTILE = "evil\r\nBcc: all@example.org\x1b[31m <!channel> <script>&\u202e\x00*b* "


def said(**more: Any) -> Said:
    memory = Memory()
    memory.plan(routing(link="https://x.example/{alert}"), [standing()])
    return replace(memory.sent()[0].said, **more)


def resolved() -> Said:
    memory = Memory()
    memory.plan(routing(), [standing()])
    memory.plan(routing(), [], START + minutes(5), withdrawn={standing().alert.alert: "a fork"})
    return memory.sent()[-1].said


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(st.text(max_size=300))
def test_the_same_notices_give_the_same_bytes_whatever_a_battery_is_called(kind: SinkKind, name: str) -> None:
    one = said(battery=name, model=name, reason=name, by=name)
    body = render(kind, "ab" * 16, [one, resolved()], ENVELOPE)
    assert body == render(kind, "ab" * 16, [one, resolved()], ENVELOPE)
    if kind != "mail":
        assert json.loads(body)


def test_a_webhook_is_told_everything_as_it_is() -> None:
    body = json.loads(render("webhook", "ab" * 16, [said(battery=HOSTILE)], Envelope()))
    assert (body["format"], body["key"], body["test"]) == ("cellwitness.alerts.v1", "ab" * 16, False)
    (message,) = body["messages"]
    assert message["battery"] == HOSTILE
    assert (message["status"], message["kind"], message["rule"]) == ("firing", "confirmed", "R09")
    assert message["link"] == f"https://x.example/{standing().alert.alert}"


def test_no_line_for_people_holds_what_a_header_a_terminal_or_a_chat_acts_upon() -> None:
    one = said(battery=HOSTILE, model=HOSTILE, reason=HOSTILE, by=HOSTILE)
    assert headline(one).isprintable()
    mail = email.message_from_bytes(render("mail", "ab" * 16, [one], ENVELOPE), policy=email.policy.default)
    assert mail["Bcc"] is None
    assert mail["To"] == "a@example.org, b@example.org"
    assert mail["Message-ID"] == f"<{'ab' * 16}@cellwitness>"
    body = mail.get_content()
    assert "\\x0d\\x0aBcc" in body
    assert not set(body) & set("\x1b\u202e\x00")
    text = json.loads(render("slack", "ab" * 16, [one], ENVELOPE))["text"]
    assert "<!channel>" not in text
    assert "&lt;!channel&gt;" in text


def test_alertmanager_hears_one_alert_by_its_labels_until_it_is_resolved() -> None:
    (fires,) = json.loads(render("alertmanager", "k", [said()], Envelope()))
    (ends,) = json.loads(render("alertmanager", "k", [resolved()], Envelope()))
    assert fires["labels"] == ends["labels"]
    assert fires["startsAt"] == ends["startsAt"] < ends["endsAt"] < fires["endsAt"]


def test_to_alertmanager_another_severity_is_another_alert_and_the_former_one_ends() -> None:
    before, now = json.loads(render("alertmanager", "k", [said(severity="critical", before="high")], Envelope()))
    assert (before["labels"]["severity"], now["labels"]["severity"]) == ("high", "critical")
    assert before["endsAt"] < now["endsAt"]


def test_an_alert_that_the_chain_dates_into_the_future_begins_now() -> None:
    memory = Memory()
    memory.plan(routing(), [standing(first_time="2099-01-01T00:00:00Z")])
    assert memory.sent()[0].said.began_at == START.isoformat()


def test_the_signature_is_the_one_of_standard_webhooks() -> None:
    """The vector of the specification's own reference libraries."""
    secret, key, timestamp = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
    body = b'{"test": 2432232314}'
    assert sign(secret, key, timestamp, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_can_verify_with_nothing_but_its_standard_library() -> None:
    secret, key, timestamp, body = "a secret of many bytes", "ab" * 16, 1_700_000_000, b"{}"
    expected = base64.b64encode(hmac.digest(secret.encode(), f"{key}.{timestamp}.".encode() + body, "sha256"))
    assert sign(secret, key, timestamp, body) == f"v1,{expected.decode()}"


@settings(deadline=None)
@given(st.integers(1, 10_000), st.floats(0, 1), st.none() | st.floats(0, 1e9))
def test_waits_double_spread_and_are_bounded(failures: int, jitter: float, asked: float | None) -> None:
    wait = wait_seconds(failures, jitter, asked)
    assert 0.5 <= wait <= 3600
    assert wait <= 300 or asked is not None
    assert wait >= min(asked or 0, 3600)
    assert wait_seconds(failures, 0) <= wait_seconds(failures + 1, 0)
