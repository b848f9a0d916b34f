"""The threat model names a test for each line that holds, and each test is there."""

import re

import pytest

from tests.shared import ROOT

PAGE = (ROOT / "docs" / "threat-model.md").read_text()
PARTS = re.findall(r"^## [^\n]*\(`([a-z/]+)`\)\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
TESTS = frozenset(
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)\(", file.read_text(), re.MULTILINE)
)
NOT_HELD = "**not held**"


def rows(section: str) -> list[list[str]]:
    found = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in found[1:]]


def test_the_page_speaks_of_each_part_that_strangers_reach() -> None:
    parts = {part for part, _ in PARTS}
    assert {"indexer", "indexer/ogmios", "indexer/log", "projections", "deploy"} <= parts
    made = {f"consumers/{each.name}" for each in (ROOT / "consumers").iterdir() if (each / "__init__.py").exists()}
    assert made <= parts


@pytest.mark.parametrize(("part", "section"), PARTS, ids=[part for part, _ in PARTS])
def test_each_line_is_held_by_tests_that_are_there(part: str, section: str) -> None:
    assert (ROOT / part).exists()
    lines = rows(section)
    assert lines
    for tried, held, shown in lines:
        names = re.findall(r"`(test_\w+)`", shown)
        assert names or held.startswith(NOT_HELD), tried
        assert {name for name in names if name not in TESTS} == set(), tried
