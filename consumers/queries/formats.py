"""An answer as a table for a terminal, as CSV, JSON or Parquet. The same answer gives the same bytes."""

import csv
import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from io import TextIOWrapper
from typing import Any, BinaryIO, Final, Literal, get_args

import msgspec

from consumers.queries.model import Answer, Column, Kind
from consumers.text import visible
from indexer.errors import ConfigurationError

Format = Literal["table", "csv", "json", "parquet"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
MEDIA_TYPES: Final[dict[Format, str]] = {
    "table": "text/plain; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}

CELL_CHARACTERS: Final = 64
"""Of a table's cell, as long as a hash; other formats cut nothing."""

_INT64: Final = range(-(1 << 63), 1 << 63)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_JSON: Final = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def write(answer: Answer, form: Format, out: BinaryIO) -> None:
    """Writes the answer. Parquet needs the extra ``parquet``: raises ConfigurationError without it."""
    _WRITERS[form](answer, out)


def about(answer: Answer) -> dict[str, Any]:
    """What must stand beside every answer: where it holds, what judged, who asked by which right, how to repeat it."""
    holds = answer.holds
    return {
        "query": answer.query.name,
        "number": answer.query.number,
        "title": answer.query.title,
        "parameters": {name: _plain(value) for name, value in answer.parameters.items()},
        "holds": {
            "step": holds.step,
            "slot": holds.slot,
            "height": holds.height,
            "block": holds.block,
            "final_height": holds.final_height,
            "tip_height": holds.tip_height,
        },
        "as_of_slot": holds.as_of_slot,
        "known_at": answer.known_at,
        "finality": answer.finality,
        "rules": answer.rules,
        "access": {"who": answer.asked_by, "profile": answer.profile, "legal_basis": answer.legal_basis},
        "notes": list(answer.query.notes),
        "rows": len(answer.rows),
        "truncated": answer.truncated,
    }


def as_document(answer: Answer) -> dict[str, Any]:
    """The answer as JSON says it: each row an object; integers and decimals as numbers of any size, bytes as hex."""
    columns = [
        {"name": each.name, "kind": each.kind, "unit": each.unit, "meaning": each.meaning} for each in answer.columns
    ]
    names = [each.name for each in answer.columns]
    rows = [dict(zip(names, map(_plain, row), strict=True)) for row in answer.rows]
    return about(answer) | {"columns": columns, "data": rows}


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case _:
            return value


def said_of(answer: Answer) -> list[str]:
    """What ``about`` says, as lines for people."""
    holds, rules = answer.holds, answer.rules
    deep = "" if answer.finality == "pending" else f", only what is {answer.finality}"
    slot = "" if holds.as_of_slot is None else f", up to slot {holds.as_of_slot}"
    lines = [
        f"{answer.query.number}. {answer.query.title}: {len(answer.rows)} rows"
        + (", and more: raise the limit" if answer.truncated else ""),
        f"Holds at step {holds.step}: slot {holds.slot}, height {holds.height}, block {holds.block}{slot}{deep}.",
        f"Final up to height {holds.final_height}; the node's tip was at {holds.tip_height}.",
        "No verdicts: nothing judged these readings."
        if rules is None
        else f"Judged by rule set {rules['rule_set']}, thresholds {rules['thresholds']}.",
    ]
    if answer.profile:
        lines.append(f"Asked by {answer.asked_by} as {answer.profile}, by {answer.legal_basis}.")
    return lines + [f"Note: {note}" for note in answer.query.notes]


def _json(answer: Answer, out: BinaryIO) -> None:
    out.write(_JSON.encode(as_document(answer)) + b"\n")


def _csv(answer: Answer, out: BinaryIO) -> None:
    """RFC 4180, UTF-8. What the answer is about stands above it, in lines that begin with ``# ``."""
    text = TextIOWrapper(out, encoding="utf-8", errors="replace", newline="")
    for line in said_of(answer):
        text.write(f"# {' '.join(line.split())}\r\n")
    writer = csv.writer(text)
    writer.writerow([f"{each.name} [{each.unit}]" if each.unit else each.name for each in answer.columns])
    for row in answer.rows:
        writer.writerow([_cell(value, each) for value, each in zip(row, answer.columns, strict=True)])
    text.flush()
    text.detach()


def _cell(value: Any, column: Column) -> str:
    """A value as CSV has it. Text that a spreadsheet would run as a formula gets an apostrophe before it.

    Battery names and models come from the chain, where anybody writes what he likes (OWASP, "CSV Injection"). Numbers
    are no text, and keep their sign.
    """
    text = spoken(value)
    if column.kind in ("integer", "number") or not text.lstrip(" ").startswith(_FORMULA):
        return text
    return f"'{text}"


def spoken(value: Any) -> str:
    """A value as text."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return f"{value:f}"
        case list() if all(isinstance(each, str) for each in value):
            return " ".join(value)
        case dict() | list():
            return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        case _:
            return str(_plain(value))


def _table(answer: Answer, out: BinaryIO) -> None:
    """Aligned columns with their units, numbers to the right. Control characters are escaped."""
    heads = [(each.name, each.unit) for each in answer.columns]
    body = [[_short(spoken(value)) for value in row] for row in answer.rows]
    widths = [
        max([len(name), len(unit), *(len(row[place]) for row in body)]) for place, (name, unit) in enumerate(heads)
    ]
    right = [each.kind in ("integer", "number") for each in answer.columns]

    def line(cells: list[str]) -> str:
        aligned = zip(cells, widths, right, strict=True)
        return "  ".join(cell.rjust(width) if to else cell.ljust(width) for cell, width, to in aligned).rstrip()

    lines = [line([name for name, _ in heads])]
    if any(unit for _, unit in heads):
        lines.append(line([unit for _, unit in heads]))
    lines.append("  ".join("-" * width for width in widths))
    lines += [line(row) for row in body]
    lines += ["", *(visible(each) for each in said_of(answer))]
    out.write("".join(f"{each}\n" for each in lines).encode(errors="replace"))


def _short(text: str) -> str:
    seen = visible(text)
    return seen if len(seen) <= CELL_CHARACTERS else f"{seen[: CELL_CHARACTERS - 1]}…"


def _parquet(answer: Answer, out: BinaryIO) -> None:
    """Typed columns, zstd; what the answer is about is the file's metadata, key ``cellwitness``.

    An integer that somebody claimed beyond 64 bits is null there, and counted in ``beyond_64_bits``.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ConfigurationError("Parquet needs an extra: `uv sync --extra parquet`; or ask for CSV or JSON") from None
    types: dict[Kind, Any] = {
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "bytes": pa.binary(),
        "time": pa.timestamp("us", tz="UTC"),
        "texts": pa.list_(pa.string()),
    }
    beyond: dict[str, int] = {}
    arrays, fields = [], []
    for place, column in enumerate(answer.columns):
        values = [_arrow_value(row[place], column) for row in answer.rows]
        if column.kind == "integer":
            lost = sum(value is not None and value not in _INT64 for value in values)
            beyond |= {column.name: lost} if lost else {}
            values = [value if value is not None and value in _INT64 else None for value in values]
        kind = types.get(column.kind, pa.string())
        arrays.append(pa.array(values, type=kind))
        fields.append(pa.field(column.name, kind, metadata={"unit": column.unit, "meaning": column.meaning}))
    told = _JSON.encode(about(answer) | {"beyond_64_bits": beyond})
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata={"cellwitness": told}))
    parquet.write_table(table, out, compression="zstd")


def _arrow_value(value: Any, column: Column) -> Any:
    if value is None or column.kind in ("integer", "boolean", "bytes", "time", "texts"):
        return value
    return float(value) if column.kind == "number" else spoken(value).encode(errors="replace").decode()


_WRITERS: Final[dict[Format, Callable[[Answer, BinaryIO], None]]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
}
