"""What the pages name is there."""

import re

from tests.shared import ROOT

METRIC = re.compile(r"\bcellwitness_[a-z_]+\b")

SCHEMAS = {"cellwitness_people"}
"""Of the database: named like metrics, and none."""


def test_every_metric_that_a_page_names_is_measured() -> None:
    code = "".join(
        file.read_text() for package in ("indexer", "projections") for file in (ROOT / package).rglob("*.py")
    )
    named = {name for page in (ROOT / "docs").rglob("*.md") for name in METRIC.findall(page.read_text())}
    assert named
    assert {name for name in named - SCHEMAS if f'"{name}"' not in code} == set()
