from typing import Final

import click

from deploy.lazy import LazyGroup

COMMANDS: Final = {
    "export": "deploy.commands.audit_export:export",
    "verify": "deploy.commands.audit_verify:verify",
    "statement": "deploy.commands.audit_statement:statement",
    "replay": "deploy.commands.audit_replay:replay",
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def audit() -> None:
    """Evidence that others can check: packs, statements of completeness, and the log made again from another node.

    \b
    Everything about a battery, to hand over:  cellwitness audit export urn:eudpp:battery:demo:0001 -o pack.zip
    Is such a pack sound, and what does it say? cellwitness audit verify pack.zip
    What was seen on one day, and counted:      cellwitness audit statement --from 2027-05-03 -o 2027-05-03.json
    Does another node tell the same story?      cellwitness audit replay --ogmios ws://other:1337
    """
