"""Blocks for the bench: real ones, larger ones made of real transactions, and a devnet's."""

import random
from collections.abc import Sequence
from functools import cache

import msgspec
from msgspec import Struct

from deploy.devnet.deployment import Terms, profile_toml
from deploy.devnet.make import blocks
from deploy.devnet.maker import Maker, Plan
from deploy.devnet.network import Network
from indexer.protocol.profile import Profile, load_profile
from tests.recordings import preview_frames


class _Result(Struct, frozen=True):
    block: msgspec.Raw


class _Answer(Struct, frozen=True):
    result: _Result


def block_of(frame: bytes) -> bytes:
    """The JSON of the block in a nextBlock answer."""
    return bytes(msgspec.json.decode(frame, type=_Answer).result.block)


def real_blocks() -> list[bytes]:
    """The recorded preview run: 864 blocks, 2.8 kB mean."""
    return [block_of(frame) for frame in preview_frames()]


def heaviest(blocks: Sequence[bytes], count: int) -> list[bytes]:
    """The largest blocks of a run, in its order."""
    least = sorted(map(len, blocks), reverse=True)[:count][-1]
    return [block for block in blocks if len(block) >= least][:count]


def composed(blocks: Sequence[bytes], size_bytes: int, count: int, seed: int = 1) -> list[bytes]:
    """``count`` blocks of about a size, each an empty block of the run that was given transactions of others."""
    chance = random.Random(f"{size_bytes}/{seed}")
    empty = min(blocks, key=len)
    transactions = [
        bytes(each) for block in blocks for each in msgspec.json.decode(block, type=_Transactions).transactions
    ]
    made = []
    for _ in range(count):
        chance.shuffle(transactions)
        taken: list[bytes] = []
        room = size_bytes - len(empty)
        for each in transactions:
            if len(each) < room:
                taken.append(each)
                room -= len(each) + 1
        made.append(empty.replace(b'"transactions":[]', b'"transactions":[' + b",".join(taken) + b"]", 1))
    return made


class _Transactions(Struct, frozen=True):
    transactions: tuple[msgspec.Raw, ...] = ()


@cache
def devnet_blocks(batteries: int, days: int) -> list[bytes]:
    """A devnet's blocks that hold transactions, in order: what a deployment does, and some of others' doing."""
    maker = Maker(Plan(batteries=batteries))
    return [block.json for block in blocks(maker, days * 86_400) if block.transactions]


def devnet_profile() -> Profile:
    return load_profile(profile_toml(Network(), Terms()), "the devnet's profile")
