"""``cellwitness parked``: events that the fold could not handle, and what waits behind them."""

import json
import sys
from hashlib import blake2b

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.database import database, db_options
from deploy.judging import judging_options, read_judging
from deploy.text import visible
from indexer.errors import OperatorMustAct
from projections.database import Connection, connect
from projections.parked import Waiting, parked_events, waiting_batteries
from projections.store import Store

SHOWN_EVENTS = 1_000
"""Of one battery, on a terminal. With --json all."""


class NothingParked(OperatorMustAct):
    """No event of this battery waits."""

    exit_code = 1


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one value a line.")


@click.group()
def parked() -> None:
    """Events that could not be handled. They wait, with all that came after them for the same battery; nothing is lost.

    Other batteries go on. An event that the chain takes back waits no longer. After an upgrade that handles what waits,
    `retry` brings it in, in order.

    \b
    cellwitness parked ls
    cellwitness parked show urn:eudpp:battery:demo:0001
    cellwitness parked retry --all
    """


@parked.command(name="ls")
@db_options
@json_option
def list_command(db_url: str, data_dir: str, as_json: bool) -> None:
    """Lists the batteries that wait, and why. Exit code 1: some do.

    \b
    cellwitness parked ls --json
    """
    with database(db_url, data_dir, must_exist=True) as url, connect(url(), read_only=True) as connection:
        found = waiting_batteries(connection)
    if as_json:
        for each in found:
            click.echo(msgspec.json.encode(each))
    elif not found:
        click.echo("Nothing is parked.")
    else:
        table = Table("battery key", "deployment", "events", "since step", "event", "why", box=None, pad_edge=False)
        for each in found:
            cells = (each.battery_key, each.deployment, str(each.events), str(each.since_step), each.type, each.reason)
            table.add_row(*(Text(visible(cell or "")) for cell in cells))
        Console(width=None if sys.stdout.isatty() else 200).print(table)
    if found:
        sys.exit(1)


@parked.command()
@click.argument("battery")
@db_options
@json_option
def show(battery: str, db_url: str, data_dir: str, as_json: bool) -> None:
    """Shows each event of BATTERY (its key, or its id as text or hex) that waits, in order.

    \b
    cellwitness parked show urn:eudpp:battery:demo:0001 --json
    """
    with database(db_url, data_dir, must_exist=True) as url, connect(url(), read_only=True) as connection:
        for waiting in _waiting(connection, battery):
            events = parked_events(connection, (waiting.battery_key, waiting.deployment))
            for event in events if as_json else events[:SHOWN_EVENTS]:
                if as_json:
                    plain = {**msgspec.to_builtins(event), "record": json.loads(event.record)}
                    click.echo(json.dumps(plain))
                    continue
                why = "waits behind the one before" if event.reason is None else visible(event.reason)
                where = f"step {event.step}, slot {event.slot}, height {event.height}"
                click.echo(f"{event.event_id[:16]}  {visible(event.type)}  {where}: {why}")
            if len(events) > SHOWN_EVENTS and not as_json:
                click.echo(f"… and {len(events) - SHOWN_EVENTS} more: --json prints all")


@parked.command()
@click.argument("battery", required=False)
@click.option("--all", "every", is_flag=True, help="Every battery that waits.")
@db_options
@judging_options
@json_option
def retry(
    battery: str | None,
    every: bool,
    db_url: str,
    data_dir: str,
    profile: tuple[str, ...],
    thresholds: str | None,
    as_json: bool,
) -> None:
    """Tries what waits of BATTERY again, in order; workers may be at work. Exit code 1: some of it still waits.

    What is handled stands in the tables as if it had never waited: at its own step.

    \b
    cellwitness parked retry urn:eudpp:battery:demo:0001 --profile devnet.toml
    """
    if every == (battery is not None):
        raise click.UsageError("name a BATTERY, or give --all")
    left = 0
    with database(db_url, data_dir, must_exist=True) as url, connect(url()) as connection:
        store = Store(connection, None, judging=read_judging(profile, thresholds))
        for waiting in waiting_batteries(connection) if battery is None else _waiting(connection, battery):
            handled, still = store.retry((waiting.battery_key, waiting.deployment))
            left += still
            said = {"battery_key": waiting.battery_key, "deployment": waiting.deployment, "handled": handled}
            click.echo(
                json.dumps({**said, "waiting": still})
                if as_json
                else f"{waiting.battery_key}: {handled} handled, {still} still wait"
            )
    if left:
        sys.exit(1)


def _waiting(connection: Connection, battery: str) -> list[Waiting]:
    """What waits of the batteries of this key or id; a key is the id's hash, or the id itself. Raises NothingParked."""
    keys = {battery.lower(), battery.encode().hex(), blake2b(battery.encode(), digest_size=28).hexdigest()}
    try:
        keys.add(blake2b(bytes.fromhex(battery), digest_size=28).hexdigest())
    except ValueError:
        pass
    found = [each for each in waiting_batteries(connection) if each.battery_key in keys]
    if not found:
        raise NothingParked(f"no event of {visible(battery)} is parked")
    return found
