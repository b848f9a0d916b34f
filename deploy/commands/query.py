import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
import msgspec
from rich.console import Console
from rich.table import Table

from consumers.access import PROFILES, ask, asking_as, may_ask
from consumers.queries import QUERIES, find_query
from consumers.queries.formats import FORMATS, Format, write
from consumers.queries.model import Answer, Moment, Query
from consumers.queries.run import TIMEOUT_SECONDS, sql_of
from consumers.timeline import Finality
from deploy.database import database, db_options
from deploy.moments import moment_of
from indexer.errors import ConfigurationError
from projections.database import connect


@click.group()
def query() -> None:
    """The twenty-five questions of market surveillance and auditors.

    Each answer says at which step, slot and block it holds, and is written down with who asked, and by which right.

    \b
    cellwitness query ls
    cellwitness query show silent
    cellwitness query run silent days=90 --format csv -o silent.csv
    """


@query.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ls(as_json: bool) -> None:
    """Lists the queries, with the access profiles that they are open to.

    \b
    cellwitness query ls
    """
    if as_json:
        click.echo(msgspec.json.encode([_described(each) for each in QUERIES.values()]))
        return
    table = Table("no", "name", "what it answers", "open to", box=None, header_style="bold", pad_edge=False)
    for each in QUERIES.values():
        table.add_row(str(each.number), each.name, each.title, ", ".join(_open_to(each)))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@query.command()
@click.argument("name")
@click.option("--sql", is_flag=True, help="Print the SQL alone.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, sql: bool, as_json: bool) -> None:
    """Shows a query: what it means in plain words, what it takes, what it answers, and its SQL.

    NAME is its name or its number.

    \b
    cellwitness query show fast-fading
    cellwitness query show 3 --sql
    """
    found = find_query(name)
    if as_json:
        click.echo(msgspec.json.encode(_described(found) | {"sql": sql_of(found)}))
    elif sql:
        click.echo(sql_of(found))
    else:
        _print(found)


def run_options(access: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What `query run` and `audit query` take; ``access`` is the profile without a flag."""
    options = (
        click.argument("name"),
        click.argument("parameters", nargs=-1, metavar="[PARAMETER=VALUE]…"),
        db_options,
        click.option("--as-of-slot", type=click.IntRange(0), metavar="N", help="What the chain said up to this slot."),
        click.option("--known-at", metavar="STEP|TIME", help="As it was known then: a step of the log, or a time."),
        click.option(
            "--finality",
            type=click.Choice(get_args(Finality)),
            default="pending",
            show_default=True,
            help="Only facts at least so deep.",
        ),
        click.option("--format", "form", type=click.Choice(FORMATS), help="[default: by --out, or table]"),
        click.option("--json", "as_json", is_flag=True, help="Print JSON: as --format json."),
        click.option("--out", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file."),
        click.option(
            "--access",
            type=click.Choice(list(PROFILES)),
            default=access,
            show_default=True,
            help="As what you ask: it decides which columns you see. It is recorded.",
        ),
        click.option(
            "--legal-basis", metavar="TEXT", help="By which right. It is recorded.  [default: the access's own]"
        ),
        click.option("--who", metavar="NAME", help="Who asks. It is recorded.  [default: the user's name]"),
        click.option(
            "--timeout-seconds",
            type=click.FloatRange(0.1, 86_400),
            default=TIMEOUT_SECONDS,
            show_default=True,
            help="Give up after this time.",
        ),
    )

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


@query.command("run")
@run_options("surveillance")
def run_query(**options: Any) -> None:
    """Asks a query, by its name or number, and prints the answer or writes it to a file.

    PARAMETER=VALUE restricts it: `query show NAME` lists what each query takes. CSV, JSON and Parquet hold everything;
    the table cuts long cells. Exit code 1: the access does not allow it, or there is no such battery.

    \b
    cellwitness query run silent days=90
    cellwitness query run soh-by-cycles model=LFP-96S280 -o soh.parquet --access public
    cellwitness query run below-floor --as-of-slot 155000000 --finality final --json
    """
    ask_and_write(find_query(options["name"]), options)


def ask_and_write(found: Query, options: dict[str, Any]) -> None:
    """Asks with the options of ``run_options``."""
    out: Path | None = options["out"]
    form = "json" if options["as_json"] else options["form"] or _form_of(out)
    if form == "parquet" and out is None and sys.stdout.isatty():
        raise click.UsageError("Parquet is no text: name a file with --out FILE")
    known_at = options["known_at"]
    moment = Moment(
        as_of_slot=options["as_of_slot"],
        known_at=None if known_at is None else moment_of(known_at),
        finality=options["finality"],
    )
    who = options["who"] if options["who"] is not None else getpass.getuser()
    asking = asking_as(who, options["access"], options["legal_basis"])
    with (
        database(options["db_url"], options["data_dir"], must_exist=True) as url,
        connect(url()) as connection,
    ):
        answer = ask(
            connection,
            asking,
            found,
            _parameters(options["parameters"]),
            moment,
            form=form,
            timeout_seconds=options["timeout_seconds"],
        )
    _deliver(answer, form, out)


def _parameters(words: tuple[str, ...]) -> dict[str, str]:
    given: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise click.UsageError(f"{word!r} is no PARAMETER=VALUE")
        if name in given:
            raise click.UsageError(f"{name} is given twice")
        given[name.replace("-", "_")] = value
    return given


def _form_of(out: Path | None) -> Format:
    suffixes: dict[str, Format] = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".txt": "table"}
    return suffixes.get(out.suffix.lower(), "table") if out else "table"


def _deliver(answer: Answer, form: Format, out: Path | None) -> None:
    """To standard output, or to a file that is there whole or not at all."""
    if out is None:
        write(answer, form, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    part = out.with_name(f".{out.name}.part")
    try:
        with part.open("wb") as file:
            write(answer, form, file)
        part.replace(out)
    except OSError as error:
        raise ConfigurationError(f"can't write {out}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    click.echo(f"{out}: {len(answer.rows)} rows, step {answer.holds.step}", err=True)


def _open_to(found: Query) -> list[str]:
    return [profile.name for profile in PROFILES.values() if may_ask(profile, found)]


def _described(found: Query) -> dict[str, Any]:
    described: dict[str, Any] = msgspec.to_builtins(found)
    return described | {"open_to": _open_to(found)}


def _print(found: Query) -> None:
    lines = [f"{found.number}. {found.title} ({found.name})", "", found.meaning, ""]
    lines += [f"open to: {', '.join(_open_to(found))}", "", "parameters:"]
    for each in found.parameters:
        default = "required" if each.required else f"default {each.default}" if each.default is not None else "any"
        choices = f"; one of {', '.join(each.choices)}" if each.choices else ""
        lines.append(f"  {each.name}={each.unit or each.kind}  {each.meaning} ({default}{choices})")
    lines += ["", "columns:"]
    lines += [f"  {each.name}{f' [{each.unit}]' if each.unit else ''}  {each.meaning}" for each in found.columns]
    lines += ["", *(f"note: {note}" for note in found.notes), "", "SQL:", "", sql_of(found)]
    click.echo("\n".join(lines))
