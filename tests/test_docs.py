"""What the pages name is there."""

import re

from tests.shared import ROOT

METRIC = re.compile(r"\bcellwitness_[a-z_]+\b")

SCHEMAS = {"cellwitness_people", "cellwitness_next"}
"""Of the database: named like metrics, and none."""


def test_every_metric_that_a_page_names_is_measured() -> None:
    code = "".join(
        file.read_text() for package in ("indexer", "projections") for file in (ROOT / package).rglob("*.py")
    )
    named = {name for page in (ROOT / "docs").rglob("*.md") for name in METRIC.findall(page.read_text())}
    assert named
    assert {name for name in named - SCHEMAS if f'"{name}"' not in code} == set()


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
