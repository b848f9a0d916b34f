"""Section 5: from the node's rollback to PostgreSQL, through a follower and a worker as processes of their own."""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

from websockets.sync.server import ServerConnection

from deploy.devnet.deployment import Terms, profile_toml
from deploy.devnet.network import Network
from deploy.postgres import EmbeddedPostgres
from indexer.chain import Block, Point
from indexer.log.port import Log
from indexer.log.sqlite import SqliteLog
from projections.database import Connection, connect
from projections.errors import SchemaMismatch
from projections.status import consistent_step
from tests.bench.frames import devnet_blocks
from tests.bench.plan import Plan
from tests.bench.report import Goal, Section, Value
from tests.bench.template import SLOTS_PER_BLOCK, Template, block_id
from tests.indexer.nodes import ScriptedNode, backward, scripted

BATTERIES: Final = 60
SECURITY_PARAMETER: Final = 2_160
LOOK_SECONDS: Final = 0.001  # between two looks at the tables: what a time may be too long by
PATIENCE_SECONDS: Final = 300.0
LIMITS_SECONDS: Final = {1: 1.0, 2_160: 10.0}
_CLI: Final = (sys.executable, "-m", "deploy.cli", "--log-level", "error")


class ForkingNode(ScriptedNode):
    """Says each frame once somebody waits for it, also long after he asked."""

    def __init__(self, magic: int) -> None:
        super().__init__([], magic=magic, k=SECURITY_PARAMETER)
        self._sending = threading.Lock()  # or two threads would send frames in another order than they took them
        self._owed = 0
        self._peer: ServerConnection | None = None

    def say(self, frames: Sequence[bytes]) -> None:
        with self._sending:
            self.frames += frames
            self._pay()

    def _answer(self, peer: ServerConnection, request: dict[str, Any], raw: bytes) -> None:
        if request["method"] != "nextBlock":
            super()._answer(peer, request, raw)
            return
        with self._sending:
            self._peer = peer
            self._owed += 1
            self._pay()

    def _pay(self) -> None:
        while self._owed and self.frames and self._peer is not None:
            self._owed -= 1
            self._peer.send(self.frames.pop(0), text=True)


def measure(plan: Plan) -> Section:
    """Each rollback is followed by the same blocks again, and begins when all are in the tables."""
    deepest = max(depth for depth, _ in plan.rollbacks)
    blocks = [Template(block) for block in devnet_blocks(BATTERIES, plan.rollback_days)][: deepest + 50]
    tip = len(blocks)  # one above the last that is served: a node below our chain would not be believed
    frames = [template.message(height, tip) for height, template in enumerate(blocks)]
    node = ForkingNode(Network().magic)
    rows: list[dict[str, Value]] = []
    goals: list[Goal] = []
    with tempfile.TemporaryDirectory(prefix="cellwitness-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with (
            EmbeddedPostgres(folder / "postgres").use() as url,
            scripted(node) as ogmios,
            _at_work(folder, ogmios, url),
        ):
            node.say(frames)
            with closing(SqliteLog(folder / "events.db")) as log, connect(url) as connection:
                _wait_for(log, connection, tip - 1)
                for depth, times in plan.rollbacks:
                    seconds, events = [], 0
                    for _ in range(times):
                        took, events = _roll_back(node, log, connection, tip, depth)
                        seconds.append(took)
                        node.say(frames[tip - depth :])
                        _wait_for(log, connection, tip - 1)
                    p99 = max(seconds) if times < 100 else quantiles(seconds, n=100)[98]
                    rows.append(
                        {
                            "blocks": depth,
                            "times": times,
                            "events": events,
                            "p50 (ms)": 1e3 * median(seconds),
                            "p99 (ms)": 1e3 * p99,
                        }
                    )
                    if depth in LIMITS_SECONDS:
                        goals.append(
                            Goal(f"rollback of {depth:,} blocks, p99 (s)", p99, LIMITS_SECONDS[depth], "at most")
                        )
    return Section(
        "rollback",
        "A rollback, from the node's word to PostgreSQL",
        tuple(rows),
        tuple(goals),
        (
            f"Follower and worker are processes; {BATTERIES} batteries, and every block holds events of theirs.",
            "Until all partitions hold the rollback's step. Of fewer than 100 rollbacks the longest stands for p99.",
        ),
    )  # fmt: skip


def _roll_back(node: ForkingNode, log: Log, connection: Connection, tip: int, depth: int) -> tuple[float, int]:
    """Seconds until the tables hold the rollback, and how many events it took back."""
    before = log.end()
    assert before is not None
    message = backward(_point(tip - 1 - depth), Block(_point(tip), tip, block_id(tip - 1).decode()))
    began = time.perf_counter()
    node.say([message])
    while consistent_step(connection) <= before.spine.step:
        time.sleep(LOOK_SECONDS)
    seconds = time.perf_counter() - began
    query = "SELECT count(*) FROM cellwitness.events WHERE known_until_step = %s"
    row = connection.execute(query, (before.spine.step + 1,)).fetchone()
    assert row is not None
    return seconds, int(row[0])


def _point(height: int) -> Point:
    return Point(height * SLOTS_PER_BLOCK, block_id(height).decode())


def _wait_for(log: Log, connection: Connection, height: int) -> None:
    """Until log and tables hold the chain up to a height."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        try:
            end = log.end()
            if end is not None and end.spine.height >= height and consistent_step(connection) >= end.spine.step:
                return
        except SchemaMismatch:  # the worker has not made its tables yet
            pass
        time.sleep(0.05)
    raise TimeoutError(f"the tables are not at height {height} after {PATIENCE_SECONDS:.0f} s")


@contextmanager
def _at_work(folder: Path, ogmios: str, url: str) -> Iterator[None]:
    """A follower and a worker."""
    profile, log = folder / "devnet.toml", f"sqlite:{folder / 'events.db'}"
    profile.write_text(profile_toml(Network(), Terms()))
    follow = ("follow", "--profile", str(profile), "--ogmios", ogmios, "--log", log)
    project = ("project", "--log", log, "--db", url)
    running = [
        subprocess.Popen((*_CLI, *command), cwd=folder, stdout=subprocess.DEVNULL) for command in (follow, project)
    ]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
