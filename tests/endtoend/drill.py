"""The drill: a backup while everything runs, everything destroyed, and what stands after a restore.

``python -m tests.endtoend.drill`` writes what it saw into docs/backup.md.
"""

import json
import shlex
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from deploy.devnet.chain import Chain
from deploy.devnet.maker import Maker, Plan
from deploy.devnet.network import Network
from indexer.chain import Tip
from indexer.log.urls import open_log
from tests.endtoend.pipeline import READING_SLOTS, K, Pipeline, pipeline
from tests.endtoend.processes import Running, run, wait_until
from tests.shared import ROOT

PAGE: Final = ROOT / "docs" / "backup.md"
BEGIN: Final = "<!-- drill: written by `python -m tests.endtoend.drill` -->\n```\n"
END: Final = "```\n<!-- end of drill -->"


class Drill:
    """Runs commands in the pipeline's folder and keeps what a person would see."""

    def __init__(self, place: Pipeline) -> None:
        self.place = place
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def do(self, *words: str, code: int = 0, only: str = "") -> str:
        """Runs ``cellwitness`` with these words; of what it says, the lines with ``only`` in them are kept."""
        done = run(self.place.folder, "--log-level", "error", *words, timeout=300.0)
        assert done.returncode == code, done.stderr
        folder = f"{self.place.folder}/"
        shown = shlex.join(words).replace(folder, "").replace(self.place.ogmios, "ws://127.0.0.1:1337")
        said = (done.stdout if code == 0 else done.stderr).rstrip().replace(folder, "")
        self.lines += [f"$ cellwitness {shown}", *(line.rstrip() for line in said.splitlines() if only in line)]
        return done.stdout

    @property
    def project(self) -> tuple[str, ...]:
        return self.place.project_command("--profile", str(self.place.profile))


def cheating_chain() -> Chain:
    """Some of its readings are frauds, so that there are alerts for people to act on."""
    plan = Plan(seed=4, batteries=6, reading_interval_slots=READING_SLOTS, fraud_share=0.3)
    chain = Chain(Network(k=K), seed=4, ledger=Maker(plan))
    chain.grow(400)
    return chain


@contextmanager
def living(place: Pipeline) -> Iterator[None]:
    """The chain grows and forks all the while, as if nothing were being done to it."""
    stopped = threading.Event()

    def live() -> None:
        while not stopped.wait(0.5):
            place.chain.grow(2)
            place.chain.fork(1)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def play(place: Pipeline, *flags: str) -> Drill:
    """Run, save while running, destroy, restore, verify, catch up. ``flags`` are the backup's."""
    drill = Drill(place)
    data = ("--data-dir", str(place.data_dir))
    tables, log = ("--log", place.log_url, *data), ("--log", place.log_url)
    follower, worker = place.follower(), place.start(*drill.project)
    place.wait_for_tables()
    alert = _first_alert(drill, data)
    drill.do("alerts", "close", alert, "--who", "Ada", "--why", "papers seen", *data)
    with living(place):
        saved = str(place.folder / "saved")
        drill.say("# follower and worker are at work, the chain grows and forks")
        drill.do("backup", "-o", saved, *flags, *tables)
        follower.must_live()
        worker.must_live()
    place.wait_for_tables()
    with closing(open_log(f"sqlite:{saved}/log.db")) as copy:
        end = copy.end()
    assert end is not None
    assert isinstance(place.chain.tip, Tip)
    # Blocks that the backup holds leave the chain, too.
    _destroy(drill, place.chain.tip.height - end.spine.height + 3, follower, worker)
    drill.do("restore", saved, "--check")
    drill.do("restore", saved, *tables)
    drill.do("log", "verify", *log)
    drill.say("# catch up with the chain, which went on and forked meanwhile")
    drill.do(*place.follow_command("--until-tip"))
    drill.do(*drill.project, "--until-caught-up")
    drill.do("alerts", "show", alert, *data, only="papers seen")
    drill.say("# tables made anew from the log, and a log made anew from the chain: equal?")
    drill.do("rebuild", "--keep-live", "--profile", str(place.profile), *tables)
    drill.do("log", "canonical", "--digest-only", "--to", "tip", *log)
    fresh = f"sqlite:{place.folder / 'fresh.db'}"
    drill.do("follow", "--ogmios", place.ogmios, "--profile", str(place.profile), "--log", fresh, "--until-tip")
    drill.do("log", "canonical", "--digest-only", "--to", "tip", "--log", fresh)
    return drill


def _first_alert(drill: Drill, data: tuple[str, ...]) -> str:
    found: Any = json.loads(drill.do("alerts", "ls", "--json", *data))
    drill.lines.clear()
    # A final one: the chain takes back others, and with them what is to be looked at.
    return str(next(each["alert"] for each in found["alerts"] if each["stage"] == "final")[:12])


def _destroy(drill: Drill, depth_blocks: int, *processes: Running) -> None:
    """kill -9 of all of it, and the disk is gone."""
    place = drill.place
    for process in processes:
        process.kill()
    place.kill_database()
    wait_until(lambda: place.server.pid() is None, "the database to be gone")
    place.server.remove()
    shutil.rmtree(place.data_dir, ignore_errors=True)
    for file in place.folder.glob("events.db*"):
        file.unlink()
    drill.say("# kill -9 of follower, worker and database; rm -r events.db* data")
    place.chain.fork(depth_blocks)
    place.chain.grow(30)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cellwitness-drill-") as name:
        folder = Path(name).resolve()
        folder.chmod(0o711)
        with pipeline(folder, cheating_chain()) as place:
            text = "\n".join(play(place).lines) + "\n"
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + text + END + after)


if __name__ == "__main__":
    main()
