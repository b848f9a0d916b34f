"""What the log gets of a devnet chain with every kind of transaction."""

import tempfile
from functools import lru_cache
from pathlib import Path

from deploy.devnet.deployment import Terms, profile_toml
from deploy.devnet.maker import Plan
from deploy.devnet.network import Network
from deploy.devnet.recording import read_lines
from deploy.devnet.write import write_chain
from indexer.chain import Block, RollForward
from indexer.decode import decode
from indexer.events import ChainEvent
from indexer.ogmios.messages import read_block
from indexer.protocol.profile import load_profile


@lru_cache
def devnet_events() -> tuple[ChainEvent, ...]:
    profile = load_profile(profile_toml(Network(), Terms()), "devnet.toml")
    events: list[ChainEvent] = []
    with tempfile.TemporaryDirectory() as folder:
        chain = Path(folder) / "chain.ndjson.zst"
        write_chain(
            Plan(seed=1, batteries=20, reading_interval_slots=600), 0.001, chain, Path(folder) / "labels.ndjson"
        )
        for _, line in read_lines(chain):
            message = read_block(line)
            assert isinstance(message, RollForward)
            assert isinstance(message.block, Block)
            events += decode(message.block, [profile])
    return tuple(events)
