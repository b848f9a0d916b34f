import json
from collections.abc import Callable
from typing import Any, Final, Literal, cast

import click
import msgspec

from deploy.devnet.control import ask
from deploy.devnet.misbehaviour import KINDS, NODE_LOST, Kind, Misbehaviour

DEFAULT_URL: Final = "ws://127.0.0.1:1337"


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that asks a running devnet."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option("--ogmios", default=DEFAULT_URL, show_default=True, metavar="URL", help="The running devnet."),
    ):
        command = option(command)
    return command


@click.command()
@click.option("--depth", required=True, type=click.IntRange(1), help="Blocks to roll back.")
@click.option(
    "--drop-share",
    default=0.1,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Of the old branch's transactions that the new one lacks; 1: all.",
)
@asking
def fork(depth: int, drop_share: float, ogmios: str, as_json: bool) -> None:
    """Makes a running devnet roll back and go on with another branch, one block longer.

    Most of the old branch's transactions are on the new one too, some in other blocks; about one in ten, with all
    that builds on it, is lost. A follower of this chain has to take back what it read. Deeper than the security
    parameter k is possible here, and a follower must refuse it.

    \b
      cellwitness devnet fork --depth 5
    """
    done = ask(ogmios, "devnet/fork", {"depth": depth, "drop_share": drop_share})
    if as_json:
        click.echo(json.dumps(done))
        return
    at = done["intersection"]
    place = f"slot {at['slot']}, block {at['id']}" if isinstance(at, dict) else at
    click.echo(f"rolled back {done['depth']} blocks to {place}")
    click.echo(
        f"new branch: {done['blocks']} blocks, tip {done['new_tip']['height']} at slot {done['new_tip']['slot']}; "
        f"{done['moved']} transactions are on both branches, {done['dropped']} on the old one only"
    )


@click.command()
@click.option("--slots", required=True, type=click.IntRange(1, 2_000_000), help="Seconds of the chain's time.")
@asking
def grow(slots: int, ogmios: str, as_json: bool) -> None:
    """Lets time pass on a running devnet, at once: as many blocks as it would have made meanwhile.

    \b
      cellwitness devnet grow --slots 3600
    """
    done = ask(ogmios, "devnet/grow", {"slots": slots})
    if as_json:
        click.echo(json.dumps(done))
        return
    click.echo(f"{done['blocks']} blocks later: slot {done['tip']['slot']}")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--blocks", default=5, show_default=True, type=click.IntRange(0), help="Deep, hidden, back or doubled.")
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(0), help="Until it ends by itself.")
@click.option("--code", default=1011, show_default=True, type=click.IntRange(1000, 4999), help="Of a close.")
@click.option("--reason", default=NODE_LOST, help="Of a close.  [default: as Ogmios that lost its node]")
@click.option("--megabytes", default=4.0, show_default=True, type=click.FloatRange(0.01, 64), help="Of a huge block.")
@asking
def misbehave(
    kind: Kind, blocks: int, seconds: float, code: int, reason: str, megabytes: float, ogmios: str, as_json: bool
) -> None:
    """Makes a running devnet do one thing wrong that nodes do, for its time.

    \b
      fork           goes over to another branch, --blocks deep
      flip           does so, and comes back to the first one after --seconds (keep both within k)
      behind         hides its newest --blocks, as a node that lags; connections are closed
      tip-back       names a tip that is --blocks old
      drop           closes every connection, with --code and --reason
      stall          neither answers nor closes
      double         sends the next --blocks answers twice: a follower stops at that
      slow           trickles fragments
      huge, poison   a block of --megabytes; one that is nested 10,000 levels deep
      other-network  another network answers at this address: a follower stays away

    A follower survives each of them, or stops, says why, and goes on when it is started again; its log is never wrong.

    \b
      cellwitness devnet misbehave flip --blocks 3 --seconds 2
      cellwitness devnet misbehave drop --code 1000 --reason "restarting"
    """
    wanted = Misbehaviour(kind=kind, blocks=blocks, seconds=seconds, code=code, reason=reason, megabytes=megabytes)
    done = ask(ogmios, "devnet/misbehave", msgspec.to_builtins(wanted))
    if as_json:
        click.echo(json.dumps(done))
        return
    lasts = "" if kind in ("fork", "drop", "double", "huge", "poison") else f" for {seconds:g} s"
    what = f", block {done['block']}" if "block" in done else ""
    click.echo(f"{kind}{lasts}{what}")
    click.echo(f"next: cellwitness devnet status --ogmios {ogmios}")


@click.command()
@asking
def status(ogmios: str, as_json: bool) -> None:
    """Shows where a running devnet stands: tip, forks so far, clients.

    \b
      cellwitness devnet status
    """
    now = cast("dict[str, Any]", ask(ogmios, "devnet/status"))
    if as_json:
        click.echo(json.dumps(now))
        return
    tip: dict[str, Any] | Literal["origin"] = now["tip"]
    where = f"block {tip['height']}, slot {tip['slot']}, {tip['id']}" if isinstance(tip, dict) else tip
    click.echo(f"{now['network']} (magic {now['network_magic']}, k {now['security_parameter']})")
    click.echo(f"tip: {where}")
    click.echo(f"{now['blocks']:,} blocks, {now['forks']} forks, {now['connections']} clients")
