from typing import Final

import click

from deploy.lazy import LazyGroup

COMMANDS: Final = {
    "query": "deploy.commands.audit_query:audit_query",
    "questions": "deploy.commands.audit_query:questions",
    "export": "deploy.commands.audit_export:export",
    "verify": "deploy.commands.audit_verify:verify",
    "statement": "deploy.commands.audit_statement:statement",
    "replay": "deploy.commands.audit_replay:replay",
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def audit() -> None:
    """What an auditor asks: evidence that others can check, and whether it is whole.

    \b
    The auditor's queries, with a record:       cellwitness audit query evidence battery=urn:eudpp:battery:demo:0001
    Everything about a battery, to hand over:   cellwitness audit export urn:eudpp:battery:demo:0001 -o pack.zip
    Is it sound, and what does it say?          cellwitness audit verify pack.zip
    What was seen on one day, and counted:      cellwitness audit statement --from 2027-05-03 -o 2027-05-03.json
    Does another node tell the same story?      cellwitness audit replay --ogmios ws://other:1337
    """
