import json
from pathlib import Path
from typing import Any

import click
import msgspec

from deploy.commands.acting import battery_bytes, battery_option
from deploy.devnet.attempt import STATE_NAMES
from deploy.devnet.battery import DAY_SLOTS, Battery
from deploy.user.element_file import ALGORITHMS, ElementFile
from indexer.errors import ConfigurationError

_FILE = click.Path(dir_okay=False, path_type=Path)
_AGE_SLOTS = 400 * DAY_SLOTS


@click.group()
def element() -> None:
    """A secure element in a file, to try things out: it holds a key, counts, and signs readings.

    A real battery's key never leaves its chip. This one lies in a file that only you can read; what it signs is as good
    as the file is safe.

    \b
      cellwitness element new --out chip.json
      cellwitness element tap chip.json --battery urn:eudpp:battery:mine --challenge TRANSACTION --out reading.cose
    """


@element.command()
@click.option("--out", required=True, type=_FILE, help="The new file, mode 0600. One that is there is left alone.")
@click.option(
    "--algorithm", default="ES256K", show_default=True, type=click.Choice(list(ALGORITHMS)), help="Of the key."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def new(out: Path, algorithm: str, as_json: bool) -> None:
    """Makes an element: a new key, and a counter at 0.

    \b
      cellwitness element new --out chip.json
    """
    ElementFile.create(out, ALGORITHMS[algorithm])
    _tell(out, as_json=as_json)
    if not as_json:
        click.echo(f"next: cellwitness passport register --battery ID --element {out}")


@element.command()
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(file: Path, as_json: bool) -> None:
    """Shows an element's public key and its next counter, never its secret.

    \b
      cellwitness element show chip.json
    """
    _tell(file, as_json=as_json)


def _tell(file: Path, *, as_json: bool) -> None:
    chip = ElementFile(file).chip()
    names = {number: name for name, number in ALGORITHMS.items()}
    facts = {
        "element": str(file),
        "algorithm": names[chip.algorithm],
        "public_key": chip.public_key.hex(),
        "next_counter": chip.counter,
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(f"{facts['algorithm']} key {facts['public_key']}, next counter {chip.counter}: {file}")


@element.command()
@click.argument("file", type=_FILE)
@battery_option
@click.option("--challenge", required=True, metavar="TX", help="The commitment's transaction id, 64 hex digits.")
@click.option("--state", default="{}", metavar="JSON", help="What the gauge says, such as '{\"soh_bp\": 9500}'.")
@click.option("--counter", type=click.IntRange(0), help="A later one than the next.")
@click.option("--out", required=True, type=_FILE, help="The signed reading, COSE_Sign1.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def tap(file: Path, battery: str, challenge: str, state: str, counter: int | None, out: Path, as_json: bool) -> None:
    """Taps the battery: its element signs what the gauge says, for one challenge, with the next counter.

    What --state leaves open is measured on a simulated pack that is a year old. The counter is on the disk before
    anything is signed: whatever happens, none is used twice.

    \b
      cellwitness element tap chip.json --battery urn:eudpp:battery:mine --challenge TX --out reading.cose
      cellwitness element tap chip.json --battery … --challenge TX --state '{"soh_bp": 9480}' --out reading.cose
    """
    try:
        asked = bytes.fromhex(challenge)
    except ValueError:
        asked = b""
    if len(asked) != 32:
        raise ConfigurationError(f"--challenge {challenge[:80]}: a transaction id has 64 hex digits")
    measured = _state(battery, state)
    cose, used = ElementFile(file).tap(battery_bytes(battery), asked, measured, counter)
    out.write_bytes(cose)
    if as_json:
        click.echo(json.dumps({"out": str(out), "counter": used, "cose": cose.hex()}))
        return
    click.echo(f"signed with counter {used}: SoH {_percent(measured)}, {measured[3]} cycles: {out}, {len(cose)} bytes")
    click.echo(f"next: cellwitness submit --battery {battery} --reading {out}")


def _percent(state: dict[int, Any]) -> str:
    return f"{state[1] / 100:.2f} %"


def _state(battery: str, text: str) -> dict[int, int | list[int]]:
    """The values of a simulated pack, and over them what the user says."""
    try:
        said = msgspec.json.decode(text, type=dict[str, int | list[int]])
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"--state is a JSON object of names and integers: {error}") from error
    keys = {name: key for key, name in STATE_NAMES.items()}
    unknown = sorted(said.keys() - keys.keys())
    if unknown:
        raise ConfigurationError(f"--state names {', '.join(unknown)}; known are {', '.join(keys)}")
    measured = dict(Battery(f"mine/{battery}").measure(_AGE_SLOTS).state)
    return measured | {keys[name]: value for name, value in said.items()}
