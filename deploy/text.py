"""Text for a terminal."""

from consumers.text import short, visible

__all__ = ["final_words", "short", "visible"]


def final_words(final_height: int | None) -> str:
    """Up to which height nothing changes any more; a young chain has no such height."""
    return "nothing final yet" if final_height is None or final_height < 0 else f"final up to height {final_height}"
