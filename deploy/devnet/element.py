"""A secure element in software: it holds a key, counts, and signs readings as COSE_Sign1. Keys follow from a seed."""

from collections.abc import Mapping
from hashlib import blake2b, sha256
from typing import Final, Literal

import cbor2
from coincurve import PrivateKey
from nacl.signing import SigningKey

Algorithm = Literal[-47, -8, -19]
"""COSE numbers: ES256K, EdDSA, Ed25519 (the last two are one algorithm)."""

ES256K: Final = -47
SCHEMA_VERSION: Final = 2

State = Mapping[int, int | list[int]]
"""A reading's state by the keys of protocol.md section 4, in ascending order."""


def secret(seed: str) -> bytes:
    """32 secret bytes that follow from a text. Good for a devnet, for nothing else."""
    return blake2b(f"cellwitness devnet/{seed}".encode(), digest_size=32).digest()


def sig_structure(protected: bytes, payload: bytes) -> bytes:
    """What a COSE_Sign1 signs. RFC 9052 section 4.4, without external data."""
    return cbor2.dumps(["Signature1", protected, b"", payload])


def reading_payload(battery_id: bytes, challenge: bytes, counter: int, state: State) -> bytes:
    """The signed bytes of a reading: deterministic CBOR, its keys in order already (RFC 8949 section 4.2.1)."""
    return cbor2.dumps(
        {1: battery_id, 2: challenge, 3: counter, 4: dict(sorted(state.items())), 5: SCHEMA_VERSION}, canonical=True
    )


def cose_sign1(protected: bytes, payload: bytes, signature: bytes, *, tagged: bool = True) -> bytes:
    """The envelope (RFC 9052 section 4.2), with tag 18 unless told."""
    message = [protected, {}, payload, signature]
    return cbor2.dumps(cbor2.CBORTag(18, message) if tagged else message)


class SecureElement:
    """One chip. Its counter only grows: a reading that never reached the chain leaves a gap behind."""

    def __init__(self, seed: str, algorithm: Algorithm = ES256K, *, key: bytes | None = None) -> None:
        """Its 32 secret bytes follow from the seed, unless they are given."""
        key = secret(seed) if key is None else key
        self.algorithm: Algorithm = algorithm
        self.counter = 0  # of the next reading
        self._key = key
        self._protected = cbor2.dumps({1: algorithm})
        self._ecdsa = PrivateKey(key) if algorithm == ES256K else None
        self._eddsa = None if self._ecdsa else SigningKey(key)

    @property
    def public_key(self) -> bytes:
        """33 bytes compressed SEC1, or 32 bytes Ed25519."""
        if self._ecdsa is not None:
            return self._ecdsa.public_key.format(compressed=True)
        assert self._eddsa is not None
        return bytes(self._eddsa.verify_key)

    def tap(self, battery_id: bytes, challenge: bytes, state: State) -> bytes:
        """A signed reading (COSE_Sign1, tag 18), bound to the transaction id that is its challenge."""
        payload = reading_payload(battery_id, challenge, self.counter, state)
        self.counter += 1
        return self.sign(payload)

    def sign(self, payload: bytes) -> bytes:
        """A COSE_Sign1 of any payload, the counter left alone: what only a thief of the key can have."""
        signature = self._sign(sig_structure(self._protected, payload))
        return cose_sign1(self._protected, payload, signature)

    def clone(self) -> "SecureElement":
        """A second chip with the same key: it counts on from here by itself."""
        twin = SecureElement("", self.algorithm, key=self._key)
        twin.counter = self.counter
        return twin

    def _sign(self, message: bytes) -> bytes:
        """64 bytes: r || s with a low s, or an Ed25519 signature."""
        if self._ecdsa is not None:
            # libsecp256k1 gives the low s; the last byte only helps to recover the key.
            return self._ecdsa.sign_recoverable(sha256(message).digest(), hasher=None)[:64]
        assert self._eddsa is not None
        return self._eddsa.sign(message).signature
