"""A devnet's chain as facts: true transactions, true signatures, decoded as a follower decodes them."""

from collections.abc import Iterator
from functools import lru_cache

from msgspec.structs import replace

from deploy.devnet.deployment import Terms, profile_toml
from deploy.devnet.make import blocks
from deploy.devnet.maker import Maker, Plan
from deploy.devnet.network import Network
from indexer.chain import Block, RollForward
from indexer.decode import decode
from indexer.events import ChainEvent
from indexer.ogmios.messages import read_block
from indexer.protocol.profile import Profile, load_profile
from projections.facts import Fact
from projections.rules.thresholds import ThresholdBook
from projections.verdicts.fold import EMPTY, Judged, State, fold

DAY = 86_400


@lru_cache
def profile() -> Profile:
    return load_profile(profile_toml(Network(), Terms()), "devnet.toml")


def fact(event: ChainEvent, slot: int, height: int) -> Fact:
    return Fact(event, f"{height:064x}", f"{height:064x}", slot, height, f"{height:064x}", "2026-01-01T00:00:00Z")


@lru_cache
def facts(*, seed: int = 11, batteries: int = 12, days: int = 120, reading_days: float = 2.0) -> tuple[Fact, ...]:
    """Everything that such a chain states, in its order."""
    plan = Plan(seed=seed, batteries=batteries, reading_interval_slots=int(reading_days * DAY))
    found: list[Fact] = []
    for made in blocks(Maker(plan), days * DAY):
        message = read_block(b'{"jsonrpc":"2.0","method":"nextBlock","result":' + _result(made.json) + b"}")
        assert isinstance(message, RollForward)
        block = message.block
        assert isinstance(block, Block)
        found += (fact(event, block.point.slot, block.height) for event in decode(block, [profile()]))
    return tuple(found)


def _result(block: bytes) -> bytes:
    return b'{"direction":"forward","block":' + block + b',"tip":{"slot":1,"id":"' + b"00" * 32 + b'","height":1}}'


def judged(
    stated: tuple[Fact, ...], book: ThresholdBook | None = None, to: Profile | None = None
) -> Iterator[tuple[Fact, State, Judged]]:
    """Each fact with the state before it and what the fold says; batteries apart, as a projection keeps them."""
    states: dict[str, State] = {}
    for each in stated:
        before = states.get(each.event.battery_key, EMPTY)
        states[each.event.battery_key], said = fold(before, each, to or profile(), book or ThresholdBook())
        yield each, before, said


def changed(stated: Fact, **changes: object) -> Fact:
    return replace(stated, event=replace(stated.event, **changes))
