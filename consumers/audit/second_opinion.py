"""pycose, which shares no code with what verifies here: it parses with cbor2 and verifies with other libraries."""

from functools import cache
from typing import Any

import cbor2
import ecdsa
from coincurve import PublicKey
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from ecdsa.errors import MalformedPointError
from pycose.algorithms import CoseAlgorithm, EdDSA, Es256
from pycose.exceptions import CoseException
from pycose.keys import EC2Key, OKPKey
from pycose.keys.curves import P256, SECP256K1, Ed25519
from pycose.messages import Sign1Message

from projections.verdicts.signatures import Curve

_REFUSALS = (
    *(CoseException, InvalidSignature, MalformedPointError, cbor2.CBORDecodeError),
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
)
"""It has no single way to say no."""


@cache
def register_algorithms() -> None:
    """Pycose knows neither RFC 8812's ES256K nor the numbers of RFC 9864; its classes do all the same."""

    @CoseAlgorithm.register_attribute()
    class Es256k(Es256):  # type: ignore[misc]
        identifier = -47
        fullname = "ES256K"

        @classmethod
        def get_curve(cls) -> Any:
            return ecdsa.SECP256k1

    @CoseAlgorithm.register_attribute()
    class Esp256(Es256):  # type: ignore[misc]
        identifier = -9
        fullname = "ESP256"

    @CoseAlgorithm.register_attribute()
    class FullySpecifiedEd25519(EdDSA):  # type: ignore[misc]
        identifier = -19
        fullname = "ED25519_RFC9864"


def verified(cose: bytes, curve: Curve, key: bytes, external_aad: bytes = b"") -> bool:
    """Pycose's word for one message. Its keys are decompressed first: of compressed ones it gets half wrong."""
    register_algorithms()
    tagged = cose if cose[:1] == b"\xd2" else b"\xd2" + cose
    try:
        message: Any = Sign1Message.decode(tagged)
        message.key = _key(curve, key)
        message.external_aad = external_aad
        return bool(message.verify_signature())
    except _REFUSALS:
        return False


def _key(curve: Curve, key: bytes) -> Any:
    match curve:
        case "ed25519":
            return OKPKey(crv=Ed25519, x=key)
        case "secp256k1":
            point = PublicKey(key).format(compressed=False)
            return EC2Key(crv=SECP256K1, x=point[1:33], y=point[33:])
        case "p256":
            numbers = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key).public_numbers()
            return EC2Key(crv=P256, x=numbers.x.to_bytes(32, "big"), y=numbers.y.to_bytes(32, "big"))
