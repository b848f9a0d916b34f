import json

import click
from rich.console import Console
from rich.table import Table

from deploy.settings import Settings, shown


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def settings(ctx: click.Context, as_json: bool) -> None:
    """Prints the settings in force and where each comes from, without secrets.

    Settings are read from cellwitness.toml (or the file given with --config) and from the environment, where each is
    CELLWITNESS_ and its name in capitals. A flag of a command wins over both.

    \b
    cellwitness settings
    cellwitness --config fleet.toml settings
    CELLWITNESS_LOG=sqlite:other.db cellwitness settings --json
    """
    current: Settings
    current, origins = ctx.obj
    values = shown(current)
    if as_json:
        click.echo(json.dumps({key: {"value": v, "from": origins.get(key, "default")} for key, v in values.items()}))
        return
    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for key, value in values.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        table.add_row(key, text or "-", origins.get(key, "default"))
    Console(soft_wrap=True).print(table)
