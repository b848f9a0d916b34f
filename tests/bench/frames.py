"""Frames for the bench: real blocks linked anew into chains of any length, and larger ones of real transactions."""

import random
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from deploy.devnet.deployment import Terms, profile_toml
from deploy.devnet.make import blocks
from deploy.devnet.maker import Maker, Plan
from deploy.devnet.network import Network
from indexer.protocol.profile import Profile, load_profile
from tests.recordings import preview_frames

SLOTS_PER_BLOCK: Final = 20


def block_id(height: int) -> bytes:
    """The id of a block in a made chain: its height, in 32 bytes of hex."""
    return b"%064x" % height


class Header(Struct, frozen=True):
    """What links a block, in the order of the JSON's own keys or another."""

    id: str
    ancestor: str
    height: int
    slot: int


class _Result(Struct, frozen=True):
    block: msgspec.Raw


class _Answer(Struct, frozen=True):
    result: _Result


class Template:
    """A block that can stand at any height: id, ancestor, height and slot are filled in, all else stays as it was."""

    def __init__(self, block: bytes) -> None:
        header = msgspec.json.decode(block, type=Header)
        text = block.replace(b"%", b"%%")
        for found, field in (
            (f'"id":"{header.id}"', b'"id":"%(id)b"'),
            (f'"ancestor":"{header.ancestor}"', b'"ancestor":"%(ancestor)b"'),
            (f'"height":{header.height},', b'"height":%(height)d,'),
            (f'"slot":{header.slot},', b'"slot":%(slot)d,'),
        ):
            assert found.encode() in text, f"{found} is not in the block's JSON"
            text = text.replace(found.encode(), field, 1)
        head = b'{"jsonrpc":"2.0","method":"nextBlock","result":{"direction":"forward","block":'
        tip = b'"tip":{"slot":%(tip_slot)d,"id":"%(tip_id)b","height":%(tip_height)d}'
        self._text = head + text + b"," + tip + b'},"id":null}'

    def message(self, height: int, tip_height: int) -> bytes:
        """The nextBlock answer with this block at a height, from 0, of a chain whose tip has ``tip_height``."""
        return self._text % {
            b"id": block_id(height),
            b"ancestor": block_id(height - 1) if height else b"genesis",
            b"height": height,
            b"slot": height * SLOTS_PER_BLOCK,
            b"tip_id": block_id(tip_height),
            b"tip_slot": tip_height * SLOTS_PER_BLOCK,
            b"tip_height": tip_height,
        }


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


def devnet_blocks(batteries: int, days: int) -> list[bytes]:
    """A devnet's blocks that hold transactions, in order: what a deployment does, and some of others' doing."""
    maker = Maker(Plan(batteries=batteries))
    return [block.json for block in blocks(maker, days * 86_400) if block.transactions]


def devnet_profile() -> Profile:
    return load_profile(profile_toml(Network(), Terms()), "the devnet's profile")
