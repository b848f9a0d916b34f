"""JSON Schemas (2020-12) of what the log holds, made from the structs that read and write it."""

import inspect
import io
import tokenize
from typing import Any, Final

import msgspec

from indexer.events import EVENT_VERSION, ChainEvent
from indexer.log.records import Marker, Spine

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
EVENTS: Final[dict[str, type]] = {each.__struct_config__.tag: each for each in ChainEvent.__args__}
STEPS: Final[dict[str, type]] = {each.__struct_config__.tag: each for each in Spine.__args__}


def components(*types: Any) -> dict[str, Schema]:
    """The schemas of types and of all that they hold, by class name, with each field's comment as its description."""
    _, found = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    classes = {each.__name__: each for each in _structs(types)}
    for name, schema in found.items():
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"])
        for field, comment in comments(classes[name]).items() if name in classes else ():
            if field in schema.get("properties", {}):
                schema["properties"][field]["description"] = comment
    return found


def events_schema() -> Schema:
    """One document for whatever the log's topics hold: an event, a marker, or a step's spine record."""
    shown = (*EVENTS.values(), Marker, *STEPS.values())
    return {
        "$schema": DIALECT,
        "$id": f"urn:cellwitness:events:{EVENT_VERSION}",
        "title": f"cellwitness events {EVENT_VERSION}",
        "anyOf": [{"$ref": f"#/$defs/{each.__name__}"} for each in shown],
        "$defs": components(*shown),
    }


def comments(struct: type) -> dict[str, str]:
    """What stands beside the fields of a struct and of its bases: units, sizes, what empty means."""
    found: dict[str, str] = {}
    for base in reversed(struct.__mro__[:-2]):
        if base is msgspec.Struct:
            continue
        field = ""
        for token in tokenize.generate_tokens(io.StringIO(inspect.getsource(base)).readline):
            words = token.line.split(":", 1)
            if token.type == tokenize.NAME and token.string == words[0].strip() and len(words) == 2:
                field = token.string
            elif token.type == tokenize.COMMENT and field and token.line.strip().startswith(f"{field}:"):
                found[field] = token.string.lstrip("# ")
    return found


def _structs(types: Any) -> set[type]:
    seen: set[type] = set()
    waiting = list(types)
    while waiting:
        each = waiting.pop()
        waiting += getattr(each, "__args__", ())
        if isinstance(each, type) and issubclass(each, msgspec.Struct) and each not in seen:
            seen.add(each)
            waiting += [field.type for field in msgspec.structs.fields(each)]
    return seen
