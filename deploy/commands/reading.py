from pathlib import Path

import click

from deploy.commands.acting import Acting, acting, battery_bytes, battery_option


@click.command()
@battery_option
@acting
def commit(acting: Acting, battery: str) -> None:
    """Asks for a challenge: the id of this transaction, which the battery's element then signs with its reading.

    \b
      cellwitness commit --battery urn:eudpp:battery:mine
    """
    desk = acting.desk()
    composed = desk.commit(acting.person(desk), battery_bytes(battery))
    challenge = composed.transaction.id
    age = desk.deployment.terms.max_age_slots
    acting.finish(
        desk,
        composed,
        f"committed to a reading of {battery}, within {age} slots",
        f"cellwitness element tap chip.json --battery {battery} --challenge {challenge} --out reading.cose",
        challenge=challenge,
    )


@click.command()
@battery_option
@click.option(
    "--reading",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A signed reading (`cellwitness element tap`).",
)
@acting
def submit(acting: Acting, battery: str, reading: Path) -> None:
    """Submits a signed reading: spends the commitment that it answers, and pays the reward. Exit code 1: refused.

    \b
      cellwitness submit --battery urn:eudpp:battery:mine --reading reading.cose
    """
    desk = acting.desk()
    composed = desk.submit(acting.person(desk), battery_bytes(battery), reading.read_bytes())
    acting.finish(
        desk,
        composed,
        f"the reading of {battery} is on the chain",
        f"cellwitness timeline {battery}, once `follow` and `project` have seen it",
    )


@click.command()
@click.option("--commitment", required=True, metavar="TX", help="The transaction that made it.")
@acting
def reclaim(acting: Acting, commitment: str) -> None:
    """Takes back what an expired commitment holds. Exit code 1: it is not yours, not expired, or not open.

    \b
      cellwitness reclaim --commitment TRANSACTION
    """
    desk = acting.desk()
    composed = desk.reclaim(acting.person(desk), commitment)
    acting.finish(desk, composed, f"the commitment {commitment} is taken back", "cellwitness commit --battery ID")
