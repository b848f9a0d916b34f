import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click
import msgspec

from consumers.audit.compare import Compared, Difference, compare
from deploy.commands.follow import read_endpoint
from deploy.commands.log import log_option
from deploy.logs import log_of
from deploy.profiles import read_profile
from deploy.progress import ChainProgress
from deploy.stopping import Stop
from deploy.text import visible
from indexer.errors import ConfigurationError, Retryable
from indexer.log.audit import Report, verify
from indexer.log.port import Log, LogDamaged
from indexer.log.records import Opened
from indexer.run import FollowOptions, run_follower
from indexer.session import Progress

SHOWN = 400  # characters of a fact that differs


@click.command()
@click.option("--ogmios", "node", required=True, metavar="URL", help="Another node than the follower's.")
@click.option("--profile", multiple=True, metavar="FILE", help="The deployment profiles that the log was written with.")
@click.option("--keep", metavar="FILE", help="Make the second log here and leave it: one that was cut off goes on.")
@log_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def replay(node: str, profile: tuple[str, ...], keep: str | None, log_url: str, as_json: bool) -> None:
    """Makes the log again from another node, and proves both equal, byte for byte, up to finality.

    Follows the whole chain from where the log begins into a log of its own, with a follower of its own; then compares
    every final block and every fact that holds. Where they differ, the first block or fact is shown, with the step.
    Our log is proved sound first, so that its facts are those of its digests.

    Exit code 0: equal, up to all that is final in our log. 1: they differ. 3: equal as far as this node goes.

    \b
    cellwitness audit replay --ogmios ws://other:1337 --profile fleet.toml --log sqlite:fleet.db
    cellwitness audit replay --ogmios ws://other:1337 --profile fleet.toml --keep /var/tmp/replayed.db
    """
    profiles = tuple(read_profile(Path(file)) for file in profile)
    if not profiles:
        raise ConfigurationError("the log is made again by its deployments' profiles: give them with --profile FILE")
    endpoint = read_endpoint(node)
    with closing(log_of(log_url)) as ours, _second_log(keep) as theirs:
        opened = ours.opened()
        end = ours.end()
        final = -1 if end is None else end.spine.final_height
        if final < 0:
            raise Retryable("nothing in our log is final yet: there is nothing that another node must say, too")
        _require_sound(ours)
        stop = Stop()
        options = FollowOptions(
            endpoints=(endpoint,), until_tip=True, since=opened.since, partitions=len(opened.partitions)
        )
        with ChainProgress(f"replay from {endpoint}") as bar:
            enough = _Enough(stop, opened, final)

            def on_progress(at: Progress) -> None:
                enough.height = at.height
                target = min(final + opened.security_parameter, at.tip_height)
                bar.update(done=at.height, total=target, events=at.events, note=f"slot {at.slot}")

            run_follower(theirs, profiles, options, stop=enough, pause=stop.pause, on_progress=on_progress)
        if stop():
            raise Retryable("stopped before the second log was whole" + (f": go on with --keep {keep}" if keep else ""))
        with ChainProgress("compare") as bar:
            compared = compare(ours, theirs, lambda done, total: bar.update(done=done, total=total, events=0))
    if as_json:
        click.echo(msgspec.json.encode(compared))
    else:
        click.echo("\n".join(_words(compared)))
    if not compared.equal:
        sys.exit(1)
    if not compared.whole:
        sys.exit(3)


class _Enough:
    """Ends the second follower as soon as all that is final in our log is final in its, too."""

    def __init__(self, stop: Stop, opened: Opened, final: int) -> None:
        self._stop, self._wanted = stop, final + opened.security_parameter
        self.height = -1

    def __call__(self) -> bool:
        return self._stop() or self.height >= self._wanted


@contextmanager
def _second_log(keep: str | None) -> Iterator[Log]:
    with (
        tempfile.TemporaryDirectory(prefix="cellwitness-replay-") as folder,
        closing(log_of(f"sqlite:{keep or Path(folder) / 'replayed.db'}")) as log,
    ):
        yield log


def _require_sound(log: Log) -> None:
    with ChainProgress("verify", "steps") as bar:

        def progress(at: Report) -> None:
            bar.update(done=at.steps, total=at.to_step + 1, events=at.events)

        report = verify(log, progress)
    if report.fault is not None:
        raise LogDamaged(f"the log is not sound, there is nothing to compare: {report.fault.what}")


def _words(compared: Compared) -> Iterator[str]:
    counts = f"{compared.blocks:,} blocks and {compared.facts:,} facts"
    if compared.difference is not None:
        yield f"DIFFERENT: the logs are equal for {counts}, and then they differ"
        yield from _difference(compared.difference)
        return
    yield f"equal: {counts} up to height {compared.to_height}, canonical digest {compared.digest}"
    if not compared.whole:
        yield f"not all: our log is final up to {compared.final_height}, this node's chain does not reach so far"


def _difference(difference: Difference) -> Iterator[str]:
    step = "no step of our log" if difference.step is None else f"step {difference.step} of our log"
    yield f"{difference.what} at height {difference.height}, {step}"
    for whose, said in (("our log", difference.ours), ("the node", difference.theirs)):
        text = visible(said) if said is not None else "nothing"
        yield f"  {whose:<8} {text if len(text) <= SHOWN else text[:SHOWN] + '…'}"
