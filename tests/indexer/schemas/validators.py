"""Validators of the generated documents."""

from functools import lru_cache
from typing import Any

from jsonschema import Draft7Validator, Draft202012Validator

from indexer.schemas.asyncapi import asyncapi_document
from indexer.schemas.events import EVENTS, events_schema


@lru_cache
def event_validator(kind: str) -> Draft202012Validator:
    schema = {key: value for key, value in events_schema().items() if key != "anyOf"}
    return Draft202012Validator(schema | {"$ref": f"#/$defs/{EVENTS[kind].__name__}"})


@lru_cache
def message_validators(name: str) -> tuple[Draft7Validator, Draft7Validator]:
    """Of a message's headers, in which none may stand that is not named, and of its payload."""
    document = asyncapi_document()
    message = document["components"]["messages"][name]
    headers = message.get("headers", {}) | {"additionalProperties": False}
    return Draft7Validator(headers), Draft7Validator(message["payload"] | {"components": document["components"]})


def problems(validator: Any, value: object) -> list[str]:
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]
