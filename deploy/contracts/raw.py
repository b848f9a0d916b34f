"""CBOR taken apart without losing its bytes: ids, hashes and script data are over what was received."""

from collections.abc import Iterator

import cbor2

from indexer.protocol.cbor import ARRAY, BYTES, INDEFINITE, MAP, SIMPLE, TAG, TEXT, Malformed, read_head

SET_TAG = 258
"""Conway writes sets with this tag, older writers without."""


def end_of(raw: bytes, at: int) -> int:
    """The offset behind the item that begins at ``at``. Raises Malformed (``truncated``, ``unexpected_break``)."""
    left: list[int | None] = [1]  # items still to come at each level; None where a break ends them
    while left:
        if left[-1] == 0:
            left.pop()
            continue
        major, info, argument, at = read_head(raw, at)
        if major == SIMPLE and info == INDEFINITE:
            if left[-1] is not None:
                raise Malformed("unexpected_break")
            left.pop()
            continue
        if left[-1] is not None:
            left[-1] -= 1
        if info == INDEFINITE:
            left.append(None)
        elif major in (BYTES, TEXT):
            at += argument
        elif major in (ARRAY, MAP):
            left.append(argument * (2 if major == MAP else 1))
        elif major == TAG:
            left.append(1)
    if at > len(raw):
        raise Malformed("truncated")
    return at


def items(raw: bytes) -> list[bytes]:
    """The items of an array, or of a map (keys and values by turns), each as it is written. A set's tag is dropped."""
    return list(_items(raw))


def _items(raw: bytes) -> Iterator[bytes]:
    major, info, argument, at = read_head(raw, 0)
    if major == TAG and argument == SET_TAG:
        major, info, argument, at = read_head(raw, at)
    if major not in (ARRAY, MAP):
        raise Malformed("wrong_type", f"a list or map was expected, major type {major} stands there")
    count = argument * (2 if major == MAP else 1)
    while raw[at : at + 1] != b"\xff" if info == INDEFINITE else count > 0:
        end = end_of(raw, at)
        yield raw[at:end]
        at, count = end, count - 1


def pairs(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The entries of a map, keys and values as they are written. Raises Malformed (``odd_map``)."""
    found = items(raw)
    if len(found) % 2:
        raise Malformed("odd_map")
    return list(zip(found[::2], found[1::2], strict=True))


def is_map(raw: bytes) -> bool:
    return read_head(raw, 0)[0] == MAP


def number(raw: bytes) -> int:
    value = cbor2.loads(raw)
    if type(value) is not int:
        raise Malformed("wrong_type", "an integer was expected")
    return value


def octets(raw: bytes) -> bytes:
    value = cbor2.loads(raw)
    if not isinstance(value, bytes):
        raise Malformed("wrong_type", "a byte string was expected")
    return value


def embedded(raw: bytes) -> bytes:
    """The content of an embedded item: tag 24 around a byte string."""
    major, _, argument, at = read_head(raw, 0)
    if (major, argument) != (TAG, 24):
        raise Malformed("wrong_tag", "tag 24 was expected")
    return octets(raw[at:])
