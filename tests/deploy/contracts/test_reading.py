"""What a deterministic reading is: the contract and the off-chain decoder agree, byte for byte."""

from collections.abc import Callable
from hashlib import sha256

import cbor2
import pytest
from coincurve import PrivateKey
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deploy.contracts.judge import Accepted, Verdict
from deploy.devnet.element import secret
from indexer.protocol.cose import read_cose, sig_structure
from indexer.protocol.reading import PROFILE_FORM
from tests.deploy.contracts.scene import BATTERY_ID, COMMITTED, COUNTER, STATE, Case, submit

CHALLENGE = bytes.fromhex(COMMITTED.transaction)
KEY = PrivateKey(secret("test/element"))
PROTECTED = b"\xa1\x01\x38\x2e"

Judge = Callable[[Case], Verdict]


def head(major: int, value: int, width: int | None = None) -> bytes:
    """A head of a width of its own choice: 0 in the first byte, or 1, 2, 4, 8 bytes behind it."""
    if width is None:
        return cbor2.dumps(value) if major == 0 else _with_major(cbor2.dumps(value), major)
    if width == 0:
        return bytes((major << 5 | value,))
    return bytes((major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[width],)) + value.to_bytes(width, "big")


def _with_major(encoded: bytes, major: int) -> bytes:
    return bytes((encoded[0] & 31 | major << 5,)) + encoded[1:]


def bstr(content: bytes, width: int | None = None) -> bytes:
    return head(2, len(content), width) + content


def signed(
    payload: bytes, *, protected: bytes = PROTECTED, unprotected: bytes = b"\xa0", tag: bytes = b"\xd2"
) -> bytes:
    signature = KEY.sign_recoverable(sha256(sig_structure(protected, payload)).digest(), hasher=None)[:64]
    return tag + b"\x84" + bstr(protected) + unprotected + bstr(payload) + bstr(signature)


def payload(state: bytes, *, counter: bytes | None = None, version: bytes = b"\x05\x02", count: int = 5) -> bytes:
    counted = counter if counter is not None else cbor2.dumps(COUNTER)
    parts = (b"\x01", bstr(BATTERY_ID), b"\x02", bstr(CHALLENGE), b"\x03", counted, b"\x04", state, version)
    return head(5, count, 0) + b"".join(parts)


def written(entries: dict[int, bytes]) -> bytes:
    return head(5, len(entries), 0) + b"".join(cbor2.dumps(key) + value for key, value in entries.items())


HONEST = {key: cbor2.dumps(value) for key, value in STATE.items()}

MALFORMED: dict[str, bytes] = {
    "untagged": signed(payload(written(HONEST)), tag=b""),
    "another tag": signed(payload(written(HONEST)), tag=b"\xd1"),
    "tag in two bytes": signed(payload(written(HONEST)), tag=b"\xd8\x12"),
    "unprotected header not empty": signed(payload(written(HONEST)), unprotected=b"\xa1\x04\x41\x01"),
    "algorithm not in its shortest form": signed(payload(written(HONEST)), protected=b"\xa1\x01\x39\x00\x2e"),
    "trailing byte": signed(payload(written(HONEST))) + b"\x00",
    "trailing byte in the payload": signed(payload(written(HONEST)) + b"\x00"),
    "another schema version": signed(payload(written(HONEST), version=b"\x05\x01")),
    "a key more": signed(payload(written(HONEST), version=b"\x05\x02\x06\x00", count=6)),
    "indefinite state": signed(payload(b"\xbf" + written(HONEST)[1:] + b"\xff")),
    "counter not in its shortest form": signed(payload(written(HONEST), counter=head(0, COUNTER, 1))),
    "counter negative": signed(payload(written(HONEST), counter=b"\x20")),
    "counter a float": signed(payload(written(HONEST), counter=b"\xf9\x47\x00")),
    "keys unsorted": signed(payload(written(dict(sorted(HONEST.items(), key=lambda item: -item[0]))))),
    "a key twice": signed(payload(head(5, 9, 0) + written(HONEST)[1:3] + written(HONEST)[1:])),
    "an unknown key of the state": signed(payload(written(HONEST | {13: b"\x00"}))),
    "SoH missing": signed(payload(written({key: HONEST[key] for key in HONEST if key != 1}))),
    "voltage missing": signed(payload(written({key: HONEST[key] for key in HONEST if key != 6}))),
    "SoH over range": signed(payload(written(HONEST | {1: cbor2.dumps(12_001)}))),
    "SoC over range": signed(payload(written(HONEST | {2: cbor2.dumps(10_501)}))),
    "voltage negative": signed(payload(written(HONEST | {6: b"\x20"}))),
    "temperature as text": signed(payload(written(HONEST | {8: b"\x61\x31"}))),
    "cell voltages no list": signed(payload(written(HONEST | {12: b"\x01"}))),
    "cell voltages of indefinite length": signed(payload(written(HONEST | {12: b"\x9f\x01\xff"}))),
    "a cell voltage negative": signed(payload(written(HONEST | {12: b"\x82\x01\x20"}))),
    "fewer cell voltages than announced": signed(payload(written(HONEST | {12: b"\x83\x01\x02"}))),
    "big integer": signed(payload(written(HONEST | {10: b"\xc2\x49" + bytes((1,)) + bytes(8)}))),
    "slot as challenge": signed(
        payload(written(HONEST)).replace(b"\x02" + bstr(CHALLENGE), b"\x02\x1a\x08\x83\xd3\x28")
    ),
    "json": b'{"battery_id": "urn:eudpp:battery:de:example:2024:001", "counter": 7}',
    "empty": b"",
}  # fmt: skip


def is_deterministic_reading(cose: bytes) -> bool:
    """The off-chain decoder's opinion: tagged, and nothing departs from the profile."""
    view = read_cose(cose)
    return bool(view.tagged and view.deterministic and not view.departures and view.form == PROFILE_FORM)


def test_the_honest_reading_is_one(judged: Judge) -> None:
    cose = signed(payload(written(HONEST)))
    assert is_deterministic_reading(cose)
    assert isinstance(judged(submit(cose)), Accepted)


@pytest.mark.parametrize("name", MALFORMED)
def test_what_the_decoder_names_a_departure_the_contract_refuses(judged: Judge, name: str) -> None:
    cose = MALFORMED[name]
    assert not is_deterministic_reading(cose)
    assert not isinstance(judged(submit(cose)), Accepted)


WIDTHS = (0, 1, 2, 4, 8)


@st.composite
def numbers(draw: st.DrawFn) -> bytes:
    """An integer of either sign, mostly in its shortest form."""
    width = draw(st.sampled_from(WIDTHS))
    value = draw(st.integers(0, 23 if width == 0 else (1 << 8 * width) - 1))
    major = draw(st.sampled_from((0, 0, 0, 1)))
    return head(major, value, width if draw(st.integers(0, 9)) == 0 or width == 0 else None)


@st.composite
def states(draw: st.DrawFn) -> bytes:
    """A state near the honest one: entries added, taken away, written otherwise."""
    entries: dict[int, bytes] = dict(HONEST)
    for key in draw(st.lists(st.sampled_from((4, 5, 6, 7, 8, 9, 10, 11)), max_size=4)):
        entries[key] = draw(numbers())
    if draw(st.booleans()):
        cells = draw(st.lists(numbers(), max_size=30))
        entries[12] = head(4, len(cells)) + b"".join(cells)
    if draw(st.integers(0, 9)) == 0:
        entries.pop(draw(st.sampled_from(sorted(entries))))
    if draw(st.integers(0, 9)) == 0:
        entries[draw(st.sampled_from((13, 23)))] = b"\x00"
    ordered = dict(sorted(entries.items()))
    if draw(st.integers(0, 9)) == 0:
        ordered = dict(draw(st.permutations(list(ordered.items()))))
    return written(ordered)


@pytest.mark.long
@given(state=states())
@example(state=written(HONEST | {5: cbor2.dumps(3_000), 10: cbor2.dumps(1 << 40), 11: b"\x02", 12: b"\x82\x01\x02"}))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_contract_and_decoder_agree_on_every_state(judged: Judge, state: bytes) -> None:
    cose = signed(payload(state))
    verdict = judged(submit(cose))
    assert isinstance(verdict, Accepted) == is_deterministic_reading(cose), (read_cose(cose).departures, verdict)


@pytest.mark.long
@given(position=st.integers(0, 400), bit=st.integers(0, 7))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_flipped_bit_passes(judged: Judge, position: int, bit: int) -> None:
    cose = bytearray(signed(payload(written(HONEST))))
    cose[position % len(cose)] ^= 1 << bit
    assert not isinstance(judged(submit(bytes(cose))), Accepted)
