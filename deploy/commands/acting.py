"""What the commands of users and operators share: who acts, on which deployment, and how the outcome is told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from msgspec import Struct

from deploy.commands.devnet_control import DEFAULT_URL
from deploy.devnet.keys import Key, Place, address_bytes
from deploy.devnet.site import OPERATOR
from deploy.user.compose import Composed, Person
from deploy.user.node import Deployment, UserNode
from deploy.user.steps import Desk
from indexer.errors import ConfigurationError

_POCKET_LOVELACE: Final = 1_000_000_000
_LEAST_LOVELACE: Final = 60_000_000

Command = Callable[..., None]


class Acting(Struct, frozen=True, kw_only=True):
    """The options of somebody who acts."""

    ogmios: str
    who: str
    deployment: Path | None
    address: str | None
    unsigned: Path | None
    as_json: bool

    def desk(self) -> Desk:
        """The deployment behind the node: a devnet tells its own, of any other network a file does."""
        node = UserNode(self.ogmios)
        if self.deployment is None:
            return Desk(node, node.deployment())
        try:
            return Desk(node, msgspec.json.decode(self.deployment.read_bytes(), type=Deployment))
        except msgspec.DecodeError as error:
            raise ConfigurationError(f"{self.deployment} describes no deployment: {error}") from error

    def person(self, desk: Desk, role: str = "") -> Person:
        """Whoever pays and signs. On a devnet a key that follows from a name, and the faucet fills its pockets."""
        if self.address is not None or self.unsigned is not None:
            if self.address is None or self.unsigned is None:
                raise ConfigurationError("--address and --unsigned go together: no key of a real network is held here")
            try:
                return Person(Place(address_bytes(self.address)))
            except ValueError as error:
                raise ConfigurationError(f"--address {self.address}: {error}") from error
        if self.deployment is not None:
            raise ConfigurationError("with --deployment say who pays, --address, and where to put it, --unsigned")
        key = Key(OPERATOR if role == "operator" else f"user/{self.who}")
        person = Person(key.place, key)
        spare = [each for each in desk.node.at(key.place.text) if not each.assets and not each.script_bytes]
        if sum(each.utxo.lovelace for each in spare) < _LEAST_LOVELACE:
            desk.node.give(key.place.text, _POCKET_LOVELACE)
        return person

    def finish(self, desk: Desk, composed: Composed, did: str, then: str, **facts: Any) -> None:
        """Submits the transaction, waits for it and says so; or writes it down for signing elsewhere."""
        identity, fee = composed.transaction.id, composed.fee
        if self.unsigned is not None:
            envelope = {
                "type": "Unwitnessed Tx ConwayEra",
                "description": did,
                "cborHex": composed.transaction.cbor.hex(),
            }
            self.unsigned.write_text(json.dumps(envelope, indent=2) + "\n", encoding="utf-8")
            did = f"NOT submitted: {did}"
            then = f"sign {self.unsigned} where the key is, and submit it; {then}"
        else:
            desk.node.submit(composed.transaction.cbor)
            desk.node.wait_for(identity)
        if self.as_json:
            click.echo(json.dumps({"transaction": identity, "fee_lovelace": fee, **facts}))
            return
        click.echo(did)
        click.echo(f"transaction {identity}")
        click.echo(f"fee {fee / 1_000_000:.6f} ADA")
        click.echo(f"next: {then}")


def acting(command: Command) -> Command:
    """The options of ``Acting``, handed to the command as one argument of that name."""

    def gathered(  # each is a flag
        *,
        ogmios: str,
        who: str,
        deployment: Path | None,
        address: str | None,
        unsigned: Path | None,
        as_json: bool,
        **rest: Any,
    ) -> None:
        given = Acting(
            ogmios=ogmios, who=who, deployment=deployment, address=address, unsigned=unsigned, as_json=as_json
        )
        command(acting=given, **rest)

    gathered.__doc__ = command.__doc__
    gathered.__name__ = command.__name__
    file = click.Path(dir_okay=False, path_type=Path)
    found: Command = gathered
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option("--unsigned", type=file, help="Write the transaction there, for signing elsewhere."),
        click.option("--address", help="Who pays, in bech32, where no devnet is: with --unsigned."),
        click.option("--deployment", type=file, help="Of a network that is no devnet (docs/devnet.md)."),
        click.option("--as", "who", default="alice", show_default=True, help="Whose devnet key: any name is somebody."),
        click.option("--ogmios", default=DEFAULT_URL, show_default=True, metavar="URL", help="The node."),
    ):
        found = option(found)
    params = getattr(command, "__click_params__", [])
    gathered.__click_params__ += params  # type: ignore[attr-defined]
    return found


def battery_option(command: Command) -> Command:
    """The battery's id."""
    return click.option("--battery", required=True, metavar="ID", help="The battery's id, such as urn:eudpp:…")(command)


def battery_bytes(battery: str) -> bytes:
    """As it stands in datums. Raises ConfigurationError for one that no datum may hold."""
    content = battery.encode()
    if not 0 < len(content) <= 64:
        raise ConfigurationError(f"a battery's id has 1 to 64 bytes, {battery[:80]!r} has {len(content)}")
    return content
