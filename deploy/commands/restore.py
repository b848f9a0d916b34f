import sys
from contextlib import closing
from pathlib import Path

import click
import msgspec

from deploy.backup.manifest import BackupDamaged
from deploy.backup.restore import check_backup, restore_database, restore_log
from deploy.commands.backup import say_backup
from deploy.database import database, db_options
from deploy.logs import log_of
from deploy.progress import ChainProgress
from deploy.settings import without_password
from projections.database import connect


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--log", "log_url", default="sqlite:events.db", show_default=True, metavar="URL", help="Where the log goes."
)
@db_options
@click.option("--check", is_flag=True, help="Read all of the backup and compare it with its digests; restore nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was restored as JSON.")
def restore(folder: Path, log_url: str, db_url: str, data_dir: str, check: bool, as_json: bool) -> None:
    """Puts a backup back: the log, then the database, both proved equal to what was saved.

    First all of it is read and compared with its digests. A log that is there already, perhaps longer, is left; another
    one is refused, and so is a database that holds rows. Killed at any moment it can be started again. Then start
    `follow` and `project`: they go on from where the backup was taken. With --check, exit code 1: it is not whole.

    \b
    cellwitness restore /backup/2027-02-14 --check
    cellwitness restore /backup/2027-02-14 --log sqlite:events.db --db postgresql://owner@db.example/cellwitness
    """
    try:
        taken = check_backup(folder)
    except BackupDamaged as damage:
        if not check:
            raise
        click.echo(f"NOT WHOLE: {damage}", err=True)
        sys.exit(1)
    copied = False
    if not check:
        with (
            closing(log_of(log_url)) as log,
            database(db_url, data_dir) as url,
            ChainProgress(f"restore → {without_password(log_url)}", "steps") as bar,
        ):
            copied = restore_log(
                folder, log, lambda at: bar.update(done=at.steps, total=at.to_step + 1, events=at.records)
            )
            with connect(url()) as connection:
                restore_database(folder, taken.manifest, connection, log)
    if as_json:
        click.echo(msgspec.json.encode({"restored": not check, "log_copied": copied, "backup": taken}))
        return
    say_backup(taken)
    if check:
        click.echo("whole: every part has its digest, and the log is sound")
        return
    click.echo("restored: the log is equal" if copied else "restored: the log was there already, and holds it")
    click.echo("next: cellwitness db roles (where there were roles), then cellwitness follow and cellwitness project")
