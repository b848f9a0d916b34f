"""What the pages name is there."""

import re

from projections.roles import ROLES
from tests.deploy.metrics import measured, of_what_is_not_here
from tests.shared import ROOT

METRIC = re.compile(r"\bcellwitness_[a-z_]+\b")

OF_THE_DATABASE = {"cellwitness_people", "cellwitness_next", *ROLES}
"""Schemas and roles: named like metrics, and none."""


def test_every_metric_that_a_page_names_is_measured() -> None:
    named = {name for page in (ROOT / "docs").rglob("*.md") for name in METRIC.findall(page.read_text())}
    assert named - OF_THE_DATABASE
    series = measured()
    wrong = {name for name in named - OF_THE_DATABASE if name not in series and f"{name}_bucket" not in series}
    assert {name for name in wrong if not of_what_is_not_here(name)} == set()


def test_every_attack_that_the_contracts_page_names_has_its_check_and_its_test() -> None:
    page = (ROOT / "docs" / "contracts.md").read_text()
    rows = [line.split("|") for line in page.splitlines() if re.match(r"\| [a-z].* \| `[a-z0-9 ]+: ", line)]
    assert len(rows) > 20
    sources = "".join(file.read_text() for file in (ROOT / "deploy" / "contracts" / "onchain").glob("*.py"))
    tests = "".join(file.read_text() for file in (ROOT / "tests" / "deploy" / "contracts").glob("test_*.py"))
    checks = {name for row in rows for name in re.findall(r"`([^`]+)`", row[2])}
    attacks = {name for row in rows for name in re.findall(r"`([^`]+)`", row[3])}
    assert {name for name in checks if f'"{name}"' not in sources} == set()
    assert {name for name in attacks if f"def {name}(" not in tests} == set()
