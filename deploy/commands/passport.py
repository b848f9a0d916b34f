import tomllib
from pathlib import Path

import click

from deploy.commands.acting import Acting, acting, battery_bytes, battery_option
from deploy.devnet.battery import Battery
from deploy.devnet.element import SecureElement
from deploy.devnet.keys import Key, Place, address_bytes
from deploy.user.element_file import ElementFile
from indexer.errors import ConfigurationError

_ELEMENT = click.option(
    "--element",
    "element_file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The battery's secure element (`cellwitness element new`).",
)

_DETAILS = click.option(
    "--details",
    "details_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML: what the passport says beside the key (docs/protocol.md).  [default: of the simulated pack]",
)
_MOST_DETAIL_BYTES = 64  # of a byte string in a datum


@click.group()
def passport() -> None:
    """What a battery's operator does: registers it, and replaces its key.

    \b
      cellwitness passport register --battery urn:eudpp:battery:mine --element chip.json --owner alice
    """


@passport.command()
@battery_option
@_ELEMENT
@click.option(
    "--owner", default="alice", show_default=True, help="Gets the ownership token: an address, or a devnet name."
)
@_DETAILS
@acting
def register(acting: Acting, battery: str, element_file: Path, owner: str, details_file: Path | None) -> None:
    """Registers a battery: passport with the element's key, ownership token, reporting account. The operator signs.

    \b
      cellwitness passport register --battery urn:eudpp:battery:mine --element chip.json
    """
    desk = acting.desk()
    chip = ElementFile(element_file).chip()
    holder, details = _holder(acting, owner), _details(acting, battery, details_file)
    composed = desk.register(acting.person(desk, "operator"), holder, battery_bytes(battery), chip, details)
    acting.finish(
        desk,
        composed,
        f"{battery} is registered with the key {chip.public_key.hex()}; {owner} owns it",
        f"cellwitness commit --battery {battery} --as {owner}",
        public_key=chip.public_key.hex(),
        owner=holder.text,
    )


@passport.command("replace-key")
@battery_option
@_ELEMENT
@_DETAILS
@acting
def replace_key(acting: Acting, battery: str, element_file: Path, details_file: Path | None) -> None:
    """Gives a battery another element: closes its account, writes the passport anew, opens an account at -1.

    Two transactions; the second needs the first on the chain. With --unsigned the first is written while the account is
    open, the second once it is closed: call it twice.

    \b
      cellwitness element new --out chip2.json
      cellwitness passport replace-key --battery urn:eudpp:battery:mine --element chip2.json
    """
    desk = acting.desk()
    chip: SecureElement = ElementFile(element_file).chip()
    details = _details(acting, battery, details_file)
    operator, identity = acting.person(desk, "operator"), battery_bytes(battery)
    if desk.has_account(identity):
        closing = desk.close(operator, identity)
        again = f"cellwitness passport replace-key --battery {battery} --element {element_file}"
        acting.finish(desk, closing, f"the account of {battery} is closed", f"{again} (once more, to open it anew)")
        if acting.unsigned is not None:
            return
    opening = desk.reopen(operator, identity, chip, details)
    acting.finish(
        desk,
        opening,
        f"{battery} has the key {chip.public_key.hex()} from now on",
        f"cellwitness commit --battery {battery}",
        public_key=chip.public_key.hex(),
    )


def _holder(acting: Acting, owner: str) -> Place:
    """Who gets the ownership token. Raises ConfigurationError for a name where names are nobody."""
    if owner.startswith("addr"):
        try:
            return Place(address_bytes(owner))
        except ValueError as error:
            raise ConfigurationError(f"--owner {owner}: {error}") from error
    if acting.unsigned is not None:
        raise ConfigurationError(f"--owner {owner}: on a network that is no devnet give the owner's address, addr…")
    return Key(f"user/{owner}").place


def _details(acting: Acting, battery: str, file: Path | None) -> dict[str, bytes | int]:
    """What a passport says beside the key; on a devnet, by default, of the simulated pack that `element tap` measures.

    Raises ConfigurationError for what no datum can hold, and where a real battery's were not given.
    """
    if file is not None:
        return _details_of(file)
    if acting.unsigned is not None:
        raise ConfigurationError("--details is missing: a battery of a real network is no simulated pack")
    pack = Battery(f"mine/{battery}")
    return {
        "manufacturer": b"Made by hand",
        "model": f"{pack.chemistry.name}-{pack.cells}S{pack.nominal_mah // 1000}".encode(),
        "chemistry": pack.chemistry.name.encode(),
        "cell_count": pack.cells,
        "nominal_capacity_mah": pack.nominal_mah,
        "nominal_voltage_mv": pack.nominal_mv,
        "soh_kind": b"capacity",
        "status": b"original",
    }


def _details_of(file: Path) -> dict[str, bytes | int]:
    try:
        read = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {error}") from error
    details: dict[str, bytes | int] = {}
    for key, value in read.items():
        if key in ("battery_id", "bms_public_key", "bms_key_alg"):
            raise ConfigurationError(f"{file}: {key} follows from --battery and --element: take it out")
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ConfigurationError(f"{file}: {key} must be a text or a whole number")
        details[key] = value.encode() if isinstance(value, str) else value
        if isinstance(value, str) and len(value.encode()) > _MOST_DETAIL_BYTES:
            raise ConfigurationError(f"{file}: {key} has more than {_MOST_DETAIL_BYTES} bytes")
    return details
