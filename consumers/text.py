"""Text that strangers wrote, made fit for people to read."""


def visible(text: str) -> str:
    """Text with everything that does not print as an escape: control characters, terminal codes, reversed writing.

    Batteries' names come from the chain, where anybody may write what he likes. Markup is not text's business: print
    with ``rich.text.Text``, which reads none, or escape it for HTML.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escape(ord(each)) for each in text)


def _escape(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


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
