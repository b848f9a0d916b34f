"""Which partition a key belongs to: as Kafka's Java client and ksqlDB choose it, so that other tools co-partition."""

from functools import lru_cache
from typing import Final

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_WORD: Final = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """32-bit murmur2, as a signed integer. Source: org.apache.kafka.common.utils.Utils.murmur2."""
    length = len(data)
    h = _SEED ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _WORD
        k = (k ^ k >> 24) * _M & _WORD
        h = h * _M & _WORD ^ k
    if whole != length:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _WORD
    h = (h ^ h >> 13) * _M & _WORD
    h ^= h >> 15
    return h - (1 << 32) if h >> 31 else h


@lru_cache(maxsize=65_536)  # a key is hashed once an event, and a fleet has fewer keys than events
def partition_of(key: str, partitions: int) -> int:
    """The partition of a key, from 0. Source: the Java client's default partitioner, ``toPositive(murmur2) % n``."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
