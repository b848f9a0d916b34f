import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from consumers.access import PROFILES
from consumers.dashboard.people import ROLES, Role, TokenFile
from deploy.dashboard import TOKENS
from deploy.text import visible

PROFILE = click.Choice(list(PROFILES))


def token_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--tokens`` and ``--data-dir``, as `serve` has them."""
    command = click.option(
        "--data-dir", default=".cellwitness", show_default=True, metavar="DIR", help="As of `serve`."
    )(command)
    return click.option("--tokens", metavar="FILE", help="The file.  [default: tokens.json in --data-dir]")(command)


@click.group()
def token() -> None:
    """Who may come in to the dashboard, and ask its API.

    A token is shown once, when it is made: what is kept can only tell whether one is right. Revoking holds at once,
    for sessions that began with it too.

    \b
    cellwitness token new --name "A. Auditor" --role auditor --access surveillance --days 90
    cellwitness token ls
    cellwitness token revoke 3f9c0a1b2c3d
    """


@token.command()
@token_options
@click.option("--name", required=True, metavar="TEXT", help="Of the person or program that will use it.")
@click.option("--role", default="viewer", show_default=True, type=click.Choice(ROLES), help="What it may do.")
@click.option(
    "--access", default="public", show_default=True, type=click.Choice(list(PROFILES)), help="What it may see."
)
@click.option("--legal-basis", default="", metavar="TEXT", help="Of what it asks; empty: each session names its own.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Until it expires; unset: never.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def new(
    name: str,
    role: Role,
    access: str,
    legal_basis: str,
    days: float | None,
    tokens: str | None,
    data_dir: str,
    as_json: bool,
) -> None:
    """Makes a token and shows it, this once.

    \b
    cellwitness token new --name "night shift" --role analyst --access surveillance \\
      --legal-basis "Regulation (EU) 2019/1020, Article 14(4)"
    """
    text, made = _file(tokens, data_dir).add(name=name, role=role, profile=access, legal_basis=legal_basis, days=days)
    if as_json:
        click.echo(msgspec.json.encode({"token": text, "id": made.id, "expires_at": made.expires_at}))
        return
    click.echo(text)
    click.echo(
        f"{made.id}: {visible(made.name)}, {made.role}, sees what {made.profile} may. Keep it: it is not kept here.",
        err=True,
    )


@token.command()
@token_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ls(tokens: str | None, data_dir: str, as_json: bool) -> None:
    """Lists the tokens: whose they are and what they may, never what they are.

    \b
    cellwitness token ls
    """
    found = _file(tokens, data_dir).tokens()
    if as_json:
        kept = ("id", "name", "role", "profile", "legal_basis", "made_at", "expires_at")
        click.echo(msgspec.json.encode([{field: getattr(each, field) for field in kept} for each in found]))
        return
    table = Table("id", "name", "role", "profile", "legal basis", "made", "expires", box=None, pad_edge=False)
    now = datetime.now(UTC)
    for each in found:
        until = "never" if each.expires_at is None else f"{each.expires_at:%Y-%m-%d %H:%M}"
        expired = " (expired)" if each.expires_at and each.expires_at <= now else ""
        words = (each.name, each.role, each.profile, each.legal_basis)
        table.add_row(each.id, *map(visible, words), f"{each.made_at:%Y-%m-%d %H:%M}", until + expired)
    Console(soft_wrap=True).print(table, markup=False)


@token.command()
@click.argument("token_id", metavar="ID")
@token_options
def revoke(token_id: str, tokens: str | None, data_dir: str) -> None:
    """Takes a token's worth away, at once. ID is what `ls` prints. Exit code 1: there is none.

    \b
    cellwitness token revoke 3f9c0a1b2c3d
    """
    if not _file(tokens, data_dir).revoke(token_id):
        click.echo(f"no token {visible(token_id)}: `cellwitness token ls` lists them", err=True)
        sys.exit(1)
    click.echo(f"{token_id} is worth nothing any more")


def _file(tokens: str | None, data_dir: str) -> TokenFile:
    return TokenFile(Path(tokens) if tokens else Path(data_dir) / TOKENS)
