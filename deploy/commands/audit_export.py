import getpass
from contextlib import closing
from hashlib import sha256
from typing import Final

import click
import msgspec

from consumers.access import PROFILES, Asked, Asking, NotAllowed, asking_as, record
from consumers.audit.collect import Collected, NothingToExport, collect, find_readings, require_tables_agree
from consumers.audit.inclusion import stretches
from consumers.audit.pack import pack_of
from consumers.audit.report import battery_name
from consumers.queries.model import Data, Moment
from consumers.timeline import Holds, StepNotReached, find_batteries, near_matches, read_timeline
from deploy.commands.follow import read_endpoint
from deploy.commands.log import log_option
from deploy.database import database, db_options
from deploy.judging import judging_options, read_judging
from deploy.logs import log_of
from deploy.progress import ChainProgress
from deploy.raw_transactions import raw_transactions
from deploy.signing import read_signing_key, write_whole
from deploy.text import visible
from indexer.errors import ConfigurationError
from projections.database import Connection, connect
from projections.status import consistent_step

READING_HEX: Final = 64
WHAT: Final = "pack"  # in the record of what was asked
NEEDS: Final[frozenset[Data]] = frozenset(("identity", "status", "condition", "finding", "evidence", "raw", "person"))


@click.command()
@click.argument("subject", metavar="BATTERY|READING")
@click.option("-o", "--out", required=True, metavar="FILE", help="The pack to write.")
@click.option("--sign-with", metavar="FILE", help="Sign it with this Ed25519 key (PEM).")
@click.option("--ogmios", "node", metavar="URL", help="Ask this node for the whole transactions, and put them in, too.")
@click.option("--step", type=click.IntRange(1), metavar="N", help="As it was known after this step of the log.")
@click.option("--who", metavar="NAME", help="Who asks for it. It is recorded.  [default: the user's name]")
@click.option("--access", type=click.Choice(list(PROFILES)), default="auditor", show_default=True, help="As what.")
@click.option("--legal-basis", metavar="TEXT", help="By which right. It is recorded.  [default: the access's own]")
@click.option("--deployment", metavar="NAME", help="Which one, where several know the battery.")
@log_option
@judging_options
@db_options
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def export(
    subject: str,
    out: str,
    sign_with: str | None,
    node: str | None,
    step: int | None,
    who: str | None,
    access: str,
    legal_basis: str | None,
    deployment: str | None,
    log_url: str,
    profile: tuple[str, ...],
    thresholds: str | None,
    db_url: str,
    data_dir: str,
    as_json: bool,
) -> None:
    """Writes everything that proves what is known of a battery, or of one reading, into a file for others.

    The pack holds the log's records with their digests, the messages as signed, the keys' history, blocks, verdicts
    with the versions of the rules, and a report as HTML and PDF. Whoever gets it checks it with `cellwitness audit
    verify`, without network and without trusting you. The same facts give the same bytes.

    BATTERY is a battery's id (text or hex) or key; READING the id of a reading's fact, event or transaction (64 hex
    digits). What the tables say must be what follows from the log, or nothing is written (exit code 4). Exit code 1:
    nothing of that name is known. A battery's pack also holds what other batteries did in the same steps and
    partition: all of it is on a public chain. That it was made, for whom and by which right is recorded beside the
    tables, as every question is: `cellwitness audit questions`.

    \b
    cellwitness audit export urn:eudpp:battery:demo:0001 --profile devnet.toml -o pack.zip
    cellwitness audit export 15059d62dd13… --profile fleet.toml --sign-with operator.pem -o reading.zip
    """
    judging = read_judging(profile, thresholds)
    if judging is None:
        raise ConfigurationError("verdicts are made by the deployment's profile: give it with --profile FILE")
    key = read_signing_key(sign_with)
    asking = asking_as(getpass.getuser() if who is None else who, access, legal_basis)
    with (
        closing(log_of(log_url)) as log,
        database(db_url, data_dir, must_exist=True) as url,
        connect(url()) as connection,
        ChainProgress("export", "steps") as bar,
    ):
        _require_right(connection, asking, subject)
        judging.check(log.opened().deployments)
        reached = consistent_step(connection)
        at = reached if step is None else step
        if at > reached:
            raise StepNotReached(f"the tables hold step {reached}, not yet {at}")
        of, battery_key, reading = _find(connection, subject, at, deployment)
        collected = collect(
            log,
            judging.profiles[of],
            judging.book,
            battery_key,
            reading=reading,
            step=at,
            progress=lambda done, total: bar.update(done=done, total=total, events=0),
        )
        holds = _compare(connection, collected, at)
        content = pack_of(collected, key, _transactions(collected, node))
        told = {"subject": subject, "sha256": sha256(content).hexdigest()}
        asked = Asked(what=WHAT, parameters=told, moment=Moment(known_at=at), form="zip")
        record(connection, asking, asked, "answered", holds=holds, rows=len(collected.story.facts))
    write_whole(out, content)
    _say(out, content, collected, signer=None if key is None else bytes(key.verify_key).hex(), as_json=as_json)


def _find(connection: Connection, subject: str, step: int, deployment: str | None) -> tuple[str, str, str | None]:
    """Deployment, battery key and, of a reading, its fact."""
    found: list[tuple[str, str, str | None]] = [(*each, None) for each in find_batteries(connection, subject, step)]
    if not found and _is_id(subject):
        found = list(find_readings(connection, subject.lower(), step))
    found = [each for each in found if deployment in (None, each[0])]
    if not found:
        near = "".join(f"\n  did you mean {visible(name)}?" for name in near_matches(connection, subject, step))
        raise NothingToExport(f"no battery and no reading {visible(subject)} is known here{near}")
    if len(found) > 1:
        named = ", ".join(f"{visible(of)} {reading or key}" for of, key, reading in found)
        raise ConfigurationError(f"{visible(subject)} names several: {named}; say which, by --deployment or its fact")
    return found[0]


def _is_id(text: str) -> bool:
    return len(text) == READING_HEX and all(digit in "0123456789abcdefABCDEF" for digit in text)


def _transactions(collected: Collected, node: str | None) -> dict[str, bytes]:
    """Those of the facts, where a node is asked."""
    if node is None:
        return {}
    wanted = frozenset(fact.event.transaction for fact in collected.story.facts)
    return raw_transactions(read_endpoint(node), stretches(collected.evidence, collected.story), wanted)


def _require_right(connection: Connection, asking: Asking, subject: str) -> None:
    """A pack tells everything of a battery: it is for who may see everything of one. Raises NotAllowed."""
    missing = NEEDS - asking.profile.data
    if missing:
        reason = f"{asking.profile.title.lower()} may not have a pack: it tells of {', '.join(sorted(missing))}"
        record(connection, asking, Asked(what=WHAT, parameters={"subject": subject}), "refused", reason=reason)
        raise NotAllowed(reason)


def _compare(connection: Connection, collected: Collected, step: int) -> Holds:
    """Where the answer holds. Raises TablesDiffer."""
    subject = collected.subject
    timeline = read_timeline(connection, subject.deployment, subject.battery_key, step)
    if timeline is None:
        raise NothingToExport(f"the tables know nothing of battery {subject.battery_key}")
    require_tables_agree(timeline, collected.story)
    return timeline.holds


def _say(out: str, content: bytes, collected: Collected, *, signer: str | None, as_json: bool) -> None:
    story = collected.story
    told = {
        "file": out,
        "sha256": sha256(content).hexdigest(),
        "bytes": len(content),
        "battery": battery_name(collected.subject),
        "facts": len(story.facts),
        "readings": len(story.opinions.verdicts),
        "step": collected.tree_size - 1,
        "tree_root": collected.tree_root,
        "signer": signer,
    }
    if as_json:
        click.echo(msgspec.json.encode(told))
        return
    click.echo(
        f"{out}: {told['facts']} facts and {told['readings']} judged readings of {told['battery']}, "
        f"as known after step {told['step']}\n"
        f"sha256 {told['sha256']}, {len(content):,} bytes, {f'signed by {signer}' if signer else 'not signed'}\n"
        f"next: cellwitness audit verify {out}"
    )
