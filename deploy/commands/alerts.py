import getpass
import sys
from collections.abc import Callable

import click
import msgspec
from rich.console import Console

from consumers.alerts import (
    STATES,
    Act,
    ActName,
    Alert,
    Selection,
    State,
    do_act,
    find_alert,
    list_alerts,
    read_story,
)
from consumers.timeline import Holds
from deploy.alerts_view import print_alerts, print_story
from deploy.database import db_options, tables
from deploy.text import visible
from indexer.errors import ConfigurationError
from projections.database import Connection
from projections.rules.model import SEVERITIES

SEVERITY = click.Choice([each for each in SEVERITIES if each in ("warning", "high", "critical")])


@click.group()
def alerts() -> None:
    """What the rules found and people should look at.

    An alert gathers all that one rule found about one battery. It is provisional until its first finding is 15 blocks
    deep, then confirmed, and final when nothing can undo it; it is withdrawn when the chain takes back what raised it.
    What you do about it is recorded with your name and reason, and kept when the tables are built again.

    \b
    cellwitness alerts ls --state open
    cellwitness alerts show 3f9c
    cellwitness alerts ack 3f9c --why "asked the workshop"
    cellwitness alerts close 3f9c --why "module replaced, papers seen"
    """


@alerts.command()
@db_options
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="What people made of it; several.")
@click.option("--severity", "severities", multiple=True, type=SEVERITY, help="Several may be given.")
@click.option("--battery", metavar="ID", help="Of this battery: id, as text or hex, or key.")
@click.option("--deployment", metavar="NAME", help="Of this deployment.")
@click.option("--rule", metavar="RULE", help="Of this rule, such as R09.")
@click.option("--withdrawn", is_flag=True, help="Those that the chain took back, and why.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ls(
    db_url: str,
    data_dir: str,
    states: tuple[State, ...],
    severities: tuple[str, ...],
    battery: str | None,
    deployment: str | None,
    rule: str | None,
    withdrawn: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Lists alerts, the gravest first. Closed ones are left out unless --state asks for them.

    \b
    cellwitness alerts ls --severity critical --severity high
    cellwitness alerts ls --battery urn:eudpp:battery:demo:0001 --json
    cellwitness alerts ls --withdrawn
    """
    selection = Selection(
        states=states or ("open", "acknowledged"),
        severities=severities or None,
        deployment=deployment,
        battery=battery,
        rule=rule,
        withdrawn=withdrawn,
        limit=limit,
    )
    with tables(db_url, data_dir, read_only=True) as connection:
        holds, found = list_alerts(connection, selection)
    if as_json:
        click.echo(msgspec.json.encode({"holds": holds, "alerts": found}))
    else:
        print_alerts(_console(), holds, found)


@alerts.command()
@click.argument("alert")
@db_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(alert: str, db_url: str, data_dir: str, as_json: bool) -> None:
    """Shows one alert: what it means, the values that led to it, the evidence, and what people did.

    ALERT is the beginning of its name, as `ls` prints it. Exit code 1: no such alert.

    \b
    cellwitness alerts show 3f9c
    """
    with tables(db_url, data_dir, read_only=True) as connection:
        holds, found = _one(connection, alert)
        story = read_story(connection, holds, found)
    if as_json:
        click.echo(msgspec.json.encode(story))
    else:
        print_story(_console(), story)


def _act(name: ActName, help_text: str) -> Callable[..., None]:
    example = f'\b\ncellwitness alerts {name} 3f9c --why "papers seen"'
    ending = "ALERT is the beginning of its name. Your name and reason are kept for ever. Exit code 1: no such alert."

    @alerts.command(name, help=f"{help_text}\n\n{ending}\n\n{example}")
    @click.argument("alert")
    @db_options
    @click.option("--why", required=True, metavar="TEXT", help="The reason, for whoever reads it later.")
    @click.option("--who", metavar="NAME", help="Who does it.  [default: the user's name]")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    def command(alert: str, db_url: str, data_dir: str, why: str, who: str | None, as_json: bool) -> None:
        act = Act(name, who if who is not None else getpass.getuser(), why)
        with tables(db_url, data_dir, read_only=False) as connection:
            holds, found = _one(connection, alert)
            at = do_act(connection, holds, found, act)
        if as_json:
            click.echo(
                msgspec.json.encode({"alert": found.alert, "act": act.act, "who": act.who, "why": why, "at": at})
            )
        else:
            click.echo(f"{found.alert}: {act.act} by {visible(act.who)} at {at}")

    return command


_act("ack", "Says that somebody looks after an alert: it stays, as acknowledged.")
_act("note", "Adds a note to an alert.")
_act("close", "Closes an alert. It opens again when its rule finds something that you did not know of.")


def _one(connection: Connection, name: str) -> tuple[Holds, Alert]:
    """The alert of this name; ends with 1 where there is none. Raises ConfigurationError where there are several."""
    if not name:
        raise ConfigurationError("an empty name fits every alert: `cellwitness alerts ls` lists them")
    holds, found = find_alert(connection, name)
    if not found:
        click.echo(f"no alert {visible(name)}: `cellwitness alerts ls` lists them", err=True)
        sys.exit(1)
    if len(found) > 1:
        names = ", ".join(each.alert for each in found[:5])
        raise ConfigurationError(f"{len(found)} alerts begin with {name}: {names}; give more digits")
    return holds, found[0]


def _console() -> Console:
    # As wide as it takes when the output is no terminal: a file must not depend on a window.
    return Console(width=None if sys.stdout.isatty() else 200, soft_wrap=not sys.stdout.isatty())
