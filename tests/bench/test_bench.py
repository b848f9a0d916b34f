"""That the bench runs, and measures what it says. No number is asserted: machines and their neighbours differ."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.frames import composed, real_blocks
from tests.bench.template import Template
from tests.shared import ROOT, shared


@pytest.fixture(scope="module", autouse=True)
def _recorded_run_is_here() -> None:
    shared("chain/preview-01285.ndjson.zst")


@pytest.mark.long
def test_a_quick_run_prints_finite_numbers_in_every_section(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.bench", "--quick", "--json", str(tmp_path / "bench.json")]
    command += ["--markdown", str(tmp_path / "bench.md")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert ran.returncode == 0, ran.stderr
    report = json.loads((tmp_path / "bench.json").read_text())
    assert [section["name"] for section in report["sections"]] == [
        "follow",
        "clients",
        "whole",
        "log",
        "memory",
        "projection",
        "projection from Kafka",
        "rollback",
        "timeline",
        "rebuild",
        "sharing",
        "pages",
        "live",
        "drawing",
        "kafka",
    ]
    for section in report["sections"]:
        assert section["rows"]
        assert section["title"] in ran.stdout
        assert section["title"] in (tmp_path / "bench.md").read_text()
        numbers = [value for row in section["rows"] for value in row.values() if isinstance(value, int | float)]
        numbers += [goal["measured"] for goal in section["goals"]]
        assert numbers
        assert all(math.isfinite(number) for number in numbers)


def test_linked_anew_a_block_differs_in_its_links_only() -> None:
    for block in real_blocks()[:50]:
        before = json.loads(block)
        made = json.loads(Template(block).message(7, 9))["result"]
        assert made["tip"]["height"] == 9
        changed = {key for key in before if before[key] != made["block"][key]}
        assert changed == {"id", "ancestor", "height", "slot"}
        assert (made["block"]["height"], made["block"]["slot"]) == (7, 140)


@pytest.mark.parametrize("size_bytes", [30_000, 47_000, 300_000])
def test_composed_blocks_have_their_size_and_whole_transactions(size_bytes: int) -> None:
    known = {each["id"] for block in real_blocks() for each in json.loads(block)["transactions"]}
    for block in composed(real_blocks(), size_bytes, 3):
        assert abs(len(block) - size_bytes) < 0.02 * size_bytes
        found = [each["id"] for each in json.loads(block)["transactions"]]
        assert len(found) == len(set(found))
        assert known.issuperset(found)
