"""A devnet's labelled frauds in a log and in tables: what the twenty-five queries are checked against."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from msgspec import Struct

from deploy.devnet.deployment import Terms, profile_toml
from deploy.devnet.network import Network
from deploy.postgres import EmbeddedPostgres
from indexer.events import ChainEvent
from indexer.log.records import BlockEntry
from indexer.log.steps import place
from indexer.protocol.profile import Profile, load_profile
from projections.database import connect
from projections.fleet import run_fleet
from projections.judging import Judging
from projections.migrate import migrate
from projections.roles import make_roles
from tests.judge.made import Chain, Kind, Sizes, make
from tests.postgres import fresh_database
from tests.projections.chain import Block, Life, TestChain, hash32
from tests.projections.tables import project

BLOCKS_IN_A_STEP = 60
SMALL = Sizes(seed=7, batteries=10, days=24, reading_hours=11.0, fraud_share=0.35)


class Labelled(Struct, frozen=True):
    """A chain of frauds, and tables that hold it."""

    url: str
    made: Chain
    chain: TestChain

    @property
    def last_slot(self) -> int:
        return self.chain.blocks[-1].entry.slot

    def labels(self, *names: str) -> list[dict[str, Any]]:
        """Labels of these frauds."""
        return [label for label in self.made.labels if label.get("fraud") in names]


class _OfDevnet(Life):
    def __init__(self, profile: Profile) -> None:
        super().__init__(0, 0)
        self.profile = profile


def profile_of(kind: Kind) -> Profile:
    return load_profile(profile_toml(Network(), Terms(), weak=kind == "weak"), "devnet.toml")


def blocks_of(made: Chain) -> list[Block]:
    """The made chain's blocks that say something, numbered from 1."""
    blocks: list[Block] = []
    for height, (_, group) in enumerate(groupby(made.facts, key=lambda each: each[0].height), 1):
        facts = [fact for fact, _ in group]
        entry = BlockEntry(height, facts[0].slot, hash32("block", height))
        events: list[ChainEvent] = [fact.event for fact in facts]
        time = Network().time_of(entry.slot).isoformat().replace("+00:00", "Z")
        parent = blocks[-1].entry.id if blocks else "genesis"
        blocks.append(Block(entry, parent, tuple(place(events, entry, time, 42)), time))
    return blocks


@contextmanager
def logged(folder: Path, url: str, kind: Kind, blocks: list[Block]) -> Iterator[TestChain]:
    """A log of these blocks, several in a step, and tables that hold it with its verdicts."""
    profile = profile_of(kind)
    with connect(url) as connection:
        migrate(connection)
        make_roles(connection)
    with closing(TestChain(folder / "log.db", _OfDevnet(profile))) as chain:
        for start in range(0, len(blocks), BLOCKS_IN_A_STEP):
            chain.forward(blocks[start : start + BLOCKS_IN_A_STEP])
        project(chain.log, url, judging=Judging({profile.name: profile}))
        with connect(url) as connection:
            connection.execute("ANALYZE")  # as a server of its own does after a minute
        yield chain


@contextmanager
def labelled(postgres: EmbeddedPostgres, folder: Path, kind: Kind = "weak", sizes: Sizes = SMALL) -> Iterator[Labelled]:
    """Makes the chain, projects it in several steps with its verdicts, and judges its fleet."""
    made = make(kind, sizes)
    url = fresh_database(postgres)
    with logged(folder, url, kind, blocks_of(made)) as chain:
        profile = profile_of(kind)
        with connect(url) as connection:
            run_fleet(connection, Judging({profile.name: profile}))
        yield Labelled(url, made, chain)
