import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.chain import PointOrOrigin
from indexer.eras import read_era_history
from indexer.errors import InvalidChainData
from indexer.ogmios.messages import RequestFailed, read_result
from tests.shared import shared

START = b'"2017-09-23T21:44:51Z"'


def era(slot: int, seconds: float, milliseconds: int, end: int | None) -> dict[str, Any]:
    bound: dict[str, Any] = {"time": {"seconds": seconds}, "slot": slot, "epoch": 0}
    parameters = {"epochLength": 1, "slotLength": {"milliseconds": milliseconds}, "safeZone": 0}
    later = {} if end is None else {"end": {"time": {"seconds": 0}, "slot": end, "epoch": 1}}
    return {"start": bound, "parameters": parameters} | later


MAINNET = json.dumps([era(0, 0, 20_000, 4_492_800), era(4_492_800, 89_856_000, 1_000, 5_000_000)]).encode()


def test_slots_last_20_seconds_in_byron_and_one_since_shelley() -> None:
    """Two times that mainnet's explorers show."""
    history = read_era_history(START, MAINNET)
    assert history.time(0) == "2017-09-23T21:44:51Z"
    assert history.time(4_492_799) == "2020-07-29T21:44:31Z"
    assert history.time(4_492_800) == "2020-07-29T21:44:51Z"
    assert history.time(4_924_800) == "2020-08-03T21:44:51Z"


def test_a_history_says_how_far_it_reaches() -> None:
    history = read_era_history(START, MAINNET)
    assert history.covers(5_000_000)
    assert not history.covers(5_000_001)
    assert read_era_history(START, json.dumps([era(0, 0, 1_000, None)]).encode()).covers(10**12)


def test_parts_of_a_second_are_shown_where_there_are_any() -> None:
    history = read_era_history(START, json.dumps([era(0, 0, 500, None)]).encode())
    assert history.time(1) == "2017-09-23T21:44:51.500Z"


def test_a_slot_beyond_all_time_is_a_typed_error() -> None:
    history = read_era_history(START, json.dumps([era(0, 0, 1_000, None)]).encode())
    with pytest.raises(InvalidChainData, match="9999"):
        history.time(2**63)


@given(st.integers(0, 4_999_999))
def test_a_later_slot_is_a_later_time(slot: int) -> None:
    history = read_era_history(START, MAINNET)
    assert history.time(slot) < history.time(slot + 1)


@pytest.mark.parametrize("summaries", [b"[]", b"{}", b"null", b'[{"start":{"time":{},"slot":0,"epoch":0}}]', b"[1]"])
def test_a_history_that_makes_no_sense_is_a_typed_error(summaries: bytes) -> None:
    with pytest.raises(InvalidChainData):
        read_era_history(START, summaries)


@pytest.mark.parametrize("version", ["v6.14.0", "v7.0.0"])
def test_all_recorded_answers_to_the_queries_are_read_or_fail_by_name(version: str) -> None:
    starts = [
        read_result(f.read_bytes(), "x")
        for f in sorted(shared(f"vectors/ogmios/{version}/QueryNetworkStartTime").iterdir())
    ]
    summaries = sorted(shared(f"vectors/ogmios/{version}/QueryLedgerStateEraSummaries").iterdir())
    assert len(starts) == len(summaries) == 5
    for start, file in zip(starts, summaries, strict=True):
        try:
            answer = read_result(file.read_bytes(), "queryLedgerState/eraSummaries")
        except RequestFailed:
            assert b'"error"' in file.read_bytes()
            continue
        history = read_era_history(start, answer)
        assert len(history.eras) == len(json.loads(answer))
        history.time(history.eras[0].start.slot)
    for file in sorted(shared(f"vectors/ogmios/{version}/QueryNetworkTip").iterdir()):
        point = msgspec.json.decode(read_result(file.read_bytes(), "queryNetwork/tip"), type=PointOrOrigin)
        assert msgspec.to_builtins(point) == json.loads(file.read_bytes())["result"]
