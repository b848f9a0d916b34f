"""The twenty-five queries over HTTP: each an address with its own parameters, as JSON, CSV or Parquet."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from consumers.access import ask, may_ask
from consumers.dashboard.endpoints import AtMoment, bad, digits, read_pairs, tagged
from consumers.dashboard.moment import asked_at
from consumers.dashboard.pages.queries import given_of, read_finality
from consumers.dashboard.server import Handler, Parts, asker_of, demand, wait_for_step
from consumers.dashboard.withheld import asking_of
from consumers.queries import QUERIES, find_query
from consumers.queries.formats import MEDIA_TYPES, Format, write
from consumers.queries.model import Column, Parameter, Query

FORMATS: Final[tuple[Format, ...]] = ("json", "csv", "parquet")


def query_handler(parts: Parts) -> Handler:
    """One answer. Recorded, whoever asks, before it is sent."""

    async def handle(request: Request) -> Response:
        asker = asker_of(request)
        demand(asker, "read")
        query = find_query(request.path_params["query"])
        given = read_pairs(request)
        at = AtMoment(**{name: _step(name, given) for name in _MOMENT if name in given})
        form = given.get("format", "json")
        if form not in FORMATS:
            raise bad("format", f"format is {form[:40]!r}: write one of {', '.join(FORMATS)}")
        finality = read_finality(given.get("finality", ""))
        asking = asking_of(asker)
        asked = asked_at(at.moment(), finality)
        await wait_for_step(parts, at)

        def work() -> bytes:
            out = BytesIO()
            with parts.tables.recording() as connection:
                answer = ask(
                    connection,
                    asking,
                    query,
                    given_of(query, given),
                    asked,
                    form=form,
                    timeout_seconds=parts.tables.statement_seconds,
                )
            write(answer, form, out)
            return out.getvalue()

        content = await run_in_threadpool(work)
        name = f'attachment; filename="{query.name}.{form}"'
        return tagged(request, content, MEDIA_TYPES[form], {} if form == "json" else {"content-disposition": name})

    return handle


def list_handler() -> Handler:
    """What there is to ask, and with which parameters."""

    async def handle(request: Request) -> Response:
        asker = asker_of(request)
        read_pairs(request, known=())
        profile = asking_of(asker).profile
        listed = [
            {
                "number": each.number,
                "name": each.name,
                "title": each.title,
                "meaning": each.meaning,
                "audience": each.audience,
                "allowed": may_ask(profile, each),
                "href": f"/api/v1/queries/{each.name}",
            }
            for each in QUERIES.values()
        ]
        return tagged(request, msgspec.json.encode({"queries": listed}), "application/json")

    return handle


_MOMENT: Final = ("as_of_slot", "as_of_step", "known_at", "min_step")


def _step(name: str, given: Mapping[str, str]) -> Any:
    return given[name] if name == "known_at" else digits(name, given[name])


def describe_queries(problems: Mapping[str, Any], moment: list[dict[str, Any]]) -> dict[str, Any]:
    """Their part of the API's description. ``problems``: answers that are none; ``moment``: parameters of every one."""
    paths: dict[str, Any] = {
        "/api/v1/queries": {
            "get": {
                "operationId": "queries",
                "summary": "What there is to ask.",
                "responses": {"200": {"description": "A list.", "content": _json(_LIST)}, **problems},
            }
        }
    }
    for query in QUERIES.values():
        forms = {"name": "format", "in": "query", "schema": {"enum": list(FORMATS), "default": "json"}}
        deep = {"name": "finality", "in": "query", "schema": {"enum": ["pending", "confirmed", "final"]}}
        said = {
            "description": "The answer, without the columns that are not for the profile of whoever asks.",
            "content": {
                **_json(_answer(query)),
                "text/csv": {"schema": {"type": "string"}},
                "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
            },
        }
        paths[f"/api/v1/queries/{query.name}"] = {
            "get": {
                "operationId": query.name.replace("-", "_"),
                "summary": f"{query.number}. {query.title}",
                "description": query.meaning,
                "parameters": [*map(_parameter, query.parameters), *moment, deep, forms],
                "responses": {"200": said, "304": {"description": "As `If-None-Match` has it."}, **problems},
            }
        }
    return paths


_LIST: Final = {
    "type": "object",
    "required": ["queries"],
    "properties": {
        "queries": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["number", "name", "title", "meaning", "audience", "allowed", "href"],
                "properties": {"number": {"type": "integer"}, "allowed": {"type": "boolean"}},
            },
        }
    },
}


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any]
    match parameter.kind:
        case "integer" | "step":
            schema = {"type": "integer"}
        case "number":
            schema = {"type": "number"}
        case "boolean":
            schema = {"enum": ["yes", "no"]}
        case "choice":
            schema = {"enum": list(parameter.choices)}
        case "hex":
            schema = {"type": "string", "pattern": "^([0-9a-f]{2}){1,64}$"}
        case "text" | "battery":
            schema = {"type": "string", "minLength": 1, "maxLength": 1000}
    if parameter.least is not None and parameter.kind != "choice":
        schema["minimum"] = parameter.least
    if parameter.greatest is not None:
        schema["maximum"] = parameter.greatest
    unit = f" ({parameter.unit})" if parameter.unit else ""
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.meaning + unit,
        "schema": schema,
    }


_KINDS: Final[dict[str, Any]] = {
    "text": {"type": ["string", "null"]},
    "bytes": {"type": ["string", "null"], "pattern": "^[0-9a-f]*$"},
    "integer": {"type": ["integer", "null"]},
    "number": {"type": ["number", "null"]},
    "boolean": {"type": ["boolean", "null"]},
    "time": {"type": ["string", "null"], "format": "date-time"},
    "json": {},
    "texts": {"type": ["array", "null"], "items": {"type": "string"}},
}


def _answer(query: Query) -> dict[str, Any]:
    row = {"type": "object", "properties": {each.name: _column(each) for each in query.columns}}
    return {
        "type": "object",
        "required": ["query", "parameters", "holds", "access", "columns", "data"],
        "properties": {"query": {"const": query.name}, "data": {"type": "array", "items": row}},
    }


def _column(column: Column) -> dict[str, Any]:
    unit = f" ({column.unit})" if column.unit else ""
    return {**_KINDS[column.kind], "description": column.meaning + unit}
