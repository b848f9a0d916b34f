"""The file of routes: what is wrong with it is named with the key and the way to mend it; secrets stay secret."""

from pathlib import Path

import pytest

from consumers.alerting.config import Alerting, read_alerting
from consumers.alerting.sinks import Alertmanager, Mail, Slack, Webhook, secrets_of
from indexer.errors import ConfigurationError
from tests.shared import ROOT

SINK = '[sinks.ops]\nkind = "webhook"\nurl = "https://ops.example/hook"\nsecret_env = "HOOK"\n'
ROUTE = '[[routes]]\nname = "all"\nsinks = ["ops"]\n'
ENVIRONMENT = {"HOOK": "0123456789abcdef", "CHAT": "https://hooks.slack.example/T/B/hush\n", "EMPTY": " "}


def read(tmp_path: Path, text: str) -> Alerting:
    file = tmp_path / "alerting.toml"
    file.write_text(text)
    return read_alerting(file, ENVIRONMENT)


def test_the_documented_file_is_read_with_every_kind_of_sink(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "alerting.md").read_text()
    text = page.partition("```toml\n")[2].partition("```")[0]
    for name in ("hook.secret", "mail.password"):
        (tmp_path / name).write_text("a secret of many bytes\n")
    file = tmp_path / "alerting.toml"
    file.write_text(text.replace("/run/secrets/", f"{tmp_path}/"))
    found = read_alerting(file, {"SLACK_URL": "https://hooks.slack.example/T/B/hush"})
    assert {type(sink) for sink in found.sinks.values()} == {Webhook, Alertmanager, Slack, Mail}
    assert len(found.routes) >= 3
    used = {sink for route in found.routes.values() for sink in route.sinks}
    assert used == set(found.sinks)


def test_secrets_come_from_files_and_the_environment_and_are_known_as_such(tmp_path: Path) -> None:
    found = read(tmp_path, SINK + '[sinks.chat]\nkind = "slack"\nurl_env = "CHAT"\n' + ROUTE)
    chat, ops = found.sinks["chat"], found.sinks["ops"]
    assert isinstance(chat, Slack)
    assert chat.url == "https://hooks.slack.example/T/B/hush"
    assert {chat.url, "/T/B/hush"} <= set(secrets_of(chat))
    assert "0123456789abcdef" in secrets_of(ops)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("names no sink", "[sinks.NAME]")),
        (SINK, ("names no route", "[[routes]]")),
        ("sink = 1\n", ("alerting.toml.sink is no setting", "did you mean 'sinks'?")),
        (SINK.replace("webhook", "webhok") + ROUTE, ("sinks.ops.kind", "webhook, alertmanager, slack, mail")),
        (SINK.replace("secret_env", "secret") + ROUTE, ("sinks.ops.secret", "secret_file or secret_env")),
        (SINK + 'secret_file = "x"\n' + ROUTE, ("sinks.ops", "keep one")),
        (SINK.replace('"HOOK"', '"HOK"') + ROUTE, ("sinks.ops.secret_env", "no variable 'HOK'")),
        (SINK.replace('"HOOK"', '"EMPTY"') + ROUTE, ("sinks.ops.secret_env", "is empty")),
        (SINK.replace('secret_env = "HOOK"', 'secret_file = "/none"') + ROUTE, ("secret_file", "No such file")),
        (SINK.replace("https://ops.example/hook", "ops.example") + ROUTE, ("sinks.ops.url", "https://HOST/PATH")),
        (SINK + "timeout_seconds = 0\n" + ROUTE, ("sinks.ops.timeout_seconds", "above 0")),
        (SINK + "timeout_seconds = 'x'\n" + ROUTE, ("sinks.ops", "timeout_seconds")),
        (SINK + "time = 3\n" + ROUTE, ("sinks.ops.time is no setting", "timeout_seconds")),
        (SINK + ROUTE.replace('"ops"', '"opps"'), ("routes[0].sinks", "did you mean 'ops'?")),
        (SINK + ROUTE + 'rule = ["R99"]\n', ("routes[0].rule", "no rule 'R99'")),
        (SINK + ROUTE + 'severity = ["loud"]\n', ("routes[0]", "severity")),
        (SINK + ROUTE + 'severty = ["high"]\n', ("routes[0].severty", "did you mean 'severity'?")),
        (SINK + ROUTE + ROUTE, ("routes[1].name", "is taken")),
        (
            SINK + ROUTE + 'quiet = {from = "22:00", to = "07:00", zone = "Mars/Base"}\n',
            ("quiet.zone", "Europe/Berlin"),
        ),
        (SINK + ROUTE + 'quiet = {from = "22:00", til = "07:00"}\n', ("routes[0].quiet.til", "Known are from, to")),
        (SINK + ROUTE + "throttle = {messages = 0, minutes = 1}\n", ("routes[0].throttle", "at least 1")),
        (SINK + ROUTE + "since = 2026-01-01T00:00:00\n", ("routes[0].since", "time zone")),
        (SINK + ROUTE + "group_seconds = -1\n", ("routes[0].group_seconds",)),
        ('link = "x"\n' + SINK + ROUTE, ("link", "https://")),
        ("not toml", ("is not TOML",)),
        (
            '[sinks.m]\nkind = "mail"\nhost = "h"\nfrom = "a@b"\nto = ["c@d"]\nsecurity = "none"\nusername = "u"\n'
            'password_env = "HOOK"\n' + ROUTE,
            ("sinks.m.security", "starttls"),
        ),
        (
            '[sinks.m]\nkind = "mail"\nhost = "h"\nfrom = "a@b"\nto = ["c"]\n' + ROUTE,
            ("sinks.m", "'c' is no mail address"),
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_key_and_how_to_mend_it(
    tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)
    for word in words:
        assert word in str(caught.value)
    assert "0123456789abcdef" not in str(caught.value)


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "alerting.toml").write_text(SINK + ROUTE)
    with pytest.raises(ConfigurationError, match="16 bytes at least"):
        read_alerting(tmp_path / "alerting.toml", {"HOOK": "short"})
