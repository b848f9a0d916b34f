import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click
import msgspec
from rich.console import Console

from consumers.audit.check_statement import against_log, check_statement
from consumers.audit.days import heights_of_day
from consumers.audit.statement import MAX_STATEMENT_BYTES, Counted, Statement, make_statement, read_statement, written
from deploy.answer_view import hash_of, print_answer
from deploy.commands.log import log_option
from deploy.logs import log_of
from deploy.progress import ChainProgress
from deploy.signing import read_signing_key, write_whole
from indexer.errors import ConfigurationError
from indexer.log.port import Log


@click.group(invoke_without_command=True)
@click.option("--from", "from_", metavar="HEIGHT|DAY", help="The first block, or the first day (UTC, YYYY-MM-DD).")
@click.option("--to", metavar="HEIGHT|DAY", help="The last block or day.  [default: the first day, or what is final]")
@click.option("--previous", metavar="FILE", help="The statement before this one: the two are chained.")
@click.option("--sign-with", metavar="FILE", help="Sign it with this Ed25519 key (PEM).")
@click.option("--provisional", is_flag=True, help="State blocks, too, that a rollback may still take back.")
@click.option("-o", "--out", metavar="FILE", help="Write it here.  [default: standard output]")
@log_option
@click.pass_context
def statement(
    ctx: click.Context,
    from_: str | None,
    to: str | None,
    previous: str | None,
    sign_with: str | None,
    provisional: bool,
    out: str | None,
    log_url: str,
) -> None:
    """States that every block from A to B was seen, each linked to its parent, and counts the facts in them.

    The whole log is proved sound first. The statement holds the first and last block, a digest over all of them, the
    facts by kind, the canonical log's digests before and after, and the log's own digest and root; with a key it is
    signed. Made each day and chained by --previous, no block and no fact can later be added or left out unseen.
    It is JSON: two lines, itself and its seal. Exit code 1: not all of these blocks are final yet.

    \b
    cellwitness audit statement --from 2027-05-03 --sign-with operator.pem --previous 2027-05-02.json -o 2027-05-03.json
    cellwitness audit statement --from 1500000 --to 1504319
    cellwitness audit statement verify 2027-05-03.json --previous 2027-05-02.json --log sqlite:events.db
    """
    if ctx.invoked_subcommand is not None:
        return
    if from_ is None:
        raise click.UsageError("say which blocks: --from HEIGHT or --from DAY")
    key = read_signing_key(sign_with)
    before = None if previous is None else _content(previous)
    with closing(log_of(log_url)) as log, ChainProgress("statement", "steps") as bar:
        log.opened()  # or there is nothing to state
        heights = _heights(log, from_, to)

        def progress(at: Counted) -> None:
            bar.update(done=at.done, total=at.total, events=at.events)

        made = make_statement(log, heights, previous=before, provisional=provisional, progress=progress)
    content = written(made, key)
    if out is None:
        click.echo(content, nl=False)
        return
    write_whole(out, content)
    click.echo(_words(made))


@statement.command()
@click.argument("file")
@click.option("--signer", metavar="HEX", help="The Ed25519 key (32 bytes) that must have signed it.")
@click.option("--previous", metavar="FILE", help="The statement before it.")
@click.option("--log", "against", metavar="URL", help="A log of the same chain to compare it with.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(file: str, signer: str | None, previous: str | None, against: str | None, as_json: bool) -> None:
    """Says line by line what of a statement holds: by itself, after the one before it, and against a log.

    Exit code 0: nothing fails. 1: something does.

    \b
    cellwitness audit statement verify 2027-05-03.json --previous 2027-05-02.json --signer 03a107bf…
    """
    content = _content(file)
    before = None if previous is None else _content(previous)
    found = check_statement(content, signer=hash_of(signer, "--signer"), previous=before)
    if against is not None and found.holds:
        with closing(log_of(against)) as log, ChainProgress("compare", "steps") as bar:
            found = against_log(
                content, found, log, lambda at: bar.update(done=at.done, total=at.total, events=at.events)
            )
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        print_answer(Console(soft_wrap=not sys.stdout.isatty()), found, "STATEMENT", "it says what it said when sealed")
        if found.holds:
            click.echo(f"\n{_words(read_statement(content)[1])}")
    if not found.holds:
        sys.exit(1)


def _words(made: Statement) -> str:
    facts = ", ".join(f"{count} {kind}" for kind, count in made.facts.items()) or "no facts"
    final = "" if made.last.height <= made.log.final_height else "\nPROVISIONAL: a rollback may still take blocks back"
    return (
        f"blocks {made.first.height} to {made.last.height} (slots {made.first.slot} to {made.last.slot}): {made.blocks}"
        f" blocks, each linked to its parent: {facts}\n"
        f"{made.after.events} facts since the log began, canonical digest {made.after.digest}\n"
        f"log at step {made.log.step}, digest {made.log.digest}, root {made.log.tree_root}{final}"
    )


def _heights(log: Log, from_: str, to: str | None) -> tuple[int, int]:
    """The first and the last block of what was asked for. Raises click's usage error."""
    first, last = _height_or_day(from_, "--from"), None if to is None else _height_or_day(to, "--to")
    if isinstance(first, int):
        if isinstance(last, date):
            raise click.UsageError("give two heights or two days")
        return first, _final(log) if last is None else last
    if isinstance(last, int):
        raise click.UsageError("give two heights or two days")
    return heights_of_day(log, _second(first), _second((last or first) + timedelta(days=1)))


def _height_or_day(text: str, flag: str) -> int | date:
    if text.isdecimal() and len(text) < 19:
        return int(text)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{flag} {text!r} is neither a height nor a day such as 2027-05-03") from None


def _second(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _final(log: Log) -> int:
    end = log.end()
    return -1 if end is None else end.spine.final_height


def _content(file: str) -> bytes:
    try:
        with Path(file).open("rb") as opened:
            return opened.read(MAX_STATEMENT_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"can't read {file}: {error.strerror}") from error
