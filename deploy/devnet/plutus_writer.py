"""Plutus Data as the node's own encoder writes it: lists indefinite unless empty, long byte strings in chunks of 64."""

from typing import Final

import cbor2

_CHUNK_BYTES: Final = 64
_FIRST_CONSTRUCTOR_TAG: Final = 121

UNIT: Final = b"\xd8\x79\x80"
"""Constructor 0 without fields."""

UNIT_1: Final = b"\xd8\x7a\x80"
"""Constructor 1 without fields."""


def integer(value: int) -> bytes:
    return cbor2.dumps(value)


def octets(content: bytes) -> bytes:
    """A byte string; over 64 bytes as an indefinite one, as ``plutus_data``'s ``bounded_bytes`` demands."""
    if len(content) <= _CHUNK_BYTES:
        return cbor2.dumps(content)
    chunks = (content[at : at + _CHUNK_BYTES] for at in range(0, len(content), _CHUNK_BYTES))
    return b"\x5f" + b"".join(map(cbor2.dumps, chunks)) + b"\xff"


def sequence(*fields: bytes) -> bytes:
    """A list of encoded values."""
    return b"\x9f" + b"".join(fields) + b"\xff" if fields else b"\x80"


def constructor(index: int, *fields: bytes) -> bytes:
    """Constructor 0 to 6 with encoded fields."""
    return bytes((0xD8, _FIRST_CONSTRUCTOR_TAG + index)) + sequence(*fields)


def mapping(pairs: dict[bytes, bytes]) -> bytes:
    """A map of encoded keys and values, in the order given; fewer than 24 of them."""
    return bytes((0xA0 + len(pairs),)) + b"".join(key + value for key, value in pairs.items())
