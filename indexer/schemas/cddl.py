"""The CDDL (RFC 8610) of a reading, written from the tables by which the decoder reads it."""

from typing import Final

from indexer.protocol.cose import ALG, ALGORITHMS, ENVELOPE, SIGN1_TAG, SIGNATURE_BYTES
from indexer.protocol.reading import (
    CELL_VOLTAGES_KEY,
    CHALLENGE_BYTES,
    INT,
    MAX_BATTERY_ID_BYTES,
    PAYLOAD_FIELDS,
    PROFILE_FORM,
    SCHEMA_VERSION,
    STATE_FIELDS,
    UINT,
)

_PAYLOAD_TYPES: Final = {
    "battery_id": (f"bstr .size (1..{MAX_BATTERY_ID_BYTES})", "UTF-8"),
    "challenge": (f"bstr .size {CHALLENGE_BYTES}", "id of the transaction that made the commitment"),
    "counter": (f"{UINT[0]}..{UINT[1]}", "rises with each reading"),
    "state": ("state", ""),
    "schema_version": (str(SCHEMA_VERSION), ""),
}
_ENVELOPE_TYPES: Final = {
    "protected": "bstr .cbor protected_header",
    "unprotected": "{}",
    "payload": "bstr .cbor reading_payload",
    "signature": f"bstr .size {SIGNATURE_BYTES}",
}


def reading_cddl() -> str:
    """The grammar of a reading that departs from nothing. Deterministic encoding is beyond what CDDL can say."""
    envelope = ",\n  ".join(f"{part}: {_ENVELOPE_TYPES[part]}" for part in ENVELOPE)
    payload = "".join(_line(key, name, *_PAYLOAD_TYPES[name]) for key, name in PAYLOAD_FIELDS.items())
    state = "".join(
        _line(key, "", _integer(bounds), name, required=required)
        for key, (name, bounds, required) in STATE_FIELDS.items()
    )
    state += _line(CELL_VOLTAGES_KEY, "", f"[* {_integer(UINT)}]", "cell_voltages_mv", required=False)
    names = "".join(f"; {number}: {name}\n" for number, name in ALGORITHMS.items())
    return (
        f"; A signed battery reading, profile {PROFILE_FORM}. Written by `cellwitness schema cddl`: do not edit.\n"
        "; Integers only, in deterministic CBOR (RFC 8949 section 4.2.1).\n\n"
        "reading = cose_sign1 / tagged_cose_sign1\n\n"
        f"tagged_cose_sign1 = #6.{SIGN1_TAG}(cose_sign1)\n\n"
        f"cose_sign1 = [\n  {envelope}\n]\n\n"
        f"protected_header = {{{ALG} => alg}}\n\n"
        f"alg = {' / '.join(map(str, ALGORITHMS))}\n{names}\n"
        f"reading_payload = {{\n{payload}}}\n\nstate = {{\n{state}}}\n"
    )


def _line(key: int, name: str, kind: str, comment: str, *, required: bool = True) -> str:
    said = ": ".join(part for part in (name, comment) if part)
    return f"  {'' if required else '? '}{key} => {kind}, ; {said}\n"


def _integer(bounds: tuple[int, int]) -> str:
    # An unsigned integer is spelled as its range: some tools take a negative one for a `uint`.
    return "int" if bounds == INT else f"{bounds[0]}..{bounds[1]}"
