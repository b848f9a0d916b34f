"""Plutus Data from the bytes a transaction carried.

Sources: ledger CDDL, rule ``plutus_data``; plutus-core ``Data.hs``; CIP-42. A datum costs one byte a level, so a
transaction can carry 16,000 levels: nothing here calls itself.
"""

from hashlib import blake2b
from typing import Final

from msgspec import Struct

from indexer.protocol import cbor
from indexer.protocol.cbor import INDEFINITE, Limits, Malformed, read_head

PLUTUS_LIMITS: Final = Limits(depth=256, items=32_768, size=65_536)
"""Four times a transaction's size, and far deeper than any datum of the protocol; deeper ones are refused by name."""

MAX_CHUNK_BYTES: Final = 64
"""The ledger's own writers never put more into one string."""


class Constr(Struct, frozen=True):
    """A constructor's number (0 up) and its fields."""

    index: int
    fields: tuple["Data", ...]


class PlutusMap(Struct, frozen=True):
    """A map in the order received: keys may be unsorted and come twice, both are legal on chain."""

    pairs: tuple[tuple["Data", "Data"], ...]


Data = int | bytes | tuple["Data", ...] | PlutusMap | Constr


class PlutusDocument(Struct, frozen=True):
    """One decoded value. ``long_chunks``: a byte string of over 64 bytes in one piece, which the ledger refuses."""

    value: Data
    long_chunks: bool


def datum_hash(raw: bytes) -> str:
    """blake2b-256 as hex. Over the bytes as received: one value has many valid encodings."""
    return blake2b(raw, digest_size=32).hexdigest()


def constructor_index(tag: int) -> int | None:
    """The constructor a tag stands for: 121..127 are 0..6, 1280..1400 are 7..127; None for any other (102 too)."""
    if 121 <= tag <= 127:
        return tag - 121
    if 1280 <= tag <= 1400:
        return tag - 1280 + 7
    return None


class _Frame:
    """A list, a map or a constructor's fields, still open."""

    def __init__(self, kind: int, constructor: int | None, left: int | None, *, outer_break: bool = False) -> None:
        self.kind = kind  # ARRAY or MAP
        self.constructor = constructor
        self.left = left  # items still to come; None where a break ends them
        self.outer_break = outer_break  # the pair of tag 102 was of indefinite length too
        self.items: list[Data] = []

    def close(self) -> Data:
        if self.kind == cbor.MAP:
            if len(self.items) % 2:
                raise Malformed("odd_map")
            return PlutusMap(tuple(zip(self.items[::2], self.items[1::2], strict=True)))
        if self.constructor is None:
            return tuple(self.items)
        return Constr(self.constructor, tuple(self.items))


def read_plutus(raw: bytes, limits: Limits = PLUTUS_LIMITS) -> PlutusDocument:
    """The one value that ``raw`` holds, in definite or indefinite form.

    Raises Malformed: ``too_large``, ``too_deep``, ``too_many_items``, ``truncated``, ``trailing_bytes``,
    ``reserved_length``, ``unexpected_break``, ``odd_map``, ``wrong_chunk``, ``unknown_tag``, ``wrong_constructor``,
    ``wrong_big_integer`` and ``not_plutus_data`` (text, floats, simple values).
    """
    if len(raw) > limits.size:
        raise Malformed("too_large", f"{len(raw)} bytes, at most {limits.size} are read")
    return _Reader(raw, limits).document()


class _Reader:
    def __init__(self, raw: bytes, limits: Limits) -> None:
        self.raw, self.at = raw, 0
        self.limits, self.items_left = limits, limits.items
        self.stack: list[_Frame] = []
        self.long_chunks = False

    def document(self) -> PlutusDocument:
        while True:
            value = self._next()
            while value is not None:
                if not self.stack:
                    if self.at != len(self.raw):
                        raise Malformed("trailing_bytes", f"{len(self.raw) - self.at} bytes follow the value")
                    return PlutusDocument(value, self.long_chunks)
                value = self._add(value)

    def _next(self) -> Data | None:
        """The next complete value, or None where a container was opened."""
        major, info, argument, self.at = self._head()
        if major == cbor.UINT:
            return argument
        if major == cbor.NEGATIVE:
            return -1 - argument
        if major == cbor.BYTES:
            return self._bytes(info, argument)
        if major in (cbor.ARRAY, cbor.MAP):
            return self._open(major, info, argument, None)
        if major == cbor.TAG:
            return self._tagged(argument)
        if major == cbor.SIMPLE and info == INDEFINITE:
            if not self.stack or self.stack[-1].left is not None:
                raise Malformed("unexpected_break")
            return self._close()
        raise Malformed("not_plutus_data", "only integers, byte strings, lists, maps and constructors are Plutus data")

    def _head(self) -> tuple[int, int, int, int]:
        self.items_left -= 1
        if self.items_left < 0:
            raise Malformed("too_many_items", f"more than {self.limits.items} items")
        return read_head(self.raw, self.at)

    def _open(self, major: int, info: int, length: int, constructor: int | None, *, outer: bool = False) -> Data | None:
        if len(self.stack) >= self.limits.depth:
            raise Malformed("too_deep", f"more than {self.limits.depth} levels")
        left = None if info == INDEFINITE else length * (2 if major == cbor.MAP else 1)
        if left is not None and left > self.items_left:
            raise Malformed("too_many_items", f"more than {self.limits.items} items")
        self.stack.append(_Frame(major, constructor, left, outer_break=outer))
        return self._close() if left == 0 else None

    def _add(self, value: Data) -> Data | None:
        frame = self.stack[-1]
        frame.items.append(value)
        if frame.left is None:
            return None
        frame.left -= 1
        return self._close() if frame.left == 0 else None

    def _close(self) -> Data:
        frame = self.stack.pop()
        if frame.outer_break:
            if self.at >= len(self.raw):
                raise Malformed("truncated")
            if self.raw[self.at] != 0xFF:
                raise Malformed("wrong_constructor", "tag 102 holds exactly a number and a list")
            self.at += 1
        return frame.close()

    def _tagged(self, tag: int) -> Data | None:
        if tag in cbor.BIGNUM_TAGS:
            major, info, length, self.at = self._head()
            if major != cbor.BYTES:
                raise Malformed("wrong_big_integer", f"tag {tag} holds no byte string")
            magnitude = int.from_bytes(self._bytes(info, length), "big")
            return magnitude if tag == 2 else -1 - magnitude
        outer = False
        index = constructor_index(tag)
        if tag == 102:
            major, info, length, self.at = self._head()
            outer = info == INDEFINITE
            if major != cbor.ARRAY or not (outer or length == 2):
                raise Malformed("wrong_constructor", "tag 102 holds exactly a number and a list")
            major, _, index, self.at = self._head()
            if major != cbor.UINT:
                raise Malformed("wrong_constructor", "the number of a constructor is an unsigned integer")
        if index is None:
            raise Malformed("unknown_tag", f"tag {tag} isn't Plutus data")
        major, info, length, self.at = self._head()
        if major != cbor.ARRAY:
            raise Malformed("wrong_constructor", "a constructor's fields are a list")
        return self._open(major, info, length, index, outer=outer)

    def _bytes(self, info: int, length: int) -> bytes:
        if info != INDEFINITE:
            return self._chunk(length)
        chunks: list[bytes] = []
        while True:
            major, info, length, self.at = self._head()
            if major == cbor.SIMPLE and info == INDEFINITE:
                return b"".join(chunks)
            if major != cbor.BYTES or info == INDEFINITE:
                raise Malformed("wrong_chunk", "a byte string's chunks are byte strings of definite length")
            chunks.append(self._chunk(length))

    def _chunk(self, length: int) -> bytes:
        end = self.at + length
        if end > len(self.raw):
            raise Malformed("truncated")
        if length > MAX_CHUNK_BYTES:
            self.long_chunks = True
        content, self.at = self.raw[self.at : end], end
        return content
