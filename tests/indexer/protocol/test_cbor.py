import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.protocol import cbor
from indexer.protocol.cbor import Float, Limits, Malformed, Map, Simple, Tagged, Value, read
from tests.indexer.build import write_cbor
from tests.shared import shared

SIMPLE = {"false": 20, "true": 21, "null": 22, "undefined": 23, "simple(16)": 16, "simple(24)": 24, "simple(255)": 255}


def plain(value: Value) -> Any:
    """As JSON would show it, for the vectors."""
    match value:
        case tuple():
            return [plain(item) for item in value]
        case Map(pairs=pairs):
            return {key: plain(held) for key, held in pairs}
        case Float(value=number):
            return number
        case Simple(number=number):
            return {20: False, 21: True, 22: None}.get(number, value)
        case Tagged(tag=tag, value=bytes() as magnitude) if tag in (2, 3):
            return int.from_bytes(magnitude, "big") if tag == 2 else -1 - int.from_bytes(magnitude, "big")
    return value


def test_every_example_of_rfc_8949_appendix_a_is_read() -> None:
    for example in json.loads(shared("vectors/cbor/appendix_a.json").read_text()):
        raw = bytes.fromhex(example["hex"])
        if raw == b"\xf8\x18":  # RFC 7049's simple(24); RFC 8949 section 3.3 made it not well-formed
            with pytest.raises(Malformed, match="reserved simple"):
                read(raw)
            continue
        document = read(raw)
        assert document.length == len(raw)
        if "decoded" in example:
            assert plain(document.value) == example["decoded"], example["hex"]
        elif example["diagnostic"] in SIMPLE:
            assert document.value == Simple(SIMPLE[example["diagnostic"]])
        if not example["roundtrip"]:
            assert document.departures, example["hex"]


def test_every_truncation_of_every_example_is_named() -> None:
    for example in json.loads(shared("vectors/cbor/appendix_a.json").read_text()):
        raw = bytes.fromhex(example["hex"])
        for length in range(len(raw)):
            with pytest.raises(Malformed) as caught:
                read(raw[:length])
            assert caught.value.reason in ("truncated", "reserved_simple"), (example["hex"], length)


@pytest.mark.parametrize(
    ("raw", "departures"),
    [
        ("1800", ["not_shortest"]),
        ("190017", ["not_shortest"]),
        ("1b00000000ffffffff", ["not_shortest"]),
        ("5f4100ff", ["indefinite_length"]),
        ("9fff", ["indefinite_length"]),
        ("a202000100", ["map_keys_unsorted"]),
        ("a201000100", ["duplicate_key"]),
        ("a20100180100", ["duplicate_key", "not_shortest"]),
        ("a2f97e0000f97e0000", ["duplicate_key"]),
        ("fa3f800000", ["not_shortest"]),
        ("f93c00", []),
        ("fb3ff199999999999a", []),
        ("c24101", ["not_shortest"]),
        ("c249010000000000000000", []),
        ("d81201", ["not_shortest"]),
    ],
)
def test_departures_from_deterministic_encoding_are_named(raw: str, departures: list[str]) -> None:
    assert list(read(bytes.fromhex(raw)).departures) == departures


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "truncated"),
        ("1c", "reserved_length"),
        ("1f", "reserved_length"),
        ("df", "reserved_length"),
        ("ff", "unexpected_break"),
        ("82ff", "unexpected_break"),
        ("5f6161ff", "wrong_chunk"),
        ("5f5fffff", "wrong_chunk"),
        ("bf01ff", "odd_map"),
        ("62ff00", "invalid_utf8"),
        ("f800", "reserved_simple"),
        ("9b" + "ff" * 8, "too_many_items"),
        ("bb" + "ff" * 8, "too_many_items"),
        ("5b" + "ff" * 8, "truncated"),
        ("81" * 9 + "00", "too_deep"),
        ("c6" * 9 + "00", "too_deep"),
        ("81" * 16_000, "too_deep"),
        ("00" * 16_385, "too_large"),
    ],
)
def test_bytes_that_are_no_cbor_have_a_reason(raw: str, reason: str) -> None:
    with pytest.raises(Malformed) as caught:
        read(bytes.fromhex(raw))
    assert caught.value.reason == reason


def test_depth_and_items_are_read_up_to_their_bounds() -> None:
    assert read(bytes.fromhex("81" * 8 + "00")).value
    bounds = Limits(depth=1, items=4, size=100)
    assert read(b"\x83\x01\x02\x03", bounds).value == (1, 2, 3)
    with pytest.raises(Malformed, match="too many items"):
        read(b"\x9f\x01\x02\x03\x04\xff", bounds)


def test_a_number_and_a_float_are_never_the_same_key() -> None:
    assert read(bytes.fromhex("a20100f93c0000")).departures == ()


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_as_malformed(raw: bytes) -> None:
    with suppress(Malformed):
        assert 0 < read(raw).length <= len(raw)


scalars = (
    st.integers(-(1 << 64), (1 << 64) - 1) | st.binary(max_size=80) | st.text(max_size=30) | st.booleans() | st.none()
)
trees = st.recursive(
    scalars,
    lambda held: st.lists(held, max_size=4) | st.dictionaries(st.integers(0, 40), held, max_size=4),
    max_leaves=12,
)


def depth(tree: Any) -> int:
    if isinstance(tree, list):
        return 1 + max(map(depth, tree), default=0)
    return 1 + max(map(depth, tree.values()), default=0) if isinstance(tree, dict) else 0


def in_order(tree: Any) -> Any:
    if isinstance(tree, list):
        return [in_order(item) for item in tree]
    return {key: in_order(tree[key]) for key in sorted(tree)} if isinstance(tree, dict) else tree


@given(trees.filter(lambda tree: depth(tree) <= 8))
def test_deterministic_cbor_comes_back_as_it_was_and_departs_from_nothing(tree: Any) -> None:
    document = read(write_cbor(in_order(tree)))
    assert plain(document.value) == tree
    assert document.departures == ()


@given(st.floats(width=64))
def test_a_64_bit_float_is_shortest_only_if_no_narrower_one_holds_it(number: float) -> None:
    departures = read(write_cbor(number)).departures
    if math.isnan(number) or number in (0.0, math.inf, -math.inf):
        assert departures == ("not_shortest",)
    held = read(write_cbor(number)).value
    assert isinstance(held, Float)
    assert held.value == number or math.isnan(number)


def test_heads_are_written_in_their_shortest_form() -> None:
    for argument in (0, 23, 24, 255, 256, 65_535, 65_536, (1 << 32) - 1, 1 << 32, (1 << 64) - 1):
        head = cbor.write_head(cbor.UINT, argument)
        assert read(head) == cbor.Document(argument, (), len(head))
