"""``cellwitness alert`` as an operator meets it: checked, tried, explained, and mended."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.consumers.alerting.desk import Desk, alerting, webhook
from tests.consumers.alerting.receivers import SECRET, Receiver, hang, receiver, status
from tests.endtoend.commands import CommandLine, Said
from tests.postgres import database, postgres

__all__ = ["database", "postgres"]

ROUTES = """
[sinks.ops]
kind = "webhook"
url = "{url}"
secret_env = "HOOK_SECRET"
timeout_seconds = 2

[[routes]]
name = "all"
sinks = ["ops"]
provisional = true

[[routes]]
name = "grave"
sinks = ["ops"]
severity = ["critical"]
model = ["no such model"]
quiet = {{ from = "22:00", to = "07:00", zone = "Europe/Berlin" }}
"""


class Operator:
    """A desk with a file of routes, and the command over both."""

    def __init__(self, desk: Desk, hook: Receiver, file: Path, command: CommandLine) -> None:
        self.desk, self.hook, self.command = desk, hook, command
        file.write_text(ROUTES.format(url=hook.url))
        self.file = file
        self.given = alerting(ops=webhook(hook.url))

    def __call__(self, *arguments: str) -> Said:
        return self.command("alert", *arguments, environment={"HOOK_SECRET": SECRET})

    def routed(self, *arguments: str) -> Said:
        return self("--routes", str(self.file), "--db", self.desk.url, *arguments)

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--db", self.desk.url, "--json").out)


@pytest.fixture
def operator(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Operator]:
    with receiver() as hook:
        command = CommandLine(tmp_path, monkeypatch, capsys)
        yield Operator(Desk(database, tmp_path / "log.db"), hook, tmp_path / "alerting.toml", command)


def test_a_sound_file_is_shown_without_its_secrets_and_a_broken_one_is_named(operator: Operator) -> None:
    shown = operator.routed("--check")
    assert shown.code == 0
    for words in ("all", "ops (webhook)", "at once, as provisional", "not 22:00 to 07:00 Europe/Berlin"):
        assert words in shown.out
    assert SECRET not in shown.out + shown.errors
    assert str(operator.hook.port) not in shown.out
    operator.file.write_text(operator.file.read_text().replace('severity = ["critical"]', 'severity = ["grave"]'))
    broken = operator.routed("--check")
    assert (broken.code, broken.out) == (2, "")
    assert "routes[1]" in broken.errors


@pytest.mark.parametrize(
    ("answer", "code", "words"), [(status(200), 0, "delivered"), (hang, 1, "no answer within 2 s")]
)
def test_a_test_says_of_each_sink_what_happened_and_is_marked(
    operator: Operator, answer: Any, code: int, words: str
) -> None:
    operator.hook.answers = [answer]
    said = operator.routed("--test", "all")
    assert said.code == code
    assert words in said.out
    (request,) = operator.hook.requests
    assert request.verified()["test"] is True
    assert operator.routed("--test", "al").code == 2


def test_an_alert_is_explained_with_its_routes_and_its_story(operator: Operator) -> None:
    operator.desk.plan(operator.given)
    operator.desk.send(operator.given)
    alert = operator.desk.standing()[0]
    said = operator.routed("--explain", alert.alert[:8])
    assert said.code == 0, said.errors
    assert "grave" in said.out
    assert "What was said" in said.out
    assert operator.routed("--explain", "00000000").code == 1
    explained = json.loads(operator.routed("--explain", alert.alert, "--json").out)
    assert [way["takes"] for way in explained["ways"]] == [True, False]
    assert explained["story"][0]["state"] == "sent"


def test_what_failed_is_listed_retried_and_given_up(operator: Operator) -> None:
    operator.hook.answers = [status(403, body="who are you?\x1b[2J")]
    operator.desk.plan(operator.given)
    operator.desk.send(operator.given)
    listed = operator("ls", "--db", operator.desk.url)
    assert "who are you?\\x1b[2J" in listed.out
    failed = operator.json("ls", "--state", "failed")["messages"]
    assert len(failed) == len(operator.desk.standing())
    key = failed[0]["key"]
    assert operator.json("retry", key[:8])["messages"] == [key]
    assert operator("drop", key[:8], "--db", operator.desk.url).code == 0
    assert operator("drop", key[:8], "--db", operator.desk.url).code == 1
    assert len(operator.json("retry", "--sink", "ops")["messages"]) == len(failed) - 1
    assert operator("retry", "--db", operator.desk.url).code == 2
    assert operator("retry", "zz", "--db", operator.desk.url).code == 2
    operator.hook.answers = [status(200)]
    operator.desk.send(operator.given)
    assert operator.desk.states() == {"sent": len(failed) - 1, "dropped": 1}
