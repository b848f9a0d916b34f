from contextlib import closing
from datetime import datetime
from pathlib import Path

import click
import msgspec
from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from deploy.backup.manifest import LOG, MANIFEST
from deploy.backup.take import Taken, take_backup
from deploy.database import database, db_options
from deploy.logs import log_of
from deploy.progress import ChainProgress
from indexer.errors import ConfigurationError
from projections.database import connect


@click.command()
@click.option("-o", "--out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="A new folder.")
@click.option(
    "--log", "log_url", default="sqlite:events.db", show_default=True, metavar="URL", help="The event log to save."
)
@db_options
@click.option(
    "--without-tables",
    is_flag=True,
    help="Of the database only what people did and decided: the rest is made from the log after a restore.",
)
@click.option(
    "--metrics",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write when it was taken, and its size, for the textfile collector of Prometheus' node exporter.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was saved as JSON.")
def backup(
    out: Path,
    log_url: str,
    db_url: str,
    data_dir: str,
    without_tables: bool,
    metrics: Path | None,
    as_json: bool,
) -> None:
    """Saves the log and the database into a new folder, while followers and workers are at work.

    The two fit each other: the log holds every step that the tables do. The log is copied into an SQLite file, also
    from Kafka, and proved to be equal; the manifest holds the SHA-256 of each part. Note the manifest's own digest, as
    it is printed, in another place: it stands for all of the backup.

    Without the tables a backup is smaller and a restore takes a projection of the whole log; what the log does not
    hold is lost then: when each step came to be known here, and when fleets were judged.

    \b
    cellwitness backup -o /backup/2027-02-14
    cellwitness backup -o /backup/2027-02-14 --log kafka://a:9092/mainnet --db postgresql://backup@db.example/cellwitness
    """
    with (
        database(db_url, data_dir, must_exist=True) as url,
        closing(log_of(log_url)) as log,
        connect(url(), read_only=True) as connection,
        ChainProgress(f"backup → {out}", "steps") as bar,
    ):
        taken = take_backup(
            out,
            log,
            connection,
            whole=not without_tables,
            progress=lambda at: bar.update(done=at.steps, total=at.to_step + 1, events=at.records),
        )
    if metrics is not None:
        _write_metrics(metrics, taken)
    if as_json:
        click.echo(msgspec.json.encode(taken))
        return
    say_backup(taken)
    click.echo(f"next: copy {out} to another machine; cellwitness restore {out} --check reads all of it")


def _write_metrics(file: Path, taken: Taken) -> None:
    """A file that is replaced whole: who reads it meanwhile sees the former or this one."""
    registry = CollectorRegistry()
    at = Gauge("cellwitness_backup_timestamp_seconds", "When the last backup was begun, Unix time.", registry=registry)
    size = Gauge("cellwitness_backup_size_bytes", "Of all its files.", registry=registry)
    at.set(datetime.fromisoformat(taken.manifest.taken_at).timestamp())
    size.set(sum(part.size_bytes for part in taken.manifest.parts()))
    try:
        write_to_textfile(str(file), registry)
    except OSError as error:
        raise ConfigurationError(f"the backup is whole, but {file} can't be written: {error.strerror}") from error


def say_backup(taken: Taken) -> None:
    """What is in a backup, for a person."""
    manifest = taken.manifest
    size = sum(part.size_bytes for part in manifest.parts())
    rows = sum(table.rows for table in manifest.database.tables)
    click.echo(f"{taken.folder}: taken {manifest.taken_at} by cellwitness {manifest.cellwitness}, {size:,} bytes")
    click.echo(f"{LOG:<14} {manifest.log.steps:,} steps, digest {manifest.log.digest}")
    held = f"{len(manifest.database.tables)} tables, {rows:,} rows"
    if manifest.database.whole:
        click.echo(f"{'database':<14} {held}, the log's facts up to step {manifest.database.step}")
    else:
        click.echo(f"{'database':<14} {held}: what people did; the other tables are made from the log")
    click.echo(f"{MANIFEST:<14} SHA-256 {taken.manifest_sha256}")
