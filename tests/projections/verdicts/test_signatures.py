import base64
import json
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.audit.second_opinion import verified
from deploy.devnet.element import SecureElement
from indexer.protocol.cose import read_cose, sig_structure
from projections.verdicts import signatures
from projections.verdicts.authentic import authenticity, ledger_says
from projections.verdicts.signatures import (
    CURVES,
    SECP256K1_ORDER,
    Curve,
    as_the_ledger_answers,
    compressed,
    ledger_ecdsa_secp256k1,
    ledger_ed25519,
    on_curve,
    verify,
)
from tests.shared import shared

STATE = {1: 9_850, 2: 5_000, 3: 12, 4: 50_000, 6: 38_900, 7: -150, 8: 20, 9: 24}


def vectors(path: str) -> Any:
    return json.loads(shared(f"vectors/{path}").read_text())


def test_the_ledger_s_sixty_cases_come_out_as_the_ledger_has_them() -> None:
    cases = vectors("plutus_builtin_signature_vectors.json")
    assert len(cases) == 60
    for case in cases:
        builtin = ledger_ed25519 if case["builtin"] == "verifyEd25519Signature" else ledger_ecdsa_secp256k1
        answer = builtin(*(bytes.fromhex(case[part]) for part in ("key", "message", "signature")))
        assert answer == case["expected"], case["name"]
        if len(case["message"]) == 64 or builtin is ledger_ed25519:
            # What stands in for the built-in, so that no reading is verified twice.
            curve: Curve = "ed25519" if builtin is ledger_ed25519 else "secp256k1"
            raw = [bytes.fromhex(case[part]) for part in ("key", "message", "signature")]
            said = verify(curve, *raw) if curve == "ed25519" else signatures._ecdsa(*raw)
            assert as_the_ledger_answers(said) == answer, case["name"]


def test_every_generated_reading_is_authentic_or_not_as_it_is_labelled_and_so_says_the_ledger() -> None:
    for case in vectors("cose/es256k_crossstack_generated.json"):
        view, key = read_cose(bytes.fromhex(case["cose"])), bytes.fromhex(case["public_key"])
        # Where the label's algorithm and the key disagree, the key is what the title says it is.
        registered = (
            -47
            if "key is secp256k1" in case["title"]
            else next(number for number in CURVES if number == view.algorithm)
        )
        found = authenticity(view, key, registered)
        assert found.authentic is case["expect_cose_valid"], case["title"]
        ledger, reason = ledger_says(view, key, registered, found)
        expected = {"unsupported": None, "error": False}.get(str(case["expect_plutus_builtin"]))
        if isinstance(case["expect_plutus_builtin"], bool):
            expected = case["expect_plutus_builtin"]
        assert ledger is expected, (case["title"], reason)


def test_a_high_s_twin_is_valid_and_named_and_the_ledger_refuses_it() -> None:
    (case,) = [c for c in vectors("cose/es256k_crossstack_generated.json") if c["title"] == "ES256K high-s twin"]
    view, key = read_cose(bytes.fromhex(case["cose"])), bytes.fromhex(case["public_key"])
    found = authenticity(view, key, -47)
    assert (found.signature.valid, found.signature.low_s) == (True, False)
    assert "high_s_twin_valid" in found.remarks
    assert ledger_says(view, key, -47, found) == (False, "builtin_false")


@pytest.mark.parametrize(("folder", "checked"), [("sign1-tests", 9), ("ecdsa-examples", 1), ("eddsa-examples", 1)])
def test_the_working_group_s_messages_verify_or_fail_as_it_says(folder: str, checked: int) -> None:
    """Those on our curves. The signature's mathematics and the envelope together decide."""
    seen = 0
    for path in sorted(shared(f"vectors/cose/{folder}").glob("*.json")):
        case = json.loads(path.read_text())
        sign0 = case["input"].get("sign0")
        if sign0 is None or sign0["key"].get("crv") not in ("P-256", "Ed25519") or "SHA-512" in case["title"]:
            continue
        key = _working_group_key(sign0["key"])
        curve: Curve = "p256" if sign0["key"]["crv"] == "P-256" else "ed25519"
        raw = bytes.fromhex(case["output"]["cbor"])
        view = read_cose(raw)
        external = bytes.fromhex(sign0.get("external", ""))
        message = sig_structure(bytes.fromhex(view.protected or ""), bytes.fromhex(view.payload or ""), external)
        signature = verify(curve, key, message, bytes.fromhex(view.signature or ""))
        # The payloads are text, which is no reading: only the envelope's own faults count here.
        faults = {"wrong_tag", "algorithm_unknown", "algorithm_not_a_number", "cose_malformed", "not_a_sign1_array"}
        assert (signature.valid and faults.isdisjoint(view.departures)) is not case.get("fail", False), path.name
        seen += 1
    assert seen == checked


def _working_group_key(key: dict[str, str]) -> bytes:
    if "x_hex" in key:
        return bytes.fromhex(key["x_hex"])
    x, y = (base64.urlsafe_b64decode(key[part] + "==") for part in ("x", "y"))
    return bytes((2 + (y[-1] & 1),)) + x


P256 = ec.derive_private_key(0x1234567890ABCDEF, ec.SECP256R1())
P256_KEY = P256.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def signed(algorithm: int, payload: bytes, protected: bytes | None = None) -> tuple[bytes, bytes]:
    """A key and a COSE_Sign1 over the payload."""
    header = cbor2.dumps({1: algorithm}) if protected is None else protected
    message = sig_structure(header, payload)
    if CURVES[algorithm] == "p256":
        r, s = decode_dss_signature(P256.sign(message, ec.ECDSA(hashes.SHA256())))
        key, signature = P256_KEY, r.to_bytes(32, "big") + s.to_bytes(32, "big")
    else:
        element = SecureElement("signer", -47 if algorithm == -47 else -8)
        key, signature = element.public_key, element._sign(message)
    return key, cbor2.dumps(cbor2.CBORTag(18, [header, {}, payload, signature]))


def says(cose: bytes, key: bytes, algorithm: int) -> tuple[bool | None, str]:
    view = read_cose(cose)
    return ledger_says(view, key, algorithm, authenticity(view, key, algorithm))


def reading(counter: int) -> bytes:
    return cbor2.dumps({1: b"urn:x", 2: bytes(32), 3: counter, 4: STATE, 5: 2}, canonical=True)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(CURVES)),
    st.integers(0, 2**64 - 1),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=2),
)
def test_a_reading_is_verified_exactly_when_both_libraries_say_so(
    algorithm: int, counter: int, twin: bool, changes: list[tuple[int, int]]
) -> None:
    """Whole, with its s turned into n - s, and with bytes changed anywhere."""
    key, cose = signed(algorithm, reading(counter))
    if twin and algorithm == -47:
        s = SECP256K1_ORDER - int.from_bytes(cose[-32:], "big")
        cose = cose[:-32] + s.to_bytes(32, "big")
    raw = bytearray(cose)
    for place, value in changes:
        raw[place % len(raw)] = value
    view = read_cose(bytes(raw))
    found = authenticity(view, key, algorithm)
    second = verified(bytes(raw), CURVES[algorithm], key)
    if found.authentic:
        assert second
    # pycose forgives envelopes that the strict check refuses, and never a signature that ours accepts.
    elif second:
        assert found.structure or found.algorithm


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(("secp256k1", "ed25519", "p256")), st.binary(max_size=70), st.binary(), st.binary(max_size=70))
def test_no_bytes_make_verification_raise(curve: Curve, key: bytes, message: bytes, signature: bytes) -> None:
    assert not verify(curve, key, message, signature).valid
    assert ledger_ecdsa_secp256k1(key, message, signature) != "true"
    assert ledger_ed25519(key, message, signature) != "true"
    on_curve(curve, key)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_what_the_ledger_accepts_is_verified_and_what_it_refuses_for_its_s_is_too(counter: int, twin: bool) -> None:
    key, cose = signed(-47, reading(counter))
    signature, message = cose[-64:], sig_structure(cbor2.dumps({1: -47}), reading(counter))
    if twin:
        signature = signature[:32] + (SECP256K1_ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    ours = verify("secp256k1", key, message, signature)
    assert ours.valid
    assert ours.low_s is not twin
    assert says(cose[:-64] + signature, key, -47) == ((False, "builtin_false") if twin else (True, ""))


@pytest.mark.parametrize("place", [0, 32])
@pytest.mark.parametrize("value", [0, SECP256K1_ORDER, SECP256K1_ORDER + 1, 2**256 - 1])
def test_halves_of_a_signature_out_of_range_are_named(place: int, value: int) -> None:
    key, cose = signed(-47, reading(1))
    signature = bytearray(cose[-64:])
    signature[place : place + 32] = value.to_bytes(32, "big")
    assert verify("secp256k1", key, b"", bytes(signature)).reason == (
        "signature_out_of_range" if value else "signature_mismatch"
    )
    answer = ledger_ecdsa_secp256k1(key, bytes(32), bytes(signature))
    assert answer == ("false" if value == 0 else "error")


def test_an_uncompressed_key_is_the_compressed_one() -> None:
    point = P256.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert compressed(point) == P256_KEY
    assert compressed(P256_KEY) == P256_KEY
    assert compressed(b"x" * 64) is None


def test_a_trailing_byte_and_another_key_s_algorithm_fail_the_ledger_s_check() -> None:
    key, cose = signed(-47, reading(1))
    assert says(cose + b"\0", key, -47) == (False, "trailing_bytes")
    eddsa, signed_by_eddsa = signed(-8, reading(1))
    assert says(signed_by_eddsa, key, -47) == (False, "algorithm_not_of_key")
    assert says(cose, eddsa, -8) == (False, "algorithm_not_of_key")
    assert authenticity(read_cose(cose), eddsa).algorithm == ("algorithm_not_of_key",)


def test_an_algorithm_that_the_deployment_does_not_allow_is_named() -> None:
    key, cose = signed(-9, reading(1))
    assert authenticity(read_cose(cose), key, -7, (-47, -8)).algorithm == ("algorithm_not_allowed",)
    assert authenticity(read_cose(cose), key, -7).authentic
    assert says(cose, key, -7) == (None, "no_builtin_for_p256")
