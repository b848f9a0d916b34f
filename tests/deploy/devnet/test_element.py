import hashlib
import json

import cbor2
import pytest
from coincurve import PublicKey
from nacl.signing import VerifyKey

from consumers.audit.second_opinion import verified
from deploy.devnet import datums, plutus_writer
from deploy.devnet.battery import Battery
from deploy.devnet.element import Algorithm, SecureElement, sig_structure
from indexer.protocol.cose import read_cose
from projections.verdicts.signatures import CURVES
from tests.shared import shared

BATTERY_ID = b"urn:eudpp:battery:demo:0001"
CHALLENGE = bytes(range(32))
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def tap(algorithm: Algorithm, number: int = 0) -> tuple[SecureElement, bytes]:
    element = SecureElement(f"test/{number}", algorithm)
    state = Battery(f"test/{number}").measure(1_000_000).state
    return element, element.tap(BATTERY_ID, CHALLENGE, state)


@pytest.mark.parametrize("number", range(8))
def test_an_es256k_reading_verifies_and_has_a_low_s(number: int) -> None:
    element, cose = tap(-47, number)
    protected, unprotected, payload, signature = cbor2.loads(cose).value
    assert (protected, unprotected) == (bytes.fromhex("a101382e"), {})
    assert len(signature) == 64
    assert int.from_bytes(signature[32:]) <= HALF_ORDER
    digest = hashlib.sha256(sig_structure(protected, payload)).digest()
    der = _der(signature)
    assert PublicKey(element.public_key).verify(der, digest, hasher=None)
    assert len(element.public_key) == 33


def _der(signature: bytes) -> bytes:
    parts = b""
    for half in (signature[:32], signature[32:]):
        number = half.lstrip(b"\x00")
        number = b"\x00" + number if number[0] & 0x80 else number
        parts += b"\x02" + bytes((len(number),)) + number
    return b"\x30" + bytes((len(parts),)) + parts


@pytest.mark.parametrize("algorithm", [-8, -19])
def test_an_ed25519_reading_verifies_over_the_whole_structure(algorithm: Algorithm) -> None:
    element, cose = tap(algorithm)
    protected, _, payload, signature = cbor2.loads(cose).value
    VerifyKey(element.public_key).verify(sig_structure(protected, payload), signature)
    assert len(element.public_key) == 32


@pytest.mark.parametrize("algorithm", [-47, -8, -19])
@pytest.mark.parametrize("number", range(4))
def test_pycose_agrees(algorithm: Algorithm, number: int) -> None:
    element, cose = tap(algorithm, number)
    assert verified(cose, CURVES[algorithm], element.public_key)
    assert not verified(cose, CURVES[algorithm], SecureElement("another", algorithm).public_key)


@pytest.mark.parametrize("algorithm", [-47, -8, -19])
def test_a_reading_is_deterministic_cbor_without_any_departure(algorithm: Algorithm) -> None:
    for number in range(10):
        _, cose = tap(algorithm, number)
        view = read_cose(cose)
        assert view.deterministic
        assert view.departures == ()
        assert view.algorithm == algorithm
        assert view.reading is not None
        assert view.reading.challenge == CHALLENGE.hex()
        assert len(cose) < 16_384


def test_the_counter_rises_by_one_with_each_tap() -> None:
    element = SecureElement("counting")
    counters = []
    for _ in range(5):
        reading = read_cose(element.tap(BATTERY_ID, CHALLENGE, Battery("x").measure(0).state)).reading
        assert reading is not None
        counters.append(reading.counter)
    assert counters == [0, 1, 2, 3, 4]


def test_keys_and_signatures_follow_from_the_seed() -> None:
    assert tap(-47)[1] == tap(-47)[1]
    assert SecureElement("a").public_key != SecureElement("b").public_key


def test_plutus_data_is_written_as_the_worked_example_has_it() -> None:
    example = json.loads(shared("vectors/protocol_worked_example.json").read_text())
    inputs, expected = example["inputs"], example["plutus_data_hex"]
    battery_id, user = inputs["battery_id"].encode(), bytes.fromhex(inputs["user_pkh"])
    assert datums.submit_redeemer(bytes.fromhex(inputs["cose"])).hex() == expected["redeemer_submit"]
    assert datums.commitment_datum(battery_id, user, inputs["slot"]).hex() == expected["commitment_datum_slot"]
    for size in (64, 65, 128):
        assert plutus_writer.octets(bytes(size)).hex() == expected[f"bytes_{size}"]
    assert plutus_writer.constructor(6).hex() == expected["constr_6"]
    assert plutus_writer.integer(2**64).hex() == expected["big_2_64"]
