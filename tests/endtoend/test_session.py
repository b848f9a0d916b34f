"""A reading made by hand appears with what it says; one that comes too late is refused, with the reason."""

from pathlib import Path

import pytest

from tests.endtoend.session import in_readme, masked, play

pytestmark = pytest.mark.long


def test_a_reading_by_hand_appears_and_a_late_one_is_refused_as_the_readme_shows_it(folder: Path) -> None:
    session = play(folder)
    text = "\n".join(session.lines) + "\n"
    assert "check 4: the commitment is too old" in text
    assert "1 took effect, 0 rejected" in text
    assert "2 minted, 1 open" in text
    assert "✓✓✓✓" in text, "the reading appears with its verdicts"
    assert masked(text) == masked(in_readme()), "write it anew: python -m tests.endtoend.session"
