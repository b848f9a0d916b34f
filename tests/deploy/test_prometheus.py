"""Alarms: each is tested to fire and to keep quiet, has its page, and asks for metrics that are there."""

import re
import subprocess
from typing import Any

import promql_parser
import pytest
import yaml

from tests.debian import program
from tests.deploy.commandlines import command_lines, is_here, require_taken
from tests.deploy.metrics import measured, of_what_is_not_here
from tests.shared import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "cellwitness.rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
TESTS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "rules.test.yml").read_text())["tests"]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
PAGES = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
BY_NAME = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])


def promtool(*arguments: str) -> None:
    tool = program("prometheus", "promtool")
    done = subprocess.run([tool, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_rules_and_configuration_sound() -> None:
    promtool("check", "rules", "cellwitness.rules.yml")
    promtool("check", "config", "prometheus.yml")


def test_each_alarm_fires_and_keeps_quiet_as_its_tests_say() -> None:
    promtool("test", "rules", "rules.test.yml")


@BY_NAME
def test_each_alarm_is_tested_to_fire_and_to_keep_quiet(rule: dict[str, Any]) -> None:
    cases = [
        bool(case["exp_alerts"])
        for test in TESTS
        for case in test["alert_rule_test"]
        if case["alertname"] == rule["alert"]
    ]
    assert set(cases) == {True, False}


@BY_NAME
def test_each_alarm_says_what_happened_and_has_its_page(rule: dict[str, Any]) -> None:
    name = rule["alert"]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
    for part in ("**Means**", "**Check**", "**Do**"):
        assert part in PAGES[name], part


def test_each_page_of_the_runbook_is_of_an_alarm() -> None:
    assert PAGES.keys() == {rule["alert"] for rule in RULES}


@BY_NAME
def test_each_alarm_asks_for_metrics_that_are_measured(rule: dict[str, Any]) -> None:
    parsed = promql_parser.parse(rule["expr"])
    assert parsed is not None
    asked = set(re.findall(r"\bcellwitness_[a-z_]+", rule["expr"]))
    assert asked or "up{" in rule["expr"]
    assert {name for name in asked - measured() if not of_what_is_not_here(name)} == set()


def test_each_job_that_an_alarm_names_is_scraped() -> None:
    jobs = {job["job_name"] for job in yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]}
    named = set(re.findall(r'job="([a-z-]+)"', (FOLDER / "cellwitness.rules.yml").read_text()))
    assert named
    assert named <= jobs


@pytest.mark.parametrize("page", ["runbook.md", "backup.md", "operating.md", "deploying.md"])
def test_each_command_of_a_page_for_operators_is_taken(page: str) -> None:
    lines = list(command_lines((ROOT / "docs" / page).read_text()))
    assert lines
    for words in lines:
        if is_here(words):
            filled = ["x" if word == "…" else word for word in words]
            require_taken_or_named(filled)


def require_taken_or_named(words: list[str]) -> None:
    """A page also speaks of a command by its name alone, as one does of a thing: it has to exist, no more."""
    try:
        require_taken(words)
    except Exception as refused:
        if any(word.startswith("-") or word.isupper() or word[0].isdigit() for word in words):
            raise AssertionError(f"cellwitness {' '.join(words)}: {refused}") from refused


def test_log_lines_that_the_runbook_names_are_written() -> None:
    code = "".join(
        file.read_text() for package in ("indexer", "projections", "deploy") for file in (ROOT / package).rglob("*.py")
    )
    named = set(re.findall(r"`([a-z]+_[a-z_]+)`", RUNBOOK)) - measured() - {"pg_stat_activity", "pg_blocking_pids"}
    assert named
    assert {name for name in named if f'"{name}"' not in code} == set()
