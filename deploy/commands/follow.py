import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import click
import structlog

from deploy.health import serve_health
from deploy.logs import log_of
from deploy.profiles import read_profile
from deploy.progress import ChainProgress
from deploy.settings import without_password
from deploy.stopping import Stop
from deploy.watch import Watch
from indexer.chain import ORIGIN, Point, PointOrOrigin
from indexer.errors import ConfigurationError
from indexer.run import FollowOptions, run_follower
from indexer.session import Progress


@click.command()
@click.option(
    "--ogmios", multiple=True, metavar="URL", help="ws://HOST:PORT of an Ogmios; several: in order of preference."
)
@click.option(
    "--profile", multiple=True, metavar="FILE", help="A deployment profile (TOML); several deployments: several files."
)
@click.option(
    "--log", "log_url", metavar="URL", help="The event log to write: sqlite:PATH or kafka://HOST:PORT/NETWORK."
)
@click.option("--until-tip", is_flag=True, help="End, with 0, when nothing more is to be had for now.")
@click.option(
    "--since", default="origin", show_default=True, metavar="POINT", help="Where a NEW log begins: origin or SLOT.ID."
)
@click.option(
    "--partitions", default=12, show_default=True, type=click.IntRange(1, 1024), help="Of a NEW log, for its life."
)
@click.option(
    "--in-flight", default=100, show_default=True, type=click.IntRange(1, 1000), help="Requests on their way."
)
@click.option("--standby", is_flag=True, help="Where another follower writes, wait, and take over when it dies.")
@click.option("--http", metavar="HOST:PORT", help="Serve /metrics, /health/live, /health/ready and /nodes here.")
@click.option("--json", "as_json", is_flag=True, help="Print how it ended as JSON.")
def follow(  # each argument is a flag
    ogmios: tuple[str, ...],
    profile: tuple[str, ...],
    log_url: str | None,
    until_tip: bool,
    since: str,
    partitions: int,
    in_flight: int,
    standby: bool,
    http: str | None,
    as_json: bool,
) -> None:
    """Follows a Cardano node through Ogmios and writes what concerns the deployments to the event log.

    Begins where the log ends. Start it again after any crash: it goes on from its last step, and writes nothing twice.
    One follower writes to a log; a second one ends with exit code 3 and says who holds it, or waits with --standby.

    \b
    The devnet of `cellwitness devnet run`:
      cellwitness follow --profile devnet.toml --log sqlite:events.db
    A real node, with a second one to fail over to, from the block before the first deployment on:
      cellwitness follow --ogmios ws://node-a:1337 --ogmios wss://node-b/ --profile fleet.toml \\
        --log sqlite:fleet.db --since 133883340.bac1660208e7…
    """
    profiles = tuple(read_profile(Path(file)) for file in profile)
    if not profiles:
        raise ConfigurationError("no deployment to look for: give at least one profile with --profile FILE")
    options = FollowOptions(
        endpoints=tuple(map(read_endpoint, ogmios)) or ("ws://127.0.0.1:1337",),
        until_tip=until_tip,
        in_flight=in_flight,
        since=read_point(since),
        partitions=partitions,
        standby=standby,
    )
    stop = Stop()
    the_log = log_of(log_url or "sqlite:events.db")
    watch = Watch()
    if http:
        serve_health(http, watch.why_not_ready, nodes=watch.status)
    with _progress(log_url or "sqlite:events.db") as show:

        def on_progress(progress: Progress) -> None:
            watch.note(progress, time.time())
            show(progress)

        try:
            run_follower(
                the_log,
                profiles,
                options,
                stop=stop,
                pause=stop.pause,
                on_progress=on_progress,
                on_nodes=lambda nodes: watch.note_nodes(nodes, time.time()),
            )
        finally:
            the_log.close()
    _say(watch.last, as_json=as_json)


def read_endpoint(url: str) -> str:
    """A node's address. Raises ConfigurationError for what can't be one, which would be tried for ever."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("ws", "wss") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number
        sound = False
    if not sound:
        raise ConfigurationError(
            f"--ogmios {without_password(url)!r} is no node's address: write ws://HOST:PORT or wss://HOST"
        )
    return url


def read_point(text: str) -> PointOrOrigin:
    """``origin`` or ``SLOT.ID``. Raises ConfigurationError."""
    if text == ORIGIN:
        return ORIGIN
    slot, _, block = text.partition(".")
    if not slot.isdecimal() or len(block) != 64 or not all(c in "0123456789abcdef" for c in block):
        raise ConfigurationError(f"{text!r} is no point: give origin, or a slot, a dot and the block's 64 hex digits")
    return Point(int(slot), block)


@contextmanager
def _progress(log_url: str) -> Iterator[Callable[[Progress], None]]:
    with ChainProgress(f"follow → {log_url}") as bar:
        yield lambda p: bar.update(done=p.height, total=p.tip_height, events=p.events, note=f"slot {p.slot}")


def _say(last: Progress | None, *, as_json: bool) -> None:
    if as_json:
        fields = {name: getattr(last, name) for name in last.__struct_fields__} if last else {}
        click.echo(json.dumps(fields))
    elif last is None:
        click.echo("Nothing new: the log is at the node's tip.")
    else:
        click.echo(
            f"Step {last.step}, height {last.height}, slot {last.slot}: {last.blocks} blocks, {last.events} events, "
            f"{last.rollbacks} rollbacks since the start."
        )
    structlog.get_logger().info("follower_ended")
