"""Section 5: a rebuild of a long log."""

import re
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from deploy.postgres import EmbeddedPostgres
from indexer.chain import Tip
from indexer.events import decode_event
from indexer.log.canonical import CanonicalEvent, canonical_lines
from indexer.log.port import Step, StoredSpine
from indexer.log.records import BlockEntry
from indexer.log.sqlite import SqliteLog
from indexer.log.steps import PlacedEvent, forward_step, opened_step, place
from indexer.protocol.profile import profile_digest
from projections.database import connect
from projections.migrate import migrate
from projections.rebuild import Rebuild
from projections.store import Store, identity_of
from tests.bench.frames import devnet_profile
from tests.bench.plan import Plan
from tests.bench.projecting import devnet_log
from tests.bench.report import Section
from tests.bench.template import SLOTS_PER_BLOCK, block_id

MAGIC: Final = 42
SECURITY_PARAMETER: Final = 2_160
BLOCKS_A_STEP: Final = 1_000
"""Of one copy: steps have some hundred events, however many copies there are."""
_HASH: Final = re.compile(rb'"([0-9a-f]{56}|[0-9a-f]{64})"')


def measure(plan: Plan) -> Section:
    """Events a second of a rebuild, its indexes included."""
    with tempfile.TemporaryDirectory(prefix="cellwitness-bench-") as folder:
        Path(folder).chmod(0o711)
        small, path = Path(folder) / "small.db", Path(folder) / "events.db"
        copies = -(-plan.rebuild_events // devnet_log(small, plan.projection_days))
        events = write_copies(small, path, copies)
        with EmbeddedPostgres(Path(folder) / "postgres").use() as url:
            with connect(url) as connection:  # tables in use, which nothing was projected into
                migrate(connection)
                Store(connection, identity_of(SqliteLog(path)))
            done: list[int] = []
            began = time.perf_counter()

            def late() -> bool:
                return time.perf_counter() - began > plan.rebuild_seconds

            with Rebuild(
                SqliteLog(path),
                lambda schema: connect(url, schema=schema),
                progress=lambda progress, _: done.append(progress.events),
                stop=late,
            ) as rebuild:
                rebuild.prepare()
                whole = rebuild.load()
                seconds = time.perf_counter() - began
    loaded = max(done, default=0)
    assert loaded == events or not whole
    cut = () if whole else (f"Cut off after {plan.rebuild_seconds:.0f} s, before it was done with {events:,} events.",)
    return Section(
        "rebuild",
        "A rebuild, without verdicts, from a SQLite log",
        (
            {
                "": "loaded, then indexes made" if whole else "loaded",
                "events": loaded,
                "seconds": seconds,
                "events/s": loaded / seconds,
            },
        ),
        (),
        (f"{copies} copies of a devnet's 60 batteries. One worker, PostgreSQL on the same cores.", *cut),
    )


def write_copies(source: Path, target: Path, copies: int) -> int:
    """The log of a chain on which each battery is there so many times; returns how many events it has."""
    log = SqliteLog(source)
    end = log.end()
    assert end is not None
    blocks: dict[int, list[bytes]] = {}
    for line in canonical_lines(log, end.spine.height):
        event = msgspec.json.decode(line, type=CanonicalEvent)
        blocks.setdefault(event.height, []).append(bytes(event.event))
    log.close()
    profile = devnet_profile()
    opened = opened_step(
        network="devnet",
        network_magic=MAGIC,
        security_parameter=SECURITY_PARAMETER,
        deployments={profile.name: profile_digest(profile)},
        since="origin",
    )
    writer = SqliteLog(target).writer()
    stored = writer.append(opened)
    bodies = list(blocks.values())
    blocks_a_step = max(1, BLOCKS_A_STEP // copies)
    for first in range(0, len(bodies), blocks_a_step):
        stored = writer.append(_step(stored, first, bodies[first : first + blocks_a_step], copies))
    writer.close()
    return copies * sum(map(len, bodies))


def _step(previous: StoredSpine, first: int, bodies: list[list[bytes]], copies: int) -> Step:
    """A step of blocks that begin at height ``first``, each with these events for every copy."""
    entries = [
        BlockEntry(height, height * SLOTS_PER_BLOCK, block_id(height).decode())
        for height in range(first, first + len(bodies))
    ]
    placed: list[PlacedEvent] = []
    for entry, of_block in zip(entries, bodies, strict=True):
        events = [decode_event(_of_copy(body, copy)) for copy in range(copies) for body in of_block]
        moved = [replace(event, transaction_index=at) for at, event in enumerate(events)]
        placed += place(moved, entry, "2026-01-01T00:00:00Z", MAGIC)
    last = entries[-1]
    return forward_step(
        previous,
        blocks=entries,
        parent=block_id(first - 1).decode() if first else "genesis",
        boundaries={},
        tip=Tip(last.slot, last.id, last.height),
        security_parameter=SECURITY_PARAMETER,
        events=placed,
        retracted={},
    )


def _of_copy(body: bytes, copy: int) -> bytes:
    """An event of another battery: its hashes are others, and still fit each other."""
    return _HASH.sub(lambda found: b'"%s%08x"' % (found[1][:-8], int(found[1][-8:], 16) ^ copy), body)
