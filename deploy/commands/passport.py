from pathlib import Path

import click

from deploy.commands.acting import Acting, acting, battery_bytes, battery_option
from deploy.devnet.battery import Battery
from deploy.devnet.element import SecureElement
from deploy.devnet.keys import Key
from deploy.user.element_file import ElementFile

_ELEMENT = click.option(
    "--element",
    "element_file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The battery's secure element (`cellwitness element new`).",
)


@click.group()
def passport() -> None:
    """What a battery's operator does: registers it, and replaces its key.

    \b
      cellwitness passport register --battery urn:eudpp:battery:mine --element chip.json --owner alice
    """


@passport.command()
@battery_option
@_ELEMENT
@click.option("--owner", default="alice", show_default=True, help="Gets the ownership token: a devnet name.")
@acting
def register(acting: Acting, battery: str, element_file: Path, owner: str) -> None:
    """Registers a battery: passport with the element's key, ownership token, reporting account. The operator signs.

    \b
      cellwitness passport register --battery urn:eudpp:battery:mine --element chip.json
    """
    desk = acting.desk()
    chip = ElementFile(element_file).chip()
    holder = Key(f"user/{owner}").place
    composed = desk.register(acting.person(desk, "operator"), holder, battery_bytes(battery), chip, _details(battery))
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
@acting
def replace_key(acting: Acting, battery: str, element_file: Path) -> None:
    """Gives a battery another element: closes its account, writes the passport anew, opens an account at -1.

    Two transactions; the second needs the first on the chain. With --unsigned the first is written while the account is
    open, the second once it is closed: call it twice.

    \b
      cellwitness element new --out chip2.json
      cellwitness passport replace-key --battery urn:eudpp:battery:mine --element chip2.json
    """
    desk = acting.desk()
    chip: SecureElement = ElementFile(element_file).chip()
    operator, identity = acting.person(desk, "operator"), battery_bytes(battery)
    if desk.has_account(identity):
        closing = desk.close(operator, identity)
        again = f"cellwitness passport replace-key --battery {battery} --element {element_file}"
        acting.finish(desk, closing, f"the account of {battery} is closed", f"{again} (once more, to open it anew)")
        if acting.unsigned is not None:
            return
    opening = desk.reopen(operator, identity, chip, _details(battery))
    acting.finish(
        desk,
        opening,
        f"{battery} has the key {chip.public_key.hex()} from now on",
        f"cellwitness commit --battery {battery}",
        public_key=chip.public_key.hex(),
    )


def _details(battery: str) -> dict[str, bytes | int]:
    """What a passport says beside the key: of the simulated pack that `element tap` measures."""
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
