"""Text for a terminal; what strangers wrote is made ``visible`` first."""

from consumers.text import visible

__all__ = ["final_words", "short", "visible"]


def final_words(final_height: int | None) -> str:
    """Up to which height nothing changes any more; a young chain has no such height."""
    return "nothing final yet" if final_height is None or final_height < 0 else f"final up to height {final_height}"


def short(value: object) -> str:
    """A claimed value: one of thousands of digits must not fill the screen."""
    if value is None:
        return "?"
    if isinstance(value, int) and abs(value) >= 1 << 80:
        return f"{'-' if value < 0 else ''}≥2^{value.bit_length() - 1}"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 100 else f"{text[:97]}…"
