"""Reading frames that no recursive JSON parser survives. Iterative throughout; pure.

All unbounded nesting in Ogmios' JSON sits under a key ``"json"``: native scripts and metadata, which concern nobody
here. Preprod block 5183974 nests 10,770 levels that way, and halted most indexers of its day.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from indexer.chain import Transaction, UnreadableTransaction

_KEY: Final = b'"json":'
_TOKEN: Final = re.compile(rb'["{}\[\]]')
_STRING_END: Final = re.compile(rb'(?:[^"\\]|\\.)*"', re.DOTALL)
_decode_transaction = msgspec.json.Decoder(Transaction).decode


def salvage(frame: bytes) -> bytes:
    """The frame with the value of each ``"json"`` key replaced by null. Linear in its length.

    Text that only looks like such a key can stand inside a string (metadata), so strings are stepped over first.
    """
    pieces = []
    kept_to = at = 0
    while (token := _TOKEN.search(frame, at)) is not None:
        at = token.end()
        if token.group() != b'"':
            continue
        if frame.startswith(_KEY, token.start()):
            value = _skip_spaces(frame, token.start() + len(_KEY))
            end = _value_end(frame, value)
            pieces += [frame[kept_to:value], b"null"]
            kept_to = at = end
            continue
        at = _string_end(frame, at)
    return b"".join([*pieces, frame[kept_to:]])


def read_transactions(raws: Iterable[msgspec.Raw]) -> tuple[Transaction | UnreadableTransaction, ...]:
    """Each transaction by itself, so that one that can't be read takes no other with it."""
    return tuple(_read_transaction(bytes(raw)) for raw in raws)


def _read_transaction(raw: bytes) -> Transaction | UnreadableTransaction:
    try:
        return _decode_transaction(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        return UnreadableTransaction(raw, str(error))


def _value_end(frame: bytes, start: int) -> int:
    """Where the JSON value that begins at ``start`` ends; the frame's length when it never does."""
    first = frame[start : start + 1]
    if first == b'"':
        return _string_end(frame, start + 1)
    if first not in (b"{", b"["):
        scalar = re.compile(rb"[^,\]}\s]*").match(frame, start)
        return scalar.end() if scalar else start
    depth = 0
    at = start
    while (token := _TOKEN.search(frame, at)) is not None:
        at = token.end()
        match token.group():
            case b'"':
                at = _string_end(frame, at)
            case b"{" | b"[":
                depth += 1
            case _:
                depth -= 1
                if depth == 0:
                    return at
    return len(frame)


def _string_end(frame: bytes, inside: int) -> int:
    end = _STRING_END.match(frame, inside)
    return end.end() if end else len(frame)


def _skip_spaces(frame: bytes, at: int) -> int:
    while frame[at : at + 1].isspace():
        at += 1
    return at
