"""The command ``cellwitness``: names its subcommands, loads the one asked for, turns errors into exit codes."""

import os
import sys
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import click

from deploy.lazy import LazyGroup
from deploy.logging import configure_logging
from deploy.settings import default_map, from_process
from indexer.errors import CellwitnessError, ConfigurationError

LEVELS: Final = ("debug", "info", "warning", "error")

COMMANDS: Final = {
    "demo": "deploy.commands.demo:demo",
    "devnet": "deploy.commands.devnet:devnet",
    "element": "deploy.commands.element:element",
    "passport": "deploy.commands.passport:passport",
    "commit": "deploy.commands.reading:commit",
    "submit": "deploy.commands.reading:submit",
    "reclaim": "deploy.commands.reading:reclaim",
    "follow": "deploy.commands.follow:follow",
    "project": "deploy.commands.project:project",
    "parked": "deploy.commands.parked:parked",
    "up": "deploy.commands.up:up",
    "serve": "deploy.commands.serve:serve",
    "token": "deploy.commands.token:token",
    "status": "deploy.commands.status:status",
    "timeline": "deploy.commands.timeline:timeline",
    "alerts": "deploy.commands.alerts:alerts",
    "alert": "deploy.commands.alert:alert",
    "fleet": "deploy.commands.fleet:fleet",
    "query": "deploy.commands.query:query",
    "audit": "deploy.commands.audit:audit",
    "verify": "deploy.commands.verify:verify",
    "judge": "deploy.commands.judge:judge",
    "log": "deploy.commands.log:log",
    "db": "deploy.commands.db:db",
    "rebuild": "deploy.commands.rebuild:rebuild",
    "backup": "deploy.commands.backup:backup",
    "restore": "deploy.commands.restore:restore",
    "schema": "deploy.commands.schema:schema",
    "settings": "deploy.commands.settings:settings",
}


class CommandLine(LazyGroup):
    """The whole program."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (BrokenPipeError, SystemExit) as ended:
            # The reader of our output went away, as `| head` does. click and rich would end with 1, which is an answer
            # of ours. What Python still holds for standard output goes nowhere.
            if isinstance(ended, SystemExit) and not isinstance(ended.__context__, BrokenPipeError):
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)


@click.group(
    cls=CommandLine,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 the answer is no, 2 usage, 3 another try may work, 4 an operator must act.",
)
@click.version_option(version("cellwitness"), prog_name="cellwitness")
@click.option("--config", type=click.Path(path_type=Path), envvar="CELLWITNESS_CONFIG", help="Settings file (TOML).")
@click.option("--log-level", type=click.Choice(LEVELS), help="How much to log on standard error.  [default: info]")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, log_level: str | None) -> None:
    """Follows a Cardano node, keeps every signed battery reading as an event that can't be lost, and shows each
    battery's timeline.

    \b
    A chain to try it on, its events, the tables, and one battery's timeline:
      cellwitness devnet run --profile-out devnet.toml
      cellwitness follow --ogmios ws://127.0.0.1:1337 --profile devnet.toml --log sqlite:events.db
      cellwitness project --log sqlite:events.db --profile devnet.toml
      cellwitness timeline urn:eudpp:battery:demo:0001
    """
    settings, origins = from_process(config)
    level = log_level or settings.log_level
    if level not in LEVELS:
        raise ConfigurationError(f"log_level is {level!r}: one of {', '.join(LEVELS)}")
    configure_logging(level)
    ctx.obj = (settings, origins)
    ctx.default_map = default_map(settings, origins)


def main() -> None:
    """Entry point. Standard output carries the answer, standard error the log and what went wrong."""
    try:
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)  # click hands back the code of ctx.exit()
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except CellwitnessError as error:
        click.echo(f"cellwitness: {error}", err=True)
        sys.exit(error.exit_code)
    except Exception:  # noqa: BLE001  # what nobody foresaw: Python would end with 1, which says "the answer is no"
        traceback.print_exc()
        click.echo("cellwitness: this is a fault of the program: please report it with the lines above", err=True)
        sys.exit(4)


if __name__ == "__main__":
    main()
