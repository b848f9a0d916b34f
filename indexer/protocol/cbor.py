"""A strict, bounded reader of CBOR (RFC 8949) that remembers how each item was written.

Libraries tell what a message means and forget how it was spelt: definite or not, shortest or not, which keys came
twice. A signature covers the spelling, so this reader keeps it.
"""

from struct import pack, unpack
from typing import Final

from msgspec import Struct

from indexer.errors import InvalidChainData

UINT: Final = 0
NEGATIVE: Final = 1
BYTES: Final = 2
TEXT: Final = 3
ARRAY: Final = 4
MAP: Final = 5
TAG: Final = 6
SIMPLE: Final = 7

INDEFINITE: Final = 31
"""Additional information of an indefinite length; with major type 7 it is the break (0xff)."""

# How an item departs from RFC 8949 section 4.2.1.
INDEFINITE_LENGTH: Final = "indefinite_length"
NOT_SHORTEST: Final = "not_shortest"
KEYS_UNSORTED: Final = "map_keys_unsorted"
DUPLICATE_KEY: Final = "duplicate_key"

BIGNUM_TAGS: Final = (2, 3)  # big integers, RFC 8949 section 3.4.3


class Malformed(InvalidChainData):
    """Bytes that are not what they should be. ``reason`` is a stable code in snake case, the text is for a person."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason.replace("_", " "))
        self.reason = reason


class Limits(Struct, frozen=True):
    """Bounds of what is read from a stranger."""

    depth: int  # arrays, maps and tags inside one another
    items: int  # data items, chunks included
    size: int  # bytes


COSE_LIMITS: Final = Limits(depth=8, items=512, size=16_384)
"""A transaction has at most 16,384 bytes; the deepest message of the protocol has 4 levels and about 60 items."""


class Map(Struct, frozen=True):
    """A map, its pairs in the order received, so that keys written twice are still there."""

    pairs: tuple[tuple["Value", "Value"], ...]


class Tagged(Struct, frozen=True):
    """A tag and what it holds."""

    tag: int
    value: "Value"


class Simple(Struct, frozen=True):
    """A simple value: 20 false, 21 true, 22 null, 23 undefined, others unassigned."""

    number: int


class Float(Struct, frozen=True):
    """A floating-point number of 16, 32 or 64 bits. Its own class, so that 1.0 is never taken for 1."""

    value: float


Value = int | bytes | str | tuple["Value", ...] | Map | Tagged | Simple | Float

NULL: Final = Simple(22)


class Document(Struct, frozen=True):
    """One data item, how its spelling departs from section 4.2.1, and how many bytes it took."""

    value: Value
    departures: tuple[str, ...]
    length: int


def read_head(data: bytes, at: int) -> tuple[int, int, int, int]:
    """Major type, additional information, argument and the offset behind the head at ``at``.

    The argument is 0 where the length is indefinite. Raises Malformed (``truncated``, ``reserved_length``).
    """
    if at >= len(data):
        raise Malformed("truncated")
    initial = data[at]
    major, info = initial >> 5, initial & 31
    at += 1
    if info < 24:
        return major, info, info, at
    if info < 28:
        width = 1 << (info - 24)
        if at + width > len(data):
            raise Malformed("truncated")
        return major, info, int.from_bytes(data[at : at + width], "big"), at + width
    if info == INDEFINITE and major not in (UINT, NEGATIVE, TAG):
        return major, info, 0, at
    raise Malformed("reserved_length", f"additional information {info} of major type {major} has no meaning")


def is_shortest(info: int, argument: int) -> bool:
    """Whether a head's argument stands in its shortest form (RFC 8949 section 4.2.1)."""
    return info < 24 or info == INDEFINITE or argument >= (24, 1 << 8, 1 << 16, 1 << 32)[info - 24]


def write_head(major: int, argument: int) -> bytes:
    """The shortest head of a major type and an argument below 2^64."""
    if argument < 24:
        return bytes((major << 5 | argument,))
    width = 1 << ((argument.bit_length() + 7) // 8 - 1).bit_length()
    return bytes((major << 5 | 23 + width.bit_length(),)) + argument.to_bytes(width, "big")


def write_bytes(content: bytes) -> bytes:
    """A byte string of definite length."""
    return write_head(BYTES, len(content)) + content


def read(data: bytes, limits: Limits = COSE_LIMITS) -> Document:
    """The first data item of ``data``; what follows it is left to the caller (see ``Document.length``).

    Raises Malformed: ``too_large``, ``too_deep``, ``too_many_items``, ``truncated``, ``reserved_length``,
    ``reserved_simple``, ``unexpected_break``, ``wrong_chunk``, ``odd_map``, ``invalid_utf8``.
    """
    if len(data) > limits.size:
        raise Malformed("too_large", f"{len(data)} bytes, at most {limits.size} are read")
    reader = _Reader(data, limits)
    value = reader.item(limits.depth)
    return Document(value=value, departures=tuple(sorted(reader.departures)), length=reader.at)


class _Reader:
    """Reads one item after another. Its calls nest as deep as the items do, which ``limits.depth`` bounds."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        self.data, self.at, self.items_left = data, 0, limits.items
        self.departures: set[str] = set()

    def item(self, depth: int) -> Value:
        self._count(1)
        major, info, argument, self.at = read_head(self.data, self.at)
        if major == SIMPLE:
            return self._simple(info, argument)
        if info == INDEFINITE:
            self.departures.add(INDEFINITE_LENGTH)
        elif not is_shortest(info, argument):
            self.departures.add(NOT_SHORTEST)
        if major == UINT:
            return argument
        if major == NEGATIVE:
            return -1 - argument
        if major in (BYTES, TEXT):
            return self._string(major, info, argument)
        if depth == 0:
            raise Malformed("too_deep")
        if major == ARRAY:
            return self._array(info, argument, depth - 1)
        if major == MAP:
            return self._map(info, argument, depth - 1)
        value = self.item(depth - 1)
        # A big integer that fits 64 bits, or begins with zeros, has a shorter form (section 3.4.3).
        if argument in BIGNUM_TAGS and isinstance(value, bytes) and (len(value) <= 8 or value[0] == 0):
            self.departures.add(NOT_SHORTEST)
        return Tagged(argument, value)

    def _count(self, items: int) -> None:
        self.items_left -= items
        if self.items_left < 0:
            raise Malformed("too_many_items")

    def _simple(self, info: int, argument: int) -> Value:
        if info == INDEFINITE:
            raise Malformed("unexpected_break")
        if info < 25:
            if info == 24 and argument < 32:
                raise Malformed("reserved_simple")
            return Simple(argument)
        width = 1 << (info - 24)
        raw = self.data[self.at - width : self.at]
        number: float = unpack({2: ">e", 4: ">f", 8: ">d"}[width], raw)[0]
        if not _is_shortest_float(number, width, raw):
            self.departures.add(NOT_SHORTEST)
        return Float(number)

    def _string(self, major: int, info: int, length: int) -> bytes | str:
        if info != INDEFINITE:
            return self._chunk(major, length)
        chunks: list[bytes | str] = []
        while not self._at_break():
            self._count(1)
            chunk_major, chunk_info, length, self.at = read_head(self.data, self.at)
            if chunk_major != major or chunk_info == INDEFINITE:
                raise Malformed("wrong_chunk", "a string's chunks are strings of its own kind and of definite length")
            chunks.append(self._chunk(major, length))
        if major == BYTES:
            return b"".join(c for c in chunks if isinstance(c, bytes))
        return "".join(c for c in chunks if isinstance(c, str))

    def _chunk(self, major: int, length: int) -> bytes | str:
        end = self.at + length
        if end > len(self.data):
            raise Malformed("truncated")
        content, self.at = self.data[self.at : end], end
        if major == BYTES:
            return content
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise Malformed("invalid_utf8", str(error)) from error

    def _at_break(self) -> bool:
        if self.at >= len(self.data):
            raise Malformed("truncated")
        if self.data[self.at] != 0xFF:
            return False
        self.at += 1
        return True

    def _array(self, info: int, length: int, depth: int) -> tuple[Value, ...]:
        found: list[Value] = []
        if info == INDEFINITE:
            while not self._at_break():
                found.append(self.item(depth))
        else:
            if length > self.items_left:
                raise Malformed("too_many_items")
            found.extend(self.item(depth) for _ in range(length))
        return tuple(found)

    def _map(self, info: int, length: int, depth: int) -> Map:
        pairs: list[tuple[Value, Value]] = []
        keys: list[bytes] = []  # as received, for their order
        if info != INDEFINITE and 2 * length > self.items_left:
            raise Malformed("too_many_items")
        while not self._at_break() if info == INDEFINITE else len(pairs) < length:
            start = self.at
            key = self.item(depth)
            keys.append(self.data[start : self.at])
            if info == INDEFINITE and self.at < len(self.data) and self.data[self.at] == 0xFF:
                raise Malformed("odd_map")
            pairs.append((key, self.item(depth)))
        # Equal keys may be spelt differently (1 as 01 or 1801), and NaN is unlike itself: compare both.
        if len({key for key, _ in pairs}) < len(pairs) or len(set(keys)) < len(keys):
            self.departures.add(DUPLICATE_KEY)
        if keys != sorted(keys):
            self.departures.add(KEYS_UNSORTED)
        return Map(tuple(pairs))


def _is_shortest_float(number: float, width: int, raw: bytes) -> bool:
    """Whether no narrower float holds the same number; of the many NaN only f97e00 is (section 4.2.1)."""
    if number != number:  # noqa: PLR0124 - the definition of NaN
        return raw == b"\x7e\x00"
    for narrower, form in ((2, ">e"), (4, ">f")):
        if narrower < width:
            try:
                if unpack(form, pack(form, number))[0] == number:
                    return False
            except OverflowError:
                continue
    return True
