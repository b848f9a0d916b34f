"""One block as a mould: the feed links it anew at any height of a chain."""

from typing import Final

import msgspec
from msgspec import Struct

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
