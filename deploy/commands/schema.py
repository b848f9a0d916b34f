import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from indexer.errors import ConfigurationError
from indexer.schemas.asyncapi import asyncapi_document
from indexer.schemas.cddl import reading_cddl
from indexer.schemas.compatibility import changes
from indexer.schemas.events import events_schema


def _pretty(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


DOCUMENTS: Final[dict[str, Callable[[], str]]] = {
    "events.schema.json": lambda: _pretty(events_schema()),
    "asyncapi.json": lambda: _pretty(asyncapi_document()),
    "reading.cddl": reading_cddl,
}
"""The documents by the names under which docs/schemas keeps them."""


@click.group()
def schema() -> None:
    """Prints what other programs need to read the log: schemas made from the code that writes it.

    \b
    cellwitness schema events   > events.schema.json    JSON Schema of events, markers and steps
    cellwitness schema asyncapi > asyncapi.json         the Kafka topics, their messages and settings
    cellwitness schema cddl     > reading.cddl          the signed reading that a battery's chip makes
    cellwitness schema check asyncapi.json              can a program made for this file read what is written now?
    """


@schema.command()
def events() -> None:
    """Prints the JSON Schema (2020-12) of events, markers and steps. `#/$defs/ReadingSubmitted` is one event's.

    \b
    cellwitness schema events > events.schema.json
    """
    click.echo(DOCUMENTS["events.schema.json"](), nl=False)


@schema.command()
def asyncapi() -> None:
    """Prints the AsyncAPI 3.0 document (JSON) of the three topics on Kafka, with an example of each message.

    \b
    cellwitness schema asyncapi > asyncapi.json
    """
    click.echo(DOCUMENTS["asyncapi.json"](), nl=False)


@schema.command()
def cddl() -> None:
    """Prints the CDDL (RFC 8610) of a reading: payload, COSE_Sign1 envelope and protected header.

    \b
    cellwitness schema cddl > reading.cddl
    """
    click.echo(DOCUMENTS["reading.cddl"](), nl=False)


@schema.command()
@click.argument("document", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(document: Path, as_json: bool) -> None:
    """Says whether programs made for DOCUMENT, an older `schema asyncapi`, can read what this version writes.

    Exit code 1: they can't; each change that stands against it is named.

    \b
    cellwitness schema check asyncapi.json
    """
    try:
        released = json.loads(document.read_bytes())
        found = changes(released, asyncapi_document())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{document} is no document of `cellwitness schema asyncapi`: {error}") from error
    if as_json:
        click.echo(json.dumps({"compatible": not found, "changes": found}))
    else:
        click.echo("\n".join(found) if found else "compatible: what was made for it reads this version's log")
    sys.exit(1 if found else 0)
