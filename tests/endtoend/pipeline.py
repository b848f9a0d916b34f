"""A chain that the test moves, and the real processes between it and the tables, to be disturbed in every way."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from msgspec import Struct

from deploy.database import embedded
from deploy.devnet.chain import Chain
from deploy.devnet.deployment import Terms, profile_toml
from deploy.devnet.maker import Maker, Plan
from deploy.devnet.network import Network
from deploy.devnet.server import serve
from indexer.chain import Tip
from indexer.log.audit import verify
from indexer.log.canonical import CanonicalDigest, canonical_lines
from indexer.log.port import StoredSpine
from indexer.log.urls import open_log
from indexer.protocol.profile import load_profile
from indexer.run import FollowOptions, run_follower
from projections.database import connect
from projections.digest import ContentDigest, TableDigest, content_digests, table_digests
from projections.errors import DatabaseUnwell, SchemaMismatch
from projections.migrate import migrate
from projections.run import Worker
from projections.status import consistent_step
from tests.endtoend.processes import Running, kill_whole, run, wait_until

K: Final = 20
READING_SLOTS: Final = 300  # mean, of each battery: about every third block has something to tell


class Truth(Struct, frozen=True):
    """What must be the same for every follower and worker of one chain, whatever befell them."""

    height: int
    events: int
    canonical: str  # digest of the canonical log up to the tip
    tables: tuple[ContentDigest, ...]


class Pipeline:
    """Devnet in this process; follower, worker and database in processes of their own, all below one folder."""

    def __init__(self, folder: Path, chain: Chain, ogmios: str) -> None:
        self.folder, self.chain, self.ogmios = folder, chain, ogmios
        self.profile = folder / "devnet.toml"
        self.profile.write_text(profile_toml(chain.network, Terms()))
        self.log_url = f"sqlite:{folder / 'events.db'}"
        self.data_dir = folder / "data"
        self.server = embedded(str(self.data_dir))
        self.started: list[Running] = []
        self._numbers = count(1)
        self._life = ExitStack()

    def close(self) -> None:
        self._life.close()
        if pid := self.server.pid():
            os.kill(pid, signal.SIGQUIT)
            wait_until(lambda: self.server.pid() is None, "the database to end")
        self.server.remove()

    def start(self, *arguments: str) -> Running:
        name = f"{arguments[0]}-{next(self._numbers)}"
        self.started.append(self._life.enter_context(Running(self.folder, name, *arguments)))
        return self.started[-1]

    def follower(self, *flags: str) -> Running:
        return self.start(*self.follow_command(*flags))

    def follow_command(self, *flags: str) -> tuple[str, ...]:
        return ("follow", "--ogmios", self.ogmios, "--profile", str(self.profile), "--log", self.log_url, *flags)

    def worker(self, *flags: str) -> Running:
        return self.start(*self.project_command(*flags))

    def project_command(self, *flags: str) -> tuple[str, ...]:
        return ("project", "--log", self.log_url, "--data-dir", str(self.data_dir), *flags)

    def settle(self) -> None:
        """An undisturbed end: the log at the chain's tip, the tables at the log's end."""
        for command in (self.follow_command("--until-tip"), self.project_command("--until-caught-up")):
            done = run(self.folder, *command)
            assert done.returncode == 0, done.stderr

    # where it stands

    def end(self) -> StoredSpine | None:
        # Opened anew each time: a reader that stays would keep the file's side files alive through every crash.
        with closing(open_log(self.log_url)) as log:
            return log.end()

    def step(self) -> int:
        end = self.end()
        return end.spine.step if end else -1

    def at_tip(self) -> bool:
        end, tip = self.end(), self.chain.tip
        return end is not None and isinstance(tip, Tip) and getattr(end.spine.point, "id", "") == tip.id

    def tables_step(self) -> int:
        """Up to which step the tables hold; -1 where they can't be asked."""
        try:
            with connect(self.server.url, read_only=True) as connection:
                return consistent_step(connection)
        except (DatabaseUnwell, SchemaMismatch):
            return -1

    def wait_for_tip(self) -> None:
        wait_until(self.at_tip, "the follower to reach the tip")

    def wait_for_tables(self) -> None:
        try:
            wait_until(lambda: self.at_tip() and self.tables_step() == self.step(), "the worker to catch up")
        except AssertionError as error:
            stand = f"tip {self.at_tip()}, log {self.step()}, tables {self.tables_step()}"
            said = "\n".join(f"{each.name}, alive {each.alive}: {each.errors[-1000:]}" for each in self.started)
            raise AssertionError(f"{error}; {stand}\n{said}") from None

    def grow_slowly(self, blocks: int, pause_seconds: float = 0.01) -> None:
        """As a live chain: a follower at the tip writes a step for each block, or nearly so."""
        for _ in range(blocks):
            self.chain.grow(1)
            time.sleep(pause_seconds)

    def kill_database(self) -> int:
        """kill -9 of the server and every process of it. Returns how many."""
        pid = self.server.pid()
        return kill_whole(pid) if pid else 0

    # what it says

    def truth(self) -> Truth:
        with self.server.use() as url:
            return truth_of(self.log_url, url)

    def all_versions(self) -> tuple[TableDigest, ...]:
        with self.server.use() as url, connect(url) as connection:
            return table_digests(connection)

    def undisturbed(self, database: str) -> Truth:
        """What a follower and a worker say that saw nothing but the chain as it is now."""
        url = f"sqlite:{self.folder / f'undisturbed-{next(self._numbers)}.db'}"
        profile = load_profile(self.profile.read_text(), str(self.profile))
        with closing(open_log(url)) as log:
            run_follower(
                log,
                (profile,),
                FollowOptions(endpoints=(self.ogmios,), until_tip=True),
                stop=lambda: False,
                pause=time.sleep,
                on_progress=lambda _: None,
            )
            Worker(log, lambda: connect(database)).run(until_caught_up=True, give_up_after_seconds=20)
        return truth_of(url, database)

    def refolded(self, database: str) -> tuple[TableDigest, ...]:
        """All versions that an undisturbed worker makes of this very log."""
        with closing(open_log(self.log_url)) as log:
            Worker(log, lambda: connect(database)).run(until_caught_up=True, give_up_after_seconds=20)
        with connect(database) as connection:
            return table_digests(connection)


def canonical_digest(log_url: str) -> tuple[int, int, str]:
    """Height, events and canonical digest up to the log's tip. The log must be sound."""
    with closing(open_log(log_url)) as log:
        report = verify(log)
        assert report.fault is None, report.fault
        end = log.end()
        assert end is not None
        digest = CanonicalDigest()
        for line in canonical_lines(log, end.spine.height):
            digest.add(line)
        return end.spine.height, digest.events, digest.hexdigest()


def truth_of(log_url: str, database: str) -> Truth:
    height, events, canonical = canonical_digest(log_url)
    with connect(database) as connection:
        migrate(connection)
        return Truth(height, events, canonical, content_digests(connection))


def devnet(*, seed: int = 1, batteries: int = 6, blocks: int = 0, k: int = K, cbor: bool = False) -> Chain:
    """A chain of real transactions that grows and forks when the test says so."""
    maker = Maker(Plan(seed=seed, batteries=batteries, reading_interval_slots=READING_SLOTS, include_cbor=cbor))
    chain = Chain(Network(k=k), seed=seed, ledger=maker)
    chain.grow(blocks)
    return chain


@contextmanager
def pipeline(folder: Path, chain: Chain) -> Iterator[Pipeline]:
    """A pipeline whose chain is served and whose processes end with it."""
    with closing(chain), serve(chain) as node, closing(Pipeline(folder, chain, node.url)) as made:
        yield made
