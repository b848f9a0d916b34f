"""A Merkle tree over the digests of a log's steps: proves that a step is in a log without showing all the others.

Leaves and nodes are hashed as RFC 9162 section 2.1 has it, with blake2b-256 as everywhere in the log. Pure.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

HASH_BYTES: Final = 32


def leaf_hash(step_digest: str) -> bytes:
    """A leaf: the digest of a step (32 bytes, hex) under the prefix 0."""
    return _hash(b"\x00" + bytes.fromhex(step_digest))


class Tree:
    """The tree of steps 0 to n - 1. Holds 64 bytes a step: half a gigabyte for eight million."""

    def __init__(self, step_digests: Iterable[str]) -> None:
        level = bytearray()
        for each in step_digests:
            level += leaf_hash(each)
        if not level:
            raise ValueError("a log has at least one step")
        self._levels = [bytes(level)]
        while len(self._levels[-1]) > HASH_BYTES:
            self._levels.append(_above(self._levels[-1]))

    @property
    def size(self) -> int:
        return len(self._levels[0]) // HASH_BYTES

    @property
    def root(self) -> str:
        return self._levels[-1].hex()

    def path(self, step: int) -> tuple[str, ...]:
        """The hashes beside the way from a step's leaf up to the root, lowest first."""
        path = []
        for level in self._levels[:-1]:
            beside = level[(step ^ 1) * HASH_BYTES : ((step ^ 1) + 1) * HASH_BYTES]
            if beside:
                path.append(beside.hex())
            step //= 2
        return tuple(path)


def root_of_path(step_digest: str, step: int, size: int, path: Sequence[str]) -> str | None:
    """The root that a path leads to in a tree of ``size`` steps; None where it has not as many hashes as it must."""
    if not 0 <= step < size:
        return None
    found, left, width = leaf_hash(step_digest), list(path), size
    while width > 1:
        if step ^ 1 < width:
            if not left:
                return None
            beside = bytes.fromhex(left.pop(0))
            found = _hash(b"\x01" + (beside + found if step % 2 else found + beside))
        step, width = step // 2, (width + 1) // 2
    return None if left else found.hex()


def _above(level: bytes) -> bytes:
    """The next level: each pair under one node. An odd one out goes up as it is."""
    nodes = bytearray()
    for at in range(0, len(level), 2 * HASH_BYTES):
        pair = level[at : at + 2 * HASH_BYTES]
        nodes += _hash(b"\x01" + pair) if len(pair) > HASH_BYTES else pair
    return bytes(nodes)


def _hash(content: bytes) -> bytes:
    return blake2b(content, digest_size=HASH_BYTES).digest()
