"""Blocks of our own: a header with every field that Ogmios shows, and an id that is the header's true hash.

The header follows the Babbage CDDL (``header_body``). Nobody ran for leadership: VRF output, proof and certificate are
deterministic filler of the right lengths, so a client that checks them (none does) would refuse them.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import cbor2
from msgspec import Struct

GENESIS: Final = "genesis"
"""What the first block's ``ancestor`` says."""

_POOLS: Final = 12
_KES_PERIOD_SLOTS: Final = 129_600
_PROTOCOL: Final = (10, 0)


def digest(*parts: bytes, size: int = 32) -> bytes:
    """blake2b of the parts joined; 32 bytes unless told."""
    return blake2b(b"".join(parts), digest_size=size).digest()


def filler(label: str, size: int) -> bytes:
    """``size`` deterministic bytes that look random."""
    return b"".join(digest(f"{label}/{part}".encode(), size=64) for part in range(-(-size // 64)))[:size]


class Header(Struct, frozen=True):
    """What a chain must know of a block to link and find it."""

    id: str  # blake2b-256 of the header, hex
    height: int
    slot: int
    ancestor: str  # the parent's id, or "genesis"


class BlockTransaction(Struct, frozen=True):
    """A transaction as a block carries it."""

    id: str
    json: bytes  # as Ogmios writes it, in the shape of one version
    size: int  # bytes of its CBOR


class Pool(Struct, frozen=True):
    """A stake pool's keys, as every one of its blocks shows them."""

    cold: bytes
    vrf: bytes
    hot: bytes
    sigma: bytes


def _pool(number: int) -> Pool:
    name = f"pool/{number}"
    return Pool(
        filler(f"{name}/cold", 32), filler(f"{name}/vrf", 32), filler(f"{name}/hot", 32), filler(f"{name}/sigma", 64)
    )


POOLS: Final = tuple(_pool(number) for number in range(_POOLS))


def make_block(
    *, parent: Header | None, height: int, slot: int, transactions: Sequence[BlockTransaction], salt: bytes = b""
) -> tuple[Header, bytes]:
    """A block on top of ``parent`` (None: the first of its chain), and its JSON as Ogmios shows it.

    ``salt`` tells two branches apart that would hold the same transactions at the same slots.
    """
    seed = digest(salt, bytes.fromhex(parent.id) if parent else b"", slot.to_bytes(8))
    pool = POOLS[seed[0] % _POOLS]
    output = digest(seed, b"output", size=64)
    proof = digest(seed, b"proof", size=64) + seed[:16]
    body_hash = digest(*(bytes.fromhex(transaction.id) for transaction in transactions))
    body_size = 4 + sum(transaction.size for transaction in transactions)
    period = slot // _KES_PERIOD_SLOTS
    header = cbor2.dumps(
        [
            height,
            slot,
            bytes.fromhex(parent.id) if parent else None,
            pool.cold,
            pool.vrf,
            [output, proof],
            body_size,
            body_hash,
            [pool.hot, 3, period, pool.sigma],
            list(_PROTOCOL),
        ]
    )
    identity = digest(header).hex()
    ancestor = parent.id if parent else GENESIS
    text = (
        f'{{"type":"praos","era":"conway","id":"{identity}","ancestor":"{ancestor}","height":{height},"slot":{slot},'
        f'"size":{{"bytes":{body_size}}},'
        f'"protocol":{{"version":{{"major":{_PROTOCOL[0]},"minor":{_PROTOCOL[1]}}}}},'
        f'"issuer":{{"verificationKey":"{pool.cold.hex()}","vrfVerificationKey":"{pool.vrf.hex()}",'
        f'"operationalCertificate":{{"count":3,"kes":{{"period":{period},"verificationKey":"{pool.hot.hex()}"}},'
        f'"sigma":"{pool.sigma.hex()}"}},"leaderValue":{{"output":"{output.hex()}","proof":"{proof.hex()}"}}}}'
    ).encode()
    # Ogmios writes the list of transactions even where it is empty, in v6 and v7 alike.
    text += b',"transactions":[' + b",".join(transaction.json for transaction in transactions) + b"]}"
    return Header(identity, height, slot, ancestor), text
