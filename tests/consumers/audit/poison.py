"""Values that nobody expects, and places to put them in."""

from typing import Any

POISON: list[Any] = [
    *(None, True, 0, -1, 1 << 63, 1 << 64, -(1 << 200), 1.5, "", "0", "ff", "x" * 5_000, "ab" * 28, "cd" * 32),
    *([], {}, [[]], {"": 0}, "\x00", "\u202e", "urn:x", ["0"] * 300),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        for key, each in value.items():
            found += places(each, (*path, key))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            found += places(each, (*path, at))
    return found


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = put(value[path[0]], path[1:], new)
    return changed
