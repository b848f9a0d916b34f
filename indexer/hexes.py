"""Hex in what is decoded. Reading events is mostly looking at hex, so it is looked at in one go for a whole event: a
pattern for each string would cost three times what decoding does.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct, ValidationError

HEX_PATTERN: Final = "^([0-9a-f]{2})*$"

Hex = Annotated[str, Meta(extra_json_schema={"type": "string", "pattern": HEX_PATTERN})]
Hash28 = Annotated[str, Meta(extra_json_schema={"type": "string", "pattern": "^[0-9a-f]{56}$"})]
Hash32 = Annotated[str, Meta(extra_json_schema={"type": "string", "pattern": "^[0-9a-f]{64}$"})]
"""Shown in schemas, and looked at by ``hex_check``; msgspec itself takes any string."""

StrictHex = Annotated[str, Meta(pattern=HEX_PATTERN)]
StrictHash28 = Annotated[str, Meta(pattern="^[0-9a-f]{56}$")]
StrictHash32 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
"""The same for what is decoded seldom: msgspec itself looks at each."""

_DIGITS: Final = {Hash28: 56, Hash32: 64}
_56: Final = {_DIGITS[Hash28]}
_64: Final = {_DIGITS[Hash32]}

_Collect = Callable[[Any, list[str], list[str], list[str]], None]
"""Adds a struct's hex of any length, of 28 and of 32 bytes to lists."""


def hex_check(*structs: type[Struct]) -> Callable[[Struct], None]:
    """What looks at all hex in a value of one of these structs, and in the structs that it holds.

    It raises msgspec.ValidationError that names the first field with anything else.
    """
    made: dict[type, _Collect] = {}
    for struct in structs:
        _collector(struct, made)

    def check(value: Struct) -> None:
        some: list[str] = []
        of_28: list[str] = []
        of_32: list[str] = []
        made[type(value)](value, some, of_28, of_32)
        strings = some + of_28 + of_32
        text = "\n".join(strings)
        try:
            # Between two bytes it skips white space: there must be no more of it than stands between the strings.
            size = 2 * len(bytes.fromhex(text)) + max(len(strings) - 1, 0)
        except ValueError:
            size = -1
        sized = set(map(len, of_28)) <= _56 and set(map(len, of_32)) <= _64
        if size != len(text) or text != text.lower() or not sized:
            path, wanted = next(_faults(value, "$"))
            raise ValidationError(f"Expected {wanted} - at `{path}`")

    return check


def _collector(struct: type[Struct], made: dict[type, _Collect]) -> _Collect:
    """Made of the struct's fields, as a few long expressions: calls are what looking costs."""
    if struct in made:
        return made[struct]
    names: dict[str, Any] = {}
    lists: dict[Any, list[str]] = {Hex: [], Hash28: [], Hash32: []}
    rest: list[str] = []
    for field, kind, optional, many in _fields(struct):
        value = f"value.{field}"
        if kind not in lists:
            names[f"of_{field}"] = _collector(kind, made)
            one = f"({value},) if {value} is not None else ()" if optional else f"({value},)"
            held = value if many else one
            rest.append(f"for each in {held}: of_{field}(each, some, of_28, of_32)")
        elif many:
            rest.append(f"{_LISTS[kind]} += {value}")
        elif optional:
            rest.append(f"if {value} is not None: {_LISTS[kind]}.append({value})")
        else:
            lists[kind].append(value)
    lines = [f"{_LISTS[kind]} += ({', '.join(values)},)" for kind, values in lists.items() if values]
    source = "\n    ".join(("def collect(value, some, of_28, of_32):", *lines, *rest, "return"))
    exec(source, names)  # noqa: S102 - of nothing but the names of our own structs' fields
    made[struct] = names["collect"]
    return made[struct]


_LISTS: Final[dict[Any, str]] = {Hex: "some", Hash28: "of_28", Hash32: "of_32"}


def _fields(struct: type[Struct]) -> Iterator[tuple[str, Any, bool, bool]]:
    """Fields with hex, or with structs that may have some: name, type, whether it may be None, whether it is many."""
    hints = get_type_hints(struct, include_extras=True)
    for name in struct.__struct_fields__:
        kinds = [each for each in get_args(hints[name]) or (hints[name],) if each is not type(None)]
        optional = type(None) in get_args(hints[name])
        kind = hints[name] if hints[name] in _LISTS else kinds[0]
        many = get_origin(hints[name]) is tuple
        if kind in _LISTS or (isinstance(kind, type) and issubclass(kind, Struct)):
            yield name, kind, optional, many


def _faults(value: Struct, path: str) -> Iterator[tuple[str, str]]:
    """Paths to what is no hex, each with what was expected there."""
    for field, kind, _, many in _fields(type(value)):
        found = getattr(value, field)
        for at, each in enumerate(found if many else () if found is None else (found,)):
            place = f"{path}.{field}[{at}]" if many else f"{path}.{field}"
            if isinstance(each, Struct):
                yield from _faults(each, place)
            elif (digits := _DIGITS.get(kind)) is not None and len(each) != digits:
                yield place, f"{digits} hexadecimal digits"
            elif not _is_hex(each):
                yield place, "bytes in lowercase hexadecimal"


def _is_hex(text: str) -> bool:
    try:
        return bytes.fromhex(text).hex() == text
    except ValueError:
        return False
