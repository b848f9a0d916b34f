import getpass
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import structlog
from rich.console import Console

from consumers.alerting.ask import explain, give_up, list_held, list_sends, retry, send_test
from consumers.alerting.config import Alerting, read_alerting
from consumers.alerting.run import Alerter
from consumers.alerting.send import Delivered, trust
from consumers.alerts import find_alert
from deploy.alert_view import print_explanation, print_outbox, print_routes
from deploy.database import database, db_options, tables
from deploy.health import serve_health
from deploy.stopping import Stop
from deploy.text import visible
from indexer.errors import ConfigurationError
from projections.database import connect

log = structlog.get_logger(component="alerting")

STATES: Final = ("waiting", "failed", "sent", "dropped")


def routes_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--routes",
        default="alerting.toml",
        show_default=True,
        metavar="FILE",
        help="Who is told of what: TOML, see docs/alerting.md.",
    )(command)


@click.group(invoke_without_command=True)
@db_options
@routes_option
@click.option("--check", is_flag=True, help="Check FILE, show its routes, and end.")
@click.option("--test", metavar="ROUTE", help="Send a message marked as a test to each sink of ROUTE, and end.")
@click.option("--explain", "explained", metavar="ALERT", help="Say which routes take ALERT and why, and end.")
@click.option("--poll-seconds", default=1.0, show_default=True, type=click.FloatRange(0.05), help="How often to look.")
@click.option("--http", metavar="HOST:PORT", help="Serve /metrics, /health/live and /health/ready here.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.pass_context
def alert(
    ctx: click.Context,
    db_url: str,
    data_dir: str,
    routes: str,
    check: bool,
    test: str | None,
    explained: str | None,
    poll_seconds: float,
    http: str | None,
    as_json: bool,
) -> None:
    """Tells people and other programs about alerts: by webhook, Alertmanager, Slack and mail.

    Sends what is confirmed, or says that it is provisional where a route asks for it, and takes back what the chain
    took back. What is to be sent stands in the database before it is sent: kill it at any moment and start it again.
    Repeats have the same bytes and the same key. Of several on one database one works.

    \b
    cellwitness alert --routes alerting.toml --http 127.0.0.1:9102
    cellwitness alert --routes alerting.toml --check
    cellwitness alert --routes alerting.toml --test night
    cellwitness alert --routes alerting.toml --explain 3f9c
    cellwitness alert ls --state failed
    cellwitness alert retry --sink pager
    """
    if ctx.invoked_subcommand is not None:
        return
    alerting = read_alerting(Path(routes))
    for sink in alerting.sinks.values():
        trust(sink)
    if check:
        _show(as_json, alerting.routes, lambda console: print_routes(console, alerting))
    elif test is not None:
        _test(alerting, test, as_json)
    elif explained is not None:
        _explain(alerting, explained, db_url, data_dir, as_json)
    else:
        _run(alerting, db_url, data_dir, poll_seconds, http)


def _run(alerting: Alerting, db_url: str, data_dir: str, poll_seconds: float, http: str | None) -> None:
    stop = Stop()
    with database(db_url, data_dir, must_exist=True) as url:
        alerter = Alerter(lambda: connect(url()), alerting, poll_seconds=poll_seconds, stop=stop, pause=stop.pause)
        if http:
            serve_health(http, alerter.why_not_ready)
        log.info("alerter_started", routes=list(alerting.routes), sinks=list(alerting.sinks))
        alerter.run()


def _test(alerting: Alerting, route: str, as_json: bool) -> None:
    if route not in alerting.routes:
        raise ConfigurationError(f"--test: there is no route {route!r}: {', '.join(alerting.routes)}")
    outcomes = send_test(alerting, route, datetime.now(UTC).isoformat())
    said = {name: None if isinstance(each, Delivered) else each.reason for name, each in outcomes.items()}
    if as_json:
        click.echo(msgspec.json.encode({name: {"delivered": not why, "reason": why} for name, why in said.items()}))
    else:
        for name, why in said.items():
            click.echo(f"{name}: " + (f"not delivered: {visible(why)}" if why else "delivered"))
    if any(said.values()):
        sys.exit(1)


def _explain(alerting: Alerting, name: str, db_url: str, data_dir: str, as_json: bool) -> None:
    with tables(db_url, data_dir, read_only=True) as connection:
        found = find_alert(connection, name)[1]
        if not found:
            click.echo(f"no alert {visible(name)}: `cellwitness alerts ls` lists them", err=True)
            sys.exit(1)
        if len(found) > 1:
            raise ConfigurationError(f"{len(found)} alerts begin with {name!r}: give more digits")
        said = explain(connection, alerting.routing(), found[0].alert)
    _show(as_json, said, lambda console: print_explanation(console, said))


@alert.command()
@db_options
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Of messages; several may be given.")
@click.option("--sink", metavar="NAME", help="To this sink.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ls(db_url: str, data_dir: str, states: tuple[str, ...], sink: str | None, limit: int, as_json: bool) -> None:
    """Lists messages to sinks, newest first, and notices that are held. Sent ones only if --state asks for them.

    \b
    cellwitness alert ls --state failed
    cellwitness alert ls --state sent --sink pager --json
    """
    with tables(db_url, data_dir, read_only=True) as connection:
        sends = list_sends(connection, states or ("waiting", "failed"), sink, limit)
        held = [] if states else list_held(connection, sink, limit)
    _show(as_json, {"messages": sends, "held": held}, lambda console: print_outbox(console, sends, held))


@alert.command("retry")
@click.argument("key", required=False)
@db_options
@click.option("--sink", metavar="NAME", help="All of this sink.")
@click.option("--all", "everything", is_flag=True, help="All of every sink.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def retry_command(
    key: str | None, db_url: str, data_dir: str, sink: str | None, everything: bool, as_json: bool
) -> None:
    """Lets messages that failed, or wait for their next attempt, be sent now, with the same bytes and key.

    KEY is the beginning of a message's key, as `ls` prints it. Exit code 1: there is no such message.

    \b
    cellwitness alert retry 5be1
    cellwitness alert retry --sink pager
    """
    if sum((key is not None, sink is not None, everything)) != 1:
        raise ConfigurationError("say which messages: KEY, --sink NAME or --all")
    with tables(db_url, data_dir, read_only=False) as connection:
        _changed(retry(connection, key, sink), "will be tried now", as_json)


@alert.command("drop")
@click.argument("key")
@db_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def drop_command(key: str, db_url: str, data_dir: str, as_json: bool) -> None:
    """Gives a message up that failed or waits: it is never sent, and its alert's later messages wait for it no more.

    KEY is the beginning of its key. Exit code 1: there is no such message.

    \b
    cellwitness alert drop 5be1
    """
    with tables(db_url, data_dir, read_only=False) as connection:
        changed = give_up(connection, key)
    log.warning("alert_dropped", keys=changed, who=getpass.getuser())
    _changed(changed, "will not be sent", as_json)


def _changed(keys: list[str], what: str, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode({"messages": keys}))
    for key in () if as_json else keys:
        click.echo(f"{key} {what}")
    if not keys:
        click.echo("no such message: `cellwitness alert ls` lists them", err=True)
        sys.exit(1)


def _show(as_json: bool, said: Any, write: Callable[[Console], None]) -> None:
    if as_json:
        click.echo(msgspec.json.encode(said))
    else:
        # As wide as it takes when the output is no terminal: a file must not depend on a window.
        write(Console(width=None if sys.stdout.isatty() else 200, soft_wrap=not sys.stdout.isatty()))
