"""The API's description, OpenAPI 3.1, made from what the handlers themselves read and write."""

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

import msgspec
from msgspec import NODEFAULT, UNSET
from msgspec.structs import fields

from consumers.dashboard.api import Status
from consumers.dashboard.asking import describe_queries
from consumers.dashboard.endpoints import AtMoment, Endpoint, Parameters
from consumers.dashboard.problems import MEDIA_TYPE, Problem
from consumers.dashboard.withheld import FIELDS

REF: Final = "#/components/schemas/{name}"
ALWAYS: Final = (400, 401, 403, 404, 414, 421, 429, 503)
MEANINGS: Final = {
    400: "A parameter can't be used; `parameter` names it.",
    401: "Nobody is known to ask: send a token.",
    403: "Whoever asks may not.",
    404: "There is no such thing, or not at that moment.",
    413: "The body is too large.",
    414: "The address is too long.",
    415: "The body is no JSON.",
    421: "The Host header names somebody else.",
    429: "Too many requests: `Retry-After` says when to come again.",
    503: "The database is away, or the tables do not hold `min_step` yet: `Retry-After`.",
}
PATH: Final = {
    "deployment": {"type": "string", "minLength": 1, "maxLength": 200},
    "battery_key": {"type": "string", "pattern": "^[0-9a-f]{56}$"},
    "alert": {"type": "string", "pattern": "^[0-9a-f]{20}$"},
    "event_id": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "query": {"type": "string", "maxLength": 80},
}


def describe(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The document. Answers are as ``msgspec`` writes them, because it is the same structs that say so."""
    types: list[Any] = [Problem, Status, *(each.answer for each in endpoints)]
    types += [each.body for each in endpoints if each.body is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=REF)
    refs = dict(zip(map(id, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {
        "/api/v1/status": {
            "get": {
                "operationId": "status",
                "summary": "How fresh the tables are, by the chain's tip and by the clock.",
                "responses": _responses(refs[id(Status)], refs[id(Problem)], ()),
            }
        },
        "/api/v1/events": {
            "get": {
                "operationId": "events",
                "summary": "Server-sent events: mark, step, rollback, alert. Ends when you hang up.",
                "responses": {
                    "200": {
                        "description": "A stream.",
                        "content": {"text/event-stream": {"schema": {"type": "string"}}},
                    }
                },
            }
        },
    }
    moment = _in_query(AtMoment, components)
    problems = _responses({}, refs[id(Problem)], ())
    paths |= describe_queries({status: said for status, said in problems.items() if status[0] in "45"}, moment)
    for each in endpoints:
        operation: dict[str, Any] = {
            "operationId": each.name,
            "summary": each.summary,
            "parameters": [*_in_path(each.path), *_in_query(each.parameters, components)],
            "responses": _responses(refs[id(each.answer)], refs[id(Problem)], each.problems),
        }
        if each.body is not None:
            content = {"application/json": {"schema": refs[id(each.body)]}}
            operation["requestBody"] = {"required": True, "content": content}
        paths.setdefault(each.path, {})[each.method.lower()] = operation
    for schema in components.values():
        # A profile may keep them back: then they are not there.
        schema["required"] = [name for name in schema.get("required", ()) if name not in FIELDS]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cellwitness",
            "version": version("cellwitness"),
            "description": "Signed battery readings, and what they are worth. Each answer says in `holds` at which"
            " step, slot and block it holds. A list's `next` is the `cursor` of the part that follows.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


def _responses(answer: Any, problem: Any, more: Sequence[int]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "200": {
            "description": "The answer.",
            "headers": {"ETag": {"schema": {"type": "string"}}},
            "content": {"application/json": {"schema": answer}},
        },
        "304": {"description": "As `If-None-Match` has it."},
    }
    for status in sorted({*ALWAYS, *more}):
        said[str(status)] = {"description": MEANINGS[status], "content": {MEDIA_TYPE: {"schema": problem}}}
    return said


def _in_path(path: str) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", path)
    return [{"name": name, "in": "path", "required": True, "schema": PATH[name]} for name in names]


def _in_query(kind: type[Parameters], components: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    (schema,), more = msgspec.json.schema_components([kind], ref_template=REF)
    properties = more.pop(kind.__name__)["properties"]
    components.update(more)
    del schema
    for field in fields(kind):
        said = dict(properties[field.encode_name])
        description = said.pop("description", "")
        parameter = {"name": field.encode_name, "in": "query", "required": field.required, "schema": said}
        if description:
            parameter["description"] = description
        if field.default is not NODEFAULT and field.default is not UNSET:
            said["default"] = field.default
        found.append(parameter)
    return found
