"""Archives of readings as files: rows out of CSV or Parquet, findings into either. Streams, whatever their size."""

import csv
import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

from msgspec import Struct

from indexer.errors import ConfigurationError
from indexer.events import Reading
from projections.rules.archive import Row
from projections.rules.model import Finding
from projections.rules.passport import Passport, passport_from

READING_FIELDS: Final = tuple(
    name
    for name in Reading.__struct_fields__
    if name not in ("battery_id", "challenge", "schema_version", "cell_voltages_mv")
)
PASSPORT_FIELDS: Final = tuple(
    name for name in Passport.__struct_fields__ if name not in (*READING_FIELDS, "battery_id", "registered_slot")
)
BATTERY_COLUMNS: Final = ("battery_id", "battery")
TIME_COLUMNS: Final = ("slot", "time")
OTHER_COLUMNS: Final = ("bms_public_key", "owner", "cell_voltages_mv")
PARQUET: Final = (".parquet", ".pq")
BATCH_ROWS: Final = 10_000
FINDING_COLUMNS: Final = ("battery", "time", "row", "rule", "version", "severity", "values", "thresholds")

Cells = dict[str, Any]
"""One row of a file: column -> value, as the file has it."""


class Table(Struct, frozen=True):
    """An open file: its columns, its rows, and how much of it (0 to 1) has been read."""

    columns: tuple[str, ...]
    rows: Iterator[Cells]
    done: Callable[[], float]


@contextmanager
def opened(file: Path) -> Iterator[Table]:
    """A CSV or Parquet file, by its name. Raises ConfigurationError."""
    try:
        raw = file.open("rb")
    except OSError as error:
        raise ConfigurationError(f"can't read {file}: {error.strerror}") from error
    with raw:
        if file.suffix.lower() in PARQUET:
            with _parquet(raw, file) as table:
                yield table
        else:
            size = max(file.stat().st_size, 1)
            lines = csv.DictReader(TextIOWrapper(raw, encoding="utf-8-sig", newline=""))
            with _read(file):
                columns = tuple(lines.fieldnames or ())
            yield Table(columns, _csv_rows(lines, file), lambda: raw.tell() / size)


def _csv_rows(lines: "csv.DictReader[str]", file: Path) -> Iterator[Cells]:
    with _read(file):
        for number, cells in enumerate(lines, 1):
            if None in cells:
                raise ConfigurationError(f"{file}: row {number} has more cells than the header has columns")
            yield cells


@contextmanager
def _read(file: Path) -> Iterator[None]:
    try:
        yield
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(
            f"can't read {file}: {error}; it should be CSV in UTF-8, or end with .parquet"
        ) from error


@contextmanager
def _parquet(raw: BinaryIO, file: Path) -> Iterator[Table]:
    pa, parquet = _arrow()
    try:
        with parquet.ParquetFile(raw) as source:
            total, read = max(source.metadata.num_rows, 1), [0]

            def rows() -> Iterator[Cells]:
                for batch in source.iter_batches(batch_size=BATCH_ROWS):
                    for row in batch.to_pylist():
                        read[0] += 1
                        yield row

            yield Table(tuple(source.schema_arrow.names), rows(), lambda: read[0] / total)
    except pa.ArrowInvalid as error:
        raise ConfigurationError(f"can't read {file}: {error}") from error


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 an extra, and half a second
        from pyarrow import parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "Parquet needs pyarrow: install cellwitness with its extra, `uv sync --extra parquet`, or use CSV"
        ) from error
    return pa, parquet


def check_columns(columns: Iterable[str], file: Path) -> list[str]:
    """The columns of the payload that a file lacks. Raises ConfigurationError where it names no battery or no time."""
    have = set(columns)
    if not have.intersection(BATTERY_COLUMNS):
        raise ConfigurationError(f"{file} has no column battery_id; its columns are {', '.join(columns) or 'none'}")
    if not have.intersection(TIME_COLUMNS):
        raise ConfigurationError(f"{file} has no column time (RFC 3339 or Unix seconds) and none named slot")
    return [name for name in (*READING_FIELDS, "cell_voltages_mv") if name not in have]


def rows_of(table: Table) -> Iterator[Row]:
    """The readings in a file, in its order. Raises ConfigurationError that names row and column."""
    passports: dict[tuple[Any, ...], Passport] = {}
    names = [name for name in READING_FIELDS if name in table.columns]
    fixed = [name for name in (*PASSPORT_FIELDS, "nominal_capacity_mah", "cell_count") if name in table.columns]
    for number, cells in enumerate(table.rows, 1):
        key = tuple(cells[name] for name in fixed)
        if key not in passports:
            passports[key] = _passport(number, cells)
        yield _row(number, cells, names, passports[key])


def _row(number: int, cells: Cells, names: Iterable[str], passport: Passport) -> Row:
    battery = next((str(cells[name]) for name in BATTERY_COLUMNS if cells.get(name) not in (None, "")), None)
    if battery is None:
        raise ConfigurationError(f"row {number}: it names no battery")
    time = next((cells[name] for name in TIME_COLUMNS if cells.get(name) not in (None, "")), None)
    values: dict[str, Any] = {name: _integer(number, name, cells[name]) for name in names}
    return Row(
        number,
        battery,
        str(time),
        _seconds(number, time),
        Reading(**values, cell_voltages_mv=_cells(number, cells.get("cell_voltages_mv"))),
        passport,
        str(cells["bms_public_key"]) if cells.get("bms_public_key") else None,
        str(cells["owner"]) if cells.get("owner") else None,
    )


def _passport(number: int, cells: Cells) -> Passport:
    values: dict[str, Any] = {}
    for name in PASSPORT_FIELDS:
        value = cells.get(name)
        texts = ("manufacturer", "model", "chemistry", "category", "soh_kind", "status")
        values[name] = (str(value) if value else None) if name in texts else _integer(number, name, value)
    return passport_from(values)


def _integer(number: int, name: str, value: Any) -> int | None:
    """A whole number; decimals are rounded, empty cells and NaN are no value."""
    if value is None or value == "":
        return None
    if isinstance(value, int):
        return int(value)
    try:
        return int(value)
    except (ValueError, OverflowError, TypeError):
        pass
    try:
        decimal = float(value)
        return None if decimal != decimal else round(decimal)  # noqa: PLR0124 NaN
    except (ValueError, OverflowError, TypeError) as error:
        raise ConfigurationError(f"row {number}: {name}: {str(value)[:80]!r} is no number") from error


def _seconds(number: int, value: Any) -> int:
    """Seconds since some beginning: a slot, Unix time, or RFC 3339."""
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    try:
        return int(float(value))
    except (ValueError, OverflowError, TypeError):
        pass
    try:
        moment = datetime.fromisoformat(str(value).strip())
    except ValueError as error:
        raise ConfigurationError(
            f"row {number}: time {str(value)[:80]!r} is neither RFC 3339, such as 2026-05-03T14:02:00Z, nor seconds"
        ) from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _cells(number: int, value: Any) -> tuple[int, ...] | None:
    """Cell voltages: a list, a JSON array, or numbers with spaces or semicolons between them."""
    if value is None or value == "":
        return None
    parts = value if isinstance(value, list) else str(value).strip("[] ").replace(";", " ").replace(",", " ").split()
    found = [_integer(number, "cell_voltages_mv", part) for part in parts]
    whole = tuple(each for each in found if each is not None)
    return whole if len(whole) == len(found) else None


@contextmanager
def in_order(rows: Iterable[Row]) -> Iterator[Iterator[Row]]:
    """The rows by time, sorted on disk: an archive of any size and order."""
    from msgspec.json import Decoder, Encoder  # noqa: PLC0415 used here alone

    encode, decode = Encoder().encode, Decoder(Row).decode
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(Path(folder) / "rows.db")) as store:
        store.execute("PRAGMA journal_mode = OFF")
        store.execute("CREATE TABLE rows (slot NUMERIC, number INTEGER, body BLOB)")
        waiting = iter(rows)
        while batch := [(each.slot, each.number, encode(each)) for each in islice(waiting, BATCH_ROWS)]:
            store.executemany("INSERT INTO rows VALUES (?, ?, ?)", batch)
        yield (decode(body) for (body,) in store.execute("SELECT body FROM rows ORDER BY slot, number"))


@contextmanager
def findings_file(file: Path | None) -> Iterator[Callable[[str, str, int | None, Finding], None]]:
    """Writes findings as they come, to CSV or Parquet by the file's name; nowhere without one."""
    if file is None:
        yield lambda *_: None
    elif file.suffix.lower() in PARQUET:
        with _findings_parquet(file) as write:
            yield write
    elif file.suffix.lower() == ".csv":
        with _written(file) as raw, TextIOWrapper(raw, encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(FINDING_COLUMNS)
            yield lambda *parts: writer.writerow(_finding(*parts))
    else:
        raise ConfigurationError(f"--out {file}: name a file that ends with .csv or .parquet")


def _written(file: Path) -> BinaryIO:
    try:
        return file.open("wb")
    except OSError as error:
        raise ConfigurationError(f"can't write {file}: {error.strerror}") from error


@contextmanager
def _findings_parquet(file: Path) -> Iterator[Callable[[str, str, int | None, Finding], None]]:
    pa, parquet = _arrow()
    schema = pa.schema([(name, pa.int64() if name in ("row", "version") else pa.string()) for name in FINDING_COLUMNS])
    waiting: list[tuple[Any, ...]] = []
    with _written(file) as raw, parquet.ParquetWriter(raw, schema, compression="zstd") as writer:

        def flush() -> None:
            columns = list(zip(*waiting, strict=True)) or [()] * len(FINDING_COLUMNS)
            writer.write_table(pa.table([list(column) for column in columns], schema=schema))
            waiting.clear()

        def write(*parts: Any) -> None:
            waiting.append(_finding(*parts))
            if len(waiting) >= BATCH_ROWS:
                flush()

        yield write
        flush()


def _finding(battery: str, time: str, number: int | None, finding: Finding) -> tuple[Any, ...]:
    values, thresholds = json.dumps(finding.values), json.dumps(finding.thresholds)
    return (battery, time, number, finding.rule, finding.version, finding.severity, values, thresholds)
