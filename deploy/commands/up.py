from pathlib import Path

import click

from deploy.commands.follow import read_endpoint, read_point
from deploy.dashboard import DEFAULT_ADDRESS, fetch_assets, free_port, prepare_tables, read_address
from deploy.database import database
from deploy.profiles import read_profile
from deploy.settings import EMBEDDED, Settings
from deploy.stopping import Stop
from deploy.tree import Part, run_tree
from indexer.errors import ConfigurationError


@click.command()
@click.option("--ogmios", multiple=True, metavar="URL", help="ws://HOST:PORT of an Ogmios; several: by preference.")
@click.option("--profile", multiple=True, metavar="FILE", help="A deployment profile (TOML); several: several files.")
@click.option("--thresholds", metavar="FILE", help="Of the rules, TOML: docs/rules.md.")
@click.option("--data-dir", default=".cellwitness", show_default=True, metavar="DIR", help="Log, database and tokens.")
@click.option("--db", "db_url", default=EMBEDDED, show_default=True, metavar="URL", help="The tables, if not in DIR.")
@click.option("--log", "log_url", metavar="URL", help="The event log.  [default: sqlite: events.db in --data-dir]")
@click.option("--since", default="origin", show_default=True, metavar="POINT", help="Where a NEW log begins.")
@click.option("--address", default=DEFAULT_ADDRESS, show_default=True, metavar="HOST:PORT", help="Of the dashboard.")
@click.option("--fleet-minutes", default=60.0, show_default=True, type=click.FloatRange(0), help="Between fleet runs.")
@click.option("--require-login", is_flag=True, help="On loopback too: nobody sees the dashboard without a token.")
@click.pass_obj
def up(
    obj: tuple[Settings, dict[str, str]],
    ogmios: tuple[str, ...],
    profile: tuple[str, ...],
    thresholds: str | None,
    data_dir: str,
    db_url: str,
    log_url: str | None,
    since: str,
    address: str,
    fleet_minutes: float,
    require_login: bool,
) -> None:
    """Runs everything against a node: follower, worker and dashboard, in one tree of processes, until Ctrl-C.

    Everything lives in --data-dir. Start it again after any end: it goes on where it was. A part that ends and may be
    started again is; one that needs you ends all of them, with its exit code.

    \b
    cellwitness up --ogmios ws://127.0.0.1:1337 --profile fleet.toml --data-dir /var/lib/cellwitness
    cellwitness up --ogmios ws://node-a:1337 --ogmios wss://node-b/ --profile fleet.toml --since 133883340.bac166…
    """
    endpoints = tuple(map(read_endpoint, ogmios)) or ("ws://127.0.0.1:1337",)
    if not profile:
        raise ConfigurationError("no deployment to look for: give at least one profile with --profile FILE")
    for file in profile:
        read_profile(Path(file))
    read_point(since)
    host, port = read_address(address)
    port = port or free_port(host)
    shown = f"[{host}]" if ":" in host else host
    place = Path(data_dir)
    place.mkdir(parents=True, exist_ok=True)
    log_at = log_url or f"sqlite:{place / 'events.db'}"
    profiles = tuple(word for file in profile for word in ("--profile", file))
    tables = ("--db", db_url, "--data-dir", data_dir)
    judged = ("--thresholds", thresholds) if thresholds else ()
    # A port that somebody takes before the follower does ends it, and all of this with a word about it.
    watched = obj[0].http or f"127.0.0.1:{free_port('127.0.0.1')}"
    follow = ("follow", "--log", log_at, "--since", since, "--http", watched, *profiles)
    follower = ("--follower", f"http://{watched if not watched.startswith(':') else f'127.0.0.1{watched}'}")
    parts = (
        Part((*follow, *(word for url in endpoints for word in ("--ogmios", url)))),
        Part(("project", "--log", log_at, *tables, *profiles, *judged, "--fleet-minutes", str(fleet_minutes))),
        Part(
            (
                "serve",
                *tables,
                "--address",
                f"{shown}:{port}",
                *follower,
                *(["--require-login"] if require_login else []),
            )
        ),
    )
    stop = Stop()
    with database(db_url, data_dir) as url:
        prepare_tables(url())
        fetch_assets()
        click.echo(f"The dashboard is at http://{shown}:{port}; everything lives in {place}. Ctrl-C ends it.")
        run_tree(parts, stop=stop, pause=stop.pause, log_level=obj[0].log_level)
