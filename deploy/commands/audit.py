from typing import Any

import click
import msgspec

from consumers.access import list_questions
from consumers.queries import QUERIES, find_query
from deploy.commands.query import ask_and_write, run_options
from deploy.database import database, db_options
from deploy.text import visible
from indexer.errors import ConfigurationError
from projections.database import connect


@click.group()
def audit() -> None:
    """What an auditor asks: evidence, and whether it is whole.

    \b
    cellwitness audit query evidence battery=urn:eudpp:battery:demo:0001 --legal-basis "contract 14" -o evidence.csv
    cellwitness audit questions
    """


@audit.command("query")
@run_options("auditor")
def audit_query(**options: Any) -> None:
    """Asks one of the auditor's queries, 16 to 25, by its name or number.

    Every answer carries step, slot, block, rule versions and the legal basis; that it was asked is recorded, also
    where it failed or was refused. `cellwitness query show NAME` lists what a query takes.

    \b
    cellwitness audit query evidence battery=urn:eudpp:battery:demo:0001 -o evidence.json
    cellwitness audit query known-then battery=urn:eudpp:battery:demo:0001 --known-at 2027-05-03T14:02
    cellwitness audit query completeness days=30 --finality final --format csv
    """
    found = find_query(options["name"])
    if found.audience != "audit":
        names = ", ".join(each.name for each in QUERIES.values() if each.audience == "audit")
        raise ConfigurationError(f"{found.name} is no auditor's query: use `query run`, or one of {names}")
    ask_and_write(found, options)


@audit.command()
@db_options
@click.option("--who", metavar="NAME", help="Only what this person asked.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def questions(db_url: str, data_dir: str, who: str | None, limit: int, as_json: bool) -> None:
    """Lists what was asked: by whom, when, by which right, at which step; the newest first.

    \b
    cellwitness audit questions --who ada --json
    """
    with database(db_url, data_dir, must_exist=True) as url, connect(url(), read_only=True) as connection:
        found = list_questions(connection, who=who, limit=limit)
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for each in found:
        asked = " ".join(f"{name}={value}" for name, value in each.parameters.items() if value is not None)
        at = f"step {each.step}" if each.step is not None else visible(each.reason or "")
        click.echo(
            f"{each.at}  {visible(each.who)} ({each.role}) as {each.profile}, by {visible(each.legal_basis)}: "
            f"{each.what} {visible(asked)}: {each.outcome}, {at}, {each.rows if each.rows is not None else 'no'} rows"
        )
