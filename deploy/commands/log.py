"""``cellwitness log``: reads an event log for people, whatever engine holds it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import msgspec

from deploy.log_view import (
    find_battery,
    find_event,
    find_step,
    last_steps,
    record_json,
    shown_line,
    shown_record,
    shown_step,
    step_line,
)
from deploy.logs import log_of
from deploy.progress import ChainProgress
from deploy.settings import without_password
from deploy.text import final_words
from indexer.log.audit import Report, verify
from indexer.log.canonical import CanonicalDigest, canonical_lines, up_to
from indexer.log.copy import copy_log
from indexer.log.port import Log, LogEmpty, StoredSpine

WAIT_SECONDS = 1.0  # between looks at Ctrl-C, not between steps

log_option: Callable[[Any], Any] = click.option(
    "--log", "log_url", default="sqlite:events.db", show_default=True, metavar="URL", help="The event log."
)
json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, one value a line."
)


@click.group()
def log() -> None:
    """Reads the event log. Nothing but `copy` writes, and all of it works while a follower does.

    \b
    Is it whole?                     cellwitness log verify
    What happened last?              cellwitness log tail -n 20 --follow
    What does step 17 hold?          cellwitness log show 17
    Everything about a battery:      cellwitness log show --battery urn:eudpp:battery:demo:0001
    Do two followers agree?          cellwitness log canonical --digest-only --to 1500000
    """


@log.command(name="verify")
@log_option
@json_option
def verify_command(log_url: str, as_json: bool) -> None:
    """Proves a log sound, or names its first fault.

    Every step, digest, sequence number, marker, identity, rollback and retraction is checked against all the others.
    Exit code 0: sound. 1: not, and the first fault is named. A log that was cut at its end is a sound, shorter log:
    compare the digest with one that was noted earlier.

    \b
    cellwitness log verify --log sqlite:events.db
    """
    with _opened(log_url) as the_log, ChainProgress("verify", "steps") as bar:

        def progress(report: Report) -> None:
            bar.update(done=report.steps, total=report.to_step + 1, events=report.events + report.retractions)

        report = verify(the_log, progress)
    if as_json:
        _json(report)
    else:
        _say_report(report)
    if not report.sound:
        sys.exit(1)


def _say_report(report: Report) -> None:
    counts = (
        f"{report.steps:,} steps in {report.partitions} partitions: {report.blocks:,} blocks, "
        f"{report.events:,} events, {report.rollbacks:,} rollbacks, {report.retractions:,} retractions"
    )
    if report.fault is None:
        final = final_words(report.final_height)
        click.echo(f"sound: {counts}\nheight {report.height}, {final}, digest {report.digest}")
    else:
        click.echo(f"NOT SOUND: {report.fault.what}\nsound before it: {counts}")


@log.command()
@log_option
@click.option("-n", "number", default=10, show_default=True, type=click.IntRange(1), help="How many steps.")
@click.option("--follow", is_flag=True, help="Go on with each new step, until Ctrl-C.")
@json_option
def tail(log_url: str, number: int, follow: bool, as_json: bool) -> None:
    """The last steps, one a line: number, kind, where the chain stands after it, what it wrote, its digest.

    \b
    cellwitness log tail -n 20 --follow
    """
    with _opened(log_url) as the_log:
        the_log.opened()  # or there is no step to begin with
        steps = last_steps(the_log, number)
        for stored in steps:
            _say_step(stored, as_json=as_json)
        last = steps[-1].spine.step
        while follow:
            if the_log.wait(last, WAIT_SECONDS):
                for stored in the_log.spine(last + 1):
                    _say_step(stored, as_json=as_json)
                    last = stored.spine.step


def _say_step(stored: StoredSpine, *, as_json: bool) -> None:
    line = step_line(stored)
    if as_json:
        _json(line)
    else:
        click.echo(shown_line(line))


@log.command()
@click.argument("step", required=False, type=click.IntRange(0))
@log_option
@click.option("--event", metavar="ID", help="An event's or fact's id, or how it begins: its events and retractions.")
@click.option("--battery", metavar="ID", help="A battery's id (text or hex) or key: everything of it, in order.")
@json_option
def show(log_url: str, step: int | None, event: str | None, battery: str | None, as_json: bool) -> None:
    """A step in full, the life of an event, or everything of a battery.

    \b
    cellwitness log show 17
    cellwitness log show --event 3fa2b1
    cellwitness log show --battery urn:eudpp:battery:demo:0001

    Exit code 1: the log holds nothing of the kind.
    """
    if sum(each is not None for each in (step, event, battery)) != 1:
        raise click.UsageError("say one thing to show: a step's number, --event ID or --battery ID")
    with _opened(log_url) as the_log:
        if step is not None:
            found = _show_step(the_log, step, as_json=as_json)
        else:
            records = find_event(the_log, event.lower()) if event else find_battery(the_log, battery or "")
            found = False
            for partition, record in records:
                found = True
                if as_json:
                    _json(record_json(partition, record))
                else:
                    click.echo(shown_record(partition, record) + "\n")
    if not found:
        click.echo("the log holds nothing of the kind", err=True)
        sys.exit(1)


def _show_step(the_log: Log, step: int, *, as_json: bool) -> bool:
    found = find_step(the_log, step)
    if found is None:
        return False
    stored, records = found
    if as_json:
        shown = [record_json(partition, record) for partition, record in records]
        _json({"digest": stored.digest, "spine": stored.spine, "records": shown})
        return True
    click.echo(shown_step(stored))
    for partition, record in records:
        if record.kind != "marker":
            click.echo("\n" + shown_record(partition, record))
    return True


@log.command()
@log_option
@click.option(
    "--to", default="final", show_default=True, metavar="final|tip|HEIGHT", help="Up to which height of the chain."
)
@click.option("--digest-only", is_flag=True, help="Print the digest, not the events.")
@json_option
def canonical(log_url: str, to: str, digest_only: bool, as_json: bool) -> None:
    """The events that hold, in the chain's order: the same, byte for byte, for every follower of one chain.

    Prints one JSON document a line and, on standard error, the digest over them. Up to the final height by default:
    above it a rollback may still change both. To compare two logs, give the height that both have made final.

    \b
    cellwitness log canonical --digest-only --to 1500000
    """
    with _opened(log_url) as the_log:
        height = up_to(the_log, to)
        digest = CanonicalDigest()
        out = sys.stdout.buffer
        for line in canonical_lines(the_log, height):
            digest.add(line)
            if not digest_only:
                out.write(line + b"\n")
        out.flush()
    summary = {"to_height": height, "events": digest.events, "digest": digest.hexdigest()}
    if digest_only and as_json:
        _json(summary)
    elif digest_only:
        click.echo(f"{digest.hexdigest()}  {digest.events} events up to height {height}")
    elif as_json:
        click.echo(msgspec.json.encode(summary), err=True)
    else:
        click.echo(f"{digest.events} events up to height {height}, digest {digest.hexdigest()}", err=True)


@log.command(name="copy")
@click.option("--from", "source_url", required=True, metavar="URL", help="The log to copy; it may be being written.")
@click.option(
    "--to", "target_url", required=True, metavar="URL", help="Where to: a new log, or a copy that was cut off."
)
@json_option
def copy_command(source_url: str, target_url: str, as_json: bool) -> None:
    """Copies a log, from one engine to the other or within one, and proves both equal by digest.

    \b
    cellwitness log copy --from sqlite:events.db --to kafka://127.0.0.1:9092/preprod

    A copy that was cut off goes on where it ended. To move house: stop the follower, copy, start it on the new log.
    """
    with (
        _opened(source_url) as source,
        _opened(target_url) as target,
        ChainProgress(f"copy → {without_password(target_url)}", "steps") as bar,
    ):
        copied = copy_log(source, target, lambda at: bar.update(done=at.steps, total=at.to_step + 1, events=at.records))
    if as_json:
        _json(copied)
    else:
        click.echo(f"equal: {copied.steps:,} steps, {copied.records:,} records written, digest {copied.digest}")


@contextmanager
def _opened(log_url: str) -> Iterator[Log]:
    the_log = log_of(log_url)
    try:
        yield the_log
    except LogEmpty:
        the_log.opened()  # where there is no log at all, this says so, and what to do
        raise
    finally:
        the_log.close()


def _json(value: object) -> None:
    click.echo(msgspec.json.encode(value))
