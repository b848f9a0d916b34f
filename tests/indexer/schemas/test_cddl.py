"""The CDDL and the decoder agree on what a reading is. zcbor reads the CDDL; it knows nothing of our decoder."""

import json
from functools import lru_cache
from typing import Any

import pytest
import zcbor

from indexer.events import ReadingEvent
from indexer.protocol.cose import read_cose
from indexer.schemas.cddl import reading_cddl
from tests.indexer.build import BATTERY, cose_sign1, payload
from tests.indexer.schemas.devnet import devnet_events
from tests.shared import shared

CHALLENGE = b"c" * 32


@lru_cache
def grammar() -> Any:
    return zcbor.DataTranslator.from_cddl(reading_cddl(), 1_000).my_types["reading"]


def accepts(raw: bytes) -> bool:
    try:
        grammar().validate_str(raw)
    except zcbor.CddlValidationError:
        return False
    return True


def worked_example() -> bytes:
    text = shared("vectors/protocol_worked_example.json").read_text()
    return bytes.fromhex(json.loads(text)["inputs"]["cose"])


def test_the_worked_example_is_a_reading_tagged_or_not() -> None:
    raw = worked_example()
    assert raw[0] == 0xD2
    assert accepts(raw)
    assert accepts(raw[1:])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("d284", "d384"),
        ("a101382e", "a1013818"),
        ("0119226002", "0119ff6002"),
        ("18600502", "18600503"),
        ("18600502", "18600602"),
        ("5025840", "502583f"),
    ],
)
def test_an_altered_example_is_none(old: str, new: str) -> None:
    raw = worked_example()
    assert old in raw.hex()
    assert not accepts(bytes.fromhex(raw.hex().replace(old, new, 1)))


def test_every_reading_of_a_devnet_is_one() -> None:
    readings = [event for event in devnet_events() if isinstance(event, ReadingEvent)][:300]
    assert len(readings) > 100
    for event in readings:
        assert accepts(bytes.fromhex(event.cose)) is (event.decoded.departures == ())


CHANGES: list[dict[str, Any]] = [
    {},
    {"state": {5: 60_000, 10: 9, 11: 2, 12: [3_300, 3_301]}},
    {"state": {12: []}},
    *({"extra": {key: None}} for key in (1, 2, 3, 4, 5)),
    *({"extra": {key: "text"}} for key in (1, 2, 3, 4, 5)),
    {"extra": {1: b""}},
    {"extra": {1: b"x" * 64}},
    {"extra": {1: b"x" * 65}},
    {"extra": {2: b"c" * 31}},
    {"extra": {3: -1}},
    {"extra": {3: (1 << 64) - 1}},
    {"extra": {5: 1}},
    {"extra": {6: 0}},
    *({"state": {key: None}} for key in range(1, 10)),
    *({"state": {key: -1}} for key in range(1, 12)),
    *({"state": {key: b""}} for key in range(1, 13)),
    {"state": {1: 12_000}},
    {"state": {1: 12_001}},
    {"state": {2: 10_500}},
    {"state": {2: 10_501}},
    {"state": {12: [1, -1]}},
    {"state": {13: 0}},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_the_grammar_takes_what_the_decoder_finds_no_fault_with(changes: dict[str, Any]) -> None:
    raw = cose_sign1(payload(BATTERY.id, CHALLENGE, **changes))
    assert accepts(raw) is (read_cose(raw).departures == ())
