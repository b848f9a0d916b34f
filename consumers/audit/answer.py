"""What a verifier answers: lines that hold, fail, or can't be known here, each in words for a layman."""

from collections.abc import Iterable
from typing import Any, Final, Literal

from msgspec import Struct

LineResult = Literal["holds", "fails", "unknown"]

SHOWN_FAULTS: Final = 5
OF_A_VERSION: Final = frozenset(("verdicts", "report", "report_pdf"))
"""Lines that another version of the verifier can't answer, and must not pass over."""


class Line(Struct, frozen=True):
    """One thing that was asked, and its answer. ``name`` is stable; ``faults`` say what exactly does not hold."""

    name: str
    result: LineResult
    words: str
    faults: tuple[str, ...] = ()


class Answer(Struct, frozen=True):
    """All lines, and what the evidence says where it can be read.

    ``holds`` where no line fails, and none of what a verifier computes again was made by another version of it.
    """

    holds: bool
    lines: tuple[Line, ...]
    other_version: bool = False  # nothing fails, and some of it only the version that made it can compute again
    battery: str | None = None
    readings: tuple[dict[str, Any], ...] = ()  # slot, fact and the four verdicts of each


def line(name: str, words: str, faults: Iterable[str]) -> Line:
    """Holds, unless there are faults. Of many the first ones are kept."""
    found = tuple(faults)
    left = len(found) - SHOWN_FAULTS
    shown = (*found[:SHOWN_FAULTS], f"and {left} more") if left > 0 else found
    return Line(name, "fails" if found else "holds", words, shown)


def answer(lines: Iterable[Line], battery: str | None = None, readings: tuple[dict[str, Any], ...] = ()) -> Answer:
    every = tuple(lines)
    sound = all(each.result != "fails" for each in every)
    other = any(each.name in OF_A_VERSION and each.result == "unknown" for each in every)
    return Answer(sound and not other, every, sound and other, battery, readings)
