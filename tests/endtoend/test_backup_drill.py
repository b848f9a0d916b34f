"""The drill: saved while running, destroyed, restored, caught up, and equal to what never suffered anything."""

import re
from pathlib import Path

import pytest

from tests.endtoend.drill import BEGIN, PAGE, cheating_chain, play
from tests.endtoend.pipeline import pipeline
from tests.endtoend.session import masked

pytestmark = pytest.mark.long


@pytest.mark.parametrize("flags", [(), ("--without-tables",)], ids=["whole", "without tables"])
def test_after_a_restore_log_and_tables_are_those_of_an_undisturbed_run(folder: Path, flags: tuple[str, ...]) -> None:
    with pipeline(folder, cheating_chain()) as place:
        text = "\n".join(play(place, *flags).lines)
    assert "whole: every part has its digest, and the log is sound" in text
    assert re.search(r"^Step .* 1 rollbacks since the start", text, re.MULTILINE), "blocks of the backup left the chain"
    assert re.search(r"^\$ cellwitness alerts show .*\n.*papers seen", text, re.MULTILINE), "what Ada did is there"
    assert "Equal in all that was ever known up to step" in text
    digests = re.findall(r"^([0-9a-f]{64})  \d+ events up to height", text, re.MULTILINE)
    assert len(digests) == 2
    assert len(set(digests)) == 1


def test_the_page_shows_a_drill() -> None:
    _, _, rest = PAGE.read_text().partition(BEGIN)
    assert masked("Equal in all that was ever known up to step 1.") in masked(rest)
