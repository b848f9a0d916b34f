"""Connections to PostgreSQL, and SQL by its name."""

import json
import re
from importlib import resources
from typing import Any, Final, LiteralString, cast

import msgspec
import psycopg
from psycopg.types.json import set_json_loads

from projections.errors import translated

SCHEMA: Final = "cellwitness"

Connection = psycopg.Connection[tuple[Any, ...]]

_NAME: Final = re.compile(r"^-- ([a-z_]+) --\n(?:-- .*\n)*", re.MULTILINE)


def load_queries(package: str, file: str) -> dict[str, LiteralString]:
    """The queries of one .sql file, by name. The text before the first name is dropped."""
    _, *parts = _NAME.split((resources.files(package) / file).read_text(encoding="utf-8"))
    return {name: cast("LiteralString", query.strip()) for name, query in zip(parts[::2], parts[1::2], strict=True)}


def connect(url: str, *, schema: str = SCHEMA, read_only: bool = False) -> Connection:
    """A connection whose unqualified names are the schema's. Each statement commits unless in ``transaction()``.

    Raises DatabaseUnwell, DatabaseRefuses.
    """
    with translated():
        connection = psycopg.connect(
            url, autocommit=True, connect_timeout=10, application_name="cellwitness", client_encoding="utf-8"
        )
        try:
            prepare(connection, schema)
            connection.read_only = read_only
        except BaseException:
            connection.close()
            raise
        return connection


def prepare(connection: Connection, schema: str = SCHEMA) -> None:
    """Makes unqualified names the schema's, times UTC and JSON quick to read, for as long as the connection lasts."""
    set_json_loads(decode_json, connection)
    # By SELECT and not as a start-up option: poolers refuse those.
    connection.execute("SELECT set_config('search_path', quote_ident(%s), false)", (schema,))
    connection.execute("SELECT set_config('timezone', 'UTC', false)")


def decode_json(text: str | bytes) -> Any:
    """JSON from the tables, also with numbers that no float can hold: the chain bounds none."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)
