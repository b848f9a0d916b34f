"""COSE_Sign1 messages (RFC 9052 section 4.2), taken apart by the letter."""

from hashlib import sha256
from typing import Final

from indexer.events import CoseView
from indexer.protocol import cbor
from indexer.protocol.cbor import Malformed, Map, Tagged, Value, write_bytes, write_head
from indexer.protocol.reading import read_json_draft, read_payload

SIGN1_TAG: Final = 18
SIGNATURE_BYTES: Final = 64
ENVELOPE: Final = ("protected", "unprotected", "payload", "signature")
"""The parts of a COSE_Sign1, in their order."""

ALGORITHMS: Final = {-47: "ES256K", -8: "EdDSA", -19: "Ed25519", -7: "ES256", -9: "ESP256"}
"""COSE numbers of the algorithms that the protocol knows (RFC 9053, 8812, 9864)."""

# Common header parameters, RFC 9052 section 3.1.
ALG: Final = 1
CRIT: Final = 2
CONTENT_TYPE: Final = 3
KID: Final = 4
IV: Final = 5
PARTIAL_IV: Final = 6
_UNDERSTOOD: Final = frozenset((ALG, CRIT, CONTENT_TYPE, KID, IV, PARTIAL_IV))
_PARAMETER_TYPES: Final[dict[int, tuple[type, ...]]] = {
    ALG: (int, str),
    CRIT: (tuple,),
    CONTENT_TYPE: (int, str),
    KID: (bytes,),
    IV: (bytes,),
    PARTIAL_IV: (bytes,),
}

MALFORMED: Final = frozenset(
    (
        "cose_malformed",
        "trailing_bytes",
        "wrong_tag",
        "not_a_sign1_array",
        "protected_not_bytes",
        "protected_malformed",
        "protected_not_a_map",
        "protected_trailing_bytes",
        "unprotected_not_a_map",
        "payload_not_bytes",
        "signature_not_bytes",
        "duplicate_label",
        "duplicate_key",
        "protected_duplicate_key",
        "label_wrong_type",
        "header_wrong_type",
        "crit_unprotected",
        "crit_empty",
        "crit_label_unknown",
        "crit_label_absent",
        "iv_and_partial_iv",
    )
)
"""Departures by which RFC 9052 refuses a message whatever its signature."""

MALFORMED_PAYLOAD: Final = frozenset(
    ("payload_malformed", "payload_trailing_bytes", "payload_duplicate_key", "payload_not_a_map")
)
"""Departures by which a payload is no sound CBOR map; COSE itself doesn't look inside."""


_SIGNATURE1: Final = write_head(cbor.ARRAY, 4) + write_head(cbor.TEXT, len(b"Signature1")) + b"Signature1"
"""What every Sig_structure of a COSE_Sign1 begins with."""


def sig_structure(protected: bytes, payload: bytes, external_aad: bytes = b"") -> bytes:
    """The bytes that a COSE_Sign1 signature covers (RFC 9052 section 4.4).

    ``protected`` is the content of the protected byte string as received. The one normalisation: an encoded empty map
    becomes the empty string.
    """
    body = b"" if protected == b"\xa0" else protected
    return b"".join((_SIGNATURE1, write_bytes(body), write_bytes(external_aad), write_bytes(payload)))


def read_cose(raw: bytes) -> CoseView:
    """Takes a message apart as far as it goes. Never raises: whatever is wrong has a name in ``departures``."""
    draft = read_json_draft(raw)
    if draft is not None:
        return CoseView(form=draft.form, reading=draft.reading, departures=draft.departures, unreadable="not_cose")
    try:
        document = cbor.read(raw)
    except Malformed as error:
        return CoseView(departures=("cose_malformed",), unreadable=error.reason)
    departures = list(document.departures)
    if document.length != len(raw):
        departures.append("trailing_bytes")
    message = document.value
    tagged = isinstance(message, Tagged)
    if isinstance(message, Tagged):
        if message.tag != SIGN1_TAG:
            return CoseView(departures=(*departures, "wrong_tag"), unreadable="wrong_tag")
        message = message.value
    if not isinstance(message, tuple) or len(message) != len(ENVELOPE):
        return CoseView(tagged=tagged, departures=(*departures, "not_a_sign1_array"), unreadable="not_a_sign1_array")
    return _view(tagged, message, departures)


def _view(tagged: bool, message: tuple[Value, ...], departures: list[str]) -> CoseView:
    parts = dict(zip(ENVELOPE, message, strict=True))
    protected, unprotected = parts["protected"], parts["unprotected"]
    payload, signature = parts["payload"], parts["signature"]
    algorithm = _headers(protected, unprotected, departures)
    if not isinstance(signature, bytes):
        departures.append("signature_not_bytes")
    elif len(signature) != SIGNATURE_BYTES:
        departures.append("signature_not_64_bytes")
    read, unreadable = None, None
    if isinstance(payload, bytes):
        read = read_payload(payload)
        departures += read.departures
        unreadable = read.unreadable
    else:
        unreadable = "no_payload" if payload == cbor.NULL else "payload_not_bytes"
        departures.append(unreadable)
    spelling = {cbor.INDEFINITE_LENGTH, cbor.NOT_SHORTEST, cbor.KEYS_UNSORTED, cbor.DUPLICATE_KEY, "trailing_bytes"}
    spelling |= {f"protected_{departure}" for departure in spelling} | {"protected_malformed"}
    return CoseView(
        tagged=tagged,
        algorithm=algorithm,
        protected=protected.hex() if isinstance(protected, bytes) else None,
        payload=payload.hex() if isinstance(payload, bytes) else None,
        payload_sha256=sha256(payload).hexdigest() if isinstance(payload, bytes) else None,
        signature=signature.hex() if isinstance(signature, bytes) else None,
        reading=read.reading if read else None,
        form=read.form if read else CoseView().form,
        deterministic=read is not None and read.deterministic and spelling.isdisjoint(departures),
        departures=tuple(dict.fromkeys(departures)),
        unreadable=unreadable,
    )


def _headers(protected: Value, unprotected: Value, departures: list[str]) -> int | None:
    """Checks both header maps and returns the algorithm's number, if the protected one names it."""
    inside = _protected_map(protected, departures)
    outside = unprotected.pairs if isinstance(unprotected, Map) else ()
    if not isinstance(unprotected, Map):
        departures.append("unprotected_not_a_map")
    elif outside:
        departures.append("unprotected_not_empty")
    labels = [key for key, _ in (*inside, *outside)]
    if len(set(labels)) < len(labels):
        departures.append("duplicate_label")
    if not all(isinstance(label, int | str) for label in labels):
        departures.append("label_wrong_type")
    for label, value in (*inside, *outside):
        if isinstance(label, int) and not isinstance(value, _PARAMETER_TYPES.get(label, (object,))):
            departures.append("header_wrong_type")
    if IV in labels and PARTIAL_IV in labels:
        departures.append("iv_and_partial_iv")
    _critical(inside, outside, departures)
    if any(label != ALG for label, _ in inside):
        departures.append("protected_has_more_than_alg")
    return _algorithm(inside, outside, departures)


def _protected_map(protected: Value, departures: list[str]) -> tuple[tuple[Value, Value], ...]:
    if not isinstance(protected, bytes):
        departures.append("protected_not_bytes")
        return ()
    if not protected:
        return ()
    try:
        document = cbor.read(protected)
    except Malformed:
        departures.append("protected_malformed")
        return ()
    departures += [f"protected_{departure}" for departure in document.departures]
    if document.length != len(protected):
        departures.append("protected_trailing_bytes")
    if not isinstance(document.value, Map):
        departures.append("protected_not_a_map")
        return ()
    return document.value.pairs


def _critical(
    inside: tuple[tuple[Value, Value], ...], outside: tuple[tuple[Value, Value], ...], departures: list[str]
) -> None:
    """``crit`` stands in the protected map, is not empty, and lists labels that are there and understood."""
    if any(label == CRIT for label, _ in outside):
        departures.append("crit_unprotected")
    present = {label for label, _ in inside}
    for label, value in inside:
        if label == CRIT and isinstance(value, tuple):
            if not value:
                departures.append("crit_empty")
            if any(listed not in present for listed in value):
                departures.append("crit_label_absent")
            if any(listed not in _UNDERSTOOD for listed in value):
                departures.append("crit_label_unknown")


def _algorithm(
    inside: tuple[tuple[Value, Value], ...], outside: tuple[tuple[Value, Value], ...], departures: list[str]
) -> int | None:
    if any(label == ALG for label, _ in outside):
        departures.append("algorithm_unprotected")
    named = [value for label, value in inside if label == ALG]
    if not named:
        departures.append("algorithm_missing")
        return None
    if len(named) > 1:
        return None  # a duplicate label, noted as such
    algorithm = named[0]
    if not isinstance(algorithm, int):
        departures.append("algorithm_not_a_number")
        return None
    if algorithm not in ALGORITHMS:
        departures.append("algorithm_unknown")
    return algorithm
