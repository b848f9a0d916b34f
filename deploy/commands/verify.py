import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from consumers.passport import Registered, registered
from deploy.database import database, db_options
from deploy.text import visible
from deploy.verify_view import print_one, words
from indexer.errors import ConfigurationError
from indexer.protocol.cose import ALGORITHMS
from projections.database import connect
from projections.rules.thresholds import ThresholdBook
from projections.verdicts.one import MAX_FILE_BYTES, One, algorithm_number, judge_one, message_of, read_key


@click.command()
@click.argument("file")
@click.option("--key", metavar="HEX", help="The battery's public key: 33 or 65 bytes, or 32 of Ed25519.")
@click.option("--algorithm", type=click.Choice(tuple(ALGORITHMS.values())), help="What the key is for, where known.")
@click.option("--battery", metavar="ID", help="Take the key from this battery's passport in the tables.")
@db_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(
    file: str, key: str | None, algorithm: str | None, battery: str | None, db_url: str, data_dir: str, as_json: bool
) -> None:
    """Says whether the reading in FILE is authentic, and explains each line.

    FILE (- reads standard input) holds the signed message (COSE_Sign1) or the whole redeemer that carried it, in binary
    or hex. With --key nothing else is needed: no chain, no database, no network. Whether it is fresh, newer than the
    last one, and fits what the battery said before takes the chain: see `cellwitness timeline`.

    Exit code 0: this key signed this reading. 1: it did not, or the bytes are not sound.

    \b
    cellwitness verify reading.cose --key 02fd3cc21073e73800a0194a00fde40f67750edaae2f7805708d7647f429f626d1
    cellwitness verify redeemer.hex --battery urn:eudpp:battery:demo:0001 --json
    """
    if (key is None) == (battery is None):
        raise click.UsageError("say whose reading it is: --key HEX or --battery ID")
    if battery is not None and algorithm is not None:
        raise click.UsageError("--algorithm goes with --key: a passport names its key's algorithm itself")
    raw = message_of(_content(file))
    thresholds = ThresholdBook().of("", None)
    if key is not None:
        number = None if algorithm is None else algorithm_number(algorithm)
        asked = read_key(key)
        judged = [(asked.hex(), judge_one(raw, asked, number, thresholds))]
    else:
        judged = [
            (each.key, judge_one(raw, bytes.fromhex(each.key), each.algorithm, thresholds, each.passport))
            for each in _registered(battery or "", db_url, data_dir)
        ]
    # One battery may stand in several deployments: the reading is authentic if it is so for one of its passports.
    judged.sort(key=lambda pair: not pair[1].authentic)
    shown_key, one = judged[0]
    if as_json:
        click.echo(msgspec.json.encode(_json(one, shown_key)))
    else:
        print_one(Console(soft_wrap=not sys.stdout.isatty()), one, shown_key)
    if not one.authentic:
        sys.exit(1)


def _content(file: str) -> bytes:
    try:
        content = sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"can't read {file}: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigurationError(f"{file} has more than {MAX_FILE_BYTES} bytes: that is no single reading")
    if not content.strip():
        raise ConfigurationError(f"{file} is empty")
    return content


def _registered(battery: str, db_url: str, data_dir: str) -> list[Registered]:
    with database(db_url, data_dir, must_exist=True) as url, connect(url(), read_only=True) as connection:
        found = list(registered(connection, battery))
    if not found:
        click.echo(f"no battery {visible(battery)} with a key in its passport is known here", err=True)
        sys.exit(1)
    return found


def _json(one: One, key: str) -> dict[str, Any]:
    return {
        "authentic": one.authentic,
        "key": key,
        "checks": list(_lines(one)),
        "remarks": one.remarks,
        "message": one.cose,
        "findings": one.findings,
        "not_assessable": one.not_assessable,
    }


def _lines(one: One) -> Iterator[dict[str, Any]]:
    for line in one.lines:
        yield {"check": line.name, "result": line.result, "reasons": line.reasons, "words": words(line)}
