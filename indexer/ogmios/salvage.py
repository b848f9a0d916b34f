"""Reading frames that no recursive JSON parser survives. Iterative throughout; pure.

Preprod block 5183974 carries a native script whose JSON is 10,770 levels deep, and halted most indexers of its day.
Nothing that concerns a deployment is nested deeper than a dozen levels, so what is deeper than DEPTH_KEPT is cut out.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from indexer.chain import Transaction, UnreadableTransaction
from indexer.errors import NOT_JSON

DEPTH_KEPT: Final = 64
"""Levels of arrays and objects: an asset's quantity in a nested transaction's output is the deepest we need, at 10."""

_TOKEN: Final = re.compile(rb'[{}\[\]]|"(?:[^"\\]|\\.)*+"?', re.DOTALL)
"""A bracket, or a whole string: text in a string may look like brackets."""

_decode_transaction = msgspec.json.Decoder(Transaction).decode


def salvage(frame: bytes) -> bytes:
    """The frame with each value below DEPTH_KEPT levels replaced by null. Linear in its length."""
    pieces = []
    kept_to = cut_from = depth = 0
    for token in _TOKEN.finditer(frame):
        match token.group()[:1]:
            case b"{" | b"[":
                depth += 1
                if depth == DEPTH_KEPT + 1:
                    cut_from = token.start()
            case b"}" | b"]":
                depth -= 1
                if depth == DEPTH_KEPT:
                    pieces += [frame[kept_to:cut_from], b"null"]
                    kept_to = token.end()
            case _:
                pass
    return b"".join([*pieces, frame[kept_to:]])


def read_transactions(raws: Iterable[msgspec.Raw]) -> tuple[Transaction | UnreadableTransaction, ...]:
    """Each transaction by itself, so that one that can't be read takes no other with it."""
    return tuple(_read_transaction(bytes(raw)) for raw in raws)


def _read_transaction(raw: bytes) -> Transaction | UnreadableTransaction:
    try:
        return _decode_transaction(raw)
    except NOT_JSON as error:
        return UnreadableTransaction(raw, str(error))
