"""Payment keys of the devnet's people, and their addresses. All follow from the seed."""

from hashlib import blake2b

from nacl.signing import SigningKey

from deploy.devnet.element import secret
from indexer.protocol.address import read_address, to_bech32

_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def hash28(content: bytes) -> bytes:
    """blake2b-224: key hashes, script hashes, stake keys."""
    return blake2b(content, digest_size=28).digest()


def address_bytes(text: str) -> bytes:
    """What a bech32 address stands for. Raises ValueError for any other text."""
    read = read_address(text)
    if read.fault or read.form in ("byron", "malformed"):
        raise ValueError(read.fault or f"a {read.form} address")
    data = text.rpartition("1")[2][:-6]
    groups = [_BECH32.index(letter) for letter in data]
    number = 0
    for group in groups:
        number = number << 5 | group
    return (number >> len(groups) * 5 % 8).to_bytes(len(groups) * 5 // 8)


class Place:
    """An address, as bytes for a body and as bech32 for Ogmios."""

    __slots__ = ("raw", "text")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.text = to_bech32("addr" if raw[0] & 15 else "addr_test", raw)


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


def script_place(script_hash: bytes, network: int = 0) -> Place:
    """The address of a script without a stake part (CIP-19, header type 7); network 0 is a test network, 1 mainnet."""
    return Place(bytes((0x70 | network,)) + script_hash)
