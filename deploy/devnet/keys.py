"""Payment keys of the devnet's people, and their addresses. All follow from the seed."""

from hashlib import blake2b

from nacl.signing import SigningKey

from deploy.devnet.element import secret
from indexer.protocol.address import to_bech32


def hash28(content: bytes) -> bytes:
    """blake2b-224: key hashes, script hashes, stake keys."""
    return blake2b(content, digest_size=28).digest()


class Place:
    """An address, as bytes for a body and as bech32 for Ogmios. Test networks only."""

    __slots__ = ("raw", "text")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.text = to_bech32("addr_test", raw)


class Key:
    """An Ed25519 key and its base address (CIP-19, header type 0)."""

    def __init__(self, seed: str) -> None:
        self._key = SigningKey(secret(f"key/{seed}"))
        self.public = bytes(self._key.verify_key)
        self.hash = hash28(self.public)
        self.place = Place(b"\x00" + self.hash + hash28(secret(f"stake/{seed}")))

    def sign(self, body_hash: bytes) -> bytes:
        """64 bytes over a transaction id."""
        return self._key.sign(body_hash).signature


def script_place(script_hash: bytes) -> Place:
    """The address of a script without a stake part (CIP-19, header type 7)."""
    return Place(b"\x70" + script_hash)
