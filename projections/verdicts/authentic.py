"""Whether a battery management system signed a reading: the envelope, the algorithm, the signature. Pure.

What ``cellwitness verify`` asks of one file, and the crypto verdict of every reading on chain.
"""

from collections.abc import Collection
from typing import Final

from msgspec import Struct

from indexer.events import CoseView
from indexer.protocol.cose import ALGORITHMS, MALFORMED, MALFORMED_PAYLOAD, sig_structure
from projections.verdicts.signatures import (
    CURVES,
    ED25519_KEY_BYTES,
    Curve,
    Signature,
    as_the_ledger_answers,
    verify,
)

ALL_ALGORITHMS: Final = frozenset(ALGORITHMS)
_NO_MESSAGE: Final = frozenset(("no_payload", "algorithm_missing", "algorithm_not_a_number"))
"""Legal COSE without which there is nothing to verify: a detached payload, no algorithm under the signature's cover."""

NO_SIGNATURE: Final = Signature(valid=False, reason="nothing_to_verify")


class Authenticity(Struct, frozen=True):
    """Whether a key signed a reading. Each part has reason codes of its own, and is sound where it has none."""

    structure: tuple[str, ...]  # what makes it no sound message, whatever its signature
    algorithm: tuple[str, ...]
    signature: Signature
    remarks: tuple[str, ...]  # legal, and worth saying: untagged, high_s, not_deterministic, legacy_…

    @property
    def authentic(self) -> bool:
        """Whether this key signed these bytes, and they are sound."""
        return not self.structure and not self.algorithm and self.signature.valid


def structure_faults(view: CoseView) -> tuple[str, ...]:
    """Departures by which a message is refused before its signature is looked at; duplicates and trailing bytes too."""
    refused = MALFORMED | MALFORMED_PAYLOAD | _NO_MESSAGE
    faults = [departure for departure in view.departures if departure in refused]
    if view.unreadable is not None and view.unreadable not in faults:
        faults.append(view.unreadable)
    return tuple(faults)


def curve_of_key(key: bytes, key_algorithm: int | None, header_algorithm: int | None) -> Curve | None:
    """The curve that a key is on. 33 bytes don't tell: the registered algorithm does, or else the header's."""
    if len(key) == ED25519_KEY_BYTES:
        return "ed25519"
    named = CURVES.get(key_algorithm if key_algorithm is not None else header_algorithm or 0)
    return named if named in ("secp256k1", "p256") else None


def authenticity(
    view: CoseView, key: bytes, key_algorithm: int | None = None, allowed: Collection[int] = ALL_ALGORITHMS
) -> Authenticity:
    """Whether ``key`` signed the message that ``view`` shows.

    ``key`` is 33 bytes compressed or 32 of Ed25519; ``key_algorithm`` is the COSE number it is registered with, and
    ``allowed`` are those that the deployment accepts.
    """
    structure = structure_faults(view)
    reasons = algorithm_faults(view, key, key_algorithm, allowed)
    curve = CURVES.get(view.algorithm or 0)
    message = signed_bytes(view)
    if message is None or curve is None:
        signature = NO_SIGNATURE
    else:
        signature = verify(curve, key, message, bytes.fromhex(view.signature or ""))
    return Authenticity(structure, reasons, signature, _remarks(view, signature))


def algorithm_faults(
    view: CoseView, key: bytes, key_algorithm: int | None, allowed: Collection[int]
) -> tuple[str, ...]:
    """What is wrong with the header's algorithm: none, not known, not allowed here, or not the key's."""
    if view.algorithm is None:
        return ("algorithm_missing",)
    if view.algorithm not in CURVES:
        return ("algorithm_unknown",)
    faults = [] if view.algorithm in allowed else ["algorithm_not_allowed"]
    if CURVES[view.algorithm] != curve_of_key(key, key_algorithm, view.algorithm):
        faults.append("algorithm_not_of_key")
    return tuple(faults)


def signed_bytes(view: CoseView) -> bytes | None:
    """The bytes that the signature covers, the protected header as received; None where parts are missing."""
    if view.protected is None or view.payload is None or view.signature is None:
        return None
    return sig_structure(bytes.fromhex(view.protected), bytes.fromhex(view.payload))


def ledger_says(view: CoseView, key: bytes, key_algorithm: int | None, found: Authenticity) -> tuple[bool | None, str]:
    """Whether the ledger's built-in for this key accepts the message, and why not; None where it has no built-in.

    The contract knows the key alone, and a key of 33 bytes is secp256k1's to it, unless it is registered for P-256.
    ``found`` is what ``authenticity`` said of the same message and key.
    """
    faults = [departure for departure in view.departures if departure in MALFORMED | _NO_MESSAGE]
    if faults or None in (view.protected, view.payload, view.signature):
        return False, faults[0] if faults else view.unreadable or "nothing_to_verify"
    if len(key) != ED25519_KEY_BYTES and CURVES.get(key_algorithm or 0) == "p256":
        return None, "no_builtin_for_p256"
    curve = "ed25519" if len(key) == ED25519_KEY_BYTES else "secp256k1"
    if CURVES.get(view.algorithm or 0) != curve:
        return False, "algorithm_not_of_key"
    answer = as_the_ledger_answers(found.signature)
    return answer == "true", "" if answer == "true" else f"builtin_{answer}"


def _remarks(view: CoseView, signature: Signature) -> tuple[str, ...]:
    remarks = []
    if not view.tagged and view.protected is not None:
        remarks.append("untagged")
    if not view.deterministic and view.payload is not None:
        remarks.append("not_deterministic")
    if signature.low_s is False:
        remarks.append("high_s_twin_valid" if signature.valid else "high_s")
    remarks += [departure for departure in view.departures if departure.startswith("legacy_")]
    remarks += [d for d in ("unprotected_not_empty", "protected_has_more_than_alg") if d in view.departures]
    return tuple(remarks)
