"""Text that strangers wrote, made fit for people's eyes."""


def visible(text: str) -> str:
    """Text with everything that does not print as an escape: control characters, terminal codes, reversed writing.

    Batteries' names come from the chain, where anybody may write what he likes. Markup is not text's business: print
    with ``rich.text.Text``, which reads none.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escape(ord(each)) for each in text)


def _escape(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
