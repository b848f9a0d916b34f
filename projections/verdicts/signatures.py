"""Signatures: whether a key signed a message, by the mathematics and by the ledger's own built-ins. Pure."""

from functools import lru_cache
from hashlib import sha256
from typing import Final, Literal

from coincurve import PublicKey
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from msgspec import Struct
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

Curve = Literal["secp256k1", "ed25519", "p256"]

CURVES: Final[dict[int, Curve]] = {-47: "secp256k1", -8: "ed25519", -19: "ed25519", -7: "p256", -9: "p256"}
"""COSE algorithm number -> curve. EdDSA (-8) and Ed25519 (-19) are one algorithm, ES256 (-7) and ESP256 (-9) too."""

SIGNATURE_BYTES: Final = 64
COMPRESSED_BYTES: Final = 33
ED25519_KEY_BYTES: Final = 32
DIGEST_BYTES: Final = 32

SECP256K1_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
MISMATCH: Final = "signature_mismatch"
_KEYS_KEPT: Final = 4_096  # to decompress a key costs a third of a verification

Answer = Literal["true", "false", "error"]
"""What a built-in gives a script: an error ends the script, and its transaction fails."""


class Signature(Struct, frozen=True):
    """What verification says. ``low_s`` is None where the question makes no sense: another curve, or no signature."""

    valid: bool
    reason: str = ""  # why it is not valid; a stable code
    low_s: bool | None = None


def verify(curve: Curve, key: bytes, message: bytes, signature: bytes) -> Signature:
    """Whether ``key`` signed ``message``: ECDSA over its SHA-256, or PureEdDSA over all of it (RFC 9053 section 2).

    ``key`` is 33 bytes (compressed SEC1) or 32 (Ed25519), ``signature`` 64: r || s. COSE knows no rule for the size of
    s: of a high one (r, n - s) is verified, and ``low_s`` says which of the two it was. Never raises.
    """
    match curve:
        case "ed25519":
            fault = _size_fault(key, signature, ED25519_KEY_BYTES)
            return fault or _signed(_ed25519(key, message, signature))
        case "secp256k1":
            return _ecdsa(key, sha256(message).digest(), signature)
        case "p256":
            return _size_fault(key, signature, COMPRESSED_BYTES) or _p256(key, message, signature)


def ledger_ecdsa_secp256k1(key: bytes, digest: bytes, signature: bytes) -> Answer:
    """The built-in verifyEcdsaSecp256k1Signature (CIP-49): 33 bytes, 32, 64. A high s is false, a bad size an error."""
    if (len(key), len(digest), len(signature)) != (COMPRESSED_BYTES, DIGEST_BYTES, SIGNATURE_BYTES):
        return "error"
    point = _point(key)
    r, s = _halves(signature)
    if point is None or r >= SECP256K1_ORDER or s >= SECP256K1_ORDER:
        return "error"
    return "true" if point.verify(encode_dss_signature(r, s), digest, hasher=None) else "false"


def ledger_ed25519(key: bytes, message: bytes, signature: bytes) -> Answer:
    """The built-in verifyEd25519Signature: 32 bytes, any, 64. By libsodium's rules, as in the node."""
    if (len(key), len(signature)) != (ED25519_KEY_BYTES, SIGNATURE_BYTES):
        return "error"
    return "true" if _ed25519(key, message, signature) else "false"


def as_the_ledger_answers(signature: Signature) -> Answer:
    """What the curve's built-in gives for what ``verify`` said of the same bytes: no need to verify them again."""
    if signature.valid:
        return "false" if signature.low_s is False else "true"
    return "false" if signature.reason == MISMATCH else "error"


def compressed(key: bytes) -> bytes | None:
    """A secp256k1 or P-256 point of 65 bytes (04, x, y) as its 33; other keys as they are, None for no key's length."""
    if len(key) == 65 and key[0] == 4:
        return bytes((2 + (key[64] & 1),)) + key[1:33]
    return key if len(key) in (ED25519_KEY_BYTES, COMPRESSED_BYTES) else None


def on_curve(curve: Curve, key: bytes) -> bool:
    """Whether the bytes are a public key of the curve. Of Ed25519 only the length is looked at, as libsodium does."""
    match curve:
        case "ed25519":
            return len(key) == ED25519_KEY_BYTES
        case "secp256k1":
            return len(key) == COMPRESSED_BYTES and _point(key) is not None
        case "p256":
            return len(key) == COMPRESSED_BYTES and _p256_key(key) is not None


def _signed(valid: bool, low_s: bool | None = None) -> Signature:
    return Signature(valid=valid, reason="" if valid else MISMATCH, low_s=low_s)


def _size_fault(key: bytes, signature: bytes, key_bytes: int) -> Signature | None:
    if len(signature) != SIGNATURE_BYTES:
        return Signature(valid=False, reason="signature_not_64_bytes")
    return None if len(key) == key_bytes else Signature(valid=False, reason="key_length")


def _halves(signature: bytes) -> tuple[int, int]:
    return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")


def _ecdsa(key: bytes, digest: bytes, signature: bytes) -> Signature:
    fault = _size_fault(key, signature, COMPRESSED_BYTES)
    if fault is not None:
        return fault
    point = _point(key)
    if point is None:
        return Signature(valid=False, reason="key_not_on_curve")
    r, s = _halves(signature)
    if r >= SECP256K1_ORDER or s >= SECP256K1_ORDER:
        return Signature(valid=False, reason="signature_out_of_range")
    low_s = s <= SECP256K1_ORDER // 2
    # libsecp256k1 takes low ones only.
    der = encode_dss_signature(r, s if low_s else SECP256K1_ORDER - s)
    return _signed(point.verify(der, digest, hasher=None), low_s)


def _ed25519(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        crypto_sign_open(signature + message, key)
    except BadSignatureError:
        return False
    return True


def _p256(key: bytes, message: bytes, signature: bytes) -> Signature:
    public = _p256_key(key)
    if public is None:
        return Signature(valid=False, reason="key_not_on_curve")
    try:
        public.verify(encode_dss_signature(*_halves(signature)), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return _signed(valid=False)
    return _signed(valid=True)


@lru_cache(maxsize=_KEYS_KEPT)
def _point(key: bytes) -> PublicKey | None:
    try:
        return PublicKey(key)
    except ValueError:
        return None


@lru_cache(maxsize=_KEYS_KEPT)
def _p256_key(key: bytes) -> ec.EllipticCurvePublicKey | None:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    except ValueError:
        return None
