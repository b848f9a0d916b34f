"""``cellwitness db``: the embedded PostgreSQL, for those who want to look after it themselves."""

import json
import sys

import click

from deploy.database import database, db_options, embedded
from projections.database import connect
from projections.migrate import migrate
from projections.roles import ROLES, make_roles

data_dir_option = click.option(
    "--data-dir",
    default=".cellwitness",
    show_default=True,
    metavar="DIR",
    help="Where the embedded PostgreSQL lives.",
)


@click.group()
def db() -> None:
    """The embedded PostgreSQL: started when a command needs it, stopped when nobody does.

    It listens on a Unix socket only, lets in only the user who started it (and root), and never runs as root.

    \b
    cellwitness db start
    psql "$(cellwitness db url)"
    """


@db.command()
@data_dir_option
def start(data_dir: str) -> None:
    """Starts the server and keeps it running until `cellwitness db stop`. Prints its URL.

    \b
    cellwitness db start --data-dir /var/lib/cellwitness
    """
    server = embedded(data_dir)
    server.keep_mark.touch()
    server.start()
    click.echo(server.url)


@db.command()
@data_dir_option
def stop(data_dir: str) -> None:
    """Stops the server, whoever uses it. A worker that needs it starts it again.

    \b
    cellwitness db stop
    """
    server = embedded(data_dir)
    server.keep_mark.unlink(missing_ok=True)
    server.stop()


@db.command()
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(data_dir: str, as_json: bool) -> None:
    """Says whether the server runs. Exit code 1: it does not.

    \b
    cellwitness db status --json
    """
    server = embedded(data_dir)
    pid = server.pid()
    found = {
        "running": pid is not None and server.answers(),
        "pid": pid,
        "data": str(server.place.data),
        "log": str(server.place.log),
        "runs_as": server.place.server.name,
        "kept": server.keep_mark.exists(),
        "url": server.url,
    }
    if as_json:
        click.echo(json.dumps(found))
    else:
        for name, value in found.items():
            click.echo(f"{name:<8} {value}")
    if not found["running"]:
        sys.exit(1)


@db.command()
@data_dir_option
def url(data_dir: str) -> None:
    """Prints the server's URL: `psql "$(cellwitness db url)"`."""
    click.echo(embedded(data_dir).url)


@db.command(name="roles")
@db_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def roles_command(db_url: str, data_dir: str, as_json: bool) -> None:
    """Makes the roles owner, writer, reader, auditor and alerter, and gives each its part of the tables and no more.

    They are groups without a login: grant one to each user. Needs a user who may create roles and owns the tables. Run
    it once; migrations and rebuilds keep what it gave.

    \b
    cellwitness db roles --db postgresql://admin@db.example/cellwitness
    psql -c "GRANT cellwitness_reader TO dashboard" ...
    """
    with database(db_url, data_dir, must_exist=True) as running, connect(running()) as connection:
        migrate(connection)
        make_roles(connection)
    if as_json:
        click.echo(json.dumps(ROLES))
        return
    for name, meaning in ROLES.items():
        click.echo(f"{name:<20} {meaning}")
