"""One attempt at receivers that fail in every way, and at mail servers: what becomes of it, within its deadline."""

import email
import email.policy
import gc
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from consumers.alerting import messages
from consumers.alerting.messages import render
from consumers.alerting.send import Delivered, Outcome, Refused, TryAgain, send, trust
from consumers.alerting.sinks import Alertmanager, AnySink, Mail, Slack, Webhook
from tests.consumers.alerting import receivers
from tests.consumers.alerting.receivers import SECRET, Answer, Receiver, receiver, status
from tests.consumers.alerting.test_messages import said
from tests.kafka import free_ports

KEY = "ab" * 16
NOW = 1_700_000_000.0


def attempt(sink: AnySink, body: bytes = b"{}") -> Outcome:
    return send(sink, trust(sink), KEY, body, NOW)


def webhook(url: str, **more: Any) -> Webhook:
    return Webhook(url=url, secret=SECRET, timeout_seconds=1.0, **more)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (status(200), Delivered, ""),
        (status(204), Delivered, ""),
        (receivers.half_a_body, Delivered, ""),  # its head said yes
        (receivers.hang, TryAgain, "no answer within 1 s"),
        (receivers.drip, TryAgain, "no answer within 1 s"),
        (receivers.slow_body, TryAgain, "no answer within 1 s"),
        (receivers.half_a_head, TryAgain, "RemoteProtocolError"),
        (receivers.garbage, TryAgain, "RemoteProtocolError"),
        (lambda _c, _r: None, TryAgain, "disconnected"),
        (status(500, body="database down"), TryAgain, "status 500: database down"),
        (status(503), TryAgain, "status 503"),
        (status(408), TryAgain, "status 408"),
        (status(429), TryAgain, "status 429"),
        (status(400, body="no such field\x1b[31m"), Refused, "no such field\\x1b[31m"),
        (status(401), Refused, "status 401"),
        (status(404), Refused, "status 404"),
        (status(413), Refused, "status 413"),
        (status(307, "Location: https://other.example/secret/path"), Refused, "other.example"),
        (receivers.huge, Refused, "status 400: yyyy"),
    ],
)
def test_what_can_pass_is_tried_again_and_what_can_not_is_refused(
    hook: Receiver, answer: Answer, expected: type[Outcome], words: str
) -> None:
    hook.answers = [answer]
    outcome = attempt(webhook(hook.url))
    assert isinstance(outcome, expected)
    reason = getattr(outcome, "reason", "")
    assert words in reason
    assert len(reason) < 600
    assert "secret/path" not in reason
    assert len(hook.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("99999999999999", 999_999_999.0),
        ("-1", None),
        ("soon", None),
        ("Thu, 26 Nov 2026 00:01:00 GMT", 60.0),
        ("Thu, 26 Nov 2020 00:01:00 GMT", 0.0),
    ],
)
def test_a_receiver_may_say_when(hook: Receiver, header: str, seconds: float | None) -> None:
    hook.answers = [status(429, f"Retry-After: {header}", "Date: Thu, 26 Nov 2026 00:00:00 GMT")]
    assert attempt(webhook(hook.url)) == TryAgain("status 429", seconds)


def test_nobody_there_is_no_refusal() -> None:
    (port,) = free_ports(1)
    for url in (f"http://127.0.0.1:{port}/", "http://nowhere.invalid/"):
        assert isinstance(attempt(webhook(url)), TryAgain)


def test_a_certificate_must_be_of_somebody_we_trust(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    with receiver(server) as hook:
        outcome = attempt(webhook(hook.url))
        assert isinstance(outcome, TryAgain)
        assert "certificate verify failed" in outcome.reason.lower()
        assert hook.requests == []
        assert attempt(webhook(hook.url, ca_file=str(cert))) == Delivered()
        (plain,) = hook.requests
        assert plain.key == KEY


def test_a_receiver_that_speaks_no_tls_gets_nothing(hook: Receiver) -> None:
    assert isinstance(attempt(webhook(hook.url.replace("http:", "https:"))), TryAgain)
    assert hook.requests == []


def test_each_kind_goes_where_it_should_with_its_headers(hook: Receiver) -> None:
    base = hook.url.removesuffix("/hook")
    assert attempt(webhook(hook.url)) == Delivered()
    assert attempt(Slack(url=hook.url)) == Delivered()
    assert attempt(Alertmanager(url=f"{base}/prefix/", token="t" * 20)) == Delivered()
    assert attempt(Alertmanager(url=base, username="u", password="p")) == Delivered()
    signed, slack, bearer, basic = hook.requests
    assert signed.headers["webhook-signature"].startswith("v1,")
    assert "webhook-signature" not in slack.headers
    assert (bearer.path, bearer.headers["authorization"]) == ("/prefix/api/v2/alerts", "Bearer " + "t" * 20)
    assert basic.headers["authorization"] == "Basic dTpw"
    assert {each.key for each in hook.requests} == {KEY}


def test_what_a_receiver_repeats_of_our_secrets_is_not_passed_on(hook: Receiver) -> None:
    path = "/services/T0/B0/hushhush"
    hook.answers = [lambda c, r: status(400, body=f"no {r.path} for {SECRET}")(c, r)]
    outcome = attempt(webhook(hook.url.removesuffix("/hook") + path))
    assert isinstance(outcome, Refused)
    assert "hushhush" not in outcome.reason
    assert SECRET not in outcome.reason


class Box:
    """A mailbox, and what its server says to each recipient and to the whole."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.refuses: dict[str, str] = {}
        self.says = "250 OK"

    async def handle_RCPT(self, _s: SMTP, _n: Session, envelope: Envelope, address: str, _o: list[str]) -> str:  # noqa: N802 - aiosmtpd's name
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _s: SMTP, _n: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.says.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(envelope.content)
        return self.says


def _password(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=isinstance(data, LoginPassword) and data.password == b"open sesame", handled=False)


@contextmanager
def mail_server(box: Box, tls: ssl.SSLContext | None) -> Iterator[int]:
    options: dict[str, Any] = {"authenticator": _password, "auth_required": True} if tls else {}
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=0,
        server_hostname="localhost",
        tls_context=tls,
        require_starttls=bool(tls),
        **options,
    )
    controller.port = free_ports(1)[0]
    # The server forgets its end of a connection whose handshake failed, which is found unclosed, here or in a later
    # test. Our own end is looked at where a certificate is refused.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed", ResourceWarning)
        controller.start()
        try:
            yield controller.port
        finally:
            controller.stop()
            gc.collect()


def mail(port: int, **more: Any) -> Mail:
    values: dict[str, Any] = {
        "host": "localhost",
        "sender": "us@example.org",
        "to": ("a@example.org", "b@example.org"),
        "port": port,
    }
    return Mail(**values | {"timeout_seconds": 5.0} | more)


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*certificate)
    return server


def body_for(sink: Mail) -> bytes:
    return render(
        "mail", KEY, [said(battery="ünïcode\r\n.\r\nQUIT")], messages.Envelope(sender=sink.sender, to=sink.to)
    )


def test_mail_goes_through_starttls_with_a_login(tls: ssl.SSLContext, certificate: tuple[Path, Path]) -> None:
    box = Box()
    with mail_server(box, tls) as port:
        sink = mail(port, ca_file=str(certificate[0]), username="u", password="open sesame")
        assert attempt(sink, body_for(sink)) == Delivered()
        assert attempt(sink, body_for(sink)) == Delivered()
        wrong = attempt(mail(port, ca_file=str(certificate[0]), username="u", password="guessed!"), body_for(sink))
        assert isinstance(wrong, Refused)
        assert isinstance(attempt(mail(port, username="u", password="open sesame"), body_for(sink)), TryAgain)
        ours = [each for each in psutil.Process().net_connections("tcp") if port in tuple(each.raddr)]
        assert ours == [], "a connection is left open"
    first, second = (email.message_from_bytes(each, policy=email.policy.default) for each in box.mails)
    assert first["Message-ID"] == second["Message-ID"] == f"<{KEY}@cellwitness>"
    assert "R09" in first["Subject"]
    assert "ünïcode\\x0d" in first.get_content()


def test_no_mail_goes_in_clear_where_tls_was_asked_for() -> None:
    box = Box()
    with mail_server(box, None) as port:
        assert isinstance(attempt(mail(port), b"x"), TryAgain)
        assert box.mails == []
        assert attempt(mail(port, security="none"), body_for(mail(port))) == Delivered()


@pytest.mark.parametrize(
    ("change", "expected", "words"),
    [
        (lambda box: setattr(box, "says", "451 greylisted"), TryAgain, "451"),
        (lambda box: setattr(box, "says", "554 spam"), Refused, "554"),
        (lambda box: box.refuses.update({"a@example.org": "550 unknown"}), Refused, "1 were refused: a@example.org"),
        (
            lambda box: box.refuses.update(dict.fromkeys(("a@example.org", "b@example.org"), "450 busy")),
            TryAgain,
            "450",
        ),
    ],
)
def test_a_mail_servers_4yz_passes_and_its_5yz_does_not(
    change: Callable[[Box], None], expected: type[Outcome], words: str
) -> None:
    box = Box()
    change(box)
    with mail_server(box, None) as port:
        sink = mail(port, security="none")
        outcome = attempt(sink, body_for(sink))
    assert isinstance(outcome, expected)
    assert words in getattr(outcome, "reason", "")


def test_a_mail_server_that_says_nothing_meets_the_deadline() -> None:
    with receiver() as silent:
        sink = mail(silent.port, security="none", timeout_seconds=1.0)
        assert attempt(sink, b"x") == TryAgain("no answer within 1 s")
