"""A chain served by a command: it says where, and ends in order when asked to."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from deploy.devnet.chain import Chain
from deploy.devnet.misbehaviour import Mischief
from deploy.devnet.server import Node, serve
from deploy.devnet.session import Desk
from deploy.stopping import Stop
from indexer.chain import ORIGIN


class Door(Struct, frozen=True):
    """Where a command listens, whether it drops ``method`` from answers, and how often it misbehaves."""

    host: str
    port: int
    strict_rpc: bool
    mischief_seconds: float | None = None
    seed: int = 0


@contextmanager
def in_foreground(
    chain: Chain, door: Door, *, as_json: bool, profile: Path | None = None, desk: Desk | None = None
) -> Iterator[Callable[[float], bool]]:
    """Serves the chain and says where. Gives a way to wait: True once somebody wants it to stop."""
    stop = Stop()

    def wait(seconds: float) -> bool:
        stop.pause(seconds)
        return stop()

    with serve(chain, host=door.host, port=door.port, strict_rpc=door.strict_rpc, desk=desk) as node:
        say_where(node, profile, as_json=as_json)
        if door.mischief_seconds is not None:
            node.misbehave_often(Mischief(door.seed, chain.network.k), door.mischief_seconds)
        yield wait


def say_where(node: Node, profile: Path | None, *, as_json: bool) -> None:
    """On standard output: a line for people, or one JSON object."""
    network = node.chain.network
    if as_json:
        facts: dict[str, Any] = {
            "url": node.url,
            "network": network.name,
            "network_magic": network.magic,
            "security_parameter": network.k,
            "ogmios_version": node.chain.ogmios_version,
            "blocks": len(node.chain),
            "profile": str(profile) if profile else None,
            "since": str(node.chain.root),
        }
        click.echo(json.dumps(facts))
    else:
        click.echo(
            f"{network.name} (magic {network.magic}, k {network.k}) speaks Ogmios v{node.chain.ogmios_version} "
            f"at {node.url}, {len(node.chain):,} blocks so far; Ctrl-C ends it"
        )
        since = "" if node.chain.root == ORIGIN else f" --since {node.chain.root}"
        if profile is not None or since:
            files = f"--profile {profile or 'FILE'} --log sqlite:events.db{since}"
            click.echo(f"next: cellwitness follow --ogmios {node.url} {files}")
    sys.stdout.flush()
