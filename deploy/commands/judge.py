import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.console import Console

from deploy.archives import Table, check_columns, findings_file, in_order, opened, rows_of
from deploy.judge_view import print_archive, summary
from deploy.judging import read_thresholds
from deploy.progress import ChainProgress
from projections.rules.archive import Archive, Row

SHOWN_EVERY_READINGS: Final = 2_000


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write each finding here: .csv or .parquet."
)
@click.option("--thresholds", metavar="FILE", help="Thresholds by model, TOML: see docs/rules.md.")
@click.option("--sort", is_flag=True, help="Sort the readings by time first, on disk.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def judge(file: Path, out: Path | None, thresholds: str | None, sort: bool, as_json: bool) -> None:
    """Runs the catalogue of rules over an archive of readings, without a chain: try it on your own history.

    FILE is CSV with a header line, or Parquet. It needs the columns battery_id and time (RFC 3339 or Unix seconds) or
    slot; values stand in columns named as in a reading, in its units: soh_bp (1/100 percent), soc_bp, cycle_count,
    full_charge_capacity_mah, nominal_capacity_mah, voltage_mv, current_ma, temp_min_c, temp_max_c,
    energy_throughput_wh, cell_count, cell_voltages_mv, counter. What a passport would say helps: model, chemistry,
    nominal_voltage_mv, category, soh_kind, max_current_ma, max_power_w; so do bms_public_key and owner.

    A rule whose columns are missing is "not assessable", never passed. Each battery's readings must come in the order
    of time. Memory grows with the number of batteries, not of readings.

    \b
    cellwitness judge fleet.csv
    cellwitness judge lab.parquet --out findings.parquet --thresholds mine.toml --json
    """
    archive = Archive(read_thresholds(thresholds))
    started = time.monotonic()
    with opened(file) as table, findings_file(out) as write, ChainProgress(f"judge {file}", "readings") as bar:
        missing = check_columns(table.columns, file)
        for row in _rows(table, sort=sort):
            for finding in archive.judge(row):
                write(row.battery, row.time, row.number, finding)
            if archive.readings % SHOWN_EVERY_READINGS == 0:
                _show(bar, archive, table)
        for subject, finding in archive.fleet():
            write(subject, "", None, finding)
    said: dict[str, Any] = summary(archive, missing, time.monotonic() - started)
    if as_json:
        click.echo(msgspec.json.encode(said))
    else:
        print_archive(Console(width=None if sys.stdout.isatty() else 160), said, out)


def _rows(table: Table, *, sort: bool) -> Iterator[Row]:
    rows: Iterable[Row] = rows_of(table)
    if not sort:
        yield from rows
        return
    with in_order(rows) as ordered:
        yield from ordered


def _show(bar: ChainProgress, archive: Archive, table: Table) -> None:
    done = archive.readings
    total = round(done / max(table.done(), 0.001))
    bar.update(done=done, total=total, events=sum(t.findings for t in archive.tallies.values()), note="findings")
