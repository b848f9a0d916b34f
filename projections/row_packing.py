"""A version of a row as PostgreSQL's binary COPY takes it.

For each table one expression is made of its columns: values that are always there and always as long are packed
together, numbers by one call and hashes by another. That is twice to three times as fast as value by value, and packing
is a third of what a worker does.
"""

from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any, Final, get_type_hints

from indexer.hexes import Hash28, Hash32, Hex
from projections.packing import NULL, PACKERS, pack_bool, pack_hex_once, row_prefix
from projections.rows import Row

SPAN: Final = ("known_from_step", "known_until_step")

_NUMBERS: Final = {"int8": ("iq", 8), "int4": ("ii", 4)}  # format of a length and a number, and the length
_INLINE: Final = {"int8": "int8(8, value)", "int4": "int4(4, value)", "bool": "TRUE if value else FALSE"}
_NEVER_NULL: Final = (str, bool, Hex)
_HASHES: Final = {Hash28: 28, Hash32: 32}  # bytes

Pack = Callable[[Row, int, int | None], bytes]
"""A row and the steps from and until which it was known."""


def row_packer(row: type[Row], types: Mapping[str, str]) -> tuple[tuple[str, ...], Pack]:
    """The columns of a row and its span in the order in which they are packed, and what packs them.

    ``types``: column -> name of its type in PostgreSQL's catalogue. What it returns raises struct.error and ValueError
    for a value that is not of its column's type.
    """
    hints: dict[str, Any] = get_type_hints(row, include_extras=True)
    fields = row.__struct_fields__
    numbers = [name for name in fields if hints[name] is int and types[name] in _NUMBERS]
    hashes = [name for name in fields if hints[name] in _HASHES]
    others = [name for name in fields if name not in {*numbers, *hashes}]
    formats = "".join(_NUMBERS[types[name]][0] for name in (*numbers, SPAN[0]))
    lengths = [_HASHES[hints[name]] for name in hashes]
    of_numbers = [f"{_NUMBERS[types[name]][1]}, row.{name}" for name in numbers]
    of_hashes = [f"{length:08x}{{row.{name}}}" for name, length in zip(hashes, lengths, strict=True)]
    of_others = [_packed(f"row.{name}", types[name], hints[name]) for name in others]
    source = (
        f"lambda row, since, until: join((prefix, numbers({', '.join([*of_numbers, '8, since'])}),"
        f" hashes(f'{''.join(of_hashes)}'), {', '.join([*of_others, _or_null('until', _INLINE['int8'])])}))"
    )
    columns = (*numbers, SPAN[0], *hashes, *others, SPAN[1])
    names = {f"pack_{name}": pack for name, pack in PACKERS.items()} | {
        "join": b"".join,
        "prefix": row_prefix(len(columns)),
        "numbers": Struct(f"!{formats}").pack,
        "hashes": _of_length(sum(lengths) + 4 * len(lengths)),
        "int4": Struct("!ii").pack,
        "int8": Struct("!iq").pack,
        "length": Struct("!i").pack,
        "once": pack_hex_once,
        "NULL": NULL,
        "TRUE": pack_bool(True),
        "FALSE": pack_bool(False),
    }
    pack: Pack = eval(source, names)  # noqa: S307 - of nothing but the names of our own structs' fields
    return columns, pack


def _packed(value: str, kind: str, hint: Any) -> str:
    """The expression that packs a value. Calls are what packing costs, so it has as few as can be."""
    if hint is bytes:
        return f"length(len({value})), {value}"  # without a copy: events are mostly their bodies
    pack = "once(value)" if hint == Hash32 | None else _INLINE.get(kind, f"pack_{kind}(value)")
    return pack.replace("value", value) if hint in _NEVER_NULL else _or_null(value, pack)


def _or_null(value: str, pack: str) -> str:
    return f"NULL if (value := {value}) is None else {pack}"


def _of_length(size: int) -> Callable[[str], bytes]:
    def packed(digits: str) -> bytes:
        raw = bytes.fromhex(digits)
        if len(raw) != size:  # the lengths between the hashes would not be where they belong
            raise ValueError(f"hashes of {len(raw)} bytes, not {size}, lengths included: {digits}")
        return raw

    return packed
