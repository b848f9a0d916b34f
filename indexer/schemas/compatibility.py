"""What changed between two AsyncAPI documents of ours that a reader or a writer of the older one can't live with.

The rule is that of ``indexer.events``: a field added with a default is compatible, any other change is a new version.
Descriptions, titles and examples are no part of it.
"""

from collections.abc import Iterator
from typing import Any, Final

_PROSE: Final = frozenset(("description", "title", "summary", "examples", "name", "info", "discriminator"))
_FOLLOWED: Final = "components"  # only by what the channels refer to


def changes(released: dict[str, Any], current: dict[str, Any]) -> list[str]:
    """Every incompatible change, each with its place. Empty: all that reads the one reads the other."""
    old, new = ({key: part for key, part in each.items() if key != _FOLLOWED} for each in (released, current))
    return list(_Comparison(released, current).of(old, new, ""))


class _Comparison:
    def __init__(self, released: dict[str, Any], current: dict[str, Any]) -> None:
        self._roots = (released, current)

    def of(self, old: Any, new: Any, place: str) -> Iterator[str]:
        old, new = (_resolved(root, part) for root, part in zip(self._roots, (old, new), strict=True))
        if isinstance(old, dict) and isinstance(new, dict):
            yield from self._of_objects(old, new, place)
        elif isinstance(old, list) and isinstance(new, list) and place.endswith(("/required", "/enum")):
            yield from (f"{place}: {each!r} is gone" for each in old if each not in new)
            yield from (f"{place}: {each!r} is new" for each in new if each not in old)
        elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            for number, (before, after) in enumerate(zip(old, new, strict=True)):
                yield from self.of(before, after, f"{place}/{number}")
        elif type(old) is not type(new) or old != new:
            yield f"{place}: was {old!r}, is {new!r}"

    def _of_objects(self, old: dict[str, Any], new: dict[str, Any], place: str) -> Iterator[str]:
        fields = place.endswith("/properties")
        for key in sorted(old.keys() | new.keys()):
            if key in _PROSE and not fields:
                continue
            here = f"{place}/{key}"
            if key not in new:
                yield f"{here}: is gone"
            elif key in old:
                yield from self.of(old[key], new[key], here)
            elif not (fields and "default" in new[key]):
                yield f"{here}: is new" + (", and has no default" if fields else "")


def _resolved(root: dict[str, Any], part: Any) -> Any:
    while isinstance(part, dict) and "$ref" in part:
        target: Any = root
        for step in part["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        part = target | {key: value for key, value in part.items() if key != "$ref"}
    return part
