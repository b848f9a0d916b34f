"""Hex that is looked at in one go is hex where the events' schemas say so, and nowhere else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import ValidationError

from indexer.events import decode_event
from indexer.schemas.events import EVENTS, Schema, events_schema
from tests.indexer.schemas.validators import event_validator, problems

_SCHEMAS = events_schema()["$defs"]
_BAD = [
    "zz",
    "abc",
    "AB",
    "a b ",
    " ab",
    "ab cd",
    "ab\ncd",
    "é",
    "ab" * 27,
    "ab" * 28,
    "ab" * 32,
    "AB" * 32,
    "ab " * 32,
]


def whole(schema: Schema, name: str = "") -> Any:
    """A value with every field that the schema knows."""
    if "$ref" in schema:
        return whole(_SCHEMAS[schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return whole(next(each for each in schema["anyOf"] if each.get("type") != "null"), name)
    if "enum" in schema:
        return schema["enum"][-1]
    match schema["type"]:
        case "object":
            return {key: whole(value, key) for key, value in schema.get("properties", {}).items()}
        case "array":
            return [whole(schema["items"]) for _ in range(2)]
        case "integer":
            return 1
        case "boolean":
            return True
        case _:
            return "ab" * {"^[0-9a-f]{56}$": 28, "^[0-9a-f]{64}$": 32}.get(schema.get("pattern", ""), 3)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where strings stand."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(each, str):
            yield (*path, key)
        elif isinstance(each, dict | list):
            yield from places(each, (*path, key))


def with_text(kind: str, path: tuple[str | int, ...], text: str) -> Any:
    event = whole(_SCHEMAS[EVENTS[kind].__name__])
    at = event
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = text
    return event


def is_event(event: Any) -> bool:
    try:
        decode_event(json.dumps(event))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_is_refused_for_its_hex_if_and_only_if_the_schema_refuses_it(kind: str) -> None:
    event = whole(_SCHEMAS[EVENTS[kind].__name__])
    assert is_event(event)
    refused = 0
    for path in places(event):
        for text in _BAD:
            bad = with_text(kind, path, text)
            sound = not problems(event_validator(kind), bad)
            assert is_event(bad) is sound, (path, text)
            refused += not sound
    assert refused


@given(text=st.text("0123456789abcdefABCDEF \n\t", max_size=66))
def test_any_text_is_hex_or_refused_by_name(text: str) -> None:
    event = with_text("reading_submitted", ("account_datum", "battery_id"), text)
    sound = len(text) % 2 == 0 and set(text) <= set("0123456789abcdef")
    if sound:
        assert is_event(event)
    else:
        with pytest.raises(ValidationError, match=r"lowercase hexadecimal - at `\$\.account_datum\.battery_id`"):
            decode_event(json.dumps(event))


def test_what_has_another_length_is_named_with_the_length_that_it_should_have() -> None:
    event = with_text("reading_submitted", ("inputs", 1, "transaction"), "ab" * 28)
    with pytest.raises(ValidationError, match=r"Expected 64 hexadecimal digits - at `\$\.inputs\[1\]\.transaction`"):
        decode_event(json.dumps(event))
