"""Options and helpers that the devnet's commands share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from msgspec import structs
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from deploy.devnet.network import NETWORKS, Network
from indexer.errors import ConfigurationError

Command = Callable[..., None]


def with_ogmios_version(command: Command) -> Command:
    return click.option(
        "--ogmios-version",
        type=click.Choice(["6.14", "7"]),
        default="6.14",
        show_default=True,
        help="Whose shapes the answers have.",
    )(command)


def with_serving(command: Command) -> Command:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print where it listens as JSON."),
        click.option("--strict-rpc", is_flag=True, help="Leave `method` out of answers, as Ogmios' option does."),
        click.option("--host", default="127.0.0.1", show_default=True, help="Anyone who can connect can fork it."),
        click.option("--port", default=1337, show_default=True, help="0 takes a free one and prints it."),
        with_ogmios_version,
    ):
        command = option(command)
    return command


def with_fleet(command: Command) -> Command:
    for option in (
        click.option("--seed", default=1, show_default=True, help="The same seed makes the same chain."),
        click.option(
            "--batteries", default=10, show_default=True, type=click.IntRange(1, 100_000), help="In the fleet."
        ),
        click.option(
            "--fraud-share",
            default=0.0,
            show_default=True,
            type=click.FloatRange(0, 1),
            help="Of the times that a battery is read, a fraud begins, or something honest that looks like one.",
        ),
        click.option(
            "--weak-contract",
            is_flag=True,
            help="Deploy scripts that check nothing: frauds are then accepted on chain.",
        ),
        click.option(
            "--labels-out",
            type=click.Path(dir_okay=False, path_type=Path),
            help="What was made, NDJSON. For no pipeline.",
        ),
    ):
        command = option(command)
    return command


def network_named(name: str, magic: int | None, k: int | None) -> Network:
    network = NETWORKS[name]
    changes = {key: value for key, value in (("magic", magic), ("k", k)) if value is not None}
    return structs.replace(network, **changes)


def write_profile(path: Path | None, network: Network, *, weak: bool) -> None:
    from deploy.devnet.deployment import Terms, profile_toml  # noqa: PLC0415 needs the extra `devnet`

    if path is not None:
        path.write_text(profile_toml(network, Terms(), weak=weak), encoding="utf-8")


@contextmanager
def devnet_extra() -> Iterator[None]:
    """Making signs: that takes libraries which only the extra brings."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"making a chain needs {error.name}: install cellwitness with its extra, `uv sync --extra devnet`"
        ) from error


def progress_bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
