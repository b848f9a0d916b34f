"""How long to wait before the next attempt. Pure: the jitter is given."""

from typing import Final

FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 300.0
LONGEST_ASKED_SECONDS: Final = 3600.0
"""A receiver may ask for more patience than we would have, but not for ever."""


def wait_seconds(failures: int, jitter: float, asked_seconds: float | None = None) -> float:
    """After so many failures in a row, at least 1: between half and all of a time that doubles.

    ``jitter`` is between 0 and 1, so that alerters that failed together don't come back together. ``asked_seconds`` is
    the receiver's own wish.
    """
    doubled = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 30))
    return max(doubled * (1 + jitter) / 2, min(asked_seconds or 0.0, LONGEST_ASKED_SECONDS))
