"""Ogmios' own JSON Schemas, as validators by the name of an answer."""

import json
from functools import lru_cache
from typing import Any

from jsonschema import Draft7Validator
from referencing import Registry
from referencing.jsonschema import DRAFT7

from tests.shared import shared


@lru_cache
def registry(version: str) -> Registry[Any]:
    """Both schema files of a version ("v6.14" or "v7.0"), with their known faults mended."""
    found: Registry[Any] = Registry()
    for name in ("cardano.json", "ogmios.json"):
        schema = json.loads((shared("vectors/ogmios/schema") / version / name).read_text())
        if name == "cardano.json":
            # It forbids the key that it requires.
            schema["definitions"]["Value"]["propertyNames"] = {"pattern": "^(ada|[0-9a-f]{56})$"}
        else:
            # It requires a property "string", which it doesn't allow.
            schema["properties"]["RpcError"]["properties"]["error"]["required"] = ["code", "message"]
            # It requires a result of an error, and does not allow one.
            schema["properties"]["QueryNetworkInvalidGenesis"]["required"] = ["jsonrpc", "method", "error"]
            # Being an answer with an error, it can't be a result.
            genesis = schema["properties"]["QueryNetworkGenesisConfigurationResponse"]["properties"]["result"]
            genesis["oneOf"] = genesis["oneOf"][1:]
        found = found.with_resource(name, DRAFT7.create_resource(schema))
    return found


@lru_cache
def validator(version: str, name: str) -> Draft7Validator:
    return Draft7Validator({"$ref": f"ogmios.json#/properties/{name}"}, registry=registry(version))


def problems(version: str, name: str, answer: object) -> list[str]:
    """What a schema finds wrong with an answer."""
    return [f"{error.json_path}: {error.message[:300]}" for error in validator(version, name).iter_errors(answer)]
