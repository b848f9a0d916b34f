import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.events import CoseView
from indexer.protocol.cose import MALFORMED, MALFORMED_PAYLOAD, read_cose, sig_structure
from tests.indexer.build import BATTERY, cose_sign1, payload, write_cbor
from tests.shared import shared

CHALLENGE = b"c" * 32
PAYLOAD = payload(BATTERY.id, CHALLENGE)
PROTECTED = write_cbor({1: -47})


def message(
    protected: Any = PROTECTED, unprotected: Any = None, content: Any = PAYLOAD, signature: Any = b"s" * 64
) -> bytes:
    return b"\xd2" + write_cbor([protected, {} if unprotected is None else unprotected, content, signature])


def cose_wg(folder: str) -> list[Path]:
    return sorted(shared(f"vectors/cose/{folder}").glob("*.json"))


def to_be_signed(view: CoseView, external: str = "") -> str:
    assert view.protected is not None
    assert view.payload is not None
    return sig_structure(bytes.fromhex(view.protected), bytes.fromhex(view.payload), bytes.fromhex(external)).hex()


def test_the_working_group_s_sound_messages_are_no_malformed_cose_and_sign_the_bytes_they_say() -> None:
    signed = [*cose_wg("ecdsa-examples"), *cose_wg("eddsa-examples"), *cose_wg("sign1-tests")]
    checked = 0
    for path in signed:
        case = json.loads(path.read_text())
        if case.get("fail") or "sign0" not in case["input"]:
            continue
        view = read_cose(bytes.fromhex(case["output"]["cbor"]))
        assert MALFORMED.isdisjoint(view.departures), path.name
        expected = case["intermediates"]["ToBeSign_hex"].lower()
        assert to_be_signed(view, case["input"]["sign0"].get("external", "")) == expected, path.name
        checked += 1
    assert checked == 9


@pytest.mark.parametrize(
    ("name", "departure"),
    [
        ("sign1-tests/sign-fail-01", "wrong_tag"),
        ("sign1-tests/sign-fail-03", "algorithm_unknown"),
        ("sign1-tests/sign-fail-04", "algorithm_not_a_number"),
        ("sign1-tests/sign-fail-06", "protected_has_more_than_alg"),
        ("sign1-tests/sign-pass-01", "algorithm_missing"),
        ("sign1-tests/sign-pass-01", "algorithm_unprotected"),
        ("ecdsa-examples/ecdsa-01", "wrong_tag"),  # COSE_Sign, with tag 98
        ("eddsa-examples/eddsa-sig-02", "signature_not_64_bytes"),  # Ed448
    ],
)
def test_what_the_working_group_broke_is_named(name: str, departure: str) -> None:
    case = json.loads(shared(f"vectors/cose/{name}.json").read_text())
    assert departure in read_cose(bytes.fromhex(case["output"]["cbor"])).departures


@pytest.mark.parametrize("name", ["sign-fail-02", "sign-fail-03", "sign-fail-04", "sign-fail-06", "sign-fail-07"])
def test_a_message_altered_after_signing_yields_other_bytes_to_be_signed(name: str) -> None:
    case = json.loads(shared(f"vectors/cose/sign1-tests/{name}.json").read_text())
    view = read_cose(bytes.fromhex(case["output"]["cbor"]))
    assert to_be_signed(view) != case["intermediates"]["ToBeSign_hex"].lower()


def test_the_cross_stack_messages_are_read_as_their_signers_wrote_them() -> None:
    cases = {
        case["title"]: case for case in json.loads(shared("vectors/cose/es256k_crossstack_generated.json").read_text())
    }
    flagged = {"ES256K DER signature": "signature_not_64_bytes"}
    flagged["ES256K non-canonical protected header bytes"] = "protected_not_shortest"
    for title, case in cases.items():
        view = read_cose(bytes.fromhex(case["cose"]))
        assert to_be_signed(view) == case["to_be_signed"]
        assert view.departures == ((flagged[title],) if title in flagged else ()), title
        assert view.tagged == (title != "ES256K untagged")
        assert view.deterministic == ("non-canonical" not in title)
        assert view.payload == case["payload"]


def test_an_honest_message_departs_from_nothing() -> None:
    view = read_cose(cose_sign1(PAYLOAD))
    assert view.departures == ()
    assert (view.algorithm, view.tagged, view.deterministic, view.unreadable) == (-47, True, True, None)
    assert view.payload_sha256 == sha256(PAYLOAD).hexdigest()
    assert view.reading is not None
    assert view.reading.counter == 1


def test_an_untagged_message_is_read_and_recorded_as_such() -> None:
    view = read_cose(cose_sign1(PAYLOAD, tagged=False))
    assert (view.tagged, view.departures) == (False, ())


@pytest.mark.parametrize(
    ("raw", "departure"),
    [
        (b"", "cose_malformed"),
        (b"\xd2", "cose_malformed"),
        (b"\x81" * 16_000, "cose_malformed"),
        (bytes(16_385), "cose_malformed"),
        (b"\xd1" + cose_sign1(PAYLOAD, tagged=False), "wrong_tag"),
        (b"\xd9\xd9\xf7" + cose_sign1(PAYLOAD), "wrong_tag"),
        (b"\xd2" + cose_sign1(PAYLOAD), "not_a_sign1_array"),
        (write_cbor([PROTECTED, {}, PAYLOAD]), "not_a_sign1_array"),
        (write_cbor([PROTECTED, {}, PAYLOAD, b"", b""]), "not_a_sign1_array"),
        (write_cbor({1: 2}), "not_a_sign1_array"),
    ],
)
def test_bytes_that_are_no_sign1_message_are_unreadable_by_name(raw: bytes, departure: str) -> None:
    view = read_cose(raw)
    assert departure in view.departures
    assert view.unreadable


@pytest.mark.parametrize(
    ("raw", "departure"),
    [
        (cose_sign1(PAYLOAD) + b"\x00", "trailing_bytes"),
        (message(protected={1: -47}), "protected_not_bytes"),
        (message(protected=b"\xa1"), "protected_malformed"),
        (message(protected=b"\x01"), "protected_not_a_map"),
        (message(protected=PROTECTED + b"\x00"), "protected_trailing_bytes"),
        (message(protected=bytes.fromhex("a20126012f")), "duplicate_label"),
        (message(protected=bytes.fromhex("a201260126")), "protected_duplicate_key"),
        (message(unprotected=[]), "unprotected_not_a_map"),
        (message(unprotected={4: b"k"}), "unprotected_not_empty"),
        (message(unprotected={1: -8}), "duplicate_label"),
        (message(unprotected={1: -8}), "algorithm_unprotected"),
        (message(unprotected={4: "kid"}), "header_wrong_type"),
        (message(unprotected={b"x": 1}), "label_wrong_type"),
        (message(unprotected={5: b"a", 6: b"b"}), "iv_and_partial_iv"),
        (message(unprotected={2: [1]}), "crit_unprotected"),
        (message(protected=write_cbor({1: -47, 2: []})), "crit_empty"),
        (message(protected=write_cbor({1: -47, 2: [9]})), "crit_label_absent"),
        (message(protected=write_cbor({1: -47, 2: [9], 9: 0})), "crit_label_unknown"),
        (message(protected=write_cbor({1: -47, 2: 1})), "header_wrong_type"),
        (message(protected=b""), "algorithm_missing"),
        (message(protected=b"\xa0"), "algorithm_missing"),
        (message(protected=write_cbor({1: "ES256"})), "algorithm_not_a_number"),
        (message(protected=write_cbor({1: -35})), "algorithm_unknown"),
        (message(protected=write_cbor({1: -47, 4: b"k"})), "protected_has_more_than_alg"),
        (message(content=None), "no_payload"),
        (message(content="text"), "payload_not_bytes"),
        (message(signature=None), "signature_not_bytes"),
        (message(signature=b"s" * 70), "signature_not_64_bytes"),
        (message(content=b"\xa1"), "payload_malformed"),
        (message(content=b"\x01"), "payload_not_a_map"),
        (b"\xd2\x9f" + cose_sign1(PAYLOAD)[2:] + b"\xff", "indefinite_length"),
        (b"\xd8\x12" + cose_sign1(PAYLOAD, tagged=False), "not_shortest"),
    ],
)
def test_each_departure_has_its_name(raw: bytes, departure: str) -> None:
    assert departure in read_cose(raw).departures


def test_what_is_critical_present_and_understood_is_no_fault() -> None:
    view = read_cose(message(protected=write_cbor({1: -47, 2: [4], 4: b"k"})))
    assert view.departures == ("protected_has_more_than_alg",)


def test_trailing_bytes_leave_the_message_readable() -> None:
    view = read_cose(cose_sign1(PAYLOAD) + b"\x00")
    assert view.reading is not None
    assert not view.deterministic
    assert view.unreadable is None


def test_other_spellings_are_not_deterministic() -> None:
    for raw in (
        b"\xd2\x9f" + cose_sign1(PAYLOAD)[2:] + b"\xff",
        message(protected=bytes.fromhex("a11801382e")),
        message(content=b"\xbf" + PAYLOAD[1:] + b"\xff"),
        message(content=PAYLOAD + b"\x00"),
    ):
        assert not read_cose(raw).deterministic


def test_an_encoded_empty_map_is_signed_as_the_empty_string() -> None:
    assert sig_structure(b"\xa0", b"p") == sig_structure(b"", b"p") == bytes.fromhex("846a5369676e61747572653140404170")


def test_every_departure_that_condemns_a_message_exists() -> None:
    source = (Path(__file__).parents[3] / "indexer/protocol/cose.py").read_text()
    reading = (Path(__file__).parents[3] / "indexer/protocol/reading.py").read_text()
    for code in MALFORMED | MALFORMED_PAYLOAD:
        stem = code.removeprefix("protected_").removeprefix("payload_")
        assert stem in (source + reading).replace(f'        "{code}",\n', ""), code


@given(st.binary(max_size=400))
def test_any_bytes_give_a_view(raw: bytes) -> None:
    assert isinstance(read_cose(raw), CoseView)


@given(st.data())
def test_a_message_with_any_byte_changed_gives_a_view_and_says_so_or_is_another_sound_one(data: st.DataObject) -> None:
    raw = bytearray(cose_sign1(PAYLOAD))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    view = read_cose(bytes(raw))
    assert view.departures or view.reading is not None


def test_every_truncation_of_a_message_is_unreadable() -> None:
    raw = cose_sign1(PAYLOAD)
    for length in range(len(raw)):
        assert read_cose(raw[:length]).unreadable == "truncated"
