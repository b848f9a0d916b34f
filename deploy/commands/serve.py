import json
from pathlib import Path

import click

from consumers.access import PROFILES
from consumers.dashboard.door import Proxy, read_networks
from consumers.dashboard.freshness import STALE_SECONDS
from consumers.dashboard.people import ROLES, Role
from deploy.dashboard import DEFAULT_ADDRESS, TOKENS, ServeOptions, Server, parts_of, prepare_tables, read_address
from deploy.database import database, db_options
from deploy.settings import EMBEDDED
from deploy.stopping import Stop


@click.command()
@db_options
@click.option("--address", default=DEFAULT_ADDRESS, show_default=True, metavar="HOST:PORT", help="Where it listens.")
@click.option("--tokens", metavar="FILE", help="Who may come in.  [default: tokens.json in --data-dir]")
@click.option("--require-login", is_flag=True, help="On loopback too: nobody comes in without a token.")
@click.option("--host-name", "host_names", multiple=True, metavar="NAME", help="By which browsers call it; several.")
@click.option("--https", is_flag=True, help="Browsers reach it by https, through a proxy: cookies go no other way.")
@click.option("--trust-proxy", multiple=True, metavar="ADDRESS", help="A proxy (or network) that says who logged in.")
@click.option("--proxy-user-header", default="X-Forwarded-User", show_default=True, metavar="NAME", help="Who it is.")
@click.option("--proxy-role-header", default="", metavar="NAME", help="In which roles, by their names; unset: viewer.")
@click.option("--proxy-role", default="viewer", show_default=True, type=click.Choice(ROLES), help="Where it says none.")
@click.option(
    "--proxy-access",
    default="public",
    show_default=True,
    type=click.Choice(list(PROFILES)),
    help="What those may see.",
)
@click.option("--proxy-legal-basis", default="", metavar="TEXT", help="Of what they ask.")
@click.option(
    "--follower", multiple=True, metavar="URL", help="http://HOST:PORT of a follower's --http: it tells of its nodes."
)
@click.option(
    "--stale-seconds",
    default=STALE_SECONDS,
    show_default=True,
    type=click.FloatRange(1),
    help="Age of the last step from which on nothing is called fresh.",
)
@click.option(
    "--statement-seconds", default=5.0, show_default=True, type=click.FloatRange(0.1, 600), help="A query's time."
)
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON.")
def serve(
    db_url: str,
    data_dir: str,
    address: str,
    tokens: str | None,
    require_login: bool,
    host_names: tuple[str, ...],
    https: bool,
    trust_proxy: tuple[str, ...],
    proxy_user_header: str,
    proxy_role_header: str,
    proxy_role: Role,
    proxy_access: str,
    proxy_legal_basis: str,
    follower: tuple[str, ...],
    stale_seconds: float,
    statement_seconds: float,
    as_json: bool,
) -> None:
    """Serves the dashboard and its API over the tables, until Ctrl-C.

    On loopback whoever can reach it comes in. On any other address people show a token (`cellwitness token new`), or a
    proxy that you trust says who they are; it speaks plain HTTP, so put TLS before it. Asks the database as
    cellwitness_reader, whatever the user of --db may do.

    \b
    cellwitness serve
    cellwitness serve --db postgresql://dashboard@db/cellwitness --address 0.0.0.0:8600 --host-name cellwitness.example
    cellwitness serve --trust-proxy 10.0.0.5 --proxy-user-header X-Forwarded-Email --https
    """
    host, port = read_address(address)
    proxy = None
    if trust_proxy:
        proxy = Proxy(
            networks=read_networks(trust_proxy),
            user_header=proxy_user_header.lower(),
            role_header=proxy_role_header.lower(),
            role=proxy_role,
            profile=proxy_access,
            legal_basis=proxy_legal_basis,
        )
    options = ServeOptions(
        host=host,
        port=port,
        token_file=Path(tokens) if tokens else Path(data_dir) / TOKENS,
        require_login=require_login,
        proxy=proxy,
        host_names=tuple(name.lower() for name in host_names),
        https=https,
        stale_seconds=stale_seconds,
        statement_seconds=statement_seconds,
        followers=follower,
    )
    Stop()  # uvicorn ends on a signal and raises it once more: that must not end us before the database is left
    with database(db_url, data_dir, must_exist=True) as url:
        if db_url == EMBEDDED:
            prepare_tables(url())
        with parts_of(url, options) as parts:
            server = Server(parts, options)
            click.echo(json.dumps({"url": server.url}) if as_json else f"The dashboard is at {server.url}")
            server.run()
